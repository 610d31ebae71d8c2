"""What an SML file says: the readings in its list of values, and who the meter is.

A value is a list of seven: its OBIS code (6 octets), status, time, unit (as DLMS numbers them), scaler (a power of
ten), the value, and a signature. A time is a list of its kind and its content: 1 seconds since something (no time of
day), 2 UTC, 3 UTC with the offsets of local time; Holley meters send the seconds bare.

Peculiarities of meters, each seen in a published capture:

* EMH meters that send 1-0:15.7.0 send it without sign; bit 5 of the status word of 1-0:1.8.0 says that power is fed in.
* DZG DVS74 meters (serial numbers below 60000000) send a positive power of 1, 2 or 3 bytes as if it had a sign: 8B28 is
  356.24 W, not -299.12 W. Others of DZG in that range (DWSB20) mean the sign. Nothing else tells them apart.

Source: SML 1.04 (BSI TR-03109-1, annex IV b), 6.4.3; DLMS UA Blue Book Ed. 12.2, table 4 (units); DIN 43863-5 (server
id); libsml pull requests 66 and 104 for DZG.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final

from readers.codecs.obis_readings import reading_of
from readers.codecs.sml import Field, File, Message, Number, messages
from readers.errors import FrameError
from readers.obis import ObisCode
from readers.obis_meanings import meaning_of
from readers.observations import Reading
from readers.quantities import Quality

GET_LIST_RESPONSE: Final = 0x0701
OPEN_RESPONSE: Final = 0x0101
CLOSE_RESPONSE: Final = 0x0201
UNITS: Final[dict[int, str]] = {
    6: "h",
    7: "s",
    8: "deg",
    9: "°C",
    13: "m3",
    14: "m3",  # corrected
    15: "m3/h",
    16: "m3/h",  # corrected
    19: "l",
    27: "W",
    28: "VA",
    29: "var",
    30: "Wh",
    31: "VAh",
    32: "varh",
    33: "A",
    35: "V",
    44: "Hz",
    255: "",
}
_VALUE_FIELDS: Final = 7
_LIST_FIELDS: Final = 7
_TIME_FIELDS: Final = 2
_CODE_BYTES: Final = 6
_SCALER_MOST: Final = 9
_TEXT_MOST: Final = 32
_EARLIEST_S: Final = 1_230_768_000  # 2009, the first year of SML: clocks that show less were never set
_US_PER_S: Final = 1_000_000
_UTC: Final = 2
_LOCAL: Final = 3

IMPORTED: Final = ObisCode(1, 0, 1, 8, 0)
WITHOUT_SIGN: Final = ObisCode(1, 0, 15, 7, 0)
POWER: Final = ObisCode(1, 0, 16, 7, 0)
_MAKERS: Final = ((129, 129, 199, 130, 3), (1, 0, 96, 50, 1))
_FIRMWARE: Final = (1, 0, 0, 2, 0)
_FEEDS_IN: Final = 0x20
_SERVER_ID: Final = 0x0A
_SERVER_BYTES: Final = 10
_DZG: Final = b"DZG"
_DZG_RIGHT_FROM: Final = 60_000_000
_SHORT_BYTES: Final = 3


class ShortPower(StrEnum):
    """What the sign of a short power of an old DZG meter is worth."""

    DOUBTED = "doubted"
    SIGNED = "signed"
    UNSIGNED = "unsigned"


@dataclass(slots=True)
class Said:
    """What one file says.

    Attributes:
        at_us: the meter's clock, where it has one.
        doubts_sign: a power was negative that may have been meant positive, and is called suspect.
        unknown: codes of numbers that have no meaning here.
        faults: messages and values that are none.
    """

    server_id: bytes = b""
    maker: str = ""
    firmware: str = ""
    at_us: int | None = None
    has_list: bool = False
    doubts_sign: bool = False
    readings: list[Reading] = field(default_factory=list)
    unknown: list[ObisCode] = field(default_factory=list)
    faults: list[FrameError] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Entry:
    code: ObisCode
    status: int | None
    at_us: int | None
    unit: str | None
    scaler: int
    value: Field


def said(file: File, short_power: ShortPower = ShortPower.DOUBTED) -> Said:
    """Read a file."""
    found = Said()
    sound, faults = messages(file)
    found.faults += faults
    for message in sound:
        if message.number == GET_LIST_RESPONSE:
            try:
                _list(found, message, short_power)
            except FrameError as error:
                found.faults.append(error)
    return found


def _list(found: Said, message: Message, short_power: ShortPower) -> None:
    content = message.content
    if not isinstance(content, tuple) or len(content) != _LIST_FIELDS or not isinstance(content[4], tuple):
        raise FrameError("message_list", "a list of values has another form")
    found.has_list = True
    if isinstance(content[1], bytes):
        found.server_id = content[1]
    sensor_us, gateway_us = _time_us(content[3]), _time_us(content[6])
    found.at_us = sensor_us if sensor_us is not None else gateway_us
    entries = []
    for raw in content[4]:
        try:
            entries.append(_entry(raw))
        except FrameError as error:
            found.faults.append(error)
    for entry in entries:
        if isinstance(entry.value, bytes):
            _text(found, entry)
    feeds_in = any(entry.code == IMPORTED and (entry.status or 0) & _FEEDS_IN for entry in entries)
    is_emh = found.maker == "EMH" or b"EMH" in found.server_id
    for entry in entries:
        if isinstance(entry.value, Number):
            try:
                _number(found, entry, entry.value, short_power, is_turned=is_emh and feeds_in)
            except FrameError as error:
                found.faults.append(error)


def _entry(raw: Field) -> _Entry:
    if not isinstance(raw, tuple) or len(raw) != _VALUE_FIELDS:
        raise FrameError("entry", "a value is a list of seven fields")
    name, status, at, unit, scaler, value, _ = raw
    if not isinstance(name, bytes) or len(name) != _CODE_BYTES:
        raise FrameError("entry", "a value is named by six octets")
    return _Entry(
        ObisCode(*name),
        status.value if isinstance(status, Number) else None,
        _time_us(at),
        UNITS.get(unit.value) if isinstance(unit, Number) else "",
        scaler.value if isinstance(scaler, Number) else 0,
        value,
    )


def _text(found: Said, entry: _Entry) -> None:
    """Who the meter is; a known value that is left out is one that the meter does not have."""
    assert isinstance(entry.value, bytes)
    if not entry.value:
        meaning = meaning_of(entry.code)
        if meaning is not None:
            absent = Reading(meaning.quantity, entry.code, None, meaning.phase, meaning.tariff, Quality.ABSENT)
            found.readings.append(absent)
    elif _name(entry.code) in _MAKERS:
        found.maker = _printable(entry.value)
    elif _name(entry.code) == _FIRMWARE:
        found.firmware = _printable(entry.value)


def _name(code: ObisCode) -> tuple[int, int, int, int, int]:
    """What names a text: meters do not agree on group F of it."""
    return code.a, code.b, code.c, code.d, code.e


def _number(found: Said, entry: _Entry, number: Number, short_power: ShortPower, *, is_turned: bool) -> None:
    if meaning_of(entry.code) is None:
        if entry.unit != "":  # a number without unit is a state or a setting
            found.unknown.append(entry.code)
        return
    if entry.unit is None:
        raise FrameError("unit", f"{entry.code} came in a unit that is none of its kind")
    if abs(entry.scaler) > _SCALER_MOST:
        raise FrameError("scaler", f"{entry.code} came with a scaler of {entry.scaler}")
    value, quality = number.value, Quality.GOOD
    if entry.code == WITHOUT_SIGN and is_turned:
        value = -abs(value)
    elif entry.code == POWER and value < 0 and number.size <= _SHORT_BYTES and _is_old_dzg(found.server_id):
        if short_power is ShortPower.UNSIGNED:
            value += 1 << 8 * number.size
        elif short_power is ShortPower.DOUBTED:
            quality, found.doubts_sign = Quality.SUSPECT, True
    at_us = entry.at_us if entry.at_us is not None else found.at_us
    made = reading_of(entry.code, Decimal(value).scaleb(entry.scaler), entry.unit, at_us)
    if made is None:
        found.unknown.append(entry.code)  # of a billing period that is over
        return
    if quality is not Quality.GOOD:
        made = Reading(made.quantity, made.obis, made.value, made.phase, made.tariff, quality, made.meter_time_us)
    found.readings.append(made)


def _time_us(raw: Field) -> int | None:
    """UTC, where a time says that it is."""
    if not isinstance(raw, tuple) or len(raw) != _TIME_FIELDS or not isinstance(raw[0], Number):
        return None
    kind, content = raw[0].value, raw[1]
    if kind == _LOCAL and isinstance(content, tuple) and content:
        content = content[0]
    if kind not in (_UTC, _LOCAL) or not isinstance(content, Number) or content.value < _EARLIEST_S:
        return None
    return content.value * _US_PER_S


def _is_old_dzg(server_id: bytes) -> bool:
    return server_id[2:5] == _DZG and int.from_bytes(server_id[6:], "big") < _DZG_RIGHT_FROM


def _printable(raw: bytes) -> str:
    text = raw[:_TEXT_MOST].decode("ascii", "replace")
    return text.strip() if text.isprintable() and "\ufffd" not in text else raw.hex().upper()


def serial_of(server_id: bytes) -> str:
    """The number on the meter's face, `1EMH0010599732`, of a server id by DIN 43863-5; of others their hex."""
    maker = server_id[2:5]
    if len(server_id) == _SERVER_BYTES and server_id[0] == _SERVER_ID and maker.isalpha():
        return f"{server_id[1]:X}{maker.decode()}{server_id[5]:02X}{int.from_bytes(server_id[6:], 'big'):08}"
    return server_id.hex().upper()
