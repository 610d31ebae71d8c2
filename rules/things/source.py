"""Where a registry comes from: the file that `site.assets` names, read into a copy of our own.

The copy lies in the state directory and has no name there, so that nothing is left of it when the daemon ends, however
it ends. Whoever replaces the list, or even writes into it, changes nothing of what is in use.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from gateway.identity import Identities
from rules.things.file import MAGIC, RegistryError, open_file
from rules.things.listing import build_from_csv
from rules.things.registry import Registry

VERSION_BYTES: Final = 6  # `b2sum -l 48` prints the same
_SCRATCH: Final = "things-"
_CHUNK: Final = 1 << 20


class Stamp(NamedTuple):
    """What changes when a file does."""

    inode: int
    size: int
    modified_ns: int


class ChangingError(Exception):
    """The file was written to while it was read; it is worth another attempt."""


def stamp_of(path: Path) -> Stamp:
    """The stamp of a file.

    Raises:
        OSError: there is none.
    """
    found = path.stat()
    return Stamp(found.st_ino, found.st_size, found.st_mtime_ns)


def load(path: Path, directory: Path, identities: Identities) -> Registry:
    """Read the list, or the registry made from one, that `path` names; `directory` takes our copy.

    Raises:
        RegistryError: it has faults, one line each. ChangingError: it is being written. OSError, sqlite3.Error: it
            cannot be read, or there is no room for the copy.
    """
    before = stamp_of(path)
    for left in directory.glob(f"{_SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)  # of a process that was killed while it read
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=directory) as scratch:
        copy = Path(scratch) / "things.db"
        with path.open("rb") as file:
            version = _hash(file.fileno())
            is_registry = os.pread(file.fileno(), len(MAGIC), 0) == MAGIC
        try:
            if is_registry:
                shutil.copyfile(path, copy)
                if stamp_of(path) == before and (copy_version := _hash_of(copy)) != version:
                    raise ChangingError(f"{path}: {version} became {copy_version}")
            else:
                build_from_csv(path, copy, identities)
            registry = _opened(copy, version, identities)
        except RegistryError:
            if stamp_of(path) != before:
                raise ChangingError(f"{path} is being written") from None
            raise
        if stamp_of(path) != before:
            registry.close()
            raise ChangingError(f"{path} is being written")
        return registry


def empty(identities: Identities) -> Registry:
    """The registry of a site that names no list."""
    return Registry.of((), identities)


def _opened(path: Path, version: str, identities: Identities) -> Registry:
    db, meta = open_file(path)
    try:
        things, cards, check = int(meta["things"]), int(meta["cards"]), meta["identities"]
    except (KeyError, ValueError) as error:
        db.close()
        raise RegistryError(["lacks its own description; import the list again"]) from error
    if cards and check != identities.check and "" not in (check, identities.check):
        db.close()
        raise RegistryError(
            ["was imported with another key, or another [cards] identity, than this site has; import the list again"]
        )
    return Registry(db, version, identities, things=things, cards=cards)


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
