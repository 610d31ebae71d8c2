"""A list that others keep: a file of text or an SQLite database, read whole, or refused whole.

It is read into a copy of our own. Whoever replaces the list, or even writes into it, changes nothing of what is in use.
The copy lies in the state directory and has no name there, so that nothing is left of it when the daemon ends, however
it ends.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeVar

from gateway.config.phrases import clean

MAGIC: Final = b"SQLite format 3\x00"
VERSION_BYTES: Final = 6  # `b2sum -l 48` prints the same
SHOWN_FAULTS: Final = 100
_CHUNK: Final = 1 << 20
_lock: Final = threading.Lock()
_in_use: Final[set[Path]] = set()


class RefusedError(ValueError):
    """What was read has faults; `faults` holds one line for each, whatever stands in the list."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = [clean(fault) for fault in faults]
        super().__init__("\n".join(self.faults))


class ChangingError(Exception):
    """The file was written to while it was read; it is worth another attempt."""


class Stamp(NamedTuple):
    """What changes when a file does."""

    inode: int
    size: int
    modified_ns: int


class Source(NamedTuple):
    """A list as it is to be read.

    Attributes:
        path: the file itself, or of a database a copy.
        scratch: a directory for what is made of it; it is gone afterwards.
        version: the beginning of the BLAKE2b hash of the file, in hex.
    """

    path: Path
    scratch: Path
    version: str
    is_database: bool


class Loaded(Protocol):
    """What is made of a list."""

    def close(self) -> None:
        """Let go of it."""


Made = TypeVar("Made", bound=Loaded)


def stamp_of(path: Path) -> Stamp:
    """The stamp of a file.

    Raises:
        OSError: there is none.
    """
    found = path.stat()
    return Stamp(found.st_ino, found.st_size, found.st_mtime_ns)


def read_whole(path: Path, directory: Path, prefix: str, make: Callable[[Source], Made]) -> Made:
    """What `make` makes of a list; `directory` takes our copies, whose names begin with `prefix`.

    Raises:
        RefusedError: it has faults, one line each. ChangingError: it is being written. OSError, sqlite3.Error: it
            cannot be read, or there is no room for the copy.
    """
    before = stamp_of(path)
    with _scratch(directory, prefix) as scratch:
        with path.open("rb") as file:
            version = _hash(file.fileno())
            is_database = os.pread(file.fileno(), len(MAGIC), 0) == MAGIC
        source = path
        if is_database:
            source = scratch / "source.db"
            shutil.copyfile(path, source)
            if stamp_of(path) == before and (copied := _hash_of(source)) != version:
                raise ChangingError(f"{path}: {version} became {copied}")
        try:
            made = make(Source(source, scratch, version, is_database))
        except RefusedError:
            if stamp_of(path) != before:
                raise ChangingError(f"{path} is being written") from None
            raise
        if stamp_of(path) != before:
            made.close()
            raise ChangingError(f"{path} is being written")
        return made


@contextmanager
def _scratch(directory: Path, prefix: str) -> Iterator[Path]:
    with _lock:
        for left in directory.glob(f"{prefix}*"):
            if left not in _in_use:  # so it is of a process that was killed while it read
                shutil.rmtree(left, ignore_errors=True)
        found = Path(tempfile.mkdtemp(prefix=prefix, dir=directory))
        _in_use.add(found)
    try:
        yield found
    finally:
        shutil.rmtree(found, ignore_errors=True)
        _in_use.discard(found)


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return _hash(file.fileno())


def _hash(descriptor: int) -> str:
    found = hashlib.blake2b(digest_size=VERSION_BYTES)
    at = 0
    while chunk := os.pread(descriptor, _CHUNK, at):
        found.update(chunk)
        at += len(chunk)
    return found.hexdigest()
