"""What a version must show before anything is switched to it: whole files, and its own gate.

Every runtime brings `share/gate.py`, which its own Python runs: that knows what this version imports, which site files
it takes and which state databases it can read. So this program knows of no version in particular.

What the gate imports is compiled by that, when root runs it: the daemons may not write beside their own files.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tagwharf_ctl.programs import run
from tagwharf_ctl.versions import RefusedError, Versions

PACKAGE: Final = "tagwharf-runtime-"
LIMIT_S: Final = 180.0
_LINES_MOST: Final = 20


def pass_gate(versions: Versions, version: str, site_files: Iterable[Path], *, state: Path, dpkg: str = "dpkg") -> None:
    """Have a version show that it can run here.

    Raises:
        RefusedError: it cannot, with all reasons.
    """
    _whole(version, dpkg)
    here = versions.directory(version)
    python, gate = here / "venv/bin/python", here / "share/gate.py"
    told = run([str(python), "-I", str(gate), f"--state={state}", *map(str, site_files)], LIMIT_S)
    if told.status != 0:
        raise RefusedError(f"version {version} does not pass its gate (status {told.status}):\n{_some(told.text)}")


def site_files(configuration: Path, units: Iterable[str]) -> list[Path]:
    """The site files that these services read, as far as they are there."""
    instances = [unit.removesuffix(".service").partition("@")[2] for unit in units]
    names = ["site", *(name for name in instances if name)]
    return [path for name in names if (path := configuration / f"{name}.toml").is_file()]


def _whole(version: str, dpkg: str) -> None:
    told = run([dpkg, "--verify", PACKAGE + version], LIMIT_S)
    if told.text.strip() or told.status:
        raise RefusedError(
            f"version {version} is damaged: install {PACKAGE}{version} again "
            f"(`apt-get install --reinstall ./{PACKAGE}{version}_...deb`). dpkg says:\n{_some(told.text)}"
        )


def _some(text: str) -> str:
    lines = text.strip().splitlines()
    more = [f"    ... and {len(lines) - _LINES_MOST} lines more"] if len(lines) > _LINES_MOST else []
    return "\n".join([*(f"    {line}" for line in lines[:_LINES_MOST]), *more])
