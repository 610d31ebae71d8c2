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

A tag (12 00): `LL EEEE.. PP A` length of the EPC, EPC, PC word, antenna port; then parameters, each after its number:
    01 RSSI, 1 (scale unknown) · 02 whether more memory was read, 1: 00 it was · 03 TID, 04 user, 05 reserved memory,
    each 2 of length and data · 06 sub-antenna, 1 · 07 reader's time, 4 of seconds since 1970 and 4 of µs · 08 serial, 4

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
_WORD_BYTES: Final = 2
_PC_XPC: Final = 0x0200  # an XPC word follows the PC word on the air: how these readers tell it is not known
_US_PER_S: Final = 1_000_000
_NAME_AT: Final = 6
_SECONDS_BYTES: Final = 4
_TIME_BYTES: Final = 8
_ABILITY_BYTES: Final = 3


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
    READ_EPC = 0x10  # RFID
    STOP = 0xFF  # RFID
    TAG = 0x00  # RFID, unasked
    FINISHED = 0x01  # RFID, unasked


class Finish(IntEnum):
    """Why a read finished."""

    DONE = 0x00
    STOPPED = 0x01
    FAULT = 0x02


OK: Final = b"\x00"
SINGLE: Final = 0x00
CONTINUOUS: Final = 0x01
MAX_ANTENNAS: Final = 8
_TID: Final = 0x02  # parameter of READ_EPC


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
    """The beginning of the answer to RFID ABILITY; lists of bands and tag protocols follow."""

    min_power_dbm: int
    max_power_dbm: int
    antennas: int

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the answer.

        Raises:
            FrameError: `length`, or `range`: no reader is like that.
        """
        if len(data) < _ABILITY_BYTES:
            raise FrameError("length", f"an ability has {_ABILITY_BYTES} bytes at least, {len(data)} came", data)
        ability = cls(*data[:_ABILITY_BYTES])
        if ability.min_power_dbm > ability.max_power_dbm or not 1 <= ability.antennas <= MAX_ANTENNAS:
            raise FrameError("range", f"{ability} cannot be", data)
        return ability


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


@dataclass(frozen=True, slots=True)
class ReadEpc:
    """What the message RFID READ_EPC asks for.

    Attributes:
        antenna_ports: 1 to 8. tid_words: words of TID to read along at most; 0 for none.
        is_continuous: until stopped, else one round at each port.
    """

    antenna_ports: tuple[int, ...]
    is_continuous: bool = True
    tid_words: int = 0

    def data(self) -> bytes:
        """The data of the request."""
        mask = sum(1 << port - 1 for port in self.antenna_ports)
        tid = bytes([_TID, 0, self.tid_words]) if self.tid_words else b""  # 0: a shorter TID is read as it is
        return bytes([mask, CONTINUOUS if self.is_continuous else SINGLE]) + tid

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the request.

        Raises:
            FrameError: `length`, or `range` for what a simulated reader does not do.
        """
        if len(data) not in (2, 5):
            raise FrameError("length", f"{len(data)} bytes; antennas, mode and TID are played", data)
        if not data[0] or data[1] not in (SINGLE, CONTINUOUS) or data[2:3] not in (b"", bytes([_TID])):
            raise FrameError("range", "no antenna, another mode, or another parameter than TID", data)
        ports = tuple(port for port in range(1, MAX_ANTENNAS + 1) if data[0] >> port - 1 & 1)
        return cls(ports, data[1] == CONTINUOUS, data[4] if len(data) > 2 else 0)  # noqa: PLR2004 - with TID


@dataclass(frozen=True, slots=True)
class Tag:
    """One read.

    Attributes:
        rssi: as sent; its scale is not known.
        memory_result: 0 when the memory that was asked for was read.
        reader_time_us: the reader's own clock, since 1970.
        rest: from the first parameter on that is not known.
    """

    epc: bytes
    pc_bits: int
    antenna_port: int
    rssi: int | None = None
    memory_result: int | None = None
    tid: bytes | None = None
    user_memory: bytes | None = None
    reserved_memory: bytes | None = None
    sub_antenna: int | None = None
    reader_time_us: int | None = None
    serial: int | None = None
    rest: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the data of the message.

        Raises:
            FrameError: `length` when lengths do not fit each other, `range` for antenna port 0.
        """
        size = int.from_bytes(data[:2], "big")
        at = 2 + size + 3
        if len(data) < at:
            raise FrameError("length", f"an EPC of {size} bytes is announced, {len(data)} bytes came", data)
        pc_bits, port = int.from_bytes(data[at - 3 : at - 1], "big"), data[at - 1]
        announced = (pc_bits >> 11) * _WORD_BYTES
        if size != announced and not pc_bits & _PC_XPC:
            raise FrameError("length", f"PC {pc_bits:04X} announces {announced} bytes of EPC, {size} came", data)
        if not port:
            raise FrameError("range", "antenna port 0; they are numbered from 1", data)
        found: dict[int, bytes] = {}
        while at < len(data) and data[at] in _PARAMETERS and data[at] not in found:
            number, at = data[at], at + 1
            length = _PARAMETERS[number]
            if length is None:
                length, at = int.from_bytes(data[at : at + 2], "big"), at + 2
            found[number], at = data[at : at + length], at + length
        if at > len(data):
            raise FrameError("length", f"a parameter ends {at - len(data)} bytes behind the data", data)
        numbers = {number: int.from_bytes(value, "big") for number, value in found.items()}
        return cls(
            epc=data[2 : 2 + size],
            pc_bits=pc_bits,
            antenna_port=port,
            rssi=numbers.get(0x01),
            memory_result=numbers.get(0x02),
            tid=found.get(0x03),
            user_memory=found.get(0x04),
            reserved_memory=found.get(0x05),
            sub_antenna=numbers.get(0x06),
            reader_time_us=time_us(found[0x07]) if 0x07 in found else None,  # noqa: PLR2004 - see the drawing
            serial=numbers.get(0x08),
            rest=data[at:],
        )

    def data(self) -> bytes:
        """The data as a reader sends them, parameters in the order of their numbers."""
        time = None if self.reader_time_us is None else time_data(self.reader_time_us)
        parameters = {
            0x01: None if self.rssi is None else bytes([self.rssi]),
            0x02: None if self.memory_result is None else bytes([self.memory_result]),
            0x03: self.tid,
            0x04: self.user_memory,
            0x05: self.reserved_memory,
            0x06: None if self.sub_antenna is None else bytes([self.sub_antenna]),
            0x07: time,
            0x08: None if self.serial is None else self.serial.to_bytes(4, "big"),
        }
        body = len(self.epc).to_bytes(2, "big") + self.epc + self.pc_bits.to_bytes(2, "big")
        body += bytes([self.antenna_port])
        for number, value in parameters.items():
            if value is not None:
                length = b"" if _PARAMETERS[number] is not None else len(value).to_bytes(2, "big")
                body += bytes([number]) + length + value
        return body + self.rest


_PARAMETERS: Final = {0x01: 1, 0x02: 1, 0x03: None, 0x04: None, 0x05: None, 0x06: 1, 0x07: 8, 0x08: 4}
"""Parameters of a tag: how many bytes follow the number; None where a length does."""
