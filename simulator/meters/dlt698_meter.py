"""A simulated DL/T 698.45 meter: what its objects hold, of a load that is a function of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from simulator.device import Load, MeterState
from simulator.meters.dlt698_wire import (
    NULL,
    Asked,
    array,
    bits16,
    int16,
    int32,
    octets,
    structure,
    time,
    uint16,
    uint32,
)

CHINA_UTC_OFFSET_MIN: Final = 480
DENIED, NO_SUCH_OBJECT, TYPE_MISMATCH, OUT_OF_RANGE = 3, 6, 7, 8
US_PER_MIN: Final = 60_000_000
_DAY_MIN: Final = 1440
_QUARTER_MIN: Final = 15
_EXPORT_TARIFFS: Final = 4
_RELAY_OPEN: Final = 1 << 4
_RELAY_ORDERED_OPEN: Final = 1 << 6
_PHASE_LOST: Final = 1 << 7
FREEZE_TIME: Final = bytes.fromhex("20210200")
DAILY, MINUTE = 0x5004, 0x5002
POWER_DOWN: Final = 0x3011
_BEGAN, _ENDED = bytes.fromhex("201E0200"), bytes.fromhex("20200200")
_OTHER_EVENTS: Final = (0x3012, 0x3013, 0x3014, 0x3015, 0x3016, 0x301B, 0x301C)
_TEMPERATURE_STEPS: Final = 253


@dataclass(slots=True)
class Behaviour:
    """How one meter is built and behaves; may be changed while it is served.

    Attributes:
        silent: it answers nothing.
        ignores: objects for which it keeps silent on the whole request.
        lacks: objects that it does not have; `denies`: that it refuses.
        most_at_once: objects in a list, and what it does with a longer one: an error reply, or silence.
        fragment_bytes: longer replies come in fragments of the link; `block_bytes`: in blocks of whole results.
        signs: replies come with a MAC; `encrypts`: nobody can read them.
        reports_along: each reply brings a report, and has a time tag.
        scrambles: replies are offset by 33 hex on the wire.
        wants_single: it knows no wildcard addresses but AA in a plain one, as some do.
        preamble: wake-up bytes before each reply. needs_wake_up: without so many it hears nothing.
        reply_delay_s: before a reply.
        garbles: turns a reply into what reaches the line.
        clock_offset_us: how wrong its clock is.
        outages: spans without mains, (from, until) in UTC microseconds, in order.
        relay_open: its relay was tripped.
        frozen_days: how far back it keeps freezes; `freezes_one_column`: it gives one column at a time.
        counts_only_records: it does not know the attribute with the values of events.
    """

    silent: bool = False
    ignores: frozenset[int] = frozenset()
    lacks: frozenset[int] = frozenset()
    denies: frozenset[int] = frozenset()
    most_at_once: int = 32
    long_list_error: bool = True
    fragment_bytes: int | None = None
    block_bytes: int | None = None
    signs: bool = False
    encrypts: bool = False
    reports_along: bool = False
    scrambles: bool = False
    wants_single: bool = False
    preamble: int = 4
    needs_wake_up: int = 0
    reply_delay_s: float = 0.03
    garbles: Callable[[bytes], bytes] | None = None
    clock_offset_us: int = 0
    outages: tuple[tuple[int, int], ...] = ()
    relay_open: bool = False
    frozen_days: int = 62
    freezes_one_column: bool = False
    counts_only_records: bool = False

    def is_powered(self, at_us: int) -> bool:
        """Whether there is mains at that moment."""
        return not any(start_us <= at_us < until_us for start_us, until_us in self.outages)


class Meter:
    """One meter. It exists from the first look on, and freezes from then."""

    def __init__(
        self, address: str, load: Load, behaviour: Behaviour | None = None, utc_offset_min: int = CHINA_UTC_OFFSET_MIN
    ) -> None:
        self.address = address
        self.load = load
        self.behaviour = behaviour or Behaviour()
        self.utc_offset_min = utc_offset_min

    def value(self, oad: bytes, now_us: int) -> bytes | int:
        """An attribute as encoded, or the DAR that refuses it."""
        oi, attribute, index = int.from_bytes(oad[:2], "big"), oad[2], oad[3]
        if oi in self.behaviour.lacks:
            return NO_SUCH_OBJECT
        if oi in self.behaviour.denies:
            return DENIED
        found = self._elements(oi, attribute, now_us)
        if isinstance(found, int):
            return found
        if isinstance(found, bytes):
            return OUT_OF_RANGE if index else found
        if index > len(found):
            return OUT_OF_RANGE
        return found[index - 1] if index else array(found)

    def rows(self, asked: Asked, now_us: int) -> list[list[bytes]] | int:
        """The rows of a record that were asked for, or the DAR that refuses them."""
        (oad,) = asked.oads
        oi = int.from_bytes(oad[:2], "big")
        if oi in self.behaviour.lacks:
            return NO_SUCH_OBJECT
        if oi == POWER_DOWN:
            return self._failure_rows(asked, now_us)
        if oi not in (DAILY, MINUTE):
            return TYPE_MISMATCH
        values = [column for column in asked.columns if column != FREEZE_TIME]
        if self.behaviour.freezes_one_column and len(values) > 1:
            return DENIED
        rows = []
        for at_us in self._freezes(oi, asked, now_us):
            shown = time(self._shown_us(at_us), self.utc_offset_min)
            cells = [shown if column == FREEZE_TIME else self.value(column, at_us) for column in asked.columns]
            rows.append([NULL if isinstance(cell, int) else cell for cell in cells])
        return rows

    def _shown_us(self, at_us: int) -> int:
        return at_us + self.behaviour.clock_offset_us

    def _freezes(self, oi: int, asked: Asked, now_us: int) -> Iterator[int]:
        """When it froze, in true time, of what was asked for."""
        step_us = (_DAY_MIN if oi == DAILY else asked.step_min or _QUARTER_MIN) * US_PER_MIN
        zone_us = self.utc_offset_min * US_PER_MIN
        first_us = now_us - self.behaviour.frozen_days * _DAY_MIN * US_PER_MIN
        until_us = now_us if asked.until_us is None else min(asked.until_us, now_us)
        since_us = max(first_us, asked.since_us if asked.since_us is not None else now_us - asked.latest * step_us)
        at_us = -(-(since_us + zone_us) // step_us) * step_us - zone_us
        while at_us < until_us:
            if oi == DAILY or self.behaviour.is_powered(at_us):
                yield at_us
            at_us += step_us

    def _failures(self, now_us: int) -> list[tuple[int, int]]:
        return [outage for outage in self.behaviour.outages if outage[1] <= now_us]

    def _failure_rows(self, asked: Asked, now_us: int) -> list[list[bytes]] | int:
        rows = []
        for began_us, ended_us in self._failures(now_us)[::-1][: asked.latest or None]:
            cells = {_BEGAN: began_us, _ENDED: ended_us}
            rows.append(
                [
                    time(self._shown_us(cells[column]), self.utc_offset_min) if column in cells else NULL
                    for column in asked.columns
                ]
            )
        return rows

    def _elements(self, oi: int, attribute: int, now_us: int) -> list[bytes] | bytes | int:
        state = self.load.state(now_us)
        if oi == POWER_DOWN:
            return self._counts(attribute, self._failures(now_us))
        if oi in _OTHER_EVENTS:
            return self._counts(attribute, [])
        if (oi, attribute) == (0x2001, 4):
            return int32(0)
        if attribute != 2:  # noqa: PLR2004 - the values
            return NO_SUCH_OBJECT
        if oi in _ENERGIES:
            return _ENERGIES[oi](state)
        if oi in _MEASURED:
            return _MEASURED[oi](state)
        match oi:
            case 0x1010:
                window_us = self._shown_us(now_us) // (_QUARTER_MIN * US_PER_MIN) * _QUARTER_MIN * US_PER_MIN
                demand = uint32(_steps(state.active_demand_w, -1))
                return [structure(demand, time(window_us, self.utc_offset_min))]
            case 0x2010:
                return int16(_TEMPERATURE_STEPS)
            case 0x2014:
                return self._status(state)
            case 0x4000:
                return time(self._shown_us(now_us), self.utc_offset_min)
            case 0x4001 | 0x4002:
                return octets(bytes.fromhex(self.address))
        return NO_SUCH_OBJECT

    def _counts(self, attribute: int, spans: list[tuple[int, int]]) -> list[bytes] | bytes | int:
        if attribute == 4:  # noqa: PLR2004 - the number of records
            return uint16(len(spans))
        if attribute != 7 or self.behaviour.counts_only_records:  # noqa: PLR2004 - counts and times
            return NO_SUCH_OBJECT
        minutes = sum(ended_us - began_us for began_us, ended_us in spans) // US_PER_MIN
        return [structure(NULL, structure(uint32(len(spans)), uint32(minutes)))]

    def _status(self, state: MeterState) -> list[bytes]:
        words = [0] * 7
        if self.behaviour.relay_open:
            words[2] = _RELAY_OPEN | _RELAY_ORDERED_OPEN
        for phase, volts in enumerate(state.voltage_v):
            if volts == 0:
                words[3 + phase] = _PHASE_LOST
        return [bits16(word) for word in words]


def _steps(value: Decimal, exponent: int) -> int:
    """A value in the steps of its register, cut off."""
    return int(value.scaleb(-exponent))


def _there(values: tuple[Decimal | None, ...]) -> list[Decimal]:
    """The phases that are connected."""
    return [value for value in values if value is not None]


def _with_total(values: tuple[Decimal | None, ...], exponent: int) -> list[bytes]:
    phases = _there(values)
    return [int32(_steps(each, exponent)) for each in (sum(phases, Decimal(0)), *phases)]


def _apparent(state: MeterState) -> tuple[Decimal | None, ...]:
    pairs = zip(state.active_power_w, state.reactive_power_var, strict=True)
    return tuple(None if p is None or q is None else (p * p + q * q).sqrt() for p, q in pairs)


def _factors(state: MeterState) -> list[bytes]:
    active = sum(_there(state.active_power_w), Decimal(0))
    apparent = sum(_there(_apparent(state)), Decimal(0))
    total = active / apparent if apparent else Decimal(1)
    return [int16(_steps(each, -3)) for each in (total, *_there(state.power_factor))]


_ENERGIES: Final[dict[int, Callable[[MeterState], list[bytes]]]] = {
    0x0000: lambda state: [int32(_steps(state.active_energy_import_wh + state.active_energy_export_wh, 1))],
    0x0010: lambda state: [
        uint32(_steps(each, 1)) for each in (state.active_energy_import_wh, *state.active_energy_import_by_tariff_wh)
    ],
    0x0020: lambda state: [uint32(_steps(state.active_energy_export_wh, 1))] + [uint32(0)] * _EXPORT_TARIFFS,
}
_MEASURED: Final[dict[int, Callable[[MeterState], list[bytes] | bytes]]] = {
    0x2000: lambda state: [uint16(_steps(each, -1)) for each in _there(state.voltage_v)],
    0x2001: lambda state: [int32(_steps(each, -3)) for each in _there(state.current_a)],
    0x2004: lambda state: _with_total(state.active_power_w, -1),
    0x2005: lambda state: _with_total(state.reactive_power_var, -1),
    0x2006: lambda state: _with_total(_apparent(state), -1),
    0x200A: _factors,
    0x200F: lambda state: uint16(_steps(state.frequency_hz, -2)),
    0x2017: lambda state: int32(_steps(state.active_demand_w, -1)),
}
