"""One meter: its values by class, its ratios, its clock, and how its registers really lie."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from readers.codecs.modbus_blocks import Span
from readers.codecs.modbus_map import Class, MapValue, MeterMap, Ratio
from readers.codecs.modbus_values import number_of, raw_of
from readers.meters.modbus_meter.probe import AS_MAPPED, Arrangement, probe
from readers.meters.modbus_meter.settings import Meter as MeterSettings
from readers.meters.modbus_meter.settings import ModbusMeterSettings
from readers.modbus_device import Device, Found, Learnt
from readers.modbus_line import Line, reply_delay
from readers.obis import ObisCode
from readers.observations import DeviceInfo, InForce, Reading, Readings, Severity
from readers.quantities import Quality, Quantity

PROBE_AGAIN_S: Final = 900.0
RIGHT_S: Final = 5
_US: Final = 1_000_000
OFFSET_OBIS: Final = ObisCode(0, 0, 1, 0, 0)
_ENERGIES: Final = frozenset(quantity for quantity in Quantity if quantity.unit in ("Wh", "varh", "VAh"))


@dataclass(slots=True)
class Kept:
    """What a driver knows of a meter across links."""

    learnt: Learnt = field(default_factory=Learnt)
    arrangement: Arrangement | None = None


class Meter:
    """One meter while a link lasts."""

    def __init__(self, settings: MeterSettings, common: ModbusMeterSettings, kept: Kept, line: Line) -> None:
        self.name = settings.name
        self._settings = settings
        self._utc_offset_min = common.meter_utc_offset_min
        self._quantities = frozenset(common.read)
        self._kept = kept
        self._line = line
        self._mapped = settings.registers()
        self._map = self._mapped
        self._names: dict[Span, str] = {}
        self._is_proven = not settings.probe
        self._probe_again_s = 0.0
        self._is_introduced = False
        self._ratios: dict[Ratio, Decimal] = {}
        self._missing: set[Ratio] = set()
        self._coarse: set[ObisCode] = set()
        self._is_clock_wrong = False
        self.device = Device(
            settings.name,
            settings.address,
            line,
            kind="meter",
            limits=self._mapped.limits,
            learnt=kept.learnt,
            delay=reply_delay(common.answer_within_s),
            named=self._named,
        )
        self._lay(AS_MAPPED if kept.arrangement is None else kept.arrangement)

    def classes(self) -> list[Class]:
        """The classes that have something to read."""
        return [wanted for wanted in Class if self._values(wanted)]

    @property
    def has_clock(self) -> bool:
        """Its map says where its clock is."""
        return self._map.clock is not None

    async def read(self, wanted: Class) -> bool:
        """Read all values of a class and report them. False: nothing was asked.

        Raises:
            NoReplyError: the meter is silent; what came before was reported. LinkError: the line is gone.
        """
        await self._see_to_arrangement()
        if not self._is_introduced:
            await self._introduce()
        values = self._values(wanted)
        used = [ratio for ratio in Ratio if any(ratio in value.times for value in values)]
        asked = await self._read_ratios(used)
        found: Found = {}
        try:
            return await self.device.read([value.place.span for value in values], found) or asked
        finally:
            readings = [
                self._reading(value, found[value.place.span])
                for value in values
                if value.place.span in found and self._ratios.keys() >= set(value.times)
            ]
            if readings:
                self._line.report(Readings(self._line.port.now_us(), readings, self.name))

    async def probe(self) -> bool:
        """The cheap question to a silent meter: one value.

        Raises:
            NoReplyError: the meter is silent. LinkError: the line is gone.
        """
        await self.device.read_alone(self._map.values[0].place.span)
        return True

    async def read_clock(self) -> bool:
        """Read the clock and report how wrong it is. False: nothing was asked.

        Raises:
            NoReplyError: the meter is silent. LinkError: the line is gone.
        """
        clock = self._map.clock
        assert clock is not None
        found: Found = {}
        began_us = self._line.port.now_us()
        asked = await self.device.read([clock.span], found)
        ended_us = self._line.port.now_us()
        if clock.span not in found:
            return asked
        at_us = clock.at_us(found[clock.span], self._utc_offset_min)
        if at_us is None:
            self._tell_clock(f"the clock shows no time: {' '.join(f'{each:04X}' for each in found[clock.span])}")
            return True
        half_us = 0 if "L" in clock.form else _US // 2  # it shows whole seconds: it is half of one further on average
        offset_s = round((at_us + half_us - (began_us + ended_us) // 2) / _US)
        reading = Reading(Quantity.CLOCK_OFFSET, OFFSET_OBIS, Decimal(offset_s), meter_time_us=at_us)
        self._line.report(Readings(ended_us, [reading], self.name))
        ahead = "ahead" if offset_s > 0 else "behind"
        is_right = abs(offset_s) <= RIGHT_S
        self._tell_clock("" if is_right else f"the meter's clock is {abs(offset_s)} s {ahead}; set it at the meter")
        return True

    def _values(self, wanted: Class) -> list[MapValue]:
        return [
            value
            for value in self._map.values
            if value.wanted is wanted and (not self._quantities or value.quantity in self._quantities)
        ]

    def _named(self, span: Span) -> str:
        return self._names.get(span, str(span))

    def _lay(self, arrangement: Arrangement) -> None:
        self._map = self._mapped.moved(arrangement.moved_by, swapped=arrangement.is_swapped)
        self._names = _names(self._map)

    async def _see_to_arrangement(self) -> None:
        """Probe once, and again after a while when that told nothing."""
        now_s = self._line.port.monotonic_s()
        if self._is_proven or now_s < self._probe_again_s:
            return
        if self._kept.arrangement is None:
            finding = await probe(self._mapped, self.device.read_alone)
            if finding.arrangement is None:
                self._probe_again_s = now_s + PROBE_AGAIN_S
                detail = f"{finding.detail}; its readings are marked suspect until it is found"
                self.device.condition("map_unproven", "", detail)
                return
            self._kept.arrangement = finding.arrangement
            if self._probe_again_s:
                self.device.condition("map_unproven", active=False)
        self._is_proven = True
        found = self._kept.arrangement
        self._lay(found)
        if found != AS_MAPPED:
            detail = f"{found}; change the map, and take probe away"
            self.device.condition("map_differs", self._settings.map, detail)

    async def _introduce(self) -> None:
        """Say who it is and how it is read."""
        serial = self._map.serial
        if serial is not None:
            found: Found = {}
            await self.device.read([serial.span], found)
            if serial.span in found:
                number = number_of(raw_of(found[serial.span], serial.layout), serial.layout.type)
                if number:
                    self._line.report(DeviceInfo(serial=f"{number:f}", source=self.name))
        self._is_introduced = True
        said = {"map": self._settings.map}
        if self._settings.probe and self._is_proven:
            moved = AS_MAPPED if self._kept.arrangement is None else self._kept.arrangement
            said |= {
                "address_base": str(self._mapped.base - moved.moved_by),
                "word_order": "the other way round" if moved.is_swapped else "as in the map",
            }
        self._line.report(InForce(said, self.name))

    async def _read_ratios(self, used: list[Ratio]) -> bool:
        """Know the ratios before the values that need them: one that changed would make a false energy."""
        asked = False
        before = dict(self._ratios)
        for ratio in used:
            given = self._settings.ratio(ratio)
            if given is not None:
                self._ratios[ratio] = given
                continue
            register = self._map.ratios[ratio]
            found: Found = {}
            self._ratios.pop(ratio, None)  # no value without it
            asked |= await self.device.read([register.place.span], found)
            told = register.ratio(found[register.place.span]) if register.place.span in found else None
            if told is not None:
                self._ratios[ratio] = told
        self._tell_ratios(used, before)
        return asked

    def _tell_ratios(self, used: list[Ratio], before: dict[Ratio, Decimal]) -> None:
        changed = {ratio: self._ratios[ratio] for ratio in used if ratio in self._ratios}
        changed = {ratio: told for ratio, told in changed.items() if before.get(ratio) != told}
        if changed:
            said = {f"{ratio.value}_ratio": f"{told:f}" for ratio, told in changed.items()}
            self._line.report(InForce(said, self.name))
        for ratio in used:
            was_missing = ratio in self._missing
            if (ratio not in self._ratios) != was_missing:
                self._missing ^= {ratio}
                detail = (
                    "" if was_missing else f"the meter does not tell its {ratio.value}_ratio; say it in the site file"
                )
                fault = Severity.FAULT
                self.device.condition("ratio_unknown", ratio.value, detail, active=not was_missing, severity=fault)

    def _reading(self, value: MapValue, registers: list[int]) -> Reading:
        reading = value.reading(registers, self._ratios)
        if value.quantity in _ENERGIES and value.obis not in self._coarse and value.is_coarse(registers):
            self._coarse.add(value.obis)
            detail = (
                f"{value.name} is a float that is too large to tell {value.resolution:f} {value.quantity.unit} apart; "
                "its last digits are the meter's rounding. Read it as an integer where the meter has one"
            )
            self.device.condition("register_coarse", str(value.obis), detail, severity=Severity.INFO)
        if not self._is_proven and reading.quality is Quality.GOOD:
            return replace(reading, quality=Quality.SUSPECT)
        return reading

    def _tell_clock(self, wrong: str) -> None:
        if bool(wrong) != self._is_clock_wrong:
            self._is_clock_wrong = bool(wrong)
            self.device.condition("clock_wrong", "", wrong, active=bool(wrong))


def _names(meter_map: MeterMap) -> dict[Span, str]:
    named = {value.place.span: value.name for value in meter_map.values}
    named |= {register.place.span: f"{ratio.value}_ratio" for ratio, register in meter_map.ratios.items()}
    if meter_map.serial is not None:
        named[meter_map.serial.span] = "serial"
    if meter_map.clock is not None:
        named[meter_map.clock.span] = "clock"
    return named
