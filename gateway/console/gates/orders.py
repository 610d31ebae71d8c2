"""The orders that an event led to, and what became of them: of the site file, and of the audit of this gateway."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from gateway.config.models import SiteFile
from gateway.contract.commands import Outcome
from gateway.contract.events import Event, event_id
from gateway.control.audit import AuditError, Record, reading

_decoder: Final = msgspec.json.Decoder(Record)


class Ordered(msgspec.Struct, frozen=True):
    """One order of the rules.

    Attributes:
        order: of the `[[order]]`; event: the id of the event that led to it.
        steps: what became of it, oldest first, as the audit has it.
    """

    order: str
    event: str
    device: str
    point: str
    action: str
    person: str
    steps: list[Outcome]


class Orders(msgspec.Struct, frozen=True):
    """The orders of some events.

    Attributes:
        elsewhere: gateways whose orders stand in an audit of their own, on another machine.
        fault: why the audit could not be asked; empty when it was.
    """

    orders: list[Ordered]
    elsewhere: list[str]
    fault: str = ""


def orders_of(site: SiteFile, state: Path, events: Iterable[Event]) -> Orders:
    """What was ordered because of these events."""
    asked = {
        event_id("order", order.name, event.id): (order, event.id)
        for event in events
        for order in site.order
        if order.on == event.type
    }
    if not asked:
        return Orders([], [])
    here = {command: pair for command, pair in asked.items() if pair[0].gateway == site.site.gateway}
    elsewhere = sorted({order.gateway for order, _ in asked.values()} - {site.site.gateway})
    if not here:
        return Orders([], elsewhere)
    try:
        steps = _steps(state, list(here))
    except AuditError as error:
        return Orders([], elsewhere, str(error))
    found = [
        Ordered(order.name, event, order.device, order.point, order.action.value, order.person, steps[command])
        for command, (order, event) in here.items()
        if command in steps
    ]
    return Orders(found, elsewhere)


def _steps(state: Path, commands: list[str]) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = {}
    marks = ", ".join("?" * len(commands))
    with reading(state) as db:
        query = f"SELECT body FROM record WHERE id IN ({marks}) ORDER BY sequence"  # noqa: S608  # only question marks
        for (body,) in db.execute(query, commands):
            record = _decoder.decode(body)
            step = msgspec.structs.replace(record.outcome, signature="", audit_sequence=record.sequence)
            found.setdefault(step.id, []).append(step)
    return found
