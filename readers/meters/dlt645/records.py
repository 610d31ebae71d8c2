"""Back-fill: what a meter has kept of a time in which it was not read, fetched when the line has nothing else to do.

First the daily freezes, from the latest back to the gap; then the load records of the classes that are read, from the
gap's beginning on, a few at a time. A meter that keeps no such records is not told: it shows in nothing being there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final

from readers.codecs.dlt645_records import (
    DAILY_FREEZES,
    LOAD_CLASSES,
    FreezeKind,
    Frozen,
    LoadClass,
    Which,
    decode_freeze,
    decode_freeze_time,
    decode_load,
    freeze_identifier,
    freeze_time_identifier,
    load_identifier,
    load_request,
)
from readers.errors import FrameError
from readers.meters.dlt645.items import Read
from readers.meters.dlt645.meter import IgnoredError, Meter
from readers.obis import ObisCode
from readers.observations import Reading, Readings, Rejected

LEAST_GAP_S: Final = 120
RECORDS_AT_ONCE: Final = 4  # about one frame, and one second at 2400 baud
_US: Final = 1_000_000
_MINUTE_US: Final = 60 * _US
_FROZEN: Final = {
    Read.ENERGY: (Frozen.IMPORT,),
    Read.ENERGY_EXPORT: (Frozen.EXPORT,),
    Read.REACTIVE_ENERGY: (Frozen.REACTIVE_1, Frozen.REACTIVE_2),
    Read.QUADRANT_ENERGY: (Frozen.REACTIVE_Q1, Frozen.REACTIVE_Q2, Frozen.REACTIVE_Q3, Frozen.REACTIVE_Q4),
    Read.MAX_DEMAND: (Frozen.DEMAND_IMPORT,),
}
_LOADS: Final = {
    Read.ENERGY: LoadClass.ENERGY,
    Read.ENERGY_EXPORT: LoadClass.ENERGY,
    Read.REACTIVE_ENERGY: LoadClass.ENERGY,
    Read.QUADRANT_ENERGY: LoadClass.REACTIVE_QUADRANTS,
    Read.POWER: LoadClass.POWER,
    Read.REACTIVE_POWER: LoadClass.POWER,
    Read.VOLTAGE: LoadClass.VOLTAGE_CURRENT,
    Read.CURRENT: LoadClass.VOLTAGE_CURRENT,
    Read.POWER_FACTOR: LoadClass.POWER_FACTOR,
    Read.DEMAND: LoadClass.DEMAND,
}


class BackFill:
    """Reads the records of one meter for one window of time after the other."""

    def __init__(self, meter: Meter, read: Iterable[Read]) -> None:
        self._meter = meter
        wanted = list(read)
        self._frozen = [content for each in wanted for content in _FROZEN.get(each, ())]
        self._loads = list(dict.fromkeys(_LOADS[each] for each in wanted if each in _LOADS))
        self._wanted = {register.obis for each in self._loads for register in LOAD_CLASSES[each]}
        self._classes: deque[LoadClass] = deque()
        self._came: set[ObisCode] = set()
        self._covered: set[ObisCode] = set()
        self._steps: deque[Callable[[], Awaitable[None]]] = deque()
        self._held: list[Reading] = []
        self._since_us = self._until_us = 0

    @property
    def is_done(self) -> bool:
        """Whether nothing is to be read any more."""
        return not self._steps

    def start(self, since_us: int, until_us: int) -> None:
        """Read what was kept from then till then; what was still to be read of an earlier window is read again."""
        kept = self._meter.kept
        if kept.unfilled_since_us is not None:
            since_us = min(since_us, kept.unfilled_since_us)
        kept.unfilled_since_us = since_us
        self._since_us, self._until_us = since_us, until_us
        self._steps.clear()
        if self._frozen:
            self._steps.append(partial(self._freeze, 1))
        self._classes = deque(self._loads)
        self._came, self._covered = set(), set()
        if self._classes:
            self._steps.append(self._next_class)

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
            self._steps.appendleft(step)
        except FrameError as error:
            self._meter.reject(error)
        except BaseException:
            self._steps.appendleft(step)
            raise
        if not self._steps:
            self._meter.kept.unfilled_since_us = None
        return True

    async def _freeze(self, back: int) -> None:
        meter = self._meter
        data = await meter.insist(freeze_time_identifier(FreezeKind.DAILY, back))
        at_us = None if data is None else decode_freeze_time(data, meter.utc_offset_min)
        if at_us is None or at_us < self._since_us or back >= DAILY_FREEZES:
            return
        self._steps.appendleft(partial(self._freeze, back + 1))
        if at_us <= self._until_us:
            self._held = []
            self._steps.appendleft(partial(self._confirm, back, at_us))
            self._steps.extendleft(partial(self._content, content, back, at_us) for content in self._frozen)

    async def _confirm(self, back: int, at_us: int) -> None:
        """Report a snapshot, unless midnight has come between: then it has moved on, and is met again there."""
        meter = self._meter
        if not self._held:
            return
        data = await meter.insist(freeze_time_identifier(FreezeKind.DAILY, back))
        if data is not None and decode_freeze_time(data, meter.utc_offset_min) == at_us:
            meter.report(Readings(meter.line.now_us(), self._held, meter.name))
        self._held = []

    async def _content(self, content: Frozen, back: int, at_us: int) -> None:
        meter = self._meter
        identifier = freeze_identifier(FreezeKind.DAILY, content, back)
        data = await meter.insist(identifier)
        if data is not None:
            self._held += decode_freeze(identifier, data, at_us, meter.utc_offset_min)

    async def _next_class(self) -> None:
        self._covered |= self._came  # some meters send all classes whichever is asked for
        while self._classes and any(register.obis in self._covered for register in LOAD_CLASSES[self._classes[0]]):
            self._classes.popleft()
        if self._classes:
            await self._load(self._classes[0], self._since_us)
            self._classes.popleft()
            self._steps.append(self._next_class)

    async def _load(self, load_class: LoadClass, since_us: int) -> None:
        meter = self._meter
        identifier = load_identifier(load_class, Which.FROM_TIME)
        data = await meter.insist(identifier, load_request(RECORDS_AT_ONCE, since_us, meter.utc_offset_min))
        if data is None:
            return
        found = decode_load(data, meter.utc_offset_min)
        for reason, count in (("load_doubted", found.doubted), ("load_damaged", found.damaged)):
            if count:
                meter.report(Rejected(reason, count, reads_lost=count, sample=data[:64], source=meter.name))
        for record in found.records:
            readings = [each for each in record.readings if each.obis in self._wanted - self._covered]
            self._came |= {each.obis for each in record.readings}
            if self._since_us <= record.at_us <= self._until_us and readings:
                meter.report(Readings(meter.line.now_us(), readings, meter.name))
        latest_us = max((record.at_us for record in found.records), default=0)
        next_us = latest_us - latest_us % _MINUTE_US + _MINUTE_US
        if since_us <= latest_us and next_us <= self._until_us:
            self._steps.appendleft(partial(self._load, load_class, next_us))
