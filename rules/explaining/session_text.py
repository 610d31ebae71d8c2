"""What a session decided, as an operator reads it: its parts, its look-ups, and each verdict with its condition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from gateway.config.rules import Part, Pick, SessionRule
from gateway.contract.events import Alarm, Event, Scalar
from gateway.logs import clean
from gateway.where import time_text
from rules.explaining.explain import findings
from rules.explaining.tracing import Judged
from rules.language.expressions import Expression, asked_of
from rules.language.vocabulary import RAW, Fields
from rules.lookups import FOUND, VERSION
from rules.shapes.session_fields import CLOSED, fields_seen
from rules.shapes.session_parts import role_of

_PAD: Final = "  "


def session_lines(
    rule: SessionRule, told: Event | Alarm, items: Iterable[Judged], decision: Event | None
) -> Iterator[str]:
    """What an event of a session, or the alarm made with it, rests on.

    `items`: what came to the rule; `decision`: the event of its decision, None when it is not known.
    """
    fields = fields_seen(rule, told.subject, told.fields)
    yield from _collected(rule, fields, list(items))
    yield f"missing: {clean(str(fields.get('missing') or 'nothing'))}"
    yield from _looked_up(rule, fields)
    yield from _others(rule, told.fields)
    if rule.decide is None:
        return
    if decision is None:
        decided_us = told.fields.get("decided_at_us")
        when = f" at {time_text(decided_us)}" if isinstance(decided_us, int) else ""
        yield f"decided{when}, and that is not part of the replay: {verdict_text(told.fields)}"
        return
    if decision is not told:
        yield f"decided at {time_text(decision.at_us)}, see event {decision.id}, of what was there then:"
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


def _collected(rule: SessionRule, fields: Fields, items: list[Judged]) -> Iterator[str]:
    yield "collected:"
    width = max(map(len, rule.collect))
    for name, part in rule.collect.items():
        yield f"{_PAD}{name:<{width}}  {clean(_part_text(name, part, fields, items, is_required=name in rule.require))}"


def _part_text(name: str, part: Part, fields: Fields, items: list[Judged], *, is_required: bool) -> str:
    count = fields.get(f"{name}_count")
    invalid = fields.get(f"{name}_invalid")
    refused = f", {invalid} not valid" if invalid else ""
    if name not in fields:
        return f"nothing came{refused}{', and it is required' if is_required else ''}"
    share = fields.get(f"{name}_share")
    shared = f", share {share:.2f}" if isinstance(share, float) else ""
    picked = "" if count == 1 else f"{_PICKED[part.pick]} "
    at_us = fields.get(f"{name}_at_us")
    when = f", at {time_text(at_us)}" if isinstance(at_us, int) else ""
    carried = {each: fields[f"{name}_{each}"] for each in part.carry if f"{name}_{each}" in fields}
    known = {str(fields[name]), *map(str, carried.values())}
    role = role_of(name)
    whose = next((str(i.fields.get("subject")) for i in items if i.place == role and i.seen.at_us == at_us), "")
    more = [f"{each} {value}" for each, value in carried.items()]
    more += [f"of {whose}"] if whose and whose not in known else []
    return "  ".join([f"{fields[name]}", f"{picked}of {_several(count, part.on)}{refused}{shared}{when}", *more])


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


def _looked_up(rule: SessionRule, fields: Fields) -> Iterator[str]:
    if not rule.lookup:
        return
    asked = _asked(rule)
    yield "looked up:"
    width = max(map(len, rule.lookup))
    for alias, lookup in rule.lookup.items():
        key, version = fields.get(lookup.key), fields.get(f"{alias}_{VERSION}")
        if key is None:
            text = f"in {lookup.table}: not asked, for {lookup.key} is absent"
        else:
            is_found = fields.get(f"{alias}_{FOUND}") is True
            stated = f", version {version}" if version is not None else ""
            text = f"in {lookup.table} by {lookup.key} {key}: {'found' if is_found else 'NOT found'}{stated}"
            columns = [name for name in asked if name.startswith(f"{alias}_")]
            columns = [name for name in columns if name not in (f"{alias}_{FOUND}", f"{alias}_{VERSION}")]
            shown = [f"{name.removeprefix(f'{alias}_')} {fields.get(name, 'is absent')}" for name in columns]
            text += f"; {', '.join(shown)}" if is_found and shown else ""
        yield f"{_PAD}{alias:<{width}}  {clean(text)}"


def _asked(rule: SessionRule) -> list[str]:
    """The fields that something of the rule asks for, in a fixed order."""
    conditions = [each.when for tellings in rule.tell.values() for each in tellings]
    conditions += [each.when for each in rule.decide.verdicts] if rule.decide is not None else []
    found = {name for when in conditions for name in asked_of(Expression(when, {}, is_open=True).node)}
    found |= {each.of for tellings in rule.tell.values() for each in tellings if each.of is not None}
    return sorted(found | {lookup.key for lookup in rule.lookup.values()})


def _others(rule: SessionRule, told: Mapping[str, Scalar]) -> Iterator[str]:
    """What it tells besides: by `tell`, and at its end."""
    names = [name for name in (*rule.tell, *CLOSED) if told.get(name) is not None]
    if names:
        yield f"told: {clean(', '.join(f'{name} {told[name]}' for name in names))}"


def _verdicts(rule: SessionRule, fields: Fields) -> Iterator[str]:
    assert rule.decide is not None
    tried = [(each, findings(each.when, fields)) for each in rule.decide.verdicts]
    held = [all(part.is_true for part in found if not part.depth) for _, found in tried]
    decided = tried[held.index(True)][0].verdict if True in held else rule.decide.otherwise
    why = "the first that holds decides" if True in held else "none of them holds"
    yield f"verdicts in order, {why}: {decided}"
    for (each, found), is_held in zip(tried, held, strict=True):
        head = f"{_PAD}{'TRUE ' if is_held else 'false'}  {each.verdict}: {clean(each.reason)}"
        if len(found) == 1:
            yield f"{head}    {clean(found[0].said())}"
            continue
        yield head
        yield from (f"{_PAD * 5}{clean(part.line())}" for part in found)
