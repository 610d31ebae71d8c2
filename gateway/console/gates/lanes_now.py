"""The part `gate`: each lane as it is now, by its last decision and by whether somebody stands in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.console.gates.lanes import Lane
from gateway.console.parts.part import Cursor, Heard, Rows
from gateway.contract.batches import SignalBatch
from gateway.contract.events import Event
from gateway.history import DayFiles, QuestionTimeoutError, event_page

LANES_MOST: Final = 500
AT_START_WITHIN_S: Final = 2.0
"""For the last decisions of all lanes together; what is not known then comes with the next truck."""
EVERYWHERE: Final = ""


class LanesNow:
    """Rows by kind and name of the lane: what it is, `last` and `receipt` (events), `occupied` and since when."""

    def __init__(self, lanes: Sequence[Lane], events: Path | None) -> None:
        self._rows = Rows(LANES_MOST)
        self._by_event: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self._by_signal: dict[tuple[str, str], list[str]] = {}
        for lane in lanes[:LANES_MOST]:
            key = f"{lane.kind}/{lane.name}"
            for type_, field in ((lane.decision, "last"), (lane.receipt, "receipt")):
                if type_:
                    self._by_event.setdefault((type_, lane.name), []).append((key, field))
            if lane.arrives is not None:
                self._by_signal.setdefault((lane.arrives.device, lane.arrives.signal), []).append(key)
            self._rows.put(
                key,
                {
                    "name": lane.name,
                    "kind": lane.kind,
                    "direction": lane.direction,
                    "occupied": None,
                    "occupied_since_us": None,
                    "last": None,
                    "receipt": None,
                },
            )
        self._devices = frozenset(device for device, _ in self._by_signal)
        self._types = frozenset(type_ for type_, _ in self._by_event)
        if events is not None:
            self._remember(lanes, DayFiles(events, AT_START_WITHIN_S / max(1, len(lanes))))

    def take(self, heard: Heard) -> None:
        """Take a decision, or what the detector of a lane says."""
        if isinstance(heard, Event):
            if heard.type in self._types:
                self._take_event(heard)
        elif isinstance(heard, SignalBatch) and heard.device in self._devices:
            for signal in heard.signals:
                for key in self._by_signal.get((heard.device, signal.name), ()):
                    self._occupy(key, heard.received_at_us, occupied=signal.value is True)

    def follow(self, query: Mapping[str, str]) -> Cursor:
        """All lanes."""
        del query
        return self._rows.follow()

    def whole(self) -> dict[str, dict[str, Any]]:
        """All lanes, by key."""
        return dict(self._rows.items())

    def _take_event(self, event: Event) -> None:
        for name in {event.subject, event.zone or EVERYWHERE}:
            for key, field in self._by_event.get((event.type, name), ()):
                row = self._rows.get(key)
                known = row[field] if row is not None else None
                if known is None or known["at_us"] <= event.at_us:  # late data is no news
                    self._rows.put(key, {**(row or {}), field: msgspec.to_builtins(event)})

    def _occupy(self, key: str, at_us: int, *, occupied: bool) -> None:
        row = self._rows.get(key)
        if row is not None and row["occupied"] is not occupied:
            self._rows.put(key, {**row, "occupied": occupied, "occupied_since_us": at_us})

    def _remember(self, lanes: Sequence[Lane], days: DayFiles) -> None:
        for lane in lanes[:LANES_MOST]:
            subject, place = ("", lane.name) if lane.is_zone else (lane.name, "")
            for type_ in filter(None, (lane.decision, lane.receipt)):
                with suppress(QuestionTimeoutError):  # as above: the next truck tells it
                    for event in event_page(days, types=(type_,), subject=subject, place=place, limit=1).events:
                        self._take_event(event)
