"""Where a registry comes from: the file that `site.assets` names."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from gateway.identity import Identities
from rules.list_file import ChangingError, Source, Stamp, read_whole, stamp_of
from rules.things.file import RegistryError, open_file
from rules.things.listing import build_from_csv
from rules.things.registry import Registry

__all__ = ["ChangingError", "Stamp", "empty", "load", "stamp_of"]

_SCRATCH: Final = "things-"


def load(path: Path, directory: Path, identities: Identities) -> Registry:
    """Read the list, or the registry made from one, that `path` names; `directory` takes our copy.

    Raises:
        RegistryError: it has faults, one line each. ChangingError: it is being written. OSError, sqlite3.Error: it
            cannot be read, or there is no room for the copy.
    """
    return read_whole(path, directory, _SCRATCH, partial(_read, identities))


def empty(identities: Identities) -> Registry:
    """The registry of a site that names no list."""
    return Registry.of((), identities)


def _read(identities: Identities, source: Source) -> Registry:
    if source.is_database:
        return _opened(source.path, source.version, identities)
    made = source.scratch / "things.db"
    build_from_csv(source.path, made, identities)
    return _opened(made, source.version, identities)


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
