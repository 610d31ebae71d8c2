"""What happened to a DL/T 645-2007 meter: how often, and the record of each of the last ten times.

Every kind has a counter of 3 bytes of BCD, and records whose last identifier byte is 1 for the latest to 0A. A record
begins with the time it began; some go on with the time it ended, some with the operator's code:

    EEEEEE FFFFFF ...          power failures, covers, magnets: began, ended, then energies
    EEEEEE OOOO ...            programming, clearing, trip and close: when, who, then what
    OOOO BBBBBB AAAAAA         setting of the clock: who, the time before, the time after

The times are `ss mm hh DD MM YY`, the operator 4 bytes of BCD, low byte first.

Source: DL/T 645-2007 annex A.4 by public transcripts, lengths by the identifier table of a collection terminal. Phase
failures, trip and close (13, 1D, 1E) and the magnet (0335) are later additions by the grid companies, from the same
table and a meter's source code. The OBIS names of the counters are from memory, and 96.15.x is ours to choose.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto
from typing import Final

from readers.codecs.dlt645_clock import SECOND_TIME_BYTES, digits_of, encode_second_time, meter_time_us
from readers.errors import FrameError
from readers.obis import ObisCode
from readers.observations import Reading
from readers.quantities import Phase, Quality, Quantity

RECORDS: Final = 10
COUNT_BYTES: Final = 3

_OPERATOR_BYTES: Final = 4


class Form(Enum):
    """How a record begins."""

    SPAN = auto()
    """When it began, when it ended."""
    BY_OPERATOR = auto()
    """When, who."""
    CLOCK = auto()
    """Who, from when to when the clock was set."""
    INSTANT = auto()
    """When, and no more."""


@dataclass(frozen=True, slots=True)
class EventKind:
    """One kind of event.

    Attributes:
        name: as in `KINDS`.
        count: the identifier of the counter.
        latest: the identifier of the latest record; add 1 for each one before it.
        record_bytes: of a record by the standard; records may end early, after its times.
    """

    name: str
    quantity: Quantity
    obis: ObisCode
    count: int
    latest: int
    form: Form
    record_bytes: int
    phase: Phase | None = None

    def record(self, back: int) -> int:
        """The identifier of the record of the latest time (1) up to the tenth latest (10).

        Raises:
            FrameError: `range`.
        """
        if not 1 <= back <= RECORDS:
            raise FrameError("range", f"record {back} of {self.name}: must be 1, the latest, to {RECORDS}")
        return self.latest + back - 1


def _kind(
    name: str,
    quantity: Quantity,
    obis: tuple[int, int],
    count: int,
    latest: int,
    form: Form,
    record_bytes: int,
    phase: Phase | None = None,
) -> EventKind:
    return EventKind(name, quantity, ObisCode(0, 0, 96, *obis), count, latest, form, record_bytes, phase)


_Q: Final = Quantity
KINDS: Final[dict[str, EventKind]] = {
    kind.name: kind
    for kind in (
        _kind("power_failure", _Q.POWER_FAILURES, (7, 21), 0x03110000, 0x03110001, Form.SPAN, 12),
        _kind("programming", _Q.PROGRAMMINGS, (2, 0), 0x03300000, 0x03300001, Form.BY_OPERATOR, 50),
        _kind("meter_reset", _Q.METER_RESETS, (15, 1), 0x03300100, 0x03300101, Form.BY_OPERATOR, 106),
        _kind("demand_reset", _Q.DEMAND_RESETS, (15, 2), 0x03300200, 0x03300201, Form.BY_OPERATOR, 202),
        _kind("event_reset", _Q.EVENT_RESETS, (15, 3), 0x03300300, 0x03300301, Form.BY_OPERATOR, 14),
        _kind("clock_setting", _Q.CLOCK_SETTINGS, (15, 4), 0x03300400, 0x03300401, Form.CLOCK, 16),
        _kind("cover_opening", _Q.COVER_OPENINGS, (20, 0), 0x03300D00, 0x03300D01, Form.SPAN, 60),
        _kind("terminal_opening", _Q.TERMINAL_OPENINGS, (20, 5), 0x03300E00, 0x03300E01, Form.SPAN, 60),
        _kind("magnetic_influence", _Q.MAGNETIC_INFLUENCES, (20, 15), 0x03350000, 0x03350001, Form.SPAN, 28),
        _kind("phase_failure_a", _Q.PHASE_FAILURES, (7, 1), 0x13010001, 0x13010101, Form.INSTANT, 6, Phase.A),
        _kind("phase_failure_b", _Q.PHASE_FAILURES, (7, 2), 0x13020001, 0x13020101, Form.INSTANT, 6, Phase.B),
        _kind("phase_failure_c", _Q.PHASE_FAILURES, (7, 3), 0x13030001, 0x13030101, Form.INSTANT, 6, Phase.C),
        _kind("disconnection", _Q.DISCONNECTIONS, (15, 5), 0x1D000001, 0x1D00FF01, Form.BY_OPERATOR, 34),
        _kind("reconnection", _Q.RECONNECTIONS, (15, 6), 0x1E000001, 0x1E00FF01, Form.BY_OPERATOR, 34),
    )
}
"""All kinds by name."""

LATEST_TRIP: Final = 0x1D000101
LATEST_CLOSE: Final = 0x1E000101
"""The times alone of the latest trip and close, 6 bytes: see `decode_time`."""


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One event. Times are UTC; None where the meter has none, as the end of what has not ended.

    Attributes:
        began_us: of a setting of the clock, what it showed before.
        ended_us: of a setting of the clock, what it showed after.
        rest: what follows, as on the wire: energies, identifiers that were programmed.
    """

    kind: EventKind
    began_us: int | None
    ended_us: int | None = None
    operator: int | None = None
    rest: bytes = b""


def decode_count(data: bytes) -> int:
    """How often, from the reply to the counter's identifier, after it.

    Raises:
        FrameError: `length`, or `range` when it is no BCD.
    """
    if len(data) != COUNT_BYTES:
        raise FrameError("length", f"{len(data)} bytes of a counter: must be {COUNT_BYTES}", data)
    digits = digits_of(data)
    if digits is None:
        raise FrameError("range", "a counter is no BCD", data)
    return int(digits)


def encode_count(count: int) -> bytes:
    """The counter as a meter sends it; it begins anew after 999999."""
    return bytes.fromhex(f"{count % 10 ** (2 * COUNT_BYTES):0{2 * COUNT_BYTES}d}")[::-1]


def decode_time(data: bytes, meter_utc_offset_min: int) -> int | None:
    """One time alone, from a reply after its identifier; None: it has not happened.

    Raises:
        FrameError: `length`.
    """
    if len(data) != SECOND_TIME_BYTES:
        raise FrameError("length", f"{len(data)} bytes of a time: must be {SECOND_TIME_BYTES}", data)
    return meter_time_us(data, meter_utc_offset_min)


def decode_record(kind: EventKind, data: bytes, meter_utc_offset_min: int) -> EventRecord | None:
    """The event in a reply after its identifier; None: it has not happened so often.

    Raises:
        FrameError: `length`: its times are not whole.
    """
    fields = _FIELDS[kind.form]
    if not sum(fields) <= len(data) <= max(kind.record_bytes, sum(fields)):
        raise FrameError(
            "length", f"{len(data)} bytes of {kind.name}: must be {sum(fields)} to {kind.record_bytes}", data
        )
    parts, at = [], 0
    for size in fields:
        parts.append(data[at : at + size])
        at += size
    times = [meter_time_us(part, meter_utc_offset_min) for part in parts if len(part) == SECOND_TIME_BYTES]
    if times[0] is None:
        return None
    codes = [digits_of(part) for part in parts if len(part) == _OPERATOR_BYTES]
    operator = int(codes[0]) if codes and codes[0] is not None else None
    return EventRecord(kind, times[0], times[1] if len(times) > 1 else None, operator, data[at:])


def encode_record(record: EventRecord, meter_utc_offset_min: int) -> bytes:
    """The record as a meter sends it, at its full length; zeros where it has nothing.

    Raises:
        FrameError: `range`: the year of a time does not fit.
    """
    times = [
        bytes(SECOND_TIME_BYTES) if at_us is None else encode_second_time(at_us, meter_utc_offset_min)
        for at_us in (record.began_us, record.ended_us)
    ]
    operator = bytes.fromhex(f"{(record.operator or 0) % 10**8:08d}")[::-1]
    raw = {
        Form.SPAN: times[0] + times[1],
        Form.BY_OPERATOR: times[0] + operator,
        Form.CLOCK: operator + times[0] + times[1],
        Form.INSTANT: times[0],
    }[record.kind.form]
    return (raw + record.rest).ljust(record.kind.record_bytes, b"\0")


def reading(kind: EventKind, count: int, latest: EventRecord | None) -> Reading:
    """The counter as a reading; its meter time is that of the latest event, for a set clock the time it was set to."""
    at_us = None
    if latest is not None:
        at_us = latest.ended_us if kind.form is Form.CLOCK else latest.began_us
    return Reading(kind.quantity, kind.obis, Decimal(count), kind.phase, None, Quality.GOOD, at_us)


_FIELDS: Final[dict[Form, tuple[int, ...]]] = {
    Form.SPAN: (SECOND_TIME_BYTES, SECOND_TIME_BYTES),
    Form.BY_OPERATOR: (SECOND_TIME_BYTES, _OPERATOR_BYTES),
    Form.CLOCK: (_OPERATOR_BYTES, SECOND_TIME_BYTES, SECOND_TIME_BYTES),
    Form.INSTANT: (SECOND_TIME_BYTES,),
}
