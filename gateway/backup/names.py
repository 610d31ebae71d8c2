"""How archives are called in a directory, and which of them are old."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

SUFFIX: Final = ".tar.gz"
PART: Final = ".part"
_TIME: Final = r"\d{8}T\d{6}Z"


def file_name(site: str, gateway: str, made_at_us: int) -> str:
    """Names of sites and gateways have no dots, so no two of them make the same name."""
    return f"tagwharf.{site}.{gateway}.{datetime.fromtimestamp(made_at_us // 1_000_000, UTC):%Y%m%dT%H%M%SZ}{SUFFIX}"


def older(directory: Path, site: str, gateway: str, keep: int) -> list[Path]:
    """The archives of this site and gateway beyond the newest `keep`, oldest first."""
    ours = re.compile(rf"tagwharf\.{re.escape(site)}\.{re.escape(gateway)}\.{_TIME}{re.escape(SUFFIX)}")
    found = sorted(path for path in directory.iterdir() if ours.fullmatch(path.name) and path.is_file())
    return found[: max(0, len(found) - keep)]


def left_behind(directory: Path, site: str, gateway: str, before_s: float) -> list[Path]:
    """What was begun before that time by a process that was killed."""
    ours = re.compile(rf"\.tagwharf\.{re.escape(site)}\.{re.escape(gateway)}\.{_TIME}{re.escape(SUFFIX)}\.\d+{PART}")
    found = (path for path in directory.iterdir() if ours.fullmatch(path.name))
    return sorted(path for path in found if path.stat().st_mtime < before_s)


def is_mounted(directory: Path) -> bool:
    """Whether something is mounted at a directory or above it, below the root of the machine."""
    path = directory.resolve()
    return any(each.is_mount() for each in (path, *path.parents) if each != Path(path.anchor))
