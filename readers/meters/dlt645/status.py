"""Status words as signals and conditions: the relay, what the meter lives on, and the faults of the supply."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from readers.codecs.dlt645_status import (
    BLOCK,
    RELAY_WORD,
    CommonFaults,
    General,
    PhaseFaults,
    Status,
    decode,
)
from readers.errors import FrameError
from readers.meters.dlt645.meter import Meter
from readers.observations import Severity, Signal, Signals

_FAULTS: Final = frozenset(
    {
        PhaseFaults.VOLTAGE_LOST,
        PhaseFaults.PHASE_LOST,
        PhaseFaults.CURRENT_BROKEN,
        CommonFaults.CURRENT_SEVERELY_UNBALANCED,
    }
)
_NORMAL: Final = frozenset({PhaseFaults.FLOW_REVERSED, CommonFaults.DEMAND_EXCEEDED})
_BATTERIES: Final = ((General.CLOCK_BATTERY_LOW, "clock"), (General.READING_BATTERY_LOW, "reading"))


@dataclass(frozen=True, slots=True)
class _Fault:
    name: str
    key: str
    severity: Severity
    detail: str = ""


class StatusWatch:
    """Reads the status words of one meter, and tells what has changed."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._told: dict[str, Signal] = {}
        self._active: dict[tuple[str, str], _Fault] = {}

    async def ask(self) -> bool:
        """Read them; all words together where the meter knows the block, else that of the relay. False: not asked.

        Raises:
            NoReplyError: the meter is silent. LinkError: the line is gone.
        """
        meter = self._meter
        asked = False
        for identifier in (BLOCK, RELAY_WORD):
            if not meter.may_ask(identifier):
                continue
            asked = True
            data = await meter.find(identifier)
            if data is None:
                continue
            try:
                status = decode(identifier, data)
            except FrameError as error:
                meter.reject(error)
            else:
                self.tell(status)
            return True
        return asked

    def tell(self, status: Status) -> None:
        """Report signals that changed and conditions that began or ended."""
        meter = self._meter
        changed = [signal for signal in _signals(status) if self._told.get(signal.name) != signal]
        if changed:
            self._told |= {signal.name: signal for signal in changed}
            meter.report(Signals(meter.line.now_us(), changed, meter.name))
        found = {(fault.name, fault.key): fault for fault in _faults(status)}
        for place, fault in self._active.items():
            if place not in found and _is_told_of(place, status):
                meter.condition(fault.name, fault.key, active=False, severity=fault.severity)
        for place, fault in found.items():
            if place not in self._active:
                meter.condition(fault.name, fault.key, fault.detail, severity=fault.severity)
        kept = {place: fault for place, fault in self._active.items() if not _is_told_of(place, status)}
        self._active = kept | found


def _signals(status: Status) -> Iterator[Signal]:
    if status.is_relay_closed is not None:
        yield Signal("relay_closed", status.is_relay_closed)
    if status.is_closing_ordered is not None:
        yield Signal("relay_command", "close" if status.is_closing_ordered else "trip")
    if status.is_protected is not None:
        yield Signal("supply_protected", status.is_protected)
    if status.is_pre_trip_alarm is not None:
        yield Signal("pre_trip_alarm", status.is_pre_trip_alarm)
    if status.supply is not None:
        yield Signal("meter_supply", status.supply)


def _faults(status: Status) -> Iterator[_Fault]:
    general = status.general or General(0)
    for bit, key in _BATTERIES:
        if general & bit:
            detail = f"the battery of the meter's {'clock' if key == 'clock' else 'display'} is low; have it changed"
            yield _Fault("battery_low", key, Severity.WARNING, detail)
    if general & General.ACTIVE_REVERSED:
        yield _Fault(_name(PhaseFaults.FLOW_REVERSED), "", Severity.INFO)
    for phase, faults in status.faults_by_phase.items():
        for each in PhaseFaults:
            if faults & each:
                yield _Fault(_name(each), phase.value, _severity(each))
    common = status.common_faults or CommonFaults(0)
    for fault in CommonFaults:
        if common & fault:
            yield _Fault(_name(fault), "", _severity(fault))
    if status.is_relay_closed and status.is_closing_ordered is False:
        detail = "the relay was ordered to open and is closed: a trip that is still to come, or a relay that is stuck"
        yield _Fault("relay_not_open", "", Severity.WARNING, detail)


def _is_told_of(place: tuple[str, str], status: Status) -> bool:
    """Whether these words tell whether that fault holds."""
    name, key = place
    if name == "battery_low" or place == (_name(PhaseFaults.FLOW_REVERSED), ""):
        return status.general is not None
    if name == "relay_not_open":
        return status.operation is not None
    if key:
        return key in {phase.value for phase in status.faults_by_phase}
    return status.common_faults is not None


def _name(bit: PhaseFaults | CommonFaults) -> str:
    return (bit.name or "").lower()


def _severity(bit: PhaseFaults | CommonFaults) -> Severity:
    if bit in _FAULTS:
        return Severity.FAULT
    return Severity.INFO if bit in _NORMAL else Severity.WARNING
