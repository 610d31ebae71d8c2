"""Figures: numbers of events that stores keep as points, so that boards draw them without unpacking JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable

from gateway.contract.events import Event
from rules.language.vocabulary import event_fields
from rules.outputs import Point
from rules.points import REMAINDERS


def figure_points(event: Event, names: Iterable[str], site: str) -> list[Point]:
    """A point for each of these fields of the event that is a finite number, at the time of the event."""
    fields = event_fields(event)
    tags = (("site", site), ("event", event.type), ("zone", event.zone), ("rule", event.rule))
    present = tuple((name, value) for name, value in tags if value)
    points = []
    for name in names:
        value = _number(fields.get(name))
        if value is not None:
            tagged = (*present, ("figure", name))
            points.append(Point("figure", tagged, (("value", value), ("id", event.id)), event.at_us * REMAINDERS))
    return points


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # an int that no double can hold
        return None
    return number if math.isfinite(number) else None
