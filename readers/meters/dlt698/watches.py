"""What is read of a meter besides registers: its status words, its counts of events, and how wrong its clock is."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from readers.codecs.dlt645_status import CommonFaults, General, PhaseFaults, Status
from readers.codecs.dlt698_apdu import GetRecord, Latest
from readers.codecs.dlt698_data import Data, time_us
from readers.codecs.dlt698_objects import CLOCK, EVENT_TIME, EVENTS, STATUS, EventKind, event_count, status_words
from readers.errors import FrameError
from readers.meters.dlt698.meter import IgnoredError, Meter
from readers.obis import ObisCode
from readers.observations import Reading, Readings, Severity, Signal, Signals
from readers.quantities import Quantity

RIGHT_S: Final = 5
OFFSET_OBIS: Final = ObisCode(0, 0, 1, 0, 0)
_US: Final = 1_000_000
_HALF_S: Final = _US // 2  # a clock that shows whole seconds is half a second further on average
_FAULTS: Final = frozenset(
    {
        PhaseFaults.VOLTAGE_LOST,
        PhaseFaults.PHASE_LOST,
        PhaseFaults.CURRENT_BROKEN,
        CommonFaults.CURRENT_SEVERELY_UNBALANCED,
    }
)
_NORMAL: Final = frozenset({PhaseFaults.FLOW_REVERSED, CommonFaults.DEMAND_EXCEEDED})
Place = tuple[str, str]
"""Name and key of a condition."""


class StatusWatch:
    """Reads the status words of one meter, and tells what has changed."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._told: dict[str, Signal] = {}
        self._active: dict[Place, Severity] = {}

    async def ask(self) -> bool:
        """Read them. False: not asked.

        Raises:
            NoReplyError: the meter is silent. LinkError: the line is gone.
        """
        meter = self._meter
        if not meter.may_ask(STATUS):
            return False
        data = await meter.find(STATUS)
        if data is not None:
            try:
                self._tell(status_words(data))
            except FrameError as error:
                meter.reject(error)
        return True

    def _tell(self, status: Status) -> None:
        meter = self._meter
        changed = [signal for signal in _signals(status) if self._told.get(signal.name) != signal]
        if changed:
            self._told |= {signal.name: signal for signal in changed}
            meter.report(Signals(meter.line.now_us(), changed, meter.name))
        found = dict(_faults(status))
        for (name, key), severity in self._active.items():
            if (name, key) not in found:
                meter.condition(name, key, active=False, severity=severity)
        for (name, key), severity in found.items():
            if (name, key) not in self._active:
                meter.condition(name, key, severity=severity)
        self._active = found


def _signals(status: Status) -> Iterator[Signal]:
    if status.is_relay_closed is not None:
        yield Signal("relay_closed", status.is_relay_closed)
    if status.is_closing_ordered is not None:
        yield Signal("relay_command", "close" if status.is_closing_ordered else "trip")
    if status.is_pre_trip_alarm is not None:
        yield Signal("pre_trip_alarm", status.is_pre_trip_alarm)
    if status.supply is not None:
        yield Signal("meter_supply", status.supply)


def _faults(status: Status) -> Iterator[tuple[Place, Severity]]:
    general = status.general or General(0)
    for bit, key in ((General.CLOCK_BATTERY_LOW, "clock"), (General.READING_BATTERY_LOW, "reading")):
        if general & bit:
            yield ("battery_low", key), Severity.WARNING
    for phase, faults in status.faults_by_phase.items():
        for each in PhaseFaults:
            if faults & each:
                yield (_name(each), phase.value), _severity(each)
    common = status.common_faults or CommonFaults(0)
    for fault in CommonFaults:
        if common & fault:
            yield (_name(fault), ""), _severity(fault)


def _name(bit: PhaseFaults | CommonFaults) -> str:
    return (bit.name or "").lower()


def _severity(bit: PhaseFaults | CommonFaults) -> Severity:
    if bit in _FAULTS:
        return Severity.FAULT
    return Severity.INFO if bit in _NORMAL else Severity.WARNING


class EventWatch:
    """Reads the counts of all kinds of events of one meter, and the time of the latest when one has happened."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._latest: dict[str, tuple[int, int | None]] = {}

    async def ask(self) -> bool:
        """Read them. False: nothing was asked.

        Raises:
            NoReplyError: the meter is silent. LinkError: the line is gone.
        """
        meter = self._meter
        values = await meter.values([kind.values for kind in EVENTS])
        by_number = [kind.records for kind in EVENTS if not meter.may_ask(kind.values)]
        numbers = await meter.values(by_number)
        if values is None and numbers is None:
            return False
        told = {**(values or {}), **(numbers or {})}
        readings = []
        for kind in EVENTS:
            data = told.get(kind.values, told.get(kind.records))
            if data is not None:
                try:
                    readings.append(await self._reading(kind, data))
                except FrameError as error:
                    meter.reject(error)
        if readings:
            meter.report(Readings(meter.line.now_us(), readings, meter.name))
        return True

    async def _reading(self, kind: EventKind, data: Data) -> Reading:
        count = event_count(data)
        if self._latest.get(kind.name, (None,))[0] != count:
            self._latest[kind.name] = count, await self._time(kind) if count else None
        return Reading(kind.quantity, kind.obis, Decimal(count), meter_time_us=self._latest[kind.name][1])

    async def _time(self, kind: EventKind) -> int | None:
        try:
            records = await self._meter.records(GetRecord(kind.record, Latest(1), (EVENT_TIME,)))
        except IgnoredError:
            return None
        for record in records or ():
            if isinstance(record.rows, tuple) and record.rows and record.columns == (EVENT_TIME,):
                return time_us(record.rows[0][0], self._meter.utc_offset_min)
        return None


class ClockWatch:
    """Reads the clock of one meter and reports its offset; setting it is for a person."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._told_wrong = False

    async def ask(self) -> bool:
        """Read the clock. False: nothing was asked.

        Raises:
            NoReplyError: the meter is silent. LinkError: the line is gone.
        """
        meter = self._meter
        if not meter.may_ask(CLOCK):
            return False
        began_us = meter.line.now_us()
        data = await meter.find(CLOCK)
        ended_us = meter.line.now_us()
        if data is None:
            return True
        at_us = time_us(data, meter.utc_offset_min)
        if at_us is None:
            meter.reject(FrameError("range", "the meter's clock shows no date and time", data.raw))
            return True
        offset_s = round((at_us + _HALF_S - (began_us + ended_us) // 2) / _US)
        offset = Reading(Quantity.CLOCK_OFFSET, OFFSET_OBIS, Decimal(offset_s), meter_time_us=at_us)
        meter.report(Readings(ended_us, [offset], meter.name))
        if abs(offset_s) > RIGHT_S:
            self._told_wrong = True
            ahead = "ahead" if offset_s > 0 else "behind"
            detail = f"the meter's clock is {abs(offset_s)} s {ahead}; set it by the meter's own program"
            meter.condition("clock_wrong", "", detail)
        elif self._told_wrong:
            self._told_wrong = False
            meter.condition("clock_wrong", "", active=False)
        return True
