"""Back-fill: what a meter has frozen in a time in which it was not read, fetched when the line has nothing else to do.

First the daily freezes (5004), some days at a time; then the minute freezes (5002) of each quarter of an hour, an hour
at a time. Where a meter refuses several columns together it is asked for each alone; what it does not freeze is not
told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final

from readers.codecs.dlt698_apdu import Between, GetRecord
from readers.codecs.dlt698_data import NULL, Data, Oad, Tag, encode_time
from readers.codecs.dlt698_objects import DAILY_FREEZE, FREEZE_TIME, MINUTE_FREEZE, freeze_rows
from readers.errors import FrameError
from readers.meters.dlt698.items import IN_DAILY_FREEZES, IN_MINUTE_FREEZES, ITEMS, Read
from readers.meters.dlt698.meter import IgnoredError, Meter
from readers.observations import Readings

LEAST_GAP_S: Final = 120
MOST_IGNORED: Final = 3
_US: Final = 1_000_000
_HOUR_US: Final = 3600 * _US
_QUARTER: Final = Data(Tag.TI, bytes([1, 0, 15]))  # unit 1: minutes
_AT_ONCE_US: Final = {DAILY_FREEZE: 4 * 24 * _HOUR_US, MINUTE_FREEZE: _HOUR_US}
_INTERVAL: Final = {DAILY_FREEZE: NULL, MINUTE_FREEZE: _QUARTER}


class BackFill:
    """Reads the records of one meter for one window of time after the other."""

    def __init__(self, meter: Meter, read: Iterable[Read]) -> None:
        self._meter = meter
        wanted = list(read)
        self._columns = {
            freeze: tuple(oad for each in wanted if each in frozen for oad in ITEMS[each])
            for freeze, frozen in ((DAILY_FREEZE, IN_DAILY_FREEZES), (MINUTE_FREEZE, IN_MINUTE_FREEZES))
        }
        self._steps: deque[Callable[[], Awaitable[None]]] = deque()
        self._ignored = 0
        self._until_us = 0

    @property
    def is_done(self) -> bool:
        """Whether nothing is to be read any more."""
        return not self._steps

    def start(self, since_us: int, until_us: int) -> None:
        """Read what was frozen from then till then; what was still to be read of an earlier window is read again."""
        kept = self._meter.kept
        if kept.unfilled_since_us is not None:
            since_us = min(since_us, kept.unfilled_since_us)
        kept.unfilled_since_us = since_us
        self._until_us = until_us
        self._ignored = 0
        self._steps = deque(
            partial(self._window, freeze, columns, since_us) for freeze, columns in self._columns.items() if columns
        )

    async def ask(self) -> bool:
        """Take one step. False: nothing was asked.

        Raises:
            NoReplyError: the meter is silent; the step is taken again. LinkError: the line is gone.
        """
        if not self._steps:
            self._meter.kept.unfilled_since_us = None
            return False
        step = self._steps.popleft()
        try:
            await step()
        except IgnoredError:
            self._ignored += 1
            if self._ignored < MOST_IGNORED:  # it may have been bad luck
                self._steps.appendleft(step)
            else:
                self._ignored = 0
        except BaseException:
            self._steps.appendleft(step)
            raise
        if not self._steps:
            self._meter.kept.unfilled_since_us = None
        return True

    async def _window(self, freeze: Oad, columns: tuple[Oad, ...], since_us: int) -> None:
        meter = self._meter
        until_us = min(since_us + _AT_ONCE_US[freeze], self._until_us)
        since, until = (encode_time(each, meter.utc_offset_min) for each in (since_us, until_us))
        rows = Between(FREEZE_TIME, since, until, _INTERVAL[freeze])
        records = await meter.records(GetRecord(freeze, rows, (FREEZE_TIME, *columns)))
        self._ignored = 0
        if records is None:
            if len(columns) > 1:
                self._steps.extendleft(partial(self._window, freeze, (each,), since_us) for each in reversed(columns))
            return
        if until_us < self._until_us:
            self._steps.appendleft(partial(self._window, freeze, columns, until_us))
        for record in records:
            try:
                found = freeze_rows(record, meter.utc_offset_min, columns)
            except FrameError as error:
                meter.reject(error)
                continue
            for row in found:
                if row.readings:
                    meter.report(Readings(meter.line.now_us(), row.readings, meter.name))
