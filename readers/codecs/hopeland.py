"""Frames of Hopeland (CLOU) readers that begin with AA: CL7206C and its family, HF340, desk modules.

    H K M LL DDDDDDDD.. CC
    │ │ │ │  │          └ checksum, 2 bytes: CRC-16, polynomial 8005, preset 0, over K to the last D
    │ │ │ │  └─────────── data, L bytes; all numbers big-endian
    │ │ │ └────────────── length of the data, 2 bytes
    │ │ └──────────────── message, 1 byte; an answer carries that of its request
    │ └────────────────── kind, 1 byte: 00 error, 01 reader, 02 RFID, 03 log, 04 upgrade, 05 test;
    │                     bit 4 is set in what a reader says by itself
    └──────────────────── head, 1 byte: AA

On RS-485 bit 5 of the kind is set and an address follows the message: such frames are refused here. Newer readers of
this maker begin with 5A and are another protocol.

Source: Hopeland's forum, "RS232 & TCP/IP protocol instance" (frames with their meaning); Robonomics' ClouRFID for
Waspmote, 2018 (kinds, ability, TID, parameters 01 to 03); malike-rnd/cl7206c2-rfid, 2026 (reverse-engineered firmware
CL7206C_20170602 and logged answers of kind 01; parameters 04 to 08).
Seen on: those frames only (`tests/vectors/rfid/hopeland.toml`), no reader in our hands.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from readers.codecs.framing import Scanner
from readers.errors import FrameError

HEAD: Final = 0xAA
MAX_DATA_BYTES: Final = 1_024  # far above a tag with all its memory; the firmware keeps 500 bytes for one
MAX_FRAME_BYTES: Final = MAX_DATA_BYTES + 7
_HEADER_BYTES: Final = 5
_CRC_BYTES: Final = 2
_UNASKED: Final = 0x10
_KIND: Final = 0x0F
_POLYNOMIAL: Final = 0x8005
_US_PER_S: Final = 1_000_000
_NAME_AT: Final = 6
_SECONDS_BYTES: Final = 4
_TIME_BYTES: Final = 8
_ABILITY_BYTES: Final = 3
_BANDS_AT: Final = 5


class Kind(IntEnum):
    """What a message is about."""

    ERROR = 0x00
    READER = 0x01
    RFID = 0x02
    LOG = 0x03
    UPGRADE = 0x04
    TEST = 0x05


class Message(IntEnum):
    """The messages that driver and simulated reader use; of kind READER or RFID as said."""

    INFO = 0x00  # READER
    MAC = 0x06  # READER
    TIME = 0x11  # READER
    CONFIRM = 0x12  # READER: a reader asks whether its client is there
    ABILITY = 0x00  # RFID
    SET_POWER = 0x01  # RFID
    GET_POWER = 0x02  # RFID
    SET_BAND = 0x03  # RFID
    GET_BAND = 0x04  # RFID
    READ_EPC = 0x10  # RFID
    WRITE_EPC = 0x11  # RFID
    STOP = 0xFF  # RFID
    TAG = 0x00  # RFID, unasked
    FINISHED = 0x01  # RFID, unasked


class Finish(IntEnum):
    """Why a read finished."""

    DONE = 0x00
    STOPPED = 0x01
    FAULT = 0x02


OK: Final = b"\x00"
MAX_ANTENNAS: Final = 8


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `is_unasked` is what a reader says by itself."""

    kind: int
    message: int
    data: bytes = b""
    is_unasked: bool = False


def _table() -> list[int]:
    values = []
    for byte in range(256):
        value = byte << 8
        for _ in range(8):
            value = value << 1 ^ (_POLYNOMIAL if value & 0x8000 else 0)
        values.append(value & 0xFFFF)
    return values


_TABLE: Final = _table()


def crc16(data: bytes) -> int:
    """The checksum of these frames: polynomial 8005, preset 0, most significant bit first."""
    value = 0
    for byte in data:
        value = (value << 8 & 0xFFFF) ^ _TABLE[value >> 8 ^ byte]
    return value


def encode(frame: Frame) -> bytes:
    """The frame on the wire.

    Raises:
        FrameError: `length`: the data are longer than any reader takes.
    """
    size = len(frame.data)
    if size > MAX_DATA_BYTES:
        raise FrameError("length", f"{size} bytes of data; at most {MAX_DATA_BYTES} go into a frame")
    kind = frame.kind | (_UNASKED if frame.is_unasked else 0)
    body = bytes([kind, frame.message]) + size.to_bytes(2, "big") + frame.data
    return bytes([HEAD]) + body + crc16(body).to_bytes(_CRC_BYTES, "big")


class Decoder(Scanner[Frame]):
    """Finds frames.

    Reject reasons: noise_bytes, kind, length, checksum, truncated.
    """

    def __init__(self) -> None:
        super().__init__(bytes([HEAD]), self._read)

    @staticmethod
    def _read(buffer: bytearray, start: int) -> tuple[Frame, int] | None:
        header = buffer[start : start + _HEADER_BYTES]
        if len(header) > 1 and header[1] & ~_UNASKED not in _KINDS:
            raise FrameError("kind", f"kind {header[1]:02X}; 00 to 05 exist, and 10 to 15")
        if len(header) < _HEADER_BYTES:
            return None
        size = int.from_bytes(header[3:], "big")
        if size > MAX_DATA_BYTES:
            raise FrameError("length", f"{size} bytes of data; at most {MAX_DATA_BYTES} are possible")
        end = start + _HEADER_BYTES + size + _CRC_BYTES
        if end > len(buffer):
            return None
        found, right = int.from_bytes(buffer[end - 2 : end], "big"), crc16(bytes(buffer[start + 1 : end - 2]))
        if found != right:
            raise FrameError("checksum", f"checksum {found:04X}, {right:04X} would be right")
        data = bytes(buffer[start + _HEADER_BYTES : end - _CRC_BYTES])
        return Frame(header[1] & _KIND, header[2], data, bool(header[1] & _UNASKED)), end - start


_KINDS: Final = frozenset(Kind)


@dataclass(frozen=True, slots=True)
class ReaderInfo:
    """The answer to READER INFO: versions as (major, minor), the name as sent.

    Attributes:
        seconds: a count, since when is not known.
    """

    hardware: tuple[int, int]
    firmware: tuple[int, int]
    name: bytes
    seconds: int

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the answer.

        Raises:
            FrameError: `length`.
        """
        size = int.from_bytes(data[4:_NAME_AT], "big")
        if len(data) != _NAME_AT + size + _SECONDS_BYTES:
            raise FrameError("length", f"a name of {size} bytes is announced, {len(data)} bytes came", data)
        seconds = int.from_bytes(data[-_SECONDS_BYTES:], "big")
        return cls((data[0], data[1]), (data[2], data[3]), data[_NAME_AT:-_SECONDS_BYTES], seconds)

    def data(self) -> bytes:
        """The answer as a reader sends it."""
        size = len(self.name).to_bytes(2, "big")
        return bytes([*self.hardware, *self.firmware]) + size + self.name + self.seconds.to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class Ability:
    """The answer to RFID ABILITY, of which the tag protocols at the end are left out; older readers tell no bands."""

    min_power_dbm: int
    max_power_dbm: int
    antennas: int
    bands: tuple[int, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the answer.

        Raises:
            FrameError: `length`, or `range`: no reader is like that.
        """
        if len(data) < _ABILITY_BYTES:
            raise FrameError("length", f"an ability has {_ABILITY_BYTES} bytes at least, {len(data)} came", data)
        count = int.from_bytes(data[_ABILITY_BYTES:_BANDS_AT], "big")
        bands = data[_BANDS_AT : _BANDS_AT + count]
        ability = cls(data[0], data[1], data[2], tuple(bands) if len(bands) == count else ())
        if ability.min_power_dbm > ability.max_power_dbm or not 1 <= ability.antennas <= MAX_ANTENNAS:
            raise FrameError("range", f"{ability} cannot be", data)
        return ability

    def data(self) -> bytes:
        """The answer as a reader sends it, without tag protocols."""
        head = bytes([self.min_power_dbm, self.max_power_dbm, self.antennas])
        return head + len(self.bands).to_bytes(2, "big") + bytes(self.bands) + bytes(2)


def time_us(data: bytes) -> int:
    """Seconds and microseconds, 4 bytes each, as microseconds since 1970.

    Raises:
        FrameError: `length`.
    """
    if len(data) != _TIME_BYTES:
        raise FrameError("length", f"a time has {_TIME_BYTES} bytes, {len(data)} came", data)
    return int.from_bytes(data[:4], "big") * _US_PER_S + int.from_bytes(data[4:], "big")


def time_data(now_us: int) -> bytes:
    """A time as a reader sends it."""
    return (now_us // _US_PER_S).to_bytes(4, "big") + (now_us % _US_PER_S).to_bytes(4, "big")
