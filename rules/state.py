"""Keyed state with dirty tracking: what must survive a restart, written entry by entry and only when it changed.

A key is `kind/owner/rest`: `zone/edge-1/3034...` is one tag, `rule/door-open.5f1c09aa/gate-1` one key of one rule.
Changing a row costs one entry in a set; encoding waits for `changes`, once per commit, however often the row
changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

import msgspec

Row = TypeVar("Row", bound=msgspec.Struct)

_encode = msgspec.msgpack.Encoder().encode


class Table(Generic[Row]):
    """Rows of one kind and one owner. Whoever changes a row adds its key to `dirty`."""

    __slots__ = ("_decoder", "dirty", "prefix", "rows")

    def __init__(self, prefix: str, kind: type[Row]) -> None:
        self.prefix = prefix
        self.rows: dict[str, Row] = {}
        self.dirty: set[str] = set()
        self._decoder = msgspec.msgpack.Decoder(kind)

    def put(self, key: str, row: Row) -> None:
        """Keep `row` under `key`."""
        self.rows[key] = row
        self.dirty.add(key)

    def drop(self, key: str) -> None:
        """Forget `key`, if it is there."""
        if self.rows.pop(key, None) is not None:
            self.dirty.add(key)

    def changes(self) -> list[tuple[str, bytes | None]]:
        """Rows changed since the last call, by key; None for those deleted."""
        rows, prefix = self.rows, self.prefix
        found = [(prefix + key, None if (row := rows.get(key)) is None else _encode(row)) for key in sorted(self.dirty)]
        self.dirty.clear()
        return found

    def load(self, key: str, value: bytes) -> Row:
        """Put back a row from a snapshot.

        Raises:
            msgspec.ValidationError, msgspec.DecodeError: the value is no row of this kind.
        """
        row = self._decoder.decode(value)
        self.rows[key] = row
        return row


class State:
    """All tables of an engine."""

    def __init__(self) -> None:
        self._tables: dict[str, Table[Any]] = {}
        self._doomed: list[str] = []

    def table(self, kind: str, owner: str, row: type[Row]) -> Table[Row]:
        """The table of `kind/owner`, made on first use."""
        prefix = f"{kind}/{owner}/"
        found = self._tables.get(prefix)
        if found is None:
            found = self._tables[prefix] = Table(prefix, row)
        return found

    def doom(self, keys: Iterable[str]) -> None:
        """Have entries of a snapshot deleted that nobody knows any more."""
        self._doomed.extend(keys)

    def retire(self, owner: str) -> None:
        """Have all rows of an owner deleted."""
        for prefix in [prefix for prefix in self._tables if parts_of(prefix)[1] == owner]:
            table = self._tables.pop(prefix)
            self.doom(prefix + key for key in sorted(table.rows.keys() | table.dirty))

    def changes(self) -> list[tuple[str, bytes | None]]:
        """Entries changed since the last call; None for those deleted."""
        found: list[tuple[str, bytes | None]] = [(key, None) for key in self._doomed]
        self._doomed.clear()
        for table in self._tables.values():
            if table.dirty:
                found += table.changes()
        return found


def parts_of(key: str) -> tuple[str, str, str]:
    """`kind`, `owner` and `rest` of a key; empty strings for what is missing."""
    kind, _, tail = key.partition("/")
    owner, _, rest = tail.partition("/")
    return kind, owner, rest
