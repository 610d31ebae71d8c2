"""What a session decided, as an operator reads it: its parts, its look-ups, and each verdict with its condition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from gateway.config.rules import Part, Pick, SessionRule
from gateway.contract.events import Alarm, Event, Scalar
from gateway.logs import clean
from gateway.where import time_text
from rules.explaining.explain import findings
from rules.explaining.line import Line
from rules.explaining.tracing import Judged
from rules.language.expressions import Expression, asked_of
from rules.language.vocabulary import RAW, Fields
from rules.lookups import FOUND, VERSION
from rules.shapes.session_fields import CLOSED, fields_seen
from rules.shapes.session_parts import role_of


def session_lines(
    rule: SessionRule, told: Event | Alarm, items: Iterable[Judged], decision: Event | None
) -> Iterator[Line]:
    """What an event of a session, or the alarm made with it, rests on.

    `items`: what came to the rule; `decision`: the event of its decision, None when it is not known.
    """
    fields = fields_seen(rule, told.subject, told.fields)
    yield from _collected(rule, fields, list(items))
    missing = str(fields.get("missing") or "")
    yield Line("missing", f"missing: {clean(missing or 'nothing')}", data={"missing": missing})
    yield from _looked_up(rule, fields)
    yield from _others(rule, told.fields)
    if rule.decide is None:
        return
    if decision is None:
        decided_us = told.fields.get("decided_at_us")
        when = f" at {time_text(decided_us)}" if isinstance(decided_us, int) else ""
        text = f"decided{when}, and that is not part of the replay: {verdict_text(told.fields)}"
        yield Line("decision", text, data={"verdict": told.fields.get("verdict"), "event": None, "at_us": decided_us})
        return
    if decision is not told:
        text = f"decided at {time_text(decision.at_us)}, see event {decision.id}, of what was there then:"
        data = {"verdict": decision.fields.get("verdict"), "event": decision.id, "at_us": decision.at_us}
        yield Line("decision", text, data=data)
    yield from _verdicts(rule, fields_seen(rule, decision.subject, decision.fields))


def verdict_text(fields: Mapping[str, Scalar]) -> str:
    """`hold: Heavier than declared`; empty where nothing was decided."""
    verdict, reasons = fields.get("verdict"), fields.get("reasons")
    return clean(f"{verdict}: {reasons}" if reasons else str(verdict or ""))


def is_part_of(decision: Event, rule: SessionRule, told: Event | Alarm) -> bool:
    """Whether an event is the decision of the session that told this."""
    return (
        rule.decide is not None
        and decision.type == rule.decide.emit
        and "duration_s" not in decision.fields
        and (decision.rule, decision.subject) == (told.rule, told.subject)
        and decision.fields.get("opened_at_us") == told.fields.get("opened_at_us")
    )


def _collected(rule: SessionRule, fields: Fields, items: list[Judged]) -> Iterator[Line]:
    yield Line("heading", "collected:")
    width = max(map(len, rule.collect))
    for name, part in rule.collect.items():
        data = _part(name, part, fields, items, is_required=name in rule.require)
        yield Line("part", f"{name:<{width}}  {clean(_part_text(part, data))}", 2, data)


def _part(name: str, part: Part, fields: Fields, items: list[Judged], *, is_required: bool) -> dict[str, object]:
    """What was collected of a part."""
    at_us = fields.get(f"{name}_at_us")
    role = role_of(name)
    return {
        "part": name,
        "on": part.on,
        "value": fields.get(name),
        "count": fields.get(f"{name}_count"),
        "invalid": fields.get(f"{name}_invalid"),
        "share": fields.get(f"{name}_share"),
        "at_us": at_us,
        "carried": {each: fields[f"{name}_{each}"] for each in part.carry if f"{name}_{each}" in fields},
        "of": next((str(i.fields.get("subject")) for i in items if i.place == role and i.seen.at_us == at_us), ""),
        "is_required": is_required,
    }


def _part_text(part: Part, data: Mapping[str, Any]) -> str:
    count, invalid, value = data["count"], data["invalid"], data["value"]
    refused = f", {invalid} not valid" if invalid else ""
    if value is None:
        return f"nothing came{refused}{', and it is required' if data['is_required'] else ''}"
    share, at_us, carried, whose = data["share"], data["at_us"], data["carried"], data["of"]
    shared = f", share {share:.2f}" if isinstance(share, float) else ""
    picked = "" if count == 1 else f"{_PICKED[part.pick]} "
    when = f", at {time_text(at_us)}" if isinstance(at_us, int) else ""
    known = {str(value), *map(str, carried.values())}
    more = [f"{each} {carry}" for each, carry in carried.items()]
    more += [f"of {whose}"] if whose and whose not in known else []
    return "  ".join([f"{value}", f"{picked}of {_several(count, part.on)}{refused}{shared}{when}", *more])


_PICKED: Final = {
    Pick.FIRST: "the first",
    Pick.LAST: "the last",
    Pick.MOST: "the most frequent",
    Pick.MIN: "the least",
    Pick.MAX: "the greatest",
}


def _several(count: object, on: str) -> str:
    if on in RAW:
        return f"{count} {on}{'' if count == 1 else 's'}"
    return f"{count} of type {on}"


def _looked_up(rule: SessionRule, fields: Fields) -> Iterator[Line]:
    if not rule.lookup:
        return
    asked = _asked(rule)
    yield Line("heading", "looked up:")
    width = max(map(len, rule.lookup))
    for alias, lookup in rule.lookup.items():
        key, version = fields.get(lookup.key), fields.get(f"{alias}_{VERSION}")
        is_found, columns = fields.get(f"{alias}_{FOUND}") is True, dict[str, object]()
        if key is None:
            text = f"in {lookup.table}: not asked, for {lookup.key} is absent"
        else:
            stated = f", version {version}" if version is not None else ""
            text = f"in {lookup.table} by {lookup.key} {key}: {'found' if is_found else 'NOT found'}{stated}"
            known = (f"{alias}_{FOUND}", f"{alias}_{VERSION}")
            names = [name for name in asked if is_found and name.startswith(f"{alias}_") and name not in known]
            columns = {name.removeprefix(f"{alias}_"): fields.get(name) for name in names}
            shown = [f"{name} {'is absent' if value is None else value}" for name, value in columns.items()]
            text += f"; {', '.join(shown)}" if shown else ""
        data = {"alias": alias, "table": lookup.table, "key": key, "is_found": is_found, "version": version}
        yield Line("lookup", f"{alias:<{width}}  {clean(text)}", 2, data | {"columns": columns})


def _asked(rule: SessionRule) -> list[str]:
    """The fields that something of the rule asks for, in a fixed order."""
    conditions = [each.when for tellings in rule.tell.values() for each in tellings]
    conditions += [each.when for each in rule.decide.verdicts] if rule.decide is not None else []
    found = {name for when in conditions for name in asked_of(Expression(when, {}, is_open=True).node)}
    found |= {each.of for tellings in rule.tell.values() for each in tellings if each.of is not None}
    return sorted(found | {lookup.key for lookup in rule.lookup.values()})


def _others(rule: SessionRule, told: Mapping[str, Scalar]) -> Iterator[Line]:
    """What it tells besides: by `tell`, and at its end."""
    names = [name for name in (*rule.tell, *CLOSED) if told.get(name) is not None]
    if names:
        text = f"told: {clean(', '.join(f'{name} {told[name]}' for name in names))}"
        yield Line("told", text, data={"values": {name: told[name] for name in names}})


def _verdicts(rule: SessionRule, fields: Fields) -> Iterator[Line]:
    assert rule.decide is not None
    tried = [(each, findings(each.when, fields)) for each in rule.decide.verdicts]
    held = [all(part.is_true for part in found if not part.depth) for _, found in tried]
    decided = tried[held.index(True)][0].verdict if True in held else rule.decide.otherwise
    why = "the first that holds decides" if True in held else "none of them holds"
    yield Line("heading", f"verdicts in order, {why}: {decided}")
    for (each, found), is_held in zip(tried, held, strict=True):
        head = f"{'TRUE ' if is_held else 'false'}  {each.verdict}: {clean(each.reason)}"
        lines = [part.line().deeper(10) for part in found]
        data = {"verdict": each.verdict, "reason": each.reason, "is_true": is_held}
        if len(lines) == 1:
            yield Line("verdict", f"{head}    {clean(found[0].said())}", 2, data | {"finding": lines[0].data})
            continue
        yield Line("verdict", head, 2, data | {"finding": None})
        yield from lines
