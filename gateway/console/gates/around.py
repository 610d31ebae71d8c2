"""What lies around an event: its decision or receipt, what was before and after of the same subject, its lane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.console.gates.lanes import Lane
from gateway.contract.events import Event
from gateway.history import Cursor, DayFiles, event_page

FIRST_STEP_US: Final = 60_000_000
WIDER: Final = 8
PAGE: Final = 1_000
PAGES_MOST: Final = 20


class Neighbours(msgspec.Struct, frozen=True):
    """The events of the same type and subject just before and after; None where there is none."""

    previous: Event | None
    next: Event | None


def neighbours_of(days: DayFiles, event: Event, now_us: int) -> Neighbours:
    """What was before and after.

    Raises:
        QuestionTimeoutError: it took too long.
    """
    before = Cursor(event.at_us, event.id)
    page = event_page(days, types=(event.type,), subject=event.subject, before=before, limit=1)
    return Neighbours(page.events[0] if page.events else None, _next_of(days, event, now_us))


def _next_of(days: DayFiles, event: Event, now_us: int) -> Event | None:
    """The journal gives the newest first: so look at a short time after the event, then at ever longer ones."""
    from_us, step_us = event.at_us + 1, FIRST_STEP_US
    while from_us <= now_us:
        to_us = from_us + step_us
        before, oldest = None, None
        for _ in range(PAGES_MOST):
            page = event_page(
                days,
                types=(event.type,),
                subject=event.subject,
                from_us=from_us,
                to_us=to_us,
                before=before,
                limit=PAGE,
            )
            oldest = page.events[-1] if page.events else oldest
            before = page.next
            if before is None:
                break
        if oldest is not None:
            return oldest
        from_us, step_us = to_us, step_us * WIDER
    return None


def siblings_of(event: Event, events: Sequence[Event]) -> list[Event]:
    """Those that tell of the same transaction: of one rule, at one place, opened at one time."""
    opened = event.fields.get("opened_at_us")
    if opened is None:
        return []
    return [
        each
        for each in events
        if each.id != event.id
        and (each.rule, each.subject) == (event.rule, event.subject)
        and each.fields.get("opened_at_us") == opened
    ]


def lane_of(event: Event, lanes: Sequence[Lane]) -> Lane | None:
    """The lane that an event tells of."""
    for lane in lanes:
        name = event.zone if lane.is_zone else event.subject
        if event.type in (lane.decision, lane.receipt) and name == lane.name:
            return lane
    return None
