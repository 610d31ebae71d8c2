"""Frames of the R2000 reader modules and their successors: Invelion YR9xx, RodinBell, IND9xx.

    H L D C PPPPPPPP.. S
    │ │ │ │ │          └ checksum, 1 byte: all bytes of the frame add up to 0 modulo 256
    │ │ │ │ └─────────── data, L - 3 bytes, multi-byte numbers big-endian
    │ │ │ └───────────── command, 1 byte; an answer repeats it
    │ │ └─────────────── address of the reader, 1 byte; FF in a command reaches any, the answer bears the real one
    │ └───────────────── length, 1 byte: how many bytes follow it, 3 to 255
    └─────────────────── head, 1 byte: A0

The data of an answer begins with a result code or does not, by command and length: see `status_of`. An inventory is
answered by any number of tags, and then by one end of round or one error, which their lengths tell apart:

    F PP EEEE.. R HH   a tag: L is odd and 7 or more
    │ │  │      │ └─── phase, 2 bytes, where it was asked for; in a unit that differs by firmware
    │ │  │      └───── RSSI, 1 byte: bits 6-0 are dBm + 129, to about 1 dB; bit 7: add 4 to the antenna
    │ │  └──────────── EPC, as long as PC announces
    │ └─────────────── PC word, 2 bytes
    └───────────────── bits 7-2: index of the frequency; bits 1-0: antenna - 1

    A RR TTTT   end of the round on one antenna (89, 8B): antenna - 1, reads per second, reads in all; L is 0A
    TTT MMMM    end of the rounds on all antennas (8A): reads in all, duration in ms; L is 0A
    E           error: L is 04; 36 is no error but an empty round
    A E         error on one antenna amid the rounds of 8A: L is 05

Source: UHF RFID Reader Serial Interface Protocol V3.7 (commands, errors); it prints the phase before the RSSI, against
two independent implementations; public captures of IND903 and RodinBell readers.
Seen on: published frames only (`tests/vectors/rfid/a0.toml`), no module in our hands.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from readers.codecs.framing import Scanner
from readers.errors import FrameError

HEAD: Final = 0xA0
BROADCAST: Final = 0xFF
MAX_DATA_BYTES: Final = 252  # the length byte counts address, command and checksum too
_LEAST_LENGTH: Final = 3
_HEADER_BYTES: Final = 4
_OVERHEAD_BYTES: Final = 5

RSSI_OFFSET_DBM: Final = -129
RSSI_CODES: Final = 0x80
ANTENNAS_OF_A_GROUP: Final = 8
_LOW_ANTENNAS: Final = 4
_ANTENNA_BITS: Final = 0x03
_FREQUENCY_SHIFT: Final = 2
FREQUENCY_INDICES: Final = 64

_PC_XPC: Final = 0x0200  # an XPC word follows the PC word (Gen2 2.0.1, 6.3.2.1.2.2)
_XPC_SECOND: Final = 0x8000  # and a second one follows that
_WORD_BYTES: Final = 2
_TAG_OVERHEAD_BYTES: Final = 4  # frequency and antenna, PC, RSSI
_END_BYTES: Final = 7
_ANTENNA_FAILURE_BYTES: Final = 2
_MAX_POWER_DBM: Final = 33


class Command(IntEnum):
    """The commands that driver and simulated reader use."""

    SET_DETECTOR = 0x62
    GET_DETECTOR = 0x63
    GET_IDENTIFIER = 0x68
    SET_GROUP = 0x6C
    GET_GROUP = 0x6D
    RESET = 0x70
    GET_FIRMWARE = 0x72
    SET_WORK_ANTENNA = 0x74
    GET_WORK_ANTENNA = 0x75
    SET_POWER = 0x76
    GET_POWER = 0x77
    SET_BAND = 0x78
    GET_BAND = 0x79
    GET_TEMPERATURE = 0x7B
    GET_RETURN_LOSS = 0x7E
    READ = 0x81
    WRITE = 0x82
    SET_MATCH = 0x85
    GET_MATCH = 0x86
    REAL_TIME = 0x89
    FAST_SWITCH = 0x8A
    SESSION = 0x8B
    BLOCK_WRITE = 0x94
    GET_POWER_EIGHT = 0x97


INVENTORIES: Final = frozenset({Command.REAL_TIME, Command.FAST_SWITCH, Command.SESSION})


class Result(IntEnum):
    """Result codes, as the protocol's error table names them."""

    SUCCESS = 0x10
    COMMAND_FAIL = 0x11
    MCU_RESET_ERROR = 0x20
    CW_ON_ERROR = 0x21
    ANTENNA_MISSING = 0x22
    WRITE_FLASH_ERROR = 0x23
    READ_FLASH_ERROR = 0x24
    SET_OUTPUT_POWER_ERROR = 0x25
    TAG_INVENTORY_ERROR = 0x31
    TAG_READ_ERROR = 0x32
    TAG_WRITE_ERROR = 0x33
    TAG_LOCK_ERROR = 0x34
    TAG_KILL_ERROR = 0x35
    NO_TAG = 0x36  # the normal end of an empty round
    INVENTORY_OK_BUT_ACCESS_FAIL = 0x37
    BUFFER_IS_EMPTY = 0x38
    NXP_CUSTOM_COMMAND_FAIL = 0x3C
    ACCESS_OR_PASSWORD_ERROR = 0x40
    PARAMETER_INVALID = 0x41
    WORD_COUNT_TOO_LONG = 0x42
    MEMORY_BANK_OUT_OF_RANGE = 0x43
    LOCK_REGION_OUT_OF_RANGE = 0x44
    LOCK_ACTION_OUT_OF_RANGE = 0x45
    READER_ADDRESS_INVALID = 0x46
    ANTENNA_OUT_OF_RANGE = 0x47
    OUTPUT_POWER_OUT_OF_RANGE = 0x48
    FREQUENCY_REGION_OUT_OF_RANGE = 0x49
    BAUD_RATE_OUT_OF_RANGE = 0x4A
    BEEPER_MODE_OUT_OF_RANGE = 0x4B
    EPC_MATCH_TOO_LONG = 0x4C
    EPC_MATCH_LENGTH_ERROR = 0x4D
    EPC_MATCH_MODE_INVALID = 0x4E
    FREQUENCY_RANGE_INVALID = 0x4F
    NO_RN16_FROM_TAG = 0x50
    DRM_MODE_INVALID = 0x51
    PLL_LOCK_FAIL = 0x52
    RF_CHIP_NO_RESPONSE = 0x53
    OUTPUT_POWER_NOT_ACHIEVED = 0x54
    COPYRIGHT_AUTHENTICATION_FAIL = 0x55
    SPECTRUM_REGULATION_ERROR = 0x56
    OUTPUT_POWER_TOO_LOW = 0x57
    UNKNOWN_ERROR = 0x58
    RETURN_LOSS_FAIL = 0xEE


EMPTY_ROUND: Final = frozenset({Result.NO_TAG, Result.BUFFER_IS_EMPTY, Result.SUCCESS})
WRONG_PARAMETER: Final = frozenset(
    code for code in Result if Result.PARAMETER_INVALID <= code < Result.NO_RN16_FROM_TAG
)

# Answers of one byte that is a value, not a result code: what the value can be.
_ONE_BYTE_VALUES: Final[Mapping[int, Collection[int]]] = {
    Command.GET_DETECTOR: range(256),
    Command.GET_GROUP: range(2),
    Command.GET_WORK_ANTENNA: range(ANTENNAS_OF_A_GROUP),
    Command.GET_POWER: range(_MAX_POWER_DBM + 1),
    # older firmware does not know it: 17 dBm is then asked for again by the command that all know
    Command.GET_POWER_EIGHT: frozenset(range(_MAX_POWER_DBM + 1)) - {Result.COMMAND_FAIL},
    Command.GET_RETURN_LOSS: range(Result.RETURN_LOSS_FAIL),
    Command.GET_MATCH: range(2),
}


def result_name(code: int) -> str:
    """`no_tag`, or `error_99` for a code that is in no table."""
    return Result(code).name.lower() if code in tuple(Result) else f"error_{code:02x}"


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; `command` is a plain number because readers may send what `Command` does not list."""

    address: int
    command: int
    data: bytes = b""


def status_of(frame: Frame) -> int | None:
    """The result code of an answer; None when it holds values instead."""
    if len(frame.data) != 1 or frame.data[0] in _ONE_BYTE_VALUES.get(frame.command, ()):
        return None
    return frame.data[0]


@dataclass(frozen=True, slots=True)
class TagReport:
    """A tag of an inventory.

    Attributes:
        antenna: 1 to 8, within the group of eight that is in force.
        rssi_dbm: -129 to -2, to about 1 dB.
        epc: without the XPC words that some tags send before it.
        phase: 0 to 65535; None where the frame has none.
    """

    frequency_index: int
    antenna: int
    pc_bits: int
    epc: bytes
    rssi_dbm: int
    phase: int | None = None
    xpc: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the data of a tag frame.

        Raises:
            FrameError: `length` when the PC word announces another length.
        """
        pc_bits = int.from_bytes(data[1:3], "big")
        announced = (pc_bits >> 11) * _WORD_BYTES
        further = len(data) - _TAG_OVERHEAD_BYTES - announced
        if further not in (0, _WORD_BYTES):
            raise FrameError(
                "length", f"PC {pc_bits:04X} announces {announced} bytes of EPC, {announced + further} came", data
            )
        rssi_at = 3 + announced
        xpc_bytes = 0
        if pc_bits & _PC_XPC:
            second = int.from_bytes(data[3:5], "big") & _XPC_SECOND
            xpc_bytes = 2 * _WORD_BYTES if second else _WORD_BYTES
            if xpc_bytes > announced:
                raise FrameError("length", f"PC {pc_bits:04X} announces an XPC word that did not come", data)
        rssi = data[rssi_at]
        return cls(
            frequency_index=data[0] >> _FREQUENCY_SHIFT,
            antenna=(data[0] & _ANTENNA_BITS) + 1 + (_LOW_ANTENNAS if rssi & RSSI_CODES else 0),
            pc_bits=pc_bits,
            epc=data[3 + xpc_bytes : rssi_at],
            rssi_dbm=rssi % RSSI_CODES + RSSI_OFFSET_DBM,
            phase=int.from_bytes(data[-2:], "big") if further else None,
            xpc=data[3 : 3 + xpc_bytes],
        )

    def data(self) -> bytes:
        """The data as a reader sends it."""
        first = self.frequency_index << _FREQUENCY_SHIFT | (self.antenna - 1) & _ANTENNA_BITS
        rssi = self.rssi_dbm - RSSI_OFFSET_DBM | (RSSI_CODES if self.antenna > _LOW_ANTENNAS else 0)
        phase = b"" if self.phase is None else self.phase.to_bytes(2, "big")
        return bytes([first]) + self.pc_bits.to_bytes(2, "big") + self.xpc + self.epc + bytes([rssi]) + phase


@dataclass(frozen=True, slots=True)
class RoundEnd:
    """The end of a round. What a command does not say is None; `antenna` is 1-based within its group."""

    total_reads: int
    antenna: int | None = None
    reads_per_s: int | None = None
    duration_ms: int | None = None

    def data(self) -> bytes:
        """The data as a reader sends it."""
        if self.antenna is None:
            return self.total_reads.to_bytes(3, "big") + (self.duration_ms or 0).to_bytes(4, "big")
        rate = (self.reads_per_s or 0).to_bytes(2, "big")
        return bytes([self.antenna - 1]) + rate + self.total_reads.to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class Failure:
    """An error. With an antenna (1-based within its group) the rounds on the other antennas go on."""

    code: int
    antenna: int | None = None


def inventory_answer(frame: Frame) -> TagReport | RoundEnd | Failure:
    """What an answer to an inventory says.

    Raises:
        FrameError: `length` when it can be none of these.
    """
    data, size = frame.data, len(frame.data)
    if size == 1:
        return Failure(data[0])
    if size == _ANTENNA_FAILURE_BYTES:
        return Failure(data[1], data[0] + 1)
    if size == _END_BYTES and frame.command == Command.FAST_SWITCH:
        return RoundEnd(int.from_bytes(data[:3], "big"), duration_ms=int.from_bytes(data[3:], "big"))
    if size == _END_BYTES:
        return RoundEnd(int.from_bytes(data[3:], "big"), data[0] + 1, int.from_bytes(data[1:3], "big"))
    if size < _TAG_OVERHEAD_BYTES:
        raise FrameError("length", f"{size} bytes are no answer to an inventory", data)
    return TagReport.parse(data)


def pc_bits_for(epc: bytes) -> int:
    """A plain PC word for an EPC of whole words, as a simulated tag needs it."""
    return (len(epc) // _WORD_BYTES) << 11


def checksum(data: bytes | bytearray) -> int:
    """What makes the sum of all bytes 0 modulo 256."""
    return -sum(data) & 0xFF


def encode(frame: Frame) -> bytes:
    """The frame on the wire.

    Raises:
        FrameError: the data are longer than the length byte can say.
    """
    size = len(frame.data)
    if size > MAX_DATA_BYTES:
        raise FrameError("length", f"{size} bytes of data; at most {MAX_DATA_BYTES} go into a frame")
    body = bytes([HEAD, size + _LEAST_LENGTH, frame.address, frame.command]) + frame.data
    return body + bytes([checksum(body)])


class Decoder(Scanner[Frame]):
    """Finds frames; the length byte bounds what it holds to 257 bytes.

    Reject reasons: noise_bytes, length, checksum, truncated.
    """

    def __init__(self) -> None:
        super().__init__(bytes([HEAD]), self._read)

    def _read(self, buffer: bytearray, start: int) -> tuple[Frame, int] | None:
        if len(buffer) < start + 2:
            return None
        length = buffer[start + 1]
        if length < _LEAST_LENGTH:
            raise FrameError("length", f"length {length}; at least {_LEAST_LENGTH} is possible")
        end = start + length + 2
        if end > len(buffer):
            return None
        if sum(buffer[start:end]) & 0xFF:
            raise FrameError("checksum", f"checksum {buffer[end - 1]:02X} is wrong")
        return Frame(buffer[start + 2], buffer[start + 3], bytes(buffer[start + _HEADER_BYTES : end - 1])), end - start
