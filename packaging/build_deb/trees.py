"""The files of the two packages, laid out in a directory as they will lie on the machine."""

from __future__ import annotations

import gzip
import shutil
from email.parser import HeaderParser
from email.utils import formatdate
from pathlib import Path
from typing import Final

from build_deb import checkout, completion
from build_deb.targets import Target
from build_deb.wheels import EXECUTABLE, PLAIN, unpack

ROOT: Final = "opt/tagwharf"
PACKAGING: Final = checkout.ROOT / "packaging"
MAINTAINER: Final = "The Tagwharf developers <maintainers@tagwharf.invalid>"
OUR_SCRIPTS: Final = frozenset({"nats-server"})  # the embedded broker, which is looked for beside the interpreter
DAEMONS: Final = ("gateway.cli", "gateway.edge.daemon", "gateway.console.server", "rules.daemon")
"""Imported by the gate besides what the bundle holds."""

_COMMAND: Final = """#!/{python} -I
from gateway.cli import main

main()
"""
_PYVENV: Final = """home = /usr/bin
include-system-site-packages = false
version = {version}
"""
_UNITS: Final = "usr/lib/systemd/system"


def lay_out_runtime(tree: Path, version: str, target: Target, wheels: list[Path]) -> None:
    """Lay out one version: the environment, its gate, and the documentation."""
    here = f"{ROOT}/versions/{version}"
    venv, share = tree / here / "venv", tree / here / "share"
    scripts = venv / "bin"
    library = venv / f"lib/python{target.python_version}/site-packages"
    scripts.mkdir(parents=True)
    names = unpack(wheels, library, scripts, wanted=OUR_SCRIPTS)
    (scripts / "python").symlink_to(f"/usr/bin/python{target.python_version}")
    (scripts / "python3").symlink_to("python")
    write(venv / "pyvenv.cfg", _PYVENV.format(version=target.python_version))
    write(scripts / "tagwharf", _COMMAND.format(python=f"{here}/venv/bin/python"), mode=EXECUTABLE)
    rooms = set(checkout.ROOMS)
    write(share / "imports.txt", "".join(f"{name}\n" for name in [*DAEMONS, *(n for n in names if n not in rooms)]))
    copy(PACKAGING / "runtime/gate.py", share / "gate.py")
    for path in checkout.files("docs"):
        copy(path, share / "doc" / path.relative_to(checkout.ROOT / "docs"))
    (share / "doc/systemd.md").symlink_to("how-to/systemd.md")  # as the units name it
    _about(tree, f"tagwharf-runtime-{version}", version, target, bundled(library))


def lay_out_small(tree: Path, version: str, target: Target) -> None:
    """Lay out what there is once: units, users, directories, the udev rule, templates, `tagwharf-ctl`."""
    source = checkout.ROOT / "systemd"
    for path in sorted([*source.glob("tagwharf-*.service"), *source.glob("tagwharf-*.timer")]):
        copy(path, tree / _UNITS / path.name)
    recover = "tagwharf-ctl-recover.service"
    copy(PACKAGING / recover, tree / _UNITS / recover)
    link(tree / _UNITS / "multi-user.target.wants" / recover, f"../{recover}")  # always: it has a condition
    copy(source / "tagwharf.sysusers", tree / "usr/lib/sysusers.d/tagwharf.conf")
    copy(source / "tagwharf.tmpfiles", tree / "usr/lib/tmpfiles.d/tagwharf.conf")
    copy(source / "99-tagwharf-serial.rules", tree / "usr/lib/udev/rules.d/99-tagwharf-serial.rules")
    templates = tree / "usr/share/tagwharf"
    for name in ("site.toml", "mosquitto.conf", "mosquitto.acl"):
        copy(source / name, templates / name)
    copy(source / "tagwharf-edge.service.d/serial.conf", templates / "serial.conf")
    for path in checkout.files("packaging/tagwharf_ctl"):
        copy(path, tree / "usr/lib/tagwharf/tagwharf_ctl" / path.name)
    copy(PACKAGING / "tagwharf-ctl", tree / "usr/bin/tagwharf-ctl", mode=EXECUTABLE)
    (tree / "usr/bin/tagwharf").symlink_to(f"/{ROOT}/bin/tagwharf")
    link(tree / ROOT / "bin/tagwharf", "../current/venv/bin/tagwharf")
    link(tree / ROOT / "share", "current/share")
    completions = tree / "usr/share/bash-completion/completions"
    write(completions / "tagwharf", completion.script((checkout.ROOT / "docs/reference/cli.md").read_text()))
    copy(PACKAGING / "scripts/completion.bash", completions / "tagwharf-ctl")
    copy(PACKAGING / "scripts/apt.conf", tree / "etc/apt/apt.conf.d/50tagwharf")
    _about(tree, "tagwharf", version, target, [])


def bundled(library: Path) -> list[tuple[str, str, str]]:
    """Name, version and licence of each distribution in an environment."""
    found = []
    for path in sorted(library.glob("*.dist-info/METADATA")):
        told = HeaderParser().parsestr(path.read_text(errors="replace"))
        classifiers = [each for each in told.get_all("Classifier", []) if each.startswith("License ::")]
        licence = told.get("License-Expression") or "; ".join(each.split(" :: ")[-1] for each in classifiers)
        licence = licence or " ".join((told.get("License") or "see its metadata").split())[:80]
        found.append((told["Name"], told["Version"], licence))
    return found


def copy(source: Path, place: Path, *, mode: int = PLAIN) -> None:
    """Copy one file, and make the directories that it needs."""
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, place)
    place.chmod(mode)


def write(place: Path, text: str, *, mode: int = PLAIN) -> None:
    """Write one file, and make the directories that it needs."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    place.chmod(mode)


def link(place: Path, target: str) -> None:
    """Make one symbolic link, and the directories that it needs."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


def _about(tree: Path, package: str, version: str, target: Target, parts: list[tuple[str, str, str]]) -> None:
    """What Debian wants to know of every package: whose it is, and what changed."""
    place = tree / "usr/share/doc" / package
    lines = [f"    {name} {number}: {licence}" for name, number, licence in parts]
    bundle = ["", "It bundles, each with its licence in its *.dist-info directory:", "", *lines] if lines else []
    text = [
        "Tagwharf: an RFID and IoT sensing gateway for ports and factories.",
        "Copyright: the Tagwharf developers.",
        "License: GPL-3.0-or-later; see /usr/share/common-licenses/GPL-3.",
        *bundle,
    ]
    write(place / "copyright", "\n".join(text) + "\n")
    kind = "runtime" if parts else "tagwharf"
    copy(PACKAGING / f"lintian/{kind}.overrides", tree / "usr/share/lintian/overrides" / package)
    date = formatdate(checkout.date_s(), localtime=False, usegmt=False).replace("-0000", "+0000")
    number = checkout.debian_version(version) + target.suffix
    entry = f"{package} ({number}) stable; urgency=medium\n\n  * Release {version}; see CHANGELOG.md.\n"
    place.mkdir(parents=True, exist_ok=True)
    squeezed = gzip.compress(f"{entry}\n -- {MAINTAINER}  {date}\n".encode(), 9, mtime=0)
    (place / "changelog.gz").write_bytes(squeezed)
    (place / "changelog.gz").chmod(PLAIN)
