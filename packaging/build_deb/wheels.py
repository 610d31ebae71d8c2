"""Getting wheels, hash-checked, and unpacking them as an environment of the target's Python has them.

pip fetches and checks; it does not install, since the target's Python need not be here: a wheel is a zip file whose
members go to site-packages, but for `NAME.data/scripts`, which goes to bin. Source: Binary distribution format (PyPA).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from packaging.utils import parse_wheel_filename

from build_deb.targets import Target

EXECUTABLE: Final = 0o755
PLAIN: Final = 0o644
_LIBRARY_PARTS: Final = {"purelib", "platlib"}


class BuildError(Exception):
    """The packages cannot be built; the message tells why."""


def cache_directory() -> Path:
    """Where what was fetched is kept for the next time."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "tagwharf-deb"


def fetch(lines: Sequence[str], target: Target, cache: Path) -> list[Path]:
    """The wheels of these requirement lines, from the cache when they were fetched before.

    Raises:
        BuildError: one is not to be had for this target, or has another hash.
    """
    text = "\n".join(sorted(lines)) + "\n"
    place = cache / f"{target.name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    if not place.is_dir():
        draft = place.with_name(f"{place.name}.{os.getpid()}")
        draft.mkdir(parents=True)
        try:
            wanted = draft / "requirements.txt"
            wanted.write_text(text)
            options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--implementation", "cp"]
            options += ["--python-version", target.python_version]
            for abi in (target.abi, "abi3", "none"):
                options += ["--abi", abi]
            for platform in target.platforms:
                options += ["--platform", platform]
            command = [*pip(), "download", "-q", *options, "-r", str(wanted), "-d", str(draft)]
            run(command)
            if not place.is_dir():  # or somebody else was faster
                draft.rename(place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return sorted(place.glob("*.whl"))


def pip() -> list[str]:
    """The pip of the Python that the project's environment was made with; the environment itself has none."""
    python = Path(sysconfig.get_config_var("BINDIR")) / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return [str(python), "-m", "pip", "--disable-pip-version-check"]


def run(command: Sequence[str], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run a program of the build and return what it wrote.

    Raises:
        BuildError: it failed.
    """
    done = subprocess.run(  # noqa: S603  # fixed commands, no shell
        command, check=False, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        raise BuildError(f"`{' '.join(command[:6])} ...` ended with status {done.returncode}:\n{done.stdout[-4000:]}")
    return done.stdout


def unpack(wheels: Iterable[Path], library: Path, scripts: Path, *, wanted: frozenset[str]) -> list[str]:
    """Unpack wheels; returns the names that can be imported from them. Of scripts only those in `wanted` are kept.

    Raises:
        BuildError: a wheel holds what it may not.
    """
    importable: set[str] = set()
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.infolist():
                if member.is_dir():
                    continue
                path = PurePosixPath(member.filename)
                if path.is_absolute() or ".." in path.parts:
                    raise BuildError(f"{wheel.name} would write {path}")
                place = _place(path, library, scripts, wanted)
                if place is None:
                    continue
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(archive.read(member))
                place.chmod(EXECUTABLE if place.parent == scripts else PLAIN)
                if name := _importable(place, library):
                    importable.add(name)
    return sorted(importable)


def is_for(wheel: Path, target: Target) -> bool:
    """Whether a wheel's tags name this target's Python, the stable ABI, or no ABI at all."""
    tags = parse_wheel_filename(wheel.name)[3]
    return any(
        tag.abi == "none"
        or (tag.abi == target.abi and tag.interpreter == target.abi)
        or (tag.abi == "abi3" and _minor(tag.interpreter) <= target.python[1])
        for tag in tags
    )


def _minor(interpreter: str) -> int:
    digits = interpreter.removeprefix("cp3")
    return int(digits) if digits.isdecimal() else sys.maxsize


def _place(path: PurePosixPath, library: Path, scripts: Path, wanted: frozenset[str]) -> Path | None:
    top = path.parts[0]
    if not top.endswith(".data"):
        return library / path
    kind, *rest = path.parts[1:]
    if kind in _LIBRARY_PARTS:
        return library.joinpath(*rest)
    if kind == "scripts" and len(rest) == 1 and rest[0] in wanted:
        return scripts / rest[0]
    return None  # headers, manual pages, commands that nobody here calls


def _importable(place: Path, library: Path) -> str:
    """The top-level name that this file makes importable; private modules are imported by their own packages."""
    if not place.is_relative_to(library):
        return ""
    parts = place.relative_to(library).parts
    if len(parts) == 2 and parts[1] == "__init__.py":  # noqa: PLR2004  # PACKAGE/__init__.py
        name = parts[0]
    elif len(parts) == 1 and place.suffix == ".py":
        name = place.stem
    else:
        return ""
    return name if name.isidentifier() and not name.startswith("_") else ""
