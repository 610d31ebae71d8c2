"""What rules ask of a look-up table, and the tables of a site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

Cell = str | int | float | bool | None
"""A value of a column; None where the row has none."""


class Table(Protocol):
    """One version of a look-up table; it never changes."""

    @property
    def version(self) -> str:
        """Tells one version from another."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Whose cells a row has, in this order."""

    def find(self, key: str | int) -> tuple[Cell, ...] | None:
        """The cells of the row of this key; None when there is none."""

    def close(self) -> None:
        """Let go of it; nothing can be looked up any more."""


class Tables:
    """The tables of a site by their names. One may be replaced between two steps of the engine, never within one."""

    def __init__(self, tables: Mapping[str, Table] | None = None) -> None:
        self._tables = dict(tables or {})

    def get(self, name: str) -> Table | None:
        """The table of this name as it is now."""
        return self._tables.get(name)

    def put(self, name: str, table: Table) -> None:
        """Look things up in this version from now on."""
        before = self._tables.get(name)
        self._tables[name] = table
        if before is not None:
            before.close()

    def drop(self, name: str) -> None:
        """Look nothing up in this table any more."""
        before = self._tables.pop(name, None)
        if before is not None:
            before.close()

    def close(self) -> None:
        """Let go of all of them."""
        for name in list(self._tables):
            self.drop(name)
