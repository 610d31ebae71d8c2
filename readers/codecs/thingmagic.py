"""Frames of ThingMagic modules: M6e, M6e Micro, M6e Nano, M7e, and the readers built on them.

    H L O DDDDDDDD.. CC         the host says
    H L O SS DDDDDD.. CC        the module says
    │ │ │ │  │        └ checksum, 2 bytes big-endian, see `crc16`; over L to the last D
    │ │ │ │  └───────── data, L bytes, multi-byte numbers big-endian
    │ │ │ └──────────── status, 2 bytes: 0000 is success; L does not count it
    │ │ └────────────── operation code, 1 byte; an answer carries that of its command
    │ └──────────────── length of the data, 1 byte, at most F8
    └────────────────── head, 1 byte: FF

The head occurs inside frames, so that the length alone says where one ends. A host wakes a sleeping module with a run
of FF before the frame: FF FF is no frame, because FF is no length.

Source: ThingMagic Mercury API 1.35.2 (C, open source), serial reader; SparkFun's logs of an M6e Nano, 2016.
Seen on: those logs (M6e Nano, firmware 01.03.01.47; `tests/vectors/rfid/thingmagic.toml`), no module in our hands.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final, Self

from readers.codecs.framing import Scanner
from readers.errors import FrameError

HEAD: Final = 0xFF
MAX_DATA_BYTES: Final = 0xF8  # a module's whole packet is at most 255 bytes
MAX_FRAME_BYTES: Final = MAX_DATA_BYTES + 7
_CRC_BYTES: Final = 2
_CRC_START: Final = 0x1D0F  # the preset FFFF after 16 shifts: what `crc_hqx` needs where this one appends no zeroes
_VERSION_BYTES: Final = 20
_PROGRAM_MASK: Final = 0x03
_BOOT_LOADER: Final = 0x01
DBM_STEPS: Final = 100  # the unit of power is 0.01 dBm
GEN2: Final = 5  # the number of the protocol UHF Gen2


class Opcode(IntEnum):
    """All commands of the Mercury API; a frame with another one is taken for noise."""

    WRITE_FLASH = 0x01
    READ_FLASH = 0x02
    VERSION = 0x03
    BOOT_FIRMWARE = 0x04
    SET_BAUD_RATE = 0x06
    ERASE_FLASH = 0x07
    VERIFY_IMAGE = 0x08
    BOOT_BOOT_LOADER = 0x09
    MODIFY_FLASH = 0x0A
    SILICON_ID = 0x0B
    CURRENT_PROGRAM = 0x0C
    WRITE_FLASH_SECTOR = 0x0D
    SECTOR_SIZE = 0x0E
    MODIFY_FLASH_SECTOR = 0x0F
    HARDWARE_VERSION = 0x10
    READ_TAG_SINGLE = 0x21
    READ_TAG_MULTIPLE = 0x22
    WRITE_TAG_EPC = 0x23
    WRITE_TAG_DATA = 0x24
    LOCK_TAG = 0x25
    KILL_TAG = 0x26
    PASS_THROUGH = 0x27
    READ_TAG_DATA = 0x28
    GET_TAG_BUFFER = 0x29
    CLEAR_TAG_BUFFER = 0x2A
    WRITE_TAG_SPECIFIC = 0x2D
    ERASE_BLOCK = 0x2E
    MULTI_PROTOCOL = 0x2F
    GET_ANTENNA = 0x61
    GET_READ_POWER = 0x62
    GET_PROTOCOL = 0x63
    GET_WRITE_POWER = 0x64
    GET_HOP_TABLE = 0x65
    GET_INPUTS = 0x66
    GET_REGION = 0x67
    GET_POWER_MODE = 0x68
    GET_USER_MODE = 0x69
    GET_OPTION = 0x6A
    GET_PROTOCOL_PARAMETER = 0x6B
    GET_STATISTICS = 0x6C
    GET_USER_PROFILE = 0x6D
    AVAILABLE_PROTOCOLS = 0x70
    AVAILABLE_REGIONS = 0x71
    TEMPERATURE = 0x72
    SET_ANTENNA = 0x91
    SET_READ_POWER = 0x92
    SET_PROTOCOL = 0x93
    SET_WRITE_POWER = 0x94
    SET_HOP_TABLE = 0x95
    SET_OUTPUTS = 0x96
    SET_REGION = 0x97
    SET_POWER_MODE = 0x98
    SET_USER_MODE = 0x99
    SET_OPTION = 0x9A
    SET_PROTOCOL_PARAMETER = 0x9B
    USER_PROFILE = 0x9D  # a module with a stored autonomous read sends it without being asked
    SET_LICENCE = 0x9E
    SET_FREQUENCY = 0xC1
    TRANSMIT = 0xC3


class Status(IntEnum):
    """Statuses that mean more than "it failed"."""

    SUCCESS = 0x0000
    WRONG_DATA = 0x0100
    UNKNOWN_OPCODE = 0x0101
    UNIMPLEMENTED = 0x0102
    POWER_TOO_HIGH = 0x0103
    BAD_PARAMETER = 0x0105
    POWER_TOO_LOW = 0x0106
    UNKNOWN_REGION = 0x010B
    NO_TAGS = 0x0400  # in a stream: the end of a read cycle, tags or none
    NO_PROTOCOL = 0x0401
    READ_FAILED = 0x0404
    NO_REGION = 0x0405
    WRITE_FAILED = 0x0406
    NOT_IMPLEMENTED = 0x0408
    NO_SUCH_ADDRESS = 0x0409
    TAG_ERROR = 0x040A
    TOO_MUCH_DATA = 0x040B
    BAD_LENGTH = 0x0411
    OVERRUN = 0x0423
    LOCKED = 0x0424
    NOT_AUTHENTICATED = 0x0425
    LOW_POWER = 0x042B
    BAD_PASSWORD = 0x04A7
    CHANNEL_BUSY = 0x0501
    NO_ANTENNA = 0x0503
    TOO_HOT = 0x0504
    HIGH_RETURN_LOSS = 0x0505
    BUFFER_FULL = 0x0601
    INTERNAL = 0x7F00
    ASSERTION = 0x7F01


_EXPLAINED: Final[Mapping[int, str]] = {
    Status.WRONG_DATA: "wrong number of arguments",
    Status.UNKNOWN_OPCODE: "unknown command",
    Status.UNIMPLEMENTED: "command not supported",
    Status.POWER_TOO_HIGH: "power above the maximum",
    Status.BAD_PARAMETER: "parameter out of range",
    Status.POWER_TOO_LOW: "power below the minimum",
    Status.UNKNOWN_REGION: "region not supported",
    Status.NO_TAGS: "no tag found",
    Status.NO_PROTOCOL: "no tag protocol set",
    Status.READ_FAILED: "read failed",
    Status.NO_REGION: "radio not ready: no region set",
    Status.WRITE_FAILED: "write failed",
    Status.TAG_ERROR: "general tag error",
    Status.OVERRUN: "no such memory",
    Status.LOCKED: "memory locked",
    Status.LOW_POWER: "too little power for the tag",
    Status.CHANNEL_BUSY: "channel occupied",
    Status.NO_ANTENNA: "no antenna detected",
    Status.TOO_HOT: "temperature out of range",
    Status.HIGH_RETURN_LOSS: "high return loss",
    Status.BUFFER_FULL: "tag buffer full",
    Status.INTERNAL: "unknown internal error",
    Status.ASSERTION: "internal assertion failed",
}
_STATUS_GROUPS: Final = frozenset({*range(0x08), 0x7F})


class Speaker(Enum):
    """Whose frames: only a module's have a status."""

    HOST = "host"
    MODULE = "module"


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `status` is None in what the host says."""

    opcode: int
    data: bytes = b""
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """The answer to `VERSION` and `BOOT_FIRMWARE`: what the module is. Each field is 4 bytes.

    Attributes:
        hardware: begins with the model's number. firmware_date: BCD, year first.
        protocols: a bit for each tag protocol, protocol 1 in the lowest.
    """

    boot_loader: bytes
    hardware: bytes
    firmware_date: bytes
    firmware: bytes
    protocols: int

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the data of the answer.

        Raises:
            FrameError: `length`.
        """
        if len(data) < _VERSION_BYTES:
            raise FrameError("length", f"a version has {_VERSION_BYTES} bytes, {len(data)} came", data)
        return cls(data[:4], data[4:8], data[8:12], data[12:16], int.from_bytes(data[16:20], "big"))

    def data(self) -> bytes:
        """The data as a module sends them."""
        return self.boot_loader + self.hardware + self.firmware_date + self.firmware + self.protocols.to_bytes(4, "big")


def runs_boot_loader(program: int) -> bool:
    """Whether the answer to `CURRENT_PROGRAM` means that the firmware has yet to be started."""
    return program & _PROGRAM_MASK == _BOOT_LOADER


def explained(status: int) -> str:
    """A status for people: `0105 (parameter out of range)`."""
    text = _EXPLAINED.get(status)
    return f"{status:04X} ({text})" if text else f"{status:04X}"


def crc16(data: bytes) -> int:
    """The CRC of these frames: polynomial 1021, preset FFFF, data shifted into the register and no zeroes after them.

    That is no CRC of the catalogues: the last two bytes are only combined with the remainder of those before.
    """
    return binascii.crc_hqx(data[:-_CRC_BYTES], _CRC_START) ^ int.from_bytes(data[-_CRC_BYTES:], "big")


def encode(frame: Frame) -> bytes:
    """The frame on the wire.

    Raises:
        FrameError: `length` or `range`: no module takes or sends that.
    """
    if len(frame.data) > MAX_DATA_BYTES:
        raise FrameError("length", f"{len(frame.data)} bytes of data; at most {MAX_DATA_BYTES} go into a frame")
    status = b"" if frame.status is None else frame.status.to_bytes(2, "big")
    if status and status[0] not in _STATUS_GROUPS:
        raise FrameError("range", f"status {frame.status:04X} exists nowhere; 0000 to 07FF and 7F00 to 7FFF do")
    body = bytes([len(frame.data), frame.opcode]) + status + frame.data
    return bytes([HEAD]) + body + crc16(body).to_bytes(_CRC_BYTES, "big")


class Decoder(Scanner[Frame]):
    """Finds the frames of one speaker.

    Reject reasons: noise_bytes, length, opcode, status, checksum, truncated.
    """

    def __init__(self, speaker: Speaker = Speaker.MODULE) -> None:
        super().__init__(bytes([HEAD]), self._read)
        self._status_bytes = 2 if speaker is Speaker.MODULE else 0

    def _read(self, buffer: bytearray, start: int) -> tuple[Frame, int] | None:
        header = bytes(buffer[start : start + 3 + self._status_bytes])
        if len(header) > 1 and header[1] > MAX_DATA_BYTES:
            raise FrameError("length", f"{header[1]} bytes of data; at most {MAX_DATA_BYTES} are possible")
        if len(header) > 2 and header[2] not in _OPCODES:  # noqa: PLR2004 - head, length, operation code
            raise FrameError("opcode", f"operation {header[2]:02X} is unknown")
        if len(header) > 3 and header[3] not in _STATUS_GROUPS:  # noqa: PLR2004 - then the status, if any
            raise FrameError("status", f"no status begins with {header[3]:02X}")
        end = start + len(header) + (header[1] if len(header) > 1 else 0) + _CRC_BYTES
        if len(header) < 3 + self._status_bytes or end > len(buffer):
            return None
        found, right = int.from_bytes(buffer[end - _CRC_BYTES : end], "big"), crc16(bytes(buffer[start + 1 : end - 2]))
        if found != right:
            raise FrameError("checksum", f"checksum {found:04X}, {right:04X} would be right")
        status = int.from_bytes(header[3:], "big") if self._status_bytes else None
        data = bytes(buffer[start + len(header) : end - _CRC_BYTES])
        return Frame(header[2], data, status), end - start


_OPCODES: Final = frozenset(Opcode)
