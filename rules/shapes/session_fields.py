"""Which fields a session has, of which types, and what is wrong with what its rule says of them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from gateway.config.rules import Part, Pick, SessionRule
from gateway.contract.events import Scalar
from rules.language.expressions import Expression
from rules.language.grammar import ExpressionError
from rules.language.vocabulary import FIELDS, Fields, fields_of
from rules.shapes.session_tell import faults_of_tellings, types_told

Types = Callable[[str], Mapping[str, str]]
"""The fields of a kind of item, or of an event type, with their types."""

OWN: Final = {"subject": "string", "missing": "string", "missing_count": "int", "opened_at_us": "int"}
"""What a session tells besides its parts."""
DECIDED: Final = {"verdict": "string", "reasons": "string", "decided_at_us": "int"}
CLOSED: Final = {"duration_s": "double", "closed_by": "string"}
TAKEN: Final = frozenset(
    {*OWN, *DECIDED, *CLOSED, "name", "type", "zone", "from_zone", "read_point", "direction", "device", "gateway"}
    | {"rule", "at_us", "reads", "rssi_max_dbm", "confidence", "historical"}
)
"""Names that no part can have: the session's own, and those of every event."""
TELLABLE: Final = frozenset({"direction"})
"""But a rule may tell it, of items that have none: a loop does not say which way its lane goes."""
CARRIED: Final = ("kind", "class")
"""What every event of an ordered rule tells of the item that it rests on."""
_SHOWN: Final = 120


def fields_of_session(rule: SessionRule, types: Types = fields_of) -> dict[str, str]:
    """The fields that verdicts may ask for, and that look-ups take their keys from; without those of look-ups."""
    found = dict(OWN)
    for name, part in rule.collect.items():
        found |= dict(_fields_of_part(name, part, types))
    return found | types_told(rule.tell, found)


def told_by_session(rule: SessionRule, types: Types = fields_of) -> dict[str, str]:
    """The fields of its events beside those of every event: of the decision, and of its end."""
    told = fields_of_session(rule, types) | CLOSED
    return told | DECIDED if rule.decide is not None else told


def fields_seen(rule: SessionRule, subject: str, told: Mapping[str, Scalar]) -> Fields:
    """What the verdicts of a session see at the moment when it tells these fields in an event."""
    own = fields_of_session(rule)
    later = {*DECIDED, *CLOSED} | ({*CARRIED} - {*own})
    seen: Fields = {name: value for name, value in told.items() if value is not None and name not in later}
    return {"subject": subject} | seen


def session_faults(
    rule: SessionRule, types: Types = fields_of, looked_up: Mapping[str, str] | None = None
) -> list[str]:
    """One line for each fault, beginning with its place in the rule.

    `looked_up`: the fields of its look-ups with their types; None when they are not known, and may be any.
    """
    found = list(dict.fromkeys([*_names(rule), *_parts(rule, types)]))
    known = fields_of_session(rule, types) | dict(looked_up or {})
    is_open = bool(rule.lookup) and looked_up is None
    found += faults_of_tellings(rule.tell, known, is_open=is_open)
    decision = rule.decide
    if decision is None:
        return found
    if decision.after_s > rule.close.within_s:
        found.append(
            f"decide.after_s = {decision.after_s:g}: the session ends earlier, after close.within_s = "
            f"{rule.close.within_s:g}; make that longer"
        )
    for index, verdict in enumerate(decision.verdicts):
        shown = verdict.when if len(verdict.when) <= _SHOWN else verdict.when[:_SHOWN] + " ..."
        where = f"decide.verdicts[{index}].when = {shown!r}"
        try:
            expression = Expression(verdict.when, known, is_open=is_open)
        except ExpressionError as error:
            found.append(f"{where}: {error}")
            continue
        if expression.constant is False:
            found.append(f"{where}: can never be true; delete the verdict or ask for a field, e.field")
    return found


def _fields_of_part(name: str, part: Part, types: Types) -> Iterator[tuple[str, str]]:
    of_item = types(part.on)
    yield from ((f"{name}_{field}", of_item.get(field, "any")) for field in part.carry)
    yield name, "string" if part.valid is not None else of_item.get(part.of, "any")
    yield f"{name}_count", "int"
    yield f"{name}_at_us", "int"
    if part.valid is not None:
        yield f"{name}_invalid", "int"
    if part.pick is Pick.MOST:
        yield f"{name}_share", "double"


def _names(rule: SessionRule) -> Iterator[str]:
    """Two things of one name: one of them could never be asked for."""
    whose: dict[str, str] = {}
    for name, part in rule.collect.items():
        if name in TAKEN:
            yield f"collect.{name}: e.{name} is something else in every session; give the part another name"
            continue
        for field, _ in _fields_of_part(name, part, fields_of):
            if field in TAKEN:
                yield f"collect.{name}: e.{field} is something else in every session; give the part another name"
            elif field in whose:
                yield f"collect.{name}: e.{field} is told of part {whose[field]!r} already; choose another name"
            whose[field] = name
    for name in rule.tell:
        if name in TAKEN - TELLABLE or name in whose:
            yield f"tell.{name}: e.{name} is something else in this session; choose another name"


def _parts(rule: SessionRule, types: Types) -> Iterator[str]:
    for name, part in rule.collect.items():
        if part.on not in FIELDS:
            continue  # what another rule makes may tell anything
        of_item = types(part.on)
        for place, field in (("of", part.of), *(("carry", field) for field in part.carry)):
            where = f"collect.{name}.{place} = {field!r}"
            kind = of_item.get(field)
            if kind is None:
                near = difflib.get_close_matches(field, of_item, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(of_item))}"
                yield f"{where}: {part.on} has no such field; {hint}"
            elif kind == "list":
                yield f"{where}: is a list; only a text, a number, or true and false can be collected"
            elif place == "of" and part.valid is not None and kind not in {"string", "any"}:
                yield f"{where}: is a {kind}, never a container number; collect a text, or leave out valid"
