"""The states of a device as spans of time, from what it told. Pure."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import msgspec

from gateway.history.states import DeviceStates

SPANS_MOST: Final = 1_000
UNKNOWN: Final = "unknown"
"""Nothing was told before."""


class DeviceSpan(msgspec.Struct):
    """For how long a device was in a state."""

    from_us: int
    to_us: int
    state: str
    reason: str


class DeviceDay(msgspec.Struct):
    """What a device was.

    Attributes:
        spans: without a gap from the beginning to the end; `left_out` are older ones, too many to show.
        lasted_us: by state, over all spans; changes: from one state to another.
        more: the device told so much that the newest is not among it.
    """

    from_us: int
    to_us: int
    spans: list[DeviceSpan]
    lasted_us: dict[str, int]
    changes: int
    left_out: int
    more: bool
    damaged: list[str]


def device_day(told: DeviceStates, from_us: int, to_us: int) -> DeviceDay:
    """The spans in `[from_us, to_us)`: a state lasts until another is told; what was told before the time counts."""
    spans = [DeviceSpan(from_us, to_us, UNKNOWN, "")]
    for each in told.states:
        state, reason = each.state or UNKNOWN, each.reason or ""
        at_us, last = max(from_us, each.at_us), spans[-1]
        if (last.state, last.reason) == (state, reason):
            continue
        if at_us <= last.from_us:
            spans.pop()
            if spans and (spans[-1].state, spans[-1].reason) == (state, reason):
                spans[-1].to_us = to_us
                continue
        elif last.from_us < at_us:
            last.to_us = at_us
        spans.append(DeviceSpan(at_us, to_us, state, reason))
    lasted: dict[str, int] = {}
    for span in spans:
        lasted[span.state] = lasted.get(span.state, 0) + span.to_us - span.from_us
    shown = spans[-SPANS_MOST:]
    changes = sum(one.state not in {other.state, UNKNOWN} for one, other in pairwise(spans))
    return DeviceDay(from_us, to_us, shown, lasted, changes, len(spans) - len(shown), told.more, told.damaged)
