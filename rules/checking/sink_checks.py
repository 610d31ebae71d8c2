"""Faults of the sinks that send to others, found when the site file is loaded."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from gateway.config.models import SiteFile
from gateway.config.sinks import ALL, OF_EVENTS, Sending
from rules.checking.conditions import LISTED, Conditions
from rules.checking.emitted import Known
from rules.language.vocabulary import BUILT_IN, FIELDS
from rules.orders import ORDER_FAILED
from rules.own_events import (
    GATEWAY_VANISHED,
    NOT_JUDGED,
    REGISTRY_REFUSED,
    RULES_REFUSED,
    SINK_STOPPED,
    STATE_LOST,
    TABLE_REFUSED,
)
from rules.sinks.selection import ALARM_FIELDS

OWN_EVENTS: Final[Mapping[str, str]] = {
    "subject": "string",
    "type": "string",
    "device": "string",
    "gateway": "string",
    "reason": "string",
    "at_us": "int",
    "historical": "bool",
}
"""Fields of the events that the daemon makes of itself."""
OWN_ALARMS: Final = (
    SINK_STOPPED,
    REGISTRY_REFUSED,
    RULES_REFUSED,
    TABLE_REFUSED,
    GATEWAY_VANISHED,
    ORDER_FAILED,
)
_OWN: Final = (NOT_JUDGED, STATE_LOST)


def faults_of_sinks(site: SiteFile, made: Collection[str], conditions: Conditions) -> Iterator[str]:
    """One line for each fault; `made` are the types of events that rules make."""
    types = {*BUILT_IN, *_OWN, *made}
    rules = {*OWN_ALARMS, *(rule.name for rule in site.rule)}
    for sink in site.sink:
        if isinstance(sink, Sending):
            where = f"site.toml: sink[{sink.name}]"
            yield from _unknown(f"{where}.events", sink.events, types, "makes such an event")
            yield from _unknown(f"{where}.alarms", sink.alarms, rules, "raises such an alarm")
            yield from _conditions(where, sink, types, conditions)
            if sink.format in OF_EVENTS and getattr(site.exports, sink.format.value) is None:
                what = f"needs the table [exports.{sink.format.value}]; add it"
                yield f"{where}.format = {sink.format.value!r}: {what}"


def _conditions(where: str, sink: Sending, types: Collection[str], conditions: Conditions) -> Iterator[str]:
    if sink.events:
        known = Known()
        for kind in sorted(types) if ALL in sink.events else sink.events:
            if kind in types:
                known.merge(Known(dict(OWN_EVENTS)) if kind in _OWN else conditions.fields(kind))
        # Of which type an event is, is known only where there is one.
        on = sink.events[0] if len(sink.events) == 1 and sink.events[0] in FIELDS else ""
        yield from conditions.expression(where, "when", sink.when, known, on)
    elif sink.when != "true":
        yield f"{where}.when = {sink.when!r}: is asked of events, and this sink sends none; name them in events"
    if sink.alarms and sink.format not in OF_EVENTS:
        # What a rule says in its alarms besides is its own, and in most it is nothing.
        yield from conditions.expression(where, "alarm_when", sink.alarm_when, Known(dict(ALARM_FIELDS), is_open=True))
    elif sink.alarm_when != "true":
        yield f"{where}.alarm_when = {sink.alarm_when!r}: is asked of alarms, and this sink sends none"


def _unknown(where: str, names: Iterable[str], known: Collection[str], what: str) -> Iterator[str]:
    shown = sorted(known)[:LISTED] + ["..."] * (len(known) > LISTED)
    for name in names:
        if name != ALL and name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(shown)}"
            yield f"{where}: nothing {what}: {name!r}; {hint}"
