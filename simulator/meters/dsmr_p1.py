"""Plays a smart meter with a P1 port: the twin of the driver `dsmr_p1`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum
from typing import Final

from readers.codecs.dsmr_p1 import Line, Telegram, encode, time_text
from readers.driver import Port
from readers.obis import ObisCode
from simulator.device import Load, MeterState

DEVICE: Final = "dsmr_p1"
_US_PER_S: Final = 1_000_000
_KILO: Final = Decimal(1000)
_PER_PHASE: Final = 20


class Version(StrEnum):
    """Which edition of DSMR a meter follows."""

    V2_2 = "2.2"
    V4_2 = "42"
    V5_0 = "50"


@dataclass(frozen=True, slots=True)
class SubMeter:
    """A meter behind the smart meter.

    Attributes:
        device_type: as M-Bus numbers them: 3 gas, 4 heat, 7 water.
        register: its register at a time, in `unit`; None while it has not been heard.
        every_s: how often it tells the smart meter: five minutes since DSMR 5, an hour before.
    """

    channel: int
    device_type: int
    register: Callable[[int], Decimal | None]
    unit: str = "m3"
    serial: str = "4730303339303031363532303530323136"
    every_s: int = 300


@dataclass(frozen=True, slots=True)
class Meter:
    """What kind of meter is played.

    Attributes:
        every_s: pause between telegrams: 1 s since DSMR 5, 10 s before.
        has_parity: it sends 7 bits with even parity, as DSMR 2 and 3 do.
        is_encrypted: it sends what the meters of Luxembourg send; only its outside is right.
    """

    version: Version = Version.V5_0
    every_s: float = 1.0
    identification: str = "ISK5\\2M550T-1012"
    serial: str = "4530303434303037313331353530363137"
    utc_offset_min: int = 60
    has_parity: bool = False
    is_encrypted: bool = False
    sub_meters: Sequence[SubMeter] = ()


async def serve(port: Port, load: Load, meter: Meter | None = None) -> None:
    """Send telegrams until the link ends; what comes is not listened to.

    Raises:
        LinkError: the link ended.
    """
    meter = meter or Meter()
    while True:
        raw = encode(telegram(load, meter, port.now_us()), parity=meter.has_parity)
        await port.send(_encrypted(raw) if meter.is_encrypted else raw)
        await port.pause(meter.every_s)


def telegram(load: Load, meter: Meter, now_us: int) -> Telegram:
    """The telegram of that second."""
    lines = [*_head(meter, now_us), *_electricity(load.state(now_us), meter)]
    for sub in meter.sub_meters:
        lines += _sub(sub, meter, now_us)
    return Telegram(meter.identification, tuple(lines), has_crc=meter.version is not Version.V2_2)


def is_summer_time(now_us: int) -> bool:
    """Whether it is summer time in the European Union: from the last Sunday of March to that of October, 1:00 UTC."""
    now = datetime.fromtimestamp(now_us // _US_PER_S, UTC)

    def last_sunday(month: int) -> datetime:
        last = datetime(now.year, month, 31, 1, tzinfo=UTC)
        return last - timedelta(days=(last.weekday() + 1) % 7)

    return last_sunday(3) <= now < last_sunday(10)


def _line(code: str, *values: str) -> Line:
    return Line(ObisCode.parse(code), values)


def _head(meter: Meter, now_us: int) -> Iterator[Line]:
    if meter.version is not Version.V2_2:
        yield _line("1-3:0.2.8", meter.version.value)
        yield _line("0-0:1.0.0", _time(meter, now_us))
    yield _line("0-0:96.1.1", meter.serial)


def _time(meter: Meter, now_us: int) -> str:
    return time_text(now_us, meter.utc_offset_min, is_summer=is_summer_time(now_us))


def _electricity(state: MeterState, meter: Meter) -> Iterator[Line]:
    for tariff, energy_wh in enumerate(state.active_energy_import_by_tariff_wh, start=1):
        yield _line(f"1-0:1.8.{tariff}", _fixed(energy_wh / _KILO, 6, 3, "kWh"))
    yield _line("1-0:2.8.1", _fixed(state.active_energy_export_wh / _KILO, 6, 3, "kWh"))
    yield _line("0-0:96.14.0", "0002")
    total = sum((power for power in state.active_power_w if power is not None), Decimal(0)) / _KILO
    yield _line("1-0:1.7.0", _fixed(max(total, Decimal(0)), 2, 3, "kW"))
    yield _line("1-0:2.7.0", _fixed(max(-total, Decimal(0)), 2, 3, "kW"))
    if meter.version is Version.V2_2:
        return
    yield _line("0-0:96.7.21", "00004")
    yield _line("1-0:32.32.0", "00002")
    yield _line("0-0:96.13.0", "")
    for phase, voltage, current, power in zip(
        range(3), state.voltage_v, state.current_a, state.active_power_w, strict=True
    ):
        group = phase * _PER_PHASE
        if voltage is not None and meter.version is Version.V5_0:
            yield _line(f"1-0:{32 + group}.7.0", _fixed(voltage, 3, 1, "V"))
        if current is not None:
            yield _line(f"1-0:{31 + group}.7.0", _fixed(abs(current), 3, 0, "A"))
        if power is not None:
            yield _line(f"1-0:{21 + group}.7.0", _fixed(max(power, Decimal(0)) / _KILO, 2, 3, "kW"))
            yield _line(f"1-0:{22 + group}.7.0", _fixed(max(-power, Decimal(0)) / _KILO, 2, 3, "kW"))


def _sub(sub: SubMeter, meter: Meter, now_us: int) -> Iterator[Line]:
    before = f"0-{sub.channel}:"
    yield _line(f"{before}24.1.0", f"{sub.device_type:03}")
    yield _line(f"{before}96.1.0", sub.serial)
    at_us = now_us // (sub.every_s * _US_PER_S) * sub.every_s * _US_PER_S
    value = sub.register(at_us)
    if meter.version is Version.V2_2:
        shown = "" if value is None else _fixed(value, 5, 3, "")[:-1]
        old = (_time(meter, at_us)[:-1], "00", "60", "1", f"{before}24.2.1", sub.unit, shown)
        yield _line(f"{before}24.3.0", *old)
    elif value is None:
        yield _line(f"{before}24.2.1", "632525252525W", "00000.000")
    else:
        yield _line(f"{before}24.2.1", _time(meter, at_us), _fixed(value, 5, 3, sub.unit))


def _fixed(value: Decimal, before: int, decimals: int, unit: str) -> str:
    """So many digits before and behind the point; what does not fit is cut off, as a register does."""
    cut = value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_DOWN) % 10**before
    return f"{cut:0{before + decimals + bool(decimals)}.{decimals}f}*{unit}"


def _encrypted(raw: bytes) -> bytes:
    hidden = bytes(byte ^ 0xA7 for byte in raw)
    return b"\xdb\x08SAG\x00\x00\x11\x22\x33\x82" + (len(raw) + 17).to_bytes(2) + b"\x30\0\0\0\x01" + hidden + bytes(12)
