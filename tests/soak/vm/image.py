"""A guest that lives in memory alone: kernel, a few modules, Python and this checkout, as an initial file system.

The data disk is no part of it, so that the machine's state can be kept before the disk is known to it at all.
"""

from __future__ import annotations

import compileall
import io
import os
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path
from typing import Final, NamedTuple

TREE: Final = Path(__file__).parents[3]
ROOT_TAR: Final = (
    Path(os.environ.get("TAGWHARF_TEST_SERVERS", "/usr/local/lib/tagwharf-test-servers")) / "vm" / "root.tar"
)
WRITER: Final = "tests.soak.vm.writer"
EARLY_MODULES: Final = ("virtio_pci", "ext4", "crc32c_generic")
LATE_MODULES: Final = ("virtio_blk",)  # loaded by the writer: it meets the disk after the machine has gone on
_WANTED: Final = re.compile(r"\./(bin|sbin|lib|lib32|lib64|libx32|usr/bin|usr/lib|usr/sbin|usr/share/zoneinfo)(/|$)")
_LEFT_OUT: Final = re.compile(
    r"\./((usr/)?s?bin/(?!busybox|python3)|(usr/)?lib/(modules|firmware|systemd|udev|klibc)(/|$)"
    r"|usr/lib/(python3/|apt/|git-core/)|.*/(gconv|perl|perl-base|pydoc_data)(/|$))"
)
_INIT: Final = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t tmpfs tmp /tmp
for module in {early}; do /bin/busybox insmod /modules/$module.ko || echo "insmod $module failed"; done
export PYTHONPATH=/app:/app/site PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LATE_MODULES="{late}"
/usr/bin/python3.11 -m {writer} </dev/null >/dev/ttyS0 2>&1
echo "the writer ended: $?" >/dev/ttyS0
/bin/busybox sleep 1000000
"""


class Guest(NamedTuple):
    """What QEMU boots."""

    kernel: Path
    initrd: Path


def build(work: Path) -> Guest:
    """Make the guest in `work`.

    Raises:
        FileNotFoundError: tests/soak/vm/install.sh has not been run.
    """
    if not ROOT_TAR.exists():
        raise FileNotFoundError(f"{ROOT_TAR} is not there; run `bash tests/soak/vm/install.sh` as root")
    stage = work / "stage"
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    with tarfile.open(ROOT_TAR) as tar:
        members = {member.name: member for member in tar if not member.isdev()}
        wanted = [m for name, m in members.items() if _WANTED.match(name) and not _LEFT_OUT.match(name)]
        tar.extractall(stage, wanted, filter="fully_trusted")
        (kernel_name,) = [name for name in members if name.startswith("./boot/vmlinuz-")]
        kernel = work / "kernel"
        kernel.write_bytes(_content(tar, members[kernel_name]))
        early, late = _plant_modules(tar, members, stage / "modules")
    _plant_product(stage / "app")
    init = stage / "init"
    init.write_text(_INIT.format(early=" ".join(early), late=" ".join(late), writer=WRITER))
    init.chmod(0o755)
    for name in ("proc", "sys", "dev", "tmp", "data"):
        (stage / name).mkdir(exist_ok=True)
    initrd = work / "initrd"
    with initrd.open("wb") as out:
        _write_cpio(stage, out)
    shutil.rmtree(stage)
    return Guest(kernel, initrd)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    opened = tar.extractfile(member)
    assert opened is not None
    return opened.read()


def _plant_modules(
    tar: tarfile.TarFile, members: dict[str, tarfile.TarInfo], directory: Path
) -> tuple[list[str], list[str]]:
    """Put the kernel modules there, and say in which order they are loaded: at once, and late."""
    directory.mkdir()
    files = {Path(name).stem.replace("-", "_"): name for name in members if name.endswith(".ko")}
    ordered: list[str] = []

    def load(module: str) -> None:
        if module in ordered or module not in files:
            return  # loaded before, or part of the kernel
        content = _content(tar, members[files[module]])
        for needed in re.findall(rb"\0depends=([^\0]*)", content):
            for name in needed.decode().split(","):
                load(name.replace("-", "_"))
        (directory / f"{module}.ko").write_bytes(content)
        ordered.append(module)

    for module in EARLY_MODULES:
        load(module)
    early = list(ordered)
    for module in LATE_MODULES:
        load(module)
    return early, ordered[len(early) :]


def _plant_product(app: Path) -> None:
    """This checkout, and of the libraries those that the writer really imports; compiled, since the guest is slow."""
    code = f"import sys, {WRITER}; print(*filter(None, (getattr(m, '__file__', '') for m in sys.modules.values())))"
    done = subprocess.run([sys.executable, "-c", code], cwd=TREE, check=True, capture_output=True, text=True)
    library = Path(sysconfig.get_path("purelib"))
    names = {Path(line).relative_to(library).parts[0] for line in done.stdout.split() if line.startswith(str(library))}
    skipped = shutil.ignore_patterns("__pycache__", "*.pyi", "static")
    for name in sorted(names):
        source, target = library / name, app / "site" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=skipped)
        else:
            shutil.copy(source, target)
    for room in ("gateway", "readers"):
        shutil.copytree(TREE / room, app / room, ignore=skipped)
    shutil.copytree(TREE / "tests/soak/vm", app / "tests/soak/vm", ignore=skipped)
    for package in ("tests", "tests/soak"):
        (app / package / "__init__.py").touch()
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(app, quiet=2, invalidation_mode=mode)
    compileall.compile_dir(app.parent / "usr/lib/python3.11", quiet=2, invalidation_mode=mode)


def _write_cpio(root: Path, out: io.BufferedWriter) -> None:
    """An archive in the format `newc`, which the kernel unpacks. Source: cpio(5)."""
    paths = sorted(path for path in root.rglob("*"))
    for number, path in enumerate([*paths, None], 1):
        status = path.lstat() if path else None
        name = str(path.relative_to(root)) if path else "TRAILER!!!"
        content = b""
        if path and path.is_symlink():
            content = str(path.readlink()).encode()
        elif path and path.is_file():
            content = path.read_bytes()
        encoded = name.encode() + b"\0"
        fields = (number, status.st_mode if status else 0, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        out.write(head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4))
