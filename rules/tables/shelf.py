"""The tables in use, and the files that they come from."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from gateway.config.rules import LookUpTable
from rules.list_file import ChangingError, RefusedError, Stamp, stamp_of
from rules.tables.file import StoredTable, TableError
from rules.tables.source import load
from rules.tables.table import Tables

PAUSES_S: Final = (1.0, 2.0, 4.0)
"""How long a file that is being written is waited for at the start."""


class Kept(NamedTuple):
    """A table with its settings; `stamp`: of its file, taken before it was read."""

    settings: LookUpTable
    stamp: Stamp
    table: StoredTable


class Shelf:
    """The tables of a running site. What is called a thread's work is safe there; everything else is the event loop's.

    Attributes:
        tables: what the engine looks things up in.
        kept: by name.
    """

    def __init__(self, directory: Path) -> None:
        """`directory` takes our copies."""
        self.tables = Tables()
        self.kept: dict[str, Kept] = {}
        self._directory = directory

    def start(self, settings: Sequence[LookUpTable], pauses_s: Sequence[float] = PAUSES_S) -> None:
        """Read all tables. A thread's work.

        Raises:
            RefusedError: some cannot be used; a line for each fault, beginning with its place in the site file.
        """
        for pause_s in pauses_s:
            try:
                return self.install(settings, self.read(settings))
            except ChangingError:
                time.sleep(pause_s)
        try:
            return self.install(settings, self.read(settings))
        except ChangingError as error:
            raise RefusedError([f"{error} all the time; replace it by renaming a finished file"]) from error

    def read(self, settings: Sequence[LookUpTable]) -> list[Kept]:
        """Read those of these tables that are not in use as they are defined here. A thread's work.

        Raises:
            RefusedError: some cannot be used; a line for each fault, beginning with its place in the site file.
            ChangingError: one is being written.
        """
        found: list[Kept] = []
        faults: list[str] = []
        for each in settings:
            before = self.kept.get(each.name)
            if before is not None and before.settings == each:
                continue  # whether its file is another now, is its own reloader's business
            try:
                found.append(self.read_one(each))
            except TableError as error:
                faults += [f"{_place(each)}: {fault}" for fault in error.faults]
            except (OSError, sqlite3.Error) as error:
                faults.append(f"{_place(each)}: cannot be read: {getattr(error, 'strerror', None) or error}")
            except ChangingError:
                _let_go(found)
                raise
        if faults:
            _let_go(found)
            raise RefusedError(faults)
        return found

    def read_one(self, settings: LookUpTable) -> Kept:
        """Read one table. A thread's work.

        Raises:
            TableError, ChangingError, OSError, sqlite3.Error: see `rules.tables.source.load`.
        """
        stamp = stamp_of(settings.file)
        return Kept(settings, stamp, load(settings, self._directory))

    def install(self, settings: Sequence[LookUpTable], read: Sequence[Kept]) -> None:
        """Have these tables from now on: those just read, and those that are in use."""
        for kept in read:
            self._put(kept)
        for name in set(self.kept) - {each.name for each in settings}:
            del self.kept[name]
            self.tables.drop(name)

    def renew(self, kept: Kept) -> None:
        """Take a newer version of a table into use; not, if its definition has become another while it was read."""
        before = self.kept.get(kept.settings.name)
        if before is not None and before.settings == kept.settings:
            self._put(kept)
        else:
            kept.table.close()

    def close(self) -> None:
        """Let go of all tables."""
        self.kept.clear()
        self.tables.close()

    def _put(self, kept: Kept) -> None:
        self.kept[kept.settings.name] = kept
        self.tables.put(kept.settings.name, kept.table)


def _let_go(read: Sequence[Kept]) -> None:
    for kept in read:
        kept.table.close()


def _place(settings: LookUpTable) -> str:
    return f"site.toml: table[{settings.name}].file = {str(settings.file)!r}"
