"""What a package takes from the checkout: its files, its version, its date, and the wheel made of it."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Final

from build_deb.wheels import BuildError, run

ROOT: Final = Path(__file__).resolve().parents[2]
ROOMS: Final = ("gateway", "readers", "rules", "simulator")
BESIDE: Final = ("pyproject.toml", "README.md", "LICENSE")
VERSION: Final = re.compile(r"\d+(\.\d+){2}((a|b|rc)\d+)?")
_VERSION_LINE: Final = re.compile(r'^version = "[^"]*"$', re.MULTILINE)


def version(root: Path = ROOT) -> str:
    """The version that pyproject.toml tells."""
    return str(tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"])


def debian_version(told: str) -> str:
    """As dpkg sorts it: 0.2.0rc1 comes before 0.2.0.

    Raises:
        BuildError: it is no version of a release.
    """
    if VERSION.fullmatch(told) is None:
        raise BuildError(f"version {told}: must be three numbers, as 0.2.0, or before a release 0.2.0rc1")
    return re.sub(r"(a|b|rc)", r"~\1", told, count=1)


def date_s(root: Path = ROOT) -> int:
    """What all files in the packages are dated: SOURCE_DATE_EPOCH, or the last commit.

    Raises:
        BuildError: neither is there.
    """
    told = os.environ.get("SOURCE_DATE_EPOCH", "")
    if told.isdecimal():
        return int(told)
    try:
        return int(run(["git", "-C", str(root), "log", "-1", "--format=%ct"]))
    except (BuildError, OSError, ValueError) as error:
        raise BuildError("this is no git checkout; set SOURCE_DATE_EPOCH to the date of the release") from error


def files(folder: str, root: Path = ROOT) -> list[Path]:
    """All files of a folder that belong to the project, sorted."""
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", folder]
        found = {root / name for name in run(command).split("\0") if name}
    else:
        found = {path for path in (root / folder).rglob("*") if "__pycache__" not in path.parts}
    return sorted(path for path in found if path.is_file())


def wheel(told: str, scratch: Path, date: int, root: Path = ROOT) -> Path:
    """The wheel of this checkout under that version, made in `scratch`.

    Raises:
        BuildError: it cannot be made.
    """
    copy, out = scratch / "checkout", scratch / "wheel"
    for folder in ROOMS:
        for path in files(folder, root):
            place = copy / path.relative_to(root)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
    for name in BESIDE:
        shutil.copyfile(root / name, copy / name)
    project = (copy / "pyproject.toml").read_text()
    (copy / "pyproject.toml").write_text(_VERSION_LINE.sub(f'version = "{told}"', project, count=1))
    run(
        [sys.executable, "-I", "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=copy,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(date)},
    )
    (made,) = out.glob("*.whl")
    return made
