"""The checksum beside a day of the event journal that was closed: SQLite notices broken pages, not altered values.

    events-2026-01-01.db       closed, all of it in one file
    events-2026-01-01.db.sum   its size, its mtime in ns and its CRC-32 as text: `1048576 1767225600000000000 89abcdef`

It is there only while nobody writes the day, and speaks only of a file with that mtime: what a disk alters by itself
keeps it, while an older program that writes the day, or a person, does not. A day that was not closed, because the
process was killed, has none until it is closed the next time.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Final

SUFFIX: Final = ".sum"
PIECE_BYTES: Final = 1 << 20
_checked: Final[dict[Path, tuple[int, int]]] = {}
"""Days found right in this process, by the inode of their checksum and when it was made: they are read once."""


def put(path: Path) -> None:
    """Note what a closed day is; a log that is left beside it leaves it without a checksum.

    Raises:
        OSError: it cannot be written.
    """
    if path.with_name(path.name + "-wal").exists():
        return
    draft = path.with_name(path.name + SUFFIX + ".draft")
    with draft.open("w") as file:
        file.write(_sum(path))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(_beside(path))


def take_away(path: Path) -> None:
    """Before a day is written: what is noted of it must not outlive that, not even in a power cut.

    Raises:
        OSError: the directory cannot be written.
    """
    try:
        _beside(path).unlink()
    except FileNotFoundError:
        return
    handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_altered(path: Path, most_bytes: int) -> bool:
    """Whether the day is not what was closed; a day without a checksum, or larger than that, is taken as it is.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with _beside(path).open() as file:
            made = os.fstat(file.fileno())
            noted = file.read()
        now = path.stat()
        if now.st_size > most_bytes or str(now.st_mtime_ns) not in noted.split():
            return False
        if _checked.get(path) == (made.st_ino, made.st_mtime_ns):
            return False
        found = _sum(path)
    except FileNotFoundError:
        return False
    if found == noted:
        _checked[path] = (made.st_ino, made.st_mtime_ns)
        return False
    return _beside(path).exists()  # else somebody began to write the day meanwhile


def _beside(path: Path) -> Path:
    return path.with_name(path.name + SUFFIX)


def _sum(path: Path) -> str:
    size = crc = 0
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            size += len(piece)
            crc = zlib.crc32(piece, crc)
        return f"{size} {os.fstat(file.fileno()).st_mtime_ns} {crc:08x}\n"
