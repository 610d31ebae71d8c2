"""Plays an electricity meter that pushes SML files: the twin of the driver `sml`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from typing import Final

from readers.codecs.sml import Field, File, Message, Number, encode, encode_message
from readers.codecs.sml_values import CLOSE_RESPONSE, GET_LIST_RESPONSE, OPEN_RESPONSE
from readers.driver import Port
from simulator.device import Load, MeterState

DEVICE: Final = "sml"
_US_PER_S: Final = 1_000_000
_FEEDS_IN: Final = 0x20
_RUNS: Final = 0x0182
_WH: Final = 30
_W: Final = 27
_V: Final = 35
_A: Final = 33
_HZ: Final = 44
_SERVER_PREFIX: Final = b"\x0a\x01"


class Clock(StrEnum):
    """What a meter says of the time."""

    SECONDS = "seconds"  # since it was switched on
    UTC = "utc"
    LOCAL = "local"
    BARE = "bare"  # seconds without saying that they are: Holley


@dataclass(frozen=True, slots=True)
class Meter:
    """What kind of meter is played.

    Attributes:
        maker: three letters of the FLAG association.
        has_unsigned_power: it sends 15.7.0 without sign, and the direction in the status of 1.8.0: EMH.
        cuts_sign: it sends a positive power in as few bytes as it would need without sign: DZG DVS74.
        is_locked: without its PIN it tells whole kWh of energy alone.
        has_kermit_crc: its checksums are of the other kind.
    """

    maker: str = "EMH"
    number: int = 10_599_732
    every_s: float = 2.0
    clock: Clock = Clock.SECONDS
    has_unsigned_power: bool = False
    cuts_sign: bool = False
    is_locked: bool = False
    has_kermit_crc: bool = False

    @property
    def server_id(self) -> bytes:
        """By DIN 43863-5."""
        return _SERVER_PREFIX + self.maker.encode("ascii") + b"\0" + self.number.to_bytes(4, "big")


async def serve(port: Port, load: Load, meter: Meter | None = None) -> None:
    """Send files until the link ends; what comes is not listened to.

    Raises:
        LinkError: the link ended.
    """
    meter = meter or Meter()
    began_us = port.now_us()
    while True:
        now_us = port.now_us()
        await port.send(encode(file(load, meter, now_us, (now_us - began_us) // _US_PER_S)))
        await port.pause(meter.every_s)


def file(load: Load, meter: Meter, now_us: int, seconds: int) -> File:
    """The file at that time, so many seconds after the meter was switched on."""
    count = seconds * 3
    time = _time(meter, now_us, seconds)
    values = tuple(_values(load.state(now_us), meter))
    bodies: tuple[tuple[int, Field], ...] = (
        (OPEN_RESPONSE, (b"", b"", seconds.to_bytes(4, "big"), meter.server_id, b"", b"")),
        (GET_LIST_RESPONSE, (b"", meter.server_id, bytes.fromhex("0100620AFFFF"), time, values, b"", b"")),
        (CLOSE_RESPONSE, (b"",)),
    )
    made = [
        encode_message(
            Message((count + place).to_bytes(4, "big"), number, content),  # its own count of messages
            is_kermit=meter.has_kermit_crc,
        )
        for place, (number, content) in enumerate(bodies)
    ]
    return File(b"".join(made), meter.has_kermit_crc)


def _time(meter: Meter, now_us: int, seconds: int) -> Field:
    utc = Number(now_us // _US_PER_S)
    if meter.clock is Clock.UTC:
        return Number(2, 1), utc
    if meter.clock is Clock.LOCAL:
        return Number(3, 1), (utc, Number(60, 2, is_signed=True), Number(0, 2, is_signed=True))
    return Number(seconds) if meter.clock is Clock.BARE else (Number(1, 1), Number(seconds))


def _values(state: MeterState, meter: Meter) -> Iterator[Field]:
    power_w = sum((power for power in state.active_power_w if power is not None), Decimal(0))
    status = Number(_RUNS | (_FEEDS_IN if power_w < 0 else 0), 2)
    yield _text("8181C78203FF", meter.maker.encode("ascii"))
    yield _text("0100000009FF", meter.server_id)
    exponent = 3 if meter.is_locked else -1
    yield _value("0100010800FF", state.active_energy_import_wh, _WH, exponent, status)
    for tariff, energy_wh in enumerate(state.active_energy_import_by_tariff_wh, start=1):
        yield _value(f"01000108{tariff:02X}FF", energy_wh, _WH, exponent)
    yield _value("0100020800FF", state.active_energy_export_wh, _WH, exponent)
    if meter.is_locked:
        return
    if meter.has_unsigned_power:
        yield _value("01000F0700FF", abs(power_w), _W, -1)
    else:
        yield _power(power_w, cuts_sign=meter.cuts_sign)
    for phase, (voltage, current) in enumerate(zip(state.voltage_v, state.current_a, strict=True)):
        group = 20 * phase
        if voltage is not None:
            yield _value(f"0100{32 + group:02X}0700FF", voltage, _V, -1)
        if current is not None:
            yield _value(f"0100{31 + group:02X}0700FF", abs(current), _A, -2)
    yield _value("01000E0700FF", state.frequency_hz, _HZ, -2)
    yield (bytes.fromhex("0100600500FF"), b"", b"", b"", b"", status, b"")


def _text(code: str, text: bytes) -> Field:
    return bytes.fromhex(code), b"", b"", b"", b"", text, b""


def _value(code: str, value: Decimal, unit: int, exponent: int, status: Field = b"") -> Field:
    units = int(value.scaleb(-exponent).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
    number = Number(units, 8, is_signed=True)
    return bytes.fromhex(code), status, b"", Number(unit, 1), Number(exponent, 1, is_signed=True), number, b""


def _power(power_w: Decimal, *, cuts_sign: bool) -> Field:
    units = int(power_w.scaleb(2).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
    size = max(1, -(-units.bit_length() // 8)) if cuts_sign and units >= 0 else 4
    sent = int.from_bytes(units.to_bytes(size, "big", signed=units < 0), "big", signed=True)
    number = Number(sent, size, is_signed=True)
    return bytes.fromhex("0100100700FF"), b"", b"", Number(_W, 1), Number(-2, 1, is_signed=True), number, b""
