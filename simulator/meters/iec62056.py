"""Plays meters on one line that are read out by IEC 62056-21: the twin of the driver `iec62056`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum
from typing import Final

from readers.codecs.iec62056 import (
    BAUDS,
    BAUDS_B,
    Data,
    DataSet,
    Decoder,
    Frame,
    Identification,
    Request,
    Select,
    encode,
)
from readers.driver import Port
from simulator.device import Load, MeterState

DEVICE: Final = "iec62056"
SIGN_ON_BAUD: Final = 300
_IDLE_S: Final = 1.0
_GAP_S: Final = 0.5
_REACTION_S: Final = 0.3
_SELECT_WITHIN_S: Final = 1.5  # a meter that is told nothing goes on at the speed of sign-on
_BITS_PER_CHARACTER: Final = 10
_BYTES_AT_ONCE: Final = 8
_US_PER_S: Final = 1_000_000
_KILO: Final = Decimal(1000)


class Style(StrEnum):
    """How a meter names its values."""

    SHORT = "short"  # 1.8.0
    FULL = "full"  # 1-0:1.8.0*255


@dataclass(slots=True)
class Meter:
    """One meter.

    Attributes:
        baud: the letter of its identification: a digit for mode C, A to F for mode B, anything else for mode A.
        past_periods: so many earlier months are read out too.
        error_register: what F.F shows.
        damages: so many of its next readouts go out with a wrong block check.
        refuses: it answers with an error in place of its readout.
        has_parity: False for a line whose other end strips the parity.
    """

    load: Load
    maker: str = "LGZ"
    baud: str = "5"
    model: str = "\\2ZMD4104407.B32"
    serial: str = "70831205"
    style: Style = Style.SHORT
    utc_offset_min: int = 60
    past_periods: int = 2
    error_register: str = "00000000"
    damages: int = 0
    refuses: bool = False
    has_parity: bool = True
    readouts: int = 0


async def serve(
    port: Port, meters: Mapping[str, Meter], *, at_line_speed: bool = False, sign_on: int = SIGN_ON_BAUD
) -> None:
    """Speak for all meters of a line, by their addresses, until the link ends.

    Args:
        port: the meters' end of the line.
        meters: each answers to its address, and to a request without one.
        at_line_speed: take the time that each byte needs.
        sign_on: the speed at which they are asked.

    Raises:
        LinkError: the link ended.
    """
    line = _Line(port, meters, sign_on, at_line_speed=at_line_speed)
    while True:
        await line.step()


class _Line:
    def __init__(self, port: Port, meters: Mapping[str, Meter], sign_on: int, *, at_line_speed: bool) -> None:
        self._port = port
        self._meters = meters
        self._sign_on = sign_on
        self._at_line_speed = at_line_speed
        self._decoder = Decoder()

    async def step(self) -> None:
        """Wait for a request and answer it."""
        for frame in await self._heard(_GAP_S if self._decoder.holds else _IDLE_S):
            if isinstance(frame, Request):
                asked = [
                    meter
                    for address, meter in self._meters.items()
                    if frame.address.lstrip("0") in ("", address.lstrip("0"))
                ]
                if len(asked) == 1:  # several at once are noise, which is not worth playing
                    await self._read_out(asked[0])

    async def _heard(self, within_s: float) -> list[Frame]:
        data = await self._port.receive(within_s)
        return self._decoder.feed(data) if data else self._decoder.gap()

    async def _selection(self) -> Select | None:
        """What it is told to do next, in however many pieces that comes; None when it is told nothing in time."""
        until_s = self._port.monotonic_s() + _SELECT_WITHIN_S
        while (left_s := until_s - self._port.monotonic_s()) > 0:
            for frame in await self._heard(left_s):
                if isinstance(frame, Select):
                    return frame
        return None

    async def _read_out(self, meter: Meter) -> None:
        await self._send(
            encode(Identification(meter.maker, meter.baud, meter.model), parity=meter.has_parity), self._sign_on
        )
        baud = BAUDS_B.get(meter.baud, self._sign_on)
        if meter.baud in BAUDS:
            select = await self._selection()
            if select is not None:
                if select.mode != "0" or select.baud not in BAUDS:
                    return  # programming is not played
                baud = BAUDS[select.baud]
        meter.readouts += 1
        data = (
            Data(((DataSet("", ("ER01",)),),), has_end=False) if meter.refuses else readout(meter, self._port.now_us())
        )
        raw = encode(data, parity=meter.has_parity)
        if meter.damages:
            meter.damages -= 1
            raw = raw[:-1] + bytes([raw[-1] ^ 0x03])  # two bits, so that the parity is right
        await self._send(raw, baud)

    async def _send(self, raw: bytes, baud: int) -> None:
        await self._port.pause(_REACTION_S)
        step = _BYTES_AT_ONCE if self._at_line_speed else len(raw)
        for start in range(0, len(raw), step):
            piece = raw[start : start + step]
            if self._at_line_speed:
                await self._port.pause(len(piece) * _BITS_PER_CHARACTER / baud)
            await self._port.send(piece)


def readout(meter: Meter, now_us: int) -> Data:
    """What the meter reads out at that time."""
    return Data(tuple(_lines(meter, meter.load.state(now_us), now_us)))


def _lines(meter: Meter, state: MeterState, now_us: int) -> Iterator[tuple[DataSet, ...]]:
    local = datetime.fromtimestamp(now_us // _US_PER_S, UTC) + timedelta(minutes=meter.utc_offset_min)

    def line(name: str, *values: str, medium: str = "1-0:", period: str = "255") -> tuple[DataSet, ...]:
        full = f"{medium}{name}*{period}"
        short = name if period == "255" else f"{name}*{period}"
        return (DataSet(full if meter.style is Style.FULL else short, values),)

    yield line("F.F", meter.error_register, medium="0-0:")
    yield line("C.1.0", meter.serial, medium="0-0:")
    yield line("0.9.1", f"{local:%H%M%S}")
    yield line("0.9.2", f"{local:%y%m%d}")
    yield line("0.2.0", "B32")
    energies = [("1.8.0", state.active_energy_import_wh), ("2.8.0", state.active_energy_export_wh)]
    energies += [(f"1.8.{n}", wh) for n, wh in enumerate(state.active_energy_import_by_tariff_wh, start=1)]
    for name, energy_wh in energies:
        yield line(name, _fixed(energy_wh / _KILO, 6, 3, "kWh"))
        for period in range(1, meter.past_periods + 1):
            past_wh = max(energy_wh - 1_000 * period, Decimal(0))
            yield line(name, _fixed(past_wh / _KILO, 6, 3, "kWh"), period=f"{period:02}")
    reached = (local - timedelta(hours=3)).replace(minute=15)
    yield line("1.6.1", _fixed(state.active_demand_w / _KILO, 3, 3, "kW"), f"{reached:%y%m%d%H%M}")
    for phase, (voltage, current) in enumerate(zip(state.voltage_v, state.current_a, strict=True)):
        group = 20 * phase
        yield line(f"{32 + group}.7.0", "---.-*V" if voltage is None else _fixed(voltage, 3, 1, "V"))
        if current is not None:
            yield line(f"{31 + group}.7.0", _fixed(abs(current), 3, 2, "A"))
    yield line("14.7.0", _fixed(state.frequency_hz, 2, 1, "Hz"))
    yield line("0.3.0", "500*Imp/kWh")
    yield line("31.6.0", "012.5*A")


def _fixed(value: Decimal, before: int, decimals: int, unit: str) -> str:
    """So many digits before and behind the point; what does not fit is cut off, as a register does."""
    cut = value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_DOWN) % 10**before
    return f"{cut:0{before + decimals + 1}.{decimals}f}*{unit}"
