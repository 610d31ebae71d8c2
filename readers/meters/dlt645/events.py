"""Counts of what happened to a meter, with the time of the latest: power failures, openings, magnets, programming."""

from __future__ import annotations

from readers.codecs.dlt645_events import EventKind, EventRecord, decode_count, decode_record, reading
from readers.errors import FrameError
from readers.meters.dlt645.meter import Meter
from readers.observations import Readings


class EventWatch:
    """Reads one kind of event of one meter."""

    def __init__(self, meter: Meter, kind: EventKind) -> None:
        self._meter = meter
        self._kind = kind
        self._count: int | None = None
        self._latest: EventRecord | None = None

    async def ask(self) -> bool:
        """Read the count, and the latest record when there is a new one. False: nothing was asked.

        Raises:
            NoReplyError: the meter is silent. LinkError: the line is gone.
        """
        meter, kind = self._meter, self._kind
        if not meter.may_ask(kind.count):
            return False
        data = await meter.find(kind.count)
        if data is None:
            return True
        try:
            count = decode_count(data)
            if count != self._count:
                self._latest = await self._record() if count else None
                self._count = count
        except FrameError as error:
            meter.reject(error)
            return True
        meter.report(Readings(meter.line.now_us(), [reading(kind, count, self._latest)], meter.name))
        return True

    async def _record(self) -> EventRecord | None:
        data = await self._meter.find(self._kind.latest)
        return None if data is None else decode_record(self._kind, data, self._meter.utc_offset_min)
