"""Plays meters on one wired M-Bus line: the twin of the driver `mbus`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from readers.codecs.mbus import TOGGLE, Address, Control, Decoder, Done, Frame, Kind, Long, Short, encode
from readers.codecs.mbus_records import (
    MAKERS_OWN_AND_MORE,
    Header,
    Record,
    encode_header,
    encode_record,
    encode_time,
)
from readers.driver import Port
from simulator.device import Load

DEVICE: Final = "mbus"
_IDLE_S: Final = 1.0
_GAP_S: Final = 0.1
_CLOCK: Final = 0x6D
_HEAD_BYTES: Final = 12
_MOST_DATA: Final = 252
_WH: Final = 0x03
_W: Final = 0x2B
_MILLIVOLTS: Final = (0x46,)
_MILLIAMPERES: Final = (0x59,)
_SECOND_TABLE: Final = 0x7D
_INTEGER: Final = 4
_BCD_8: Final = 12
_NUMBER_DIGITS: Final = 8

Values = Callable[[int], Sequence[Record]]
"""What a meter measures at a time, as records."""


@dataclass(slots=True)
class Meter:
    """One meter.

    Attributes:
        values: its records; a clock is put in front.
        answers_after_s: at most 330 bits and 50 ms.
        records_per_frame: it sends no more than so many at once, and the others when it is asked for the next frame.
        error: it answers with this application error in place of its data.
    """

    values: Values
    number: str = "06855817"
    maker: str = "KAM"
    version: int = 8
    device_type: int = 0x04
    status: int = 0
    utc_offset_min: int = 60
    answers_after_s: float = 0.03
    records_per_frame: int = 50
    error: int | None = None
    accesses: int = 0
    is_selected: bool = False
    _last_toggle: int | None = None
    _next: int = 0
    _sent: bytes = b""
    _shown: list[Record] = field(default_factory=list)

    def reset(self) -> None:
        """Begin anew: the next request is the first."""
        self._last_toggle, self._next = None, 0

    def answer(self, toggle: int, now_us: int) -> tuple[int, bytes]:
        """Kind and data; the same again where the request did not toggle."""
        if self.error is not None:
            return Kind.ERROR, bytes([self.error])
        if toggle != self._last_toggle or not self._sent:
            self._last_toggle = toggle
            self._sent = self._frame(now_us)
        return Kind.VARIABLE, self._sent

    def _frame(self, now_us: int) -> bytes:
        if self._next == 0:
            clock = Record(_INTEGER, _CLOCK, raw=encode_time(now_us, self.utc_offset_min))
            self._shown = [clock, *self.values(now_us)]
        self.accesses = (self.accesses + 1) % 256
        header = Header(self.number, self.maker, self.version, self.device_type, self.accesses, self.status)
        data = encode_header(header)
        end = self._next + self.records_per_frame
        for record in self._shown[self._next : end]:
            data += encode_record(record)
        self._next = end if end < len(self._shown) else 0
        if self._next:
            data += bytes([MAKERS_OWN_AND_MORE])
        return data[:_MOST_DATA]


def electricity(load: Load) -> Values:
    """Energies, power, voltage and current of phase A of a load, as integers."""

    def values(now_us: int) -> list[Record]:
        state = load.state(now_us)
        power_w = sum((power for power in state.active_power_w if power is not None), Decimal(0))
        records = [
            number(_WH, state.active_energy_import_wh),
            number(_WH, state.active_energy_export_wh, extensions=(0x3C,)),
            *(
                number(_WH, energy_wh, tariff=tariff)
                for tariff, energy_wh in enumerate(state.active_energy_import_by_tariff_wh, start=1)
            ),
            number(_WH, state.active_energy_import_wh - 1_000, storage=1),
            number(_W, power_w),
        ]
        if state.voltage_v[0] is not None:
            records.append(number(_SECOND_TABLE, state.voltage_v[0] * 1_000, extensions=_MILLIVOLTS))
        if state.current_a[0] is not None:
            records.append(number(_SECOND_TABLE, state.current_a[0] * 1_000, extensions=_MILLIAMPERES))
        return records

    return values


def number(vif: int, value: Decimal, **more: object) -> Record:
    """A record of an integer of four bytes."""
    return Record(_INTEGER, vif, raw=int(value).to_bytes(4, "little", signed=True), **more)  # type: ignore[arg-type]  # fields of Record


def digits(vif: int, value: int, **more: object) -> Record:
    """A record of eight BCD digits."""
    return Record(_BCD_8, vif, raw=bytes.fromhex(f"{value:08}")[::-1], **more)  # type: ignore[arg-type]  # fields of Record


async def serve(port: Port, meters: Mapping[int, Meter]) -> None:
    """Speak for all meters of a line, by their primary addresses, until the link ends.

    Raises:
        LinkError: the link ended.
    """
    decoder = Decoder()
    while True:
        heard = await port.receive(_GAP_S if decoder.holds else _IDLE_S)
        for frame in decoder.feed(heard) if heard else decoder.gap():
            replies = [
                (meter, reply)
                for address, meter in meters.items()
                if (reply := _answer(address, meter, frame, port.now_us()))
            ]
            if not replies:
                continue
            await port.pause(max(meter.answers_after_s for meter, _ in replies))
            raw = replies[0][1]
            for _, other in replies[1:]:  # two meters at once: each draws its current for its zeros
                size = max(len(raw), len(other))
                raw = bytes(a & b for a, b in zip(raw.ljust(size, b"\xff"), other.ljust(size, b"\xff"), strict=True))
            await port.send(raw)


def _answer(address: int, meter: Meter, frame: Frame, now_us: int) -> bytes | None:
    if isinstance(frame, Done) or (isinstance(frame, Long) and frame.is_reply):
        return None
    if isinstance(frame, Long) and frame.address == Address.SELECTED and frame.kind == Kind.SELECT:
        wanted = frame.data[:4][::-1].hex().upper()
        meter.is_selected = len(wanted) == _NUMBER_DIGITS and all(
            want in ("F", digit) for want, digit in zip(wanted, meter.number, strict=True)
        )
        meter.reset()
        return encode(Done()) if meter.is_selected else None
    is_meant = frame.address in (address, Address.ANYBODY) or (frame.address == Address.SELECTED and meter.is_selected)
    if not is_meant or not isinstance(frame, Short):
        return None
    if frame.control == Control.RESET:
        meter.reset()
        if frame.address == Address.SELECTED:
            meter.is_selected = False
        return encode(Done())
    if frame.control & ~TOGGLE != Control.REQUEST:
        return None
    kind, data = meter.answer(frame.control & TOGGLE, now_us)
    return encode(Long(Control.REPLY, address, kind, data))
