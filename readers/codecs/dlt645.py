"""Frames of DL/T 645-2007, the protocol of Chinese electricity meters on RS-485.

    [FE..] 68 AAAAAAAAAAAA 68 C L DDDDDDDD.. S 16
     │     │  │            │  │ │ │          │ └ end mark
     │     │  │            │  │ │ │          └── checksum, 1 byte: sum from the first 68 to the last D, modulo 256
     │     │  │            │  │ │ └───────────── data, L bytes, each with 33 hex added on the wire, modulo 256
     │     │  │            │  │ └─────────────── length of the data, 1 byte, at most 200
     │     │  │            │  └───────────────── control, 1 byte: D7 reply, D6 error, D5 more follows, D4-D0 function
     │     │  │            └──────────────────── second start mark
     │     │  └───────────────────────────────── address, 6 bytes of BCD, low byte first; AA is a wildcard
     │     └──────────────────────────────────── start mark
     └────────────────────────────────────────── any number of wake-up bytes, not in the checksum

Source: DL/T 645-2007, by public descriptions and frames of it; `tests/vectors/meters/dlt645.toml` names them.
Seen on: published frames, and the server of the PyPI package dlt645 3.2.0 (`tests/system/test_dlt645_peer.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

from readers.codecs.checksums import sum8
from readers.codecs.framing import Scanner
from readers.errors import FrameError

START: Final = 0x68
END: Final = 0x16
WAKE_UP: Final = 0xFE
OFFSET: Final = 0x33
MAX_DATA_BYTES: Final = 200
ADDRESS_BYTES: Final = 6
IDENTIFIER_BYTES: Final = 4
OVERHEAD_BYTES: Final = 12
MAX_FRAME_BYTES: Final = OVERHEAD_BYTES + MAX_DATA_BYTES
WILDCARD: Final = "A" * 12
BROADCAST: Final = "9" * 12

_HEADER_BYTES: Final = 10
_SECOND_START: Final = 7
_CONTROL: Final = 8
_LENGTH: Final = 9
_ADDRESS: Final = re.compile(r"A*[0-9]{0,12}")
_ADDRESS_DIGITS: Final = 12
_FUNCTION_MASK: Final = 0x1F
_ADD: Final = bytes((byte + OFFSET) % 256 for byte in range(256))
_SUBTRACT: Final = bytes((byte - OFFSET) % 256 for byte in range(256))


class Function(IntEnum):
    """Functions of the control byte; those of 1997 are in `dlt645_1997`. SECURITY needs keys that we do not have."""

    SECURITY = 0x03
    TIME_SYNC = 0x08
    READ = 0x11
    READ_MORE = 0x12
    READ_ADDRESS = 0x13
    WRITE = 0x14
    WRITE_ADDRESS = 0x15
    FREEZE = 0x16
    SET_BAUD = 0x17
    SET_PASSWORD = 0x18
    CLEAR_DEMAND = 0x19
    CLEAR_METER = 0x1A
    CLEAR_EVENTS = 0x1B
    CONTROL = 0x1C


class Control(IntFlag):
    """The three upper bits of the control byte."""

    REPLY = 0x80
    ERROR = 0x40
    MORE = 0x20


class ErrorBit(IntFlag):
    """The one byte of data in an error reply."""

    OTHER = 0x01
    NO_SUCH_DATA = 0x02
    NOT_AUTHORISED = 0x04
    BAUD_FIXED = 0x08
    TOO_MANY_YEAR_ZONES = 0x10
    TOO_MANY_DAY_PERIODS = 0x20
    TOO_MANY_TARIFFS = 0x40


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame in plain terms.

    Attributes:
        address: the 12 digits printed on the meter; leading A are wildcard digits.
        control: the whole control byte.
        data: without the 33 hex of the wire.
    """

    address: str
    control: int
    data: bytes = b""

    @property
    def function(self) -> int:
        """The control byte without direction, error and more-follows."""
        return self.control & _FUNCTION_MASK

    @property
    def is_reply(self) -> bool:
        """Whether a meter sent it."""
        return bool(self.control & Control.REPLY)

    @property
    def is_error(self) -> bool:
        """Whether the meter refuses."""
        return bool(self.control & Control.ERROR)

    @property
    def has_more(self) -> bool:
        """Whether the rest must be asked for with READ_MORE."""
        return bool(self.control & Control.MORE)

    @property
    def identifier(self) -> int | None:
        """The data identifier that the data begin with, in frames that have one."""
        if len(self.data) < IDENTIFIER_BYTES:
            return None
        return int.from_bytes(self.data[:IDENTIFIER_BYTES], "little")


def address_bytes(address: str) -> bytes:
    """The address on the wire.

    Raises:
        FrameError: it is not 12 decimal digits or leading A.
    """
    if len(address) != _ADDRESS_DIGITS or not _ADDRESS.fullmatch(address):
        raise FrameError("address", f"meter address {address!r}: must be 12 decimal digits as printed on the meter")
    return bytes.fromhex(address)[::-1]


def matches(pattern: str, address: str) -> bool:
    """Whether a meter with `address` is meant by `pattern`, which may begin with A wildcards."""
    digits = pattern.lstrip("A")
    return address.endswith(digits)


def identifier_bytes(identifier: int) -> bytes:
    """A data identifier on the wire, before the 33 hex."""
    return identifier.to_bytes(IDENTIFIER_BYTES, "little")


def encode(frame: Frame, wake_up_bytes: int = 0) -> bytes:
    """The frame on the wire, after that many wake-up bytes.

    Raises:
        FrameError: the address or the length of the data is impossible.
    """
    size = len(frame.data)
    if size > MAX_DATA_BYTES:
        raise FrameError("length", f"{size} bytes of data; at most {MAX_DATA_BYTES} go into a frame")
    body = bytes([START]) + address_bytes(frame.address) + bytes([START, frame.control, size])
    body += frame.data.translate(_ADD)
    return bytes([WAKE_UP]) * wake_up_bytes + body + bytes([sum8(body), END])


class Decoder(Scanner[Frame]):
    """Finds frames, whoever sent them: an echo of one's own request is a frame too.

    Reject reasons: noise_bytes, start, length, delimiter, checksum, address, truncated. Wake-up bytes are no noise.
    """

    def __init__(self) -> None:
        super().__init__(bytes([START]), _read, padding=bytes([WAKE_UP]))


def _read(buffer: bytearray, start: int) -> tuple[Frame, int] | None:
    header = buffer[start : start + _HEADER_BYTES]
    if len(header) > _SECOND_START and header[_SECOND_START] != START:
        raise FrameError("start", "no second start mark 68")
    if len(header) < _HEADER_BYTES:
        return None
    size = header[_LENGTH]
    if size > MAX_DATA_BYTES:
        raise FrameError("length", f"{size} bytes of data; at most {MAX_DATA_BYTES} are possible")
    end = start + size + OVERHEAD_BYTES
    if end > len(buffer):
        return None
    if buffer[end - 1] != END:
        raise FrameError("delimiter", f"end mark {buffer[end - 1]:02X}, not {END:02X}")
    if sum8(buffer[start : end - 2]) != buffer[end - 2]:
        raise FrameError("checksum", f"checksum {buffer[end - 2]:02X} is wrong")
    address = header[1:_SECOND_START][::-1].hex().upper()
    if not _ADDRESS.fullmatch(address):
        raise FrameError("address", f"address {address} is no BCD")
    data = bytes(buffer[start + _HEADER_BYTES : end - 2]).translate(_SUBTRACT)
    return Frame(address, header[_CONTROL], data), end - start
