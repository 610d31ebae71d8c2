"""What a DL/T 645-2007 meter is ordered to do: control of its relay, its clock, freezing, writing, clearing.

Control (C=1C), 16 bytes:

    L PPP CCCC N R SSMMHHDDMMYY
    │ │   │    │ │ └ expiry in the meter's local time, `ss mm hh DD MM YY`; the meter refuses the order afterwards
    │ │   │    │ └── reserved; some meters take it as a delay of a trip in minutes (from memory)
    │ │   │    └──── command, see `Command`
    │ │   └───────── operator code, 4 bytes of BCD, low byte first: the meter keeps it in its records
    │ └───────────── password, 3 bytes of BCD, low byte first
    └─────────────── its level, 00 (highest) to 09; 02 for plain control

Meters of the State Grid's cost-control kind want level 98 or 99 and data encrypted with the keys of a security module
(from memory): that cannot be built here. The acknowledgement 9C means accepted, not done: read the relay's state back.

Source: DL/T 645-2007 section 7 by public descriptions; control and time sync exactly as in published frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from readers.codecs.dlt645 import BROADCAST, Frame, Function, identifier_bytes
from readers.codecs.dlt645_clock import (
    SECOND_TIME_BYTES,
    digits_of,
    encode_date,
    encode_second_time,
    encode_time,
    meter_time_us,
)
from readers.errors import FrameError

PLAIN_LEVEL: Final = 2
DATE: Final = 0x04000101
TIME: Final = 0x04000102
ANY: Final = 99
"""In place of a month, a day or an hour of a freeze: each of them."""

_LEVELS: Final = 10
_PASSWORD_DIGITS: Final = 6
_OPERATOR_DIGITS: Final = 8
_KEY_BYTES: Final = 8
_CONTROL_BYTES: Final = 16
_FREEZE_BYTES: Final = 4
_LARGEST_BYTE: Final = 255


class Command(IntEnum):
    """N1 of a control order."""

    TRIP = 0x1A
    PERMIT_CLOSE = 0x1B
    """Somebody closes it by the key on the meter; some meters close at once."""
    CLOSE = 0x1C
    ALARM_ON = 0x2A
    ALARM_OFF = 0x2B
    PROTECT_ON = 0x3A
    PROTECT_OFF = 0x3B


@dataclass(frozen=True, slots=True)
class Key:
    """Who orders: `password` is 6 digits, `level` 0 to 9, `operator` a number of at most 8 digits.

    The password never shows in the text of a key.
    """

    password: str
    level: int = PLAIN_LEVEL
    operator: int = 0

    def __repr__(self) -> str:
        return f"Key(password=..., level={self.level}, operator={self.operator})"

    def encode(self) -> bytes:
        """`L PPP CCCC`.

        Raises:
            FrameError: `range`: the level, the password or the operator is impossible; the password is not told.
        """
        if not 0 <= self.level < _LEVELS:
            raise FrameError("range", f"password level {self.level}: must be 0 to {_LEVELS - 1}")
        if len(self.password) != _PASSWORD_DIGITS or not (self.password.isascii() and self.password.isdecimal()):
            raise FrameError("range", f"the password has not {_PASSWORD_DIGITS} decimal digits")
        if not 0 <= self.operator < 10**_OPERATOR_DIGITS:
            raise FrameError("range", f"operator code {self.operator}: must have at most {_OPERATOR_DIGITS} digits")
        operator = bytes.fromhex(f"{self.operator:0{_OPERATOR_DIGITS}d}")[::-1]
        return bytes([self.level]) + bytes.fromhex(self.password)[::-1] + operator

    @classmethod
    def decode(cls, raw: bytes) -> Key:
        """Read the 8 bytes.

        Raises:
            FrameError: `length`, or `range` when they are no BCD.
        """
        if len(raw) != _KEY_BYTES:
            raise FrameError("length", f"{len(raw)} bytes of password and operator: must be {_KEY_BYTES}")
        password, operator = digits_of(raw[1:4]), digits_of(raw[4:])
        if password is None or operator is None:
            raise FrameError("range", "password or operator code is no BCD")
        return cls(password, raw[0], int(operator))


@dataclass(frozen=True, slots=True)
class ControlOrder:
    """One order to the relay.

    Attributes:
        expires_at_us: UTC; None when there is no date there, which published orders have and none of ours must.
        reserved: the byte after the command.
    """

    command: Command
    key: Key
    expires_at_us: int | None
    reserved: int = 0


def control(address: str, order: ControlOrder, utc_offset_min: int) -> Frame:
    """The request for an order.

    Raises:
        FrameError: `range`: something in it is impossible, or it never expires.
    """
    if order.expires_at_us is None:
        raise FrameError("range", "an order must expire")
    if not 0 <= order.reserved <= _LARGEST_BYTE:
        raise FrameError("range", f"reserved byte {order.reserved}: must be 0 to {_LARGEST_BYTE}")
    data = order.key.encode() + bytes([order.command, order.reserved])
    return Frame(address, Function.CONTROL, data + encode_second_time(order.expires_at_us, utc_offset_min))


def read_control(data: bytes, utc_offset_min: int) -> ControlOrder:
    """The order in the data of a request.

    Raises:
        FrameError: `length`, or `range` when key or command is impossible.
    """
    if len(data) != _CONTROL_BYTES:
        raise FrameError("length", f"{len(data)} bytes of control: must be {_CONTROL_BYTES}")
    key = Key.decode(data[:_KEY_BYTES])
    command, reserved = data[_KEY_BYTES], data[_KEY_BYTES + 1]
    if command not in {each.value for each in Command}:
        raise FrameError("range", f"there is no command {command:02X}")
    expires_at_us = meter_time_us(data[-SECOND_TIME_BYTES:], utc_offset_min)
    return ControlOrder(Command(command), key, expires_at_us, reserved)


def time_sync(now_us: int, utc_offset_min: int, address: str = BROADCAST) -> Frame:
    """Set the clock, within what meters allow: about 5 minutes, once a day (from memory); a broadcast has no answer.

    Raises:
        FrameError: `range`: the year does not fit.
    """
    return Frame(address, Function.TIME_SYNC, encode_second_time(now_us, utc_offset_min))


def read_time_sync(data: bytes, utc_offset_min: int) -> int:
    """The UTC time in the data of a time sync.

    Raises:
        FrameError: `range`: it is none.
    """
    at_us = meter_time_us(data, utc_offset_min) if len(data) == SECOND_TIME_BYTES else None
    if at_us is None:
        raise FrameError("range", "a time sync holds `ss mm hh DD MM YY`", data)
    return at_us


@dataclass(frozen=True, slots=True)
class FreezeAt:
    """When to freeze, in the meter's local time: each part a number or ANY, which counts from the month down.

    Without any, at once; with `minute` alone each hour, with `hour` each day, with `day` each month.
    """

    month: int = ANY
    day: int = ANY
    hour: int = ANY
    minute: int = ANY

    def encode(self) -> bytes:
        """`mm hh DD MM`.

        Raises:
            FrameError: `range`.
        """
        parts = (self.minute, self.hour, self.day, self.month)
        bounds = ((0, 59), (0, 23), (1, 31), (1, 12))
        for part, (least, most) in zip(parts, bounds, strict=True):
            if part != ANY and not least <= part <= most:
                raise FrameError("range", f"{part} is no part of a time: must be {least} to {most}, or {ANY} for each")
        return bytes.fromhex("".join(f"{part:02d}" for part in parts))

    @classmethod
    def decode(cls, data: bytes) -> FreezeAt:
        """Read the 4 bytes.

        Raises:
            FrameError: `length` or `range`.
        """
        if len(data) != _FREEZE_BYTES:
            raise FrameError("length", f"{len(data)} bytes of freeze: must be {_FREEZE_BYTES}", data)
        text = digits_of(data)
        if text is None:
            raise FrameError("range", "the time of a freeze is no BCD", data)
        when = cls(*(int(text[at : at + 2]) for at in range(0, len(text), 2)))
        when.encode()
        return when


def freeze(at: FreezeAt, address: str = BROADCAST) -> Frame:
    """Have the registers frozen; a broadcast has no answer.

    Raises:
        FrameError: `range`.
    """
    return Frame(address, Function.FREEZE, at.encode())


def write(address: str, identifier: int, key: Key, value: bytes) -> Frame:
    """Write a parameter, such as the clock beyond what a time sync may set.

    Raises:
        FrameError: `range`: the key is impossible.
    """
    return Frame(address, Function.WRITE, identifier_bytes(identifier) + key.encode() + value)


def write_clock(address: str, key: Key, now_us: int, utc_offset_min: int) -> tuple[Frame, Frame]:
    """The two requests that set date and time; keep away from midnight between them.

    Raises:
        FrameError: `range`.
    """
    return (
        write(address, DATE, key, encode_date(now_us, utc_offset_min)),
        write(address, TIME, key, encode_time(now_us, utc_offset_min)),
    )


@dataclass(frozen=True, slots=True)
class Written:
    """A parameter that is to be written."""

    identifier: int
    key: Key
    value: bytes


def read_write(data: bytes) -> Written:
    """What a write request wants.

    Raises:
        FrameError: `length` or `range`.
    """
    return Written(int.from_bytes(data[:4], "little"), Key.decode(data[4 : 4 + _KEY_BYTES]), data[4 + _KEY_BYTES :])
