"""Look-ups of a rule: rows of tables among the fields of what it looks at.

`lookup = { truck = { table = "appointments", key = "subject" } }` adds

    truck_found      whether the table has a row for this key
    truck_version    of the table, whenever it was asked
    truck_COLUMN     for each of its columns in which the row has a value

They are asked one after the other, so that one may look for what another has found. They are never identity fields:
what a table says of a thing changes, and must not decide which things a rule watches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.config.models import SiteFile
from gateway.config.rules import LookUp, RuleHead
from gateway.contract.events import Scalar
from rules.language.vocabulary import Fields
from rules.tables.table import Table, Tables

FOUND: Final = "found"
VERSION: Final = "version"
RESERVED: Final = (FOUND, VERSION)
"""No names of columns that rules may ask for."""


class LookUps:
    """The look-ups of one rule. A site that has none of its tables finds nothing."""

    def __init__(self, rule: RuleHead, tables: Tables) -> None:
        self._each = [_LookUp(alias, settings, tables) for alias, settings in rule.lookup.items()]

    def enrich(self, fields: Fields) -> Fields:
        """The fields and what is found; those that were given stay as they are."""
        found = dict(fields)
        for each in self._each:
            each.add_to(found)
        return found

    def stamp(self, carried: dict[str, Scalar], fields: Mapping[str, object]) -> dict[str, Scalar]:
        """What an event carries, and what look-ups have added: in place of what another rule has looked up so."""
        names = {name for each in self._each for name in each.names()}
        return {name: value for name, value in carried.items() if name not in names} | self.told(fields)

    def told(self, fields: Mapping[str, object]) -> dict[str, Scalar]:
        """What look-ups have added to these fields: it goes into the event that rests on them."""
        return {
            name: value
            for each in self._each
            for name in each.names()
            if isinstance(value := fields.get(name), str | int | float)  # bool is an int
        }


def lookup_fields(site: SiteFile, rule: RuleHead) -> dict[str, str]:
    """The fields that the look-ups of a rule add, with their types; of an unknown table, only whether it was found."""
    tables = {table.name: table for table in site.table}
    found: dict[str, str] = {}
    for alias, lookup in rule.lookup.items():
        found[f"{alias}_{FOUND}"] = "bool"
        found[f"{alias}_{VERSION}"] = "string"
        if (table := tables.get(lookup.table)) is not None:
            found |= {f"{alias}_{column}": type_of(kind) for column, kind in table.columns.items()}
    return found


def type_of(kind: str) -> str:
    """The type of the field of a column of this type."""
    return "int" if kind == "time" else kind


def is_looked_up(name: str, lookup: Mapping[str, LookUp]) -> bool:
    """Whether a field may come from one of these look-ups, whatever columns their tables have."""
    return any(name.startswith(f"{alias}_") for alias in lookup)


class _LookUp:
    def __init__(self, alias: str, settings: LookUp, tables: Tables) -> None:
        self._alias = alias
        self._key = settings.key
        self._table = settings.table
        self._tables = tables
        self._found, self._version = f"{alias}_{FOUND}", f"{alias}_{VERSION}"
        self._columns: tuple[str, ...] = ()
        self._names: tuple[str, ...] = ()

    def names(self) -> tuple[str, ...]:
        """The fields that it may add."""
        table = self._tables.get(self._table)
        return (self._found, self._version, *(self._names_of(table) if table is not None else ()))

    def add_to(self, fields: Fields) -> None:
        table, key = self._tables.get(self._table), fields.get(self._key)
        for stale in self.names() if self._found in fields else ():  # an event tells what its own rule has looked up
            fields.pop(stale, None)
        fields[self._found] = False
        if table is None or not isinstance(key, str | int) or isinstance(key, bool):
            return
        fields[self._version] = table.version
        row = table.find(key)
        if row is None:
            return
        fields[self._found] = True
        for name, cell in zip(self._names_of(table), row, strict=True):
            if cell is not None:
                fields[name] = cell

    def _names_of(self, table: Table) -> tuple[str, ...]:
        if table.columns != self._columns:
            self._columns = table.columns
            self._names = tuple(f"{self._alias}_{column}" for column in table.columns)
        return self._names
