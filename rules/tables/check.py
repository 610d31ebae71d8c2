"""Faults of look-ups and of calendars in the rules of a site file, and of its look-up tables."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from gateway.config.models import SiteFile
from gateway.config.rules import LookUpTable, Rule, SessionRule
from rules.anatomy import inputs
from rules.checking.emitted import Emitted, Known
from rules.language.vocabulary import FIELDS, fields_of
from rules.lookups import FOUND, RESERVED, VERSION, type_of
from rules.shapes.session_fields import TAKEN, fields_of_session
from rules.tables.listing import key_type

MOST_COLUMNS: Final = 32
"""Columns of a table at most: what is looked up travels in every event that used it."""
KEY_TYPES: Final = ("string", "int")


def faults_of_lookups(site: SiteFile) -> list[str]:
    """One line for each fault."""
    found: list[str] = []
    for table in site.table:
        found += _faults_of_table(table)
    tables = {table.name: table for table in site.table}
    calendars = [calendar.name for calendar in site.production.calendar]
    emitted = Emitted(site)
    for rule in site.rule:
        where = f"site.toml: rule[{rule.name}]"
        if rule.during is not None and rule.during not in calendars:
            hint = _nearest(rule.during, calendars, "write a [[production.calendar]] of this name")
            found.append(f"{where}.during = {rule.during!r}: there is no such calendar; {hint}")
        if rule.lookup:
            found += _faults_of_rule(where, rule, tables, _asked(rule, emitted))
    return found


def _faults_of_table(table: LookUpTable) -> Iterator[str]:
    where = f"site.toml: table[{table.name}]"
    if (kind := key_type(table)) not in KEY_TYPES:
        yield f"{where}.columns.{table.key} = {kind!r}: is the key, and must be {' or '.join(KEY_TYPES)}"
    for name in RESERVED:
        if name in table.columns:
            yield f"{where}.columns.{name}: this field says what came of the look-up; give the column another name"
    if len(table.columns) > MOST_COLUMNS:
        yield f"{where}.columns: has {len(table.columns)} columns; at most {MOST_COLUMNS}, those that rules ask for"


def _asked(rule: Rule, emitted: Emitted) -> Known:
    """The fields among which the keys of look-ups are: of a session what it has collected, else of any input."""
    known = Known()
    if isinstance(rule, SessionRule):
        known.add(fields_of_session(rule, lambda on: emitted.fields(on).types))
        return known
    for _, source in inputs(rule):
        known.merge(emitted.fields(source.on))
    return known


def _faults_of_rule(where: str, rule: Rule, tables: Mapping[str, LookUpTable], asked: Known) -> Iterator[str]:
    types, own, whose = dict(asked.types), _own_names(rule), dict[str, str]()
    for alias, lookup in rule.lookup.items():
        at = f"{where}.lookup.{alias}"
        table = tables.get(lookup.table)
        if table is None:
            hint = _nearest(lookup.table, tables, "write a [[table]] of this name")
            yield f"{at}.table = {lookup.table!r}: there is no such table; {hint}"
        if lookup.key not in types and not asked.is_open:
            hint = _nearest(lookup.key, types, f"known are {', '.join(sorted(types))}")
            yield f"{at}.key = {lookup.key!r}: there is no such field; {hint}"
        elif table is not None and not _fits(kind := types.get(lookup.key, "any"), key_type(table)):
            yield (
                f"{at}.key = {lookup.key!r}: is a {kind}, and column {table.key} of {table.name} is a "
                f"{key_type(table)}; nothing would ever be found"
            )
        added = {f"{alias}_{FOUND}": "bool", f"{alias}_{VERSION}": "string"}
        if table is not None:
            added |= {f"{alias}_{column}": type_of(kind) for column, kind in table.columns.items()}
        for name in added:
            if name in whose:
                yield f"{at}: e.{name} is of look-up {whose[name]!r} already; give one of them another name"
            elif name in own:
                yield f"{at}: e.{name} is a field of the item already; give the look-up another name"
        whose |= dict.fromkeys(added, alias)
        types |= added


def _own_names(rule: Rule) -> set[str]:
    """Fields that are something else already. Those of another rule's event may come of a look-up like this one."""
    found = set(fields_of(""))  # of any event
    if isinstance(rule, SessionRule):
        return found | TAKEN | set(fields_of_session(rule))
    for _, source in inputs(rule):
        found |= set(FIELDS.get(source.on, ()))
    return found


def _fits(kind: str, wanted: str) -> bool:
    return kind in {"any", wanted}


def _nearest(name: str, names: Iterable[str], otherwise: str) -> str:
    near = difflib.get_close_matches(name, list(names), n=1)
    return f"did you mean {near[0]!r}?" if near else otherwise
