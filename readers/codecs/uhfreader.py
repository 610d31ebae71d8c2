"""Frames of the UHFReader family: UHFReader18, 288, 86, RRU9803 and their many sisters by Chafon and others.

    L A C DDDDDDDD.. KK
    │ │ │ │          └ CRC-16/MCRF4XX over L to the last D, 2 bytes, low byte first
    │ │ │ └─────────── parameters of a command; of a response the status, 1 byte, then its data
    │ │ └───────────── command, 1 byte; a response repeats it, or says 00 for a command that was not understood,
    │ │                or EE when the reader reports by itself
    │ └─────────────── address, 1 byte: 00 to FE; FF in a command is for whoever hears it
    └───────────────── bytes that follow, 1 byte: 4 to 255

No byte marks a start, and none is escaped: only length and CRC tell a frame from noise, and a pause of more than 15 ms
ends whatever was begun. So a false length holds the line up until the pause; `Decoder` gives up sooner where the third
byte is no command. Noise passes for a frame once in 65,536 tries.

The same wire carries three forms of inventory data, which no field announces; the model decides, see `Form`.

Source: UHF RFID Reader Series User Manual V2.20; UHFReader18 User's Manual V2.0 by way of public clients.
Seen on: published frames only (`tests/vectors/rfid/uhfreader.toml`), no reader in our hands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, IntEnum
from typing import Final, Self

from readers.codecs.checksums import mcrf4xx_crc16
from readers.codecs.framing import Scanner
from readers.errors import FrameError

BROADCAST: Final = 0xFF
MAX_BODY_BYTES: Final = 251  # what the length byte leaves
MAX_FRAME_BYTES: Final = 256
LEAST_COMMAND: Final = 4
LEAST_RESPONSE: Final = 5  # a response has a status
BYTE_GAP_S: Final = 0.015
_HEADER_BYTES: Final = 3
_CRC_BYTES: Final = 2


class Command(IntEnum):
    """The commands that driver and simulated reader use, and the two codes that only readers send."""

    NOT_UNDERSTOOD = 0x00
    INVENTORY = 0x01
    READ = 0x02
    WRITE = 0x03
    INFO = 0x21
    SET_BAND = 0x22
    SET_ADDRESS = 0x24
    SET_SCAN_TIME = 0x25
    SET_POWER = 0x2F
    SET_WORK_MODE = 0x35  # UHFReader18 only
    GET_WORK_MODE = 0x36  # UHFReader18 only
    SET_ANTENNAS = 0x3F
    SERIAL = 0x4C
    SET_READ_MODE = 0x76
    GET_READ_MODE = 0x77
    REPORT = 0xEE


class Status(IntEnum):
    """First byte of a response."""

    DONE = 0x00
    COMPLETE = 0x01
    TIMEOUT = 0x02
    MORE = 0x03
    MEMORY_FULL = 0x04
    PASSWORD = 0x05
    NOT_SUPPORTED = 0x0B  # by the tag
    STATISTICS = 0x26
    HEARTBEAT = 0x28
    ANTENNA = 0xF8
    EXECUTION = 0xF9
    POOR_LINK = 0xFA
    NO_TAG = 0xFB
    TAG_ERROR = 0xFC
    LENGTH = 0xFD
    ILLEGAL = 0xFE
    PARAMETER = 0xFF


TAG_STATUSES: Final = frozenset({Status.COMPLETE, Status.TIMEOUT, Status.MORE, Status.MEMORY_FULL, Status.ANTENNA})
"""Statuses of an inventory response that may carry tags."""


class Form(Enum):
    """How a model reports tags."""

    PLAIN = "plain"
    """UHFReader18: `Num {Len EPC}`."""
    MASK = "mask"
    """1, 4 and 8 ports: `Ant Num {Len EPC RSSI [phase, frequency]}`, Ant one bit for each antenna."""
    NUMBER = "number"
    """16 ports: the same, Ant a number from 0."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; `command` is a plain number because readers may send what `Command` does not list."""

    address: int
    command: int
    body: bytes = b""

    @property
    def status(self) -> int:
        """Of a response."""
        return self.body[0]

    @property
    def data(self) -> bytes:
        """Of a response."""
        return self.body[1:]


def encode(frame: Frame) -> bytes:
    """The frame on the wire.

    Raises:
        FrameError: the body is longer than a length byte can say.
    """
    size = len(frame.body)
    if size > MAX_BODY_BYTES:
        raise FrameError("length", f"{size} bytes of body; at most {MAX_BODY_BYTES} go into a frame")
    head = bytes([size + LEAST_COMMAND, frame.address, frame.command]) + frame.body
    return head + mcrf4xx_crc16(head).to_bytes(_CRC_BYTES, "little")


class Decoder(Scanner[Frame]):
    """Finds the responses of readers; `least` 4 lets commands through too.

    Reject reasons: noise_bytes, command, length, checksum, truncated.
    """

    def __init__(self, least: int = LEAST_RESPONSE) -> None:
        super().__init__(bytes(range(least, MAX_FRAME_BYTES)), self._read)

    def _read(self, buffer: bytearray, start: int) -> tuple[Frame, int] | None:
        size = len(buffer) - start
        if size < _HEADER_BYTES:
            return None
        length, address, command = buffer[start : start + _HEADER_BYTES]
        if command not in _COMMANDS:
            raise FrameError("command", f"{command:02X} is no command of these readers")
        if command == Command.NOT_UNDERSTOOD and length != LEAST_RESPONSE:
            raise FrameError("length", f"{length} bytes; {LEAST_RESPONSE} follow where a command was not understood")
        end = start + length + 1
        if end > len(buffer):
            return None
        raw = bytes(buffer[start:end])
        if mcrf4xx_crc16(raw):
            raise FrameError("checksum", f"CRC {raw[-_CRC_BYTES:].hex().upper()} is wrong")
        return Frame(address, command, raw[_HEADER_BYTES:-_CRC_BYTES]), length + 1


_COMMANDS: Final = frozenset(Command)

_STATISTICS_BIT: Final = 0x80
_FAST_ID_BIT: Final = 0x20
_PHASE_BIT: Final = 0x10
_Q_BITS: Final = 0x0F
SMART_SESSION: Final = 0xFF
FIRST_ANTENNA: Final = 0x80
_NO_MASK: Final = b"\x01\x00\x00\x00"  # memory EPC, bit address 0 (2 bytes), no bits
_INVENTORY_BYTES: Final = 9
_ANTENNAS_MOST: Final = 16


@dataclass(frozen=True, slots=True)
class Inventory:
    """The parameters of an inventory without a mask, for one antenna.

    Attributes:
        session: 0 to 3, or SMART_SESSION.
        target: 0 for A, 1 for B.
        antenna: 1-based.
        scan_ds: the longest that it may take, in tenths of a second.
    """

    antenna: int
    scan_ds: int
    q: int = 4
    session: int = 0
    target: int = 0
    fast_id: bool = False
    with_phase: bool = False

    def parameters(self) -> bytes:
        """As they are sent."""
        flags = (_FAST_ID_BIT if self.fast_id else 0) | (_PHASE_BIT if self.with_phase else 0)
        ant = FIRST_ANTENNA + self.antenna - 1
        return bytes([flags | self.q, self.session]) + _NO_MASK + bytes([self.target, ant, self.scan_ds])

    @classmethod
    def parse(cls, parameters: bytes) -> Self:
        """Read them, as a simulated reader does.

        Raises:
            FrameError: `length`, or `range` for a value that readers refuse; masks are not understood.
        """
        if len(parameters) != _INVENTORY_BYTES:
            raise FrameError(
                "length", f"{len(parameters)} bytes of parameters, {_INVENTORY_BYTES} are known", parameters
            )
        flags, session = parameters[0], parameters[1]
        target, antenna, scan_ds = parameters[-3:]
        known = session in (0, 1, 2, 3, SMART_SESSION) and target in (0, 1)
        if not known or not FIRST_ANTENNA <= antenna < FIRST_ANTENNA + _ANTENNAS_MOST or flags & _STATISTICS_BIT:
            raise FrameError("range", "session, target, antenna or a flag is not known", parameters)
        return cls(
            antenna=antenna - FIRST_ANTENNA + 1,
            scan_ds=scan_ds,
            q=flags & _Q_BITS,
            session=session,
            target=target,
            fast_id=bool(flags & _FAST_ID_BIT),
            with_phase=bool(flags & _PHASE_BIT),
        )


TID_BYTES: Final = 12
_WITH_TID: Final = 0x80
_WITH_PHASE: Final = 0x40
_LENGTH_BITS: Final = 0x3F
_PHASE_BYTES: Final = 4
_FREQUENCY_BYTES: Final = 3
EPC_BYTES_MOST: Final = 62  # 31 words, the most that the PC word of Gen2 announces
_BITS: Final = 8


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag in a response.

    Attributes:
        antennas: 1-based; empty where the model does not say.
        rssi_raw: a strength without a unit, 0 to 255; None where the model does not say.
        phase: 4 bytes whose meaning no manual gives.
    """

    epc: bytes
    antennas: tuple[int, ...] = ()
    rssi_raw: int | None = None
    tid: bytes | None = None
    phase: bytes = b""
    frequency_khz: int | None = None


def parse_tags(data: bytes, form: Form) -> list[Tag]:
    """The tags in the data of an inventory response; none for no data.

    Raises:
        FrameError: `length` when the blocks do not fill the data exactly, `antenna` for an antenna that does not exist.
    """
    if not data:
        return []
    antennas: tuple[int, ...] = ()
    at = 0
    if form is not Form.PLAIN:
        at = 1
        number = data[1] if len(data) > 1 else 0
        antennas = _antennas(data, form) if number else ()
    if len(data) <= at:
        raise FrameError("length", "the number of tags is missing", data)
    number = data[at]
    at += 1
    tags = []
    for _ in range(number):
        tag, at = _block(data, at, form)
        tags.append(replace(tag, antennas=antennas) if antennas else tag)
    if at != len(data):
        raise FrameError("length", f"{number} tags take {at} bytes, {len(data)} came", data)
    return tags


def parse_report(data: bytes, form: Form) -> Tag:
    """The tag in a frame that the reader sent by itself; UHFReader18 is taken to say it in the form of its sisters.

    Raises:
        FrameError: as `parse_tags`.
    """
    if not data:
        raise FrameError("length", "a report without data", data)
    tag, at = _block(data, 1, Form.MASK)
    if at != len(data):
        raise FrameError("length", f"the tag takes {at} bytes, {len(data)} came", data)
    return replace(tag, antennas=_antennas(data, Form.NUMBER if form is Form.NUMBER else Form.MASK))


def _antennas(data: bytes, form: Form) -> tuple[int, ...]:
    """Of the antenna byte, which is the first."""
    value = data[0]
    if form is Form.NUMBER:
        if value >= _ANTENNAS_MOST:
            raise FrameError("antenna", f"antenna number {value:02X}; 00 to 0F exist", data)
        return (value + 1,)
    if not value:
        raise FrameError("antenna", "no bit of the antenna mask is set", data)
    return tuple(bit + 1 for bit in range(_BITS) if value & 1 << bit)


def _block(data: bytes, at: int, form: Form) -> tuple[Tag, int]:
    """The tag that begins at that index, and the index behind it."""
    if at >= len(data):
        raise FrameError("length", "a tag is missing", data)
    flags = data[at]
    size, with_tid, with_phase = flags, False, False
    if form is not Form.PLAIN:
        size, with_tid, with_phase = flags & _LENGTH_BITS, bool(flags & _WITH_TID), bool(flags & _WITH_PHASE)
    at += 1
    end = at + size
    tail = 0 if form is Form.PLAIN else 1 + (_PHASE_BYTES + _FREQUENCY_BYTES if with_phase else 0)
    epc_bytes = size - TID_BYTES if with_tid else size
    # An empty EPC in the plain form would be what other models say at the end of a round without tags.
    least = 2 if form is Form.PLAIN else 0
    if not least <= epc_bytes <= EPC_BYTES_MOST or epc_bytes % 2 or end + tail > len(data):
        raise FrameError("length", f"a tag of {size} bytes cannot be here", data)
    epc, tid = data[at : at + epc_bytes], data[at + epc_bytes : end] if with_tid else None
    if form is Form.PLAIN:
        return Tag(epc), end
    phase = data[end + 1 : end + 1 + _PHASE_BYTES] if with_phase else b""
    frequency_khz = int.from_bytes(data[end + tail - _FREQUENCY_BYTES : end + tail], "big") if with_phase else None
    return Tag(epc, (), data[end], tid, phase, frequency_khz), end + tail


def tag_data(tags: Sequence[Tag], form: Form, antenna: int) -> bytes:
    """The data of an inventory response with the tags of one antenna, as a simulated reader sends it."""
    blocks = bytes([len(tags)]) + b"".join(tag_block(tag, form) for tag in tags)
    return blocks if form is Form.PLAIN else antenna_byte(antenna, form) + blocks


def antenna_byte(antenna: int, form: Form) -> bytes:
    """One antenna as the form says it."""
    return bytes([antenna - 1 if form is Form.NUMBER else 1 << antenna - 1])


def tag_block(tag: Tag, form: Form) -> bytes:
    """One tag as the form says it."""
    if form is Form.PLAIN:
        return bytes([len(tag.epc)]) + tag.epc
    what = tag.epc + (tag.tid or b"")
    flags = (_WITH_TID if tag.tid else 0) | (_WITH_PHASE if tag.frequency_khz is not None else 0)
    block = bytes([flags | len(what)]) + what + bytes([tag.rssi_raw or 0])
    if tag.frequency_khz is not None:
        block += tag.phase.ljust(_PHASE_BYTES, b"\x00") + tag.frequency_khz.to_bytes(_FREQUENCY_BYTES, "big")
    return block


class AntennaState(IntEnum):
    """What a heartbeat says of one antenna."""

    IDLE = 0
    WORKING = 1
    DISCONNECTED = 2


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a reader that reports by itself says when there is no tag for a while."""

    number: int
    antennas: tuple[int, ...]
    tags_in_all: int

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read it.

        Raises:
            FrameError: `length`.
        """
        count = len(data) - 8
        if count not in (1, 4, 8, 16):
            raise FrameError("length", f"a heartbeat of {len(data)} bytes; 9, 12, 16 and 24 exist", data)
        return cls(int.from_bytes(data[:4], "big"), tuple(data[4:-4]), int.from_bytes(data[-4:], "big"))

    def data(self) -> bytes:
        """As it is sent."""
        return self.number.to_bytes(4, "big") + bytes(self.antennas) + self.tags_in_all.to_bytes(4, "big")

    def in_state(self, state: AntennaState) -> Iterator[int]:
        """The antennas in that state, 1-based."""
        return (index + 1 for index, found in enumerate(self.antennas) if found == state)
