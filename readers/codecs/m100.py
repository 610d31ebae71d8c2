"""Frames of MagicRF M100 and QM100 modules and of the many readers built on them (YRM100, JRD-4035, R200, Unit UHF).

    H T C LL PPPPPPPP.. S E
    │ │ │ │  │          │ └ end mark, 1 byte: 7E, or DD
    │ │ │ │  │          └── checksum, 1 byte: sum of T to the last P, modulo 256
    │ │ │ │  └───────────── parameters, L bytes, multi-byte numbers big-endian
    │ │ │ └──────────────── length of the parameters, 2 bytes
    │ │ └────────────────── command, 1 byte
    │ └──────────────────── type, 1 byte: 00 command, 01 response, 02 notification
    └────────────────────── head, 1 byte: BB, or AA

Two pairs of delimiters exist, BB..7E and AA..DD, all else being equal. Both marks occur inside parameters, so that the
length alone says where a frame ends. RCP readers (Phychips) look alike but put a CRC-16 after their end mark: they fail
the checks here.

The parameters of Select, Query and memory commands are in `readers.codecs.m100_access`.

Source: MagicRF M100 and YRM100 manual V2.1; R200 manual V2.3.3; Unit RFID-UHF protocol (M5Stack).
Seen on: published frames of YRM100 and R200 modules only (`tests/vectors/rfid/m100.toml`), no module in our hands.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple, Self

from readers.codecs.checksums import gen2_crc16, sum8
from readers.codecs.framing import Scanner
from readers.errors import FrameError


class Delimiters(NamedTuple):
    """First and last byte of a frame."""

    head: int
    tail: int


BB_7E: Final = Delimiters(0xBB, 0x7E)
AA_DD: Final = Delimiters(0xAA, 0xDD)
ALL_DELIMITERS: Final = (BB_7E, AA_DD)

MAX_PARAMETER_BYTES: Final = 255  # the longest documented frame is a read of 32 words; the length's high byte is 0
_HEADER_BYTES: Final = 5
_OVERHEAD_BYTES: Final = 7

_PC_XPC: Final = 0x0200  # an XPC word follows the PC word (Gen2 2.0.1, 6.3.2.1.2.2)
_XPC_SECOND: Final = 0x8000  # and a second one follows that
_WORD_BYTES: Final = 2
_NOTICE_OVERHEAD_BYTES: Final = 5  # RSSI, PC, CRC
_NEGATIVE: Final = 0x80
_BYTE: Final = 0x100
DBM_STEPS: Final = 100  # the unit of power parameters is 0.01 dBm


class FrameType(IntEnum):
    """Who speaks, and why."""

    COMMAND = 0x00
    RESPONSE = 0x01
    NOTICE = 0x02


class Command(IntEnum):
    """The commands that driver and simulated reader use."""

    INFO = 0x03
    SET_REGION = 0x07
    GET_REGION = 0x08
    GET_SELECT = 0x0B
    SET_SELECT = 0x0C
    GET_QUERY = 0x0D
    SET_QUERY = 0x0E
    SELECT_MODE = 0x12
    POLL = 0x22
    MULTI_POLL = 0x27
    STOP = 0x28
    READ = 0x39
    WRITE = 0x49
    HOP_CHANNELS = 0xA9
    GET_CHANNEL = 0xAA
    SET_CHANNEL = 0xAB
    SET_HOPPING = 0xAD
    SET_POWER = 0xB6
    GET_POWER = 0xB7
    ERROR = 0xFF  # in responses: the command failed


class Info(IntEnum):
    """Parameter of `Command.INFO`."""

    HARDWARE = 0x00
    SOFTWARE = 0x01
    MANUFACTURER = 0x02


class ErrorCode(IntEnum):
    """First parameter of an error response. A0 to EF carry a tag's own error in their low half, see `m100_access`."""

    READ_FAILED = 0x09
    WRITE_FAILED = 0x10
    NO_TAG = 0x15  # the normal end of an empty inventory round
    WRONG_PASSWORD = 0x16
    UNKNOWN_COMMAND = 0x17
    NO_FREE_CHANNEL = 0x20


MULTI_POLL_RESERVED: Final = 0x22  # a constant that stands before the number of rounds
DONE: Final = b"\x00"


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; `command` is a plain number because readers may send what `Command` does not list."""

    type: FrameType
    command: int
    parameters: bytes = b""


@dataclass(frozen=True, slots=True)
class TagNotice:
    """The parameters of a tag notification: RSSI, PC word, EPC, and the tag's own CRC-16 over PC and EPC.

    Attributes:
        rssi_dbm: at the reader chip's input, -128 to 127.
        epc: without the XPC words that some tags send before it.
    """

    rssi_dbm: int
    pc_bits: int
    epc: bytes
    xpc: bytes = b""

    @classmethod
    def parse(cls, parameters: bytes, *, check_crc: bool = True) -> Self:
        """Read the parameters of a notification.

        Raises:
            FrameError: `length` when the PC word announces another length, `air_crc` when the tag's CRC is wrong.
        """
        size = len(parameters) - _NOTICE_OVERHEAD_BYTES
        pc_bits = int.from_bytes(parameters[1:3], "big")
        announced = (pc_bits >> 11) * _WORD_BYTES
        if size != announced:
            raise FrameError("length", f"PC {pc_bits:04X} announces {announced} bytes of EPC, {size} came", parameters)
        found, right = int.from_bytes(parameters[-2:], "big"), gen2_crc16(parameters[1:-2])
        if check_crc and found != right:
            raise FrameError("air_crc", f"the tag's CRC is {found:04X}, {right:04X} would be right", parameters)
        xpc, epc = without_xpc(pc_bits, parameters[3:-2])
        rssi = parameters[0]
        return cls(rssi_dbm=rssi - _BYTE if rssi & _NEGATIVE else rssi, pc_bits=pc_bits, epc=epc, xpc=xpc)

    def parameters(self) -> bytes:
        """The parameters as a reader sends them."""
        air = self.pc_bits.to_bytes(2, "big") + self.xpc + self.epc
        return bytes([self.rssi_dbm % _BYTE]) + air + gen2_crc16(air).to_bytes(2, "big")


def without_xpc(pc_bits: int, sent: bytes) -> tuple[bytes, bytes]:
    """The XPC words, of which most tags have none, and the EPC, out of what a tag sent behind its PC word.

    Raises:
        FrameError: `length` when the PC word announces XPC words that did not come.
    """
    if not pc_bits & _PC_XPC:
        return b"", sent
    size = 2 * _WORD_BYTES if int.from_bytes(sent[:2], "big") & _XPC_SECOND else _WORD_BYTES
    if size > len(sent):
        raise FrameError("length", f"PC {pc_bits:04X} announces an XPC word that did not come", sent)
    return sent[:size], sent[size:]


def pc_bits_for(epc: bytes) -> int:
    """A plain PC word for an EPC of whole words, as a simulated tag needs it."""
    return (len(epc) // _WORD_BYTES) << 11


def encode(frame: Frame, delimiters: Delimiters = BB_7E) -> bytes:
    """The frame on the wire.

    Raises:
        FrameError: the parameters are longer than any reader takes.
    """
    size = len(frame.parameters)
    if size > MAX_PARAMETER_BYTES:
        raise FrameError("length", f"{size} bytes of parameters; at most {MAX_PARAMETER_BYTES} go into a frame")
    body = bytes([frame.type, frame.command]) + size.to_bytes(2, "big") + frame.parameters
    return bytes([delimiters.head]) + body + bytes([sum8(body), delimiters.tail])


class Decoder(Scanner[Frame]):
    """Finds frames with one pair of delimiters, or with either until `delimiters` is set.

    Attributes:
        delimiters: the pair that is accepted; None for both.
        seen: the pair of the last good frame.

    Reject reasons: noise_bytes, type, length, delimiter, checksum, truncated.
    """

    def __init__(self, delimiters: Delimiters | None = None) -> None:
        super().__init__(bytes(pair.head for pair in ALL_DELIMITERS), self._read)
        self.delimiters = delimiters
        self.seen: Delimiters | None = None

    def _read(self, buffer: bytearray, start: int) -> tuple[Frame, int] | None:
        delimiters = BB_7E if buffer[start] == BB_7E.head else AA_DD
        if self.delimiters not in (None, delimiters):
            raise FrameError("delimiter", "a frame of the other form")
        header = buffer[start : start + _HEADER_BYTES]
        if len(header) > 1 and header[1] not in (0, 1, 2):
            raise FrameError("type", f"type {header[1]:02X}; 00 to 02 exist")
        if len(header) < _HEADER_BYTES:
            return None
        size = int.from_bytes(header[3:], "big")
        if size > MAX_PARAMETER_BYTES:
            raise FrameError("length", f"{size} bytes of parameters; at most {MAX_PARAMETER_BYTES} are possible")
        end = start + size + _OVERHEAD_BYTES
        if end > len(buffer):
            return None
        if buffer[end - 1] != delimiters.tail:
            raise FrameError("delimiter", f"end mark {buffer[end - 1]:02X}, not {delimiters.tail:02X}")
        if sum8(buffer[start + 1 : end - 2]) != buffer[end - 2]:
            raise FrameError("checksum", f"checksum {buffer[end - 2]:02X} is wrong")
        self.seen = delimiters
        return Frame(FrameType(header[1]), header[2], bytes(buffer[start + _HEADER_BYTES : end - 2])), end - start
