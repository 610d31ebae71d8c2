"""Modbus frames: RTU on a serial line, and TCP.

    RTU    U F DDDD.. LH        U: unit, 1 byte; F: function, 1 byte; D: data; LH: CRC-16/MODBUS, low byte first
    TCP    TT 00 NN U F DDDD..  T: transaction, 2 bytes; N: bytes after it, 2 bytes; all big-endian

An RTU frame says neither where it begins nor how long it is: its length follows from its function, and from its count
byte where it has one. An answer with bit 7 of the function set is an exception with one byte, why.

Source: MODBUS Application Protocol Specification V1.1b3 and MODBUS over Serial Line V1.02 (modbus.org).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from readers.codecs.checksums import crc16_modbus
from readers.codecs.framing import Scanner
from readers.errors import FrameError

MOST_BITS: Final = 2_000
MOST_REGISTERS: Final = 125
MOST_WRITTEN_REGISTERS: Final = 123
MOST_PDU_BYTES: Final = 253
_EXCEPTION: Final = 0x80
_MBAP_BYTES: Final = 7
_CRC_BYTES: Final = 2
_SHORT_BYTES: Final = 8
"""An RTU frame with an address and a value: single reads asked for, writes confirmed."""
_EXCEPTION_BYTES: Final = 5
_COUNT_AT: Final = 2
_WRITE_COUNT_AT: Final = 6
_ON: Final = b"\xff\x00"
_OFF: Final = b"\x00\x00"


class Function(IntEnum):
    """The functions that are used."""

    READ_COILS = 1
    READ_DISCRETE_INPUTS = 2
    READ_HOLDING_REGISTERS = 3
    READ_INPUT_REGISTERS = 4
    WRITE_COIL = 5
    WRITE_REGISTER = 6
    WRITE_COILS = 15
    WRITE_REGISTERS = 16


_FUNCTIONS: Final = frozenset(int(function) for function in Function)
READS: Final = frozenset(Function) - {
    Function.WRITE_COIL,
    Function.WRITE_REGISTER,
    Function.WRITE_COILS,
    Function.WRITE_REGISTERS,
}


class Refusal(IntEnum):
    """Why a device answers with an exception."""

    ILLEGAL_FUNCTION = 1
    ILLEGAL_ADDRESS = 2
    ILLEGAL_VALUE = 3
    DEVICE_FAILURE = 4
    ACKNOWLEDGE = 5
    BUSY = 6
    MEMORY_PARITY = 8
    GATEWAY_PATH = 10
    GATEWAY_TARGET = 11


class Side(StrEnum):
    """Whose frames are read."""

    DEVICE = "device"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Frame:
    """A request or an answer; `refusal` is the exception's code, the function without its bit 7 then."""

    unit: int
    function: int
    data: bytes = b""
    refusal: int | None = None
    transaction: int = 0

    @property
    def pdu(self) -> bytes:
        """Function and data as they stand on the wire."""
        if self.refusal is not None:
            return bytes([self.function | _EXCEPTION, self.refusal])
        return bytes([self.function]) + self.data


def read_request(unit: int, function: Function, address: int, count: int, transaction: int = 0) -> Frame:
    """Ask for `count` bits or registers from `address` on, 0-based as on the wire."""
    most = MOST_BITS if function in (Function.READ_COILS, Function.READ_DISCRETE_INPUTS) else MOST_REGISTERS
    if function not in READS or not 1 <= count <= most or not 0 <= address <= address + count - 1 <= 0xFFFF:  # noqa: PLR2004 - 16 bits
        raise ValueError(f"{function!r} of {count} from {address}: 1 to {most} within 0 to 65535 can be read")
    return Frame(unit, function, address.to_bytes(2, "big") + count.to_bytes(2, "big"), transaction=transaction)


def write_coil_request(unit: int, address: int, *, is_on: bool, transaction: int = 0) -> Frame:
    """Switch one coil."""
    return Frame(
        unit, Function.WRITE_COIL, address.to_bytes(2, "big") + (_ON if is_on else _OFF), transaction=transaction
    )


def bits_of(answer: Frame, count: int) -> list[bool]:
    """The bits of an answer to a read of `count` bits.

    Raises:
        FrameError: the answer holds another number of bytes.
    """
    packed = _counted(answer, -(-count // 8))
    return [bool(packed[index // 8] >> index % 8 & 1) for index in range(count)]


def registers_of(answer: Frame, count: int) -> list[int]:
    """The registers of an answer to a read of `count` registers, 0 to 65535.

    Raises:
        FrameError: the answer holds another number of bytes.
    """
    packed = _counted(answer, 2 * count)
    return [int.from_bytes(packed[at : at + 2], "big") for at in range(0, len(packed), 2)]


def packed_bits(bits: Sequence[bool]) -> bytes:
    """The data of an answer with bits."""
    packed = bytearray(-(-len(bits) // 8))
    for index, bit in enumerate(bits):
        packed[index // 8] |= bit << index % 8
    return bytes([len(packed)]) + bytes(packed)


def packed_registers(registers: Sequence[int]) -> bytes:
    """The data of an answer with registers."""
    return bytes([2 * len(registers)]) + b"".join(each.to_bytes(2, "big") for each in registers)


def _counted(answer: Frame, wanted: int) -> bytes:
    data = answer.data
    if len(data) != 1 + wanted or data[0] != wanted:
        raise FrameError("count", f"{len(data) - 1} bytes of values, {wanted} were asked for", answer.pdu)
    return data[1:]


def encode_rtu(frame: Frame) -> bytes:
    """The frame on a serial line.

    Raises:
        FrameError: the data is longer than any device takes.
    """
    body = bytes([frame.unit]) + _sound(frame).pdu
    return body + crc16_modbus(body).to_bytes(_CRC_BYTES, "little")


def encode_tcp(frame: Frame) -> bytes:
    """The frame on TCP.

    Raises:
        FrameError: the data is longer than any device takes.
    """
    body = bytes([frame.unit]) + _sound(frame).pdu
    return frame.transaction.to_bytes(2, "big") + b"\0\0" + len(body).to_bytes(2, "big") + body


def _sound(frame: Frame) -> Frame:
    if len(frame.pdu) > MOST_PDU_BYTES:
        raise FrameError("length", f"{len(frame.pdu)} bytes of function and data; at most {MOST_PDU_BYTES} exist")
    return frame


class RtuDecoder(Scanner[Frame]):
    """Finds the frames of some units on a serial line.

    Reject reasons: noise_bytes, function, count, crc, truncated.

    Args:
        units: whose frames are looked for; bytes before them are noise.
        of: whose frames they are: a device's answers, or a client's requests.
    """

    def __init__(self, units: Sequence[int], of: Side = Side.DEVICE) -> None:
        super().__init__(bytes(units), self._read)
        self._of = of

    def _read(self, buffer: bytearray, start: int) -> tuple[Frame, int] | None:
        size = self._size(buffer, start)
        if size is None or start + size > len(buffer):
            return None
        body = bytes(buffer[start : start + size - _CRC_BYTES])
        found = int.from_bytes(buffer[start + size - _CRC_BYTES : start + size], "little")
        if found != crc16_modbus(body):
            raise FrameError("crc", f"CRC {found:04X}; {crc16_modbus(body):04X} would be right")
        return _frame(body), size

    def _size(self, buffer: bytearray, start: int) -> int | None:
        """How long the frame is, by its function; None while that is not known."""
        if len(buffer) < start + 2:
            return None
        function = buffer[start + 1]
        if self._of is Side.DEVICE and function & _EXCEPTION and _known(function & ~_EXCEPTION):
            return _EXCEPTION_BYTES
        if not _known(function):
            raise FrameError("function", f"function {function:02X} is none that is used")
        counted = (
            function in READS
            if self._of is Side.DEVICE
            else function in (Function.WRITE_COILS, Function.WRITE_REGISTERS)
        )
        if not counted:
            return _SHORT_BYTES
        at = _COUNT_AT if self._of is Side.DEVICE else _WRITE_COUNT_AT
        if len(buffer) <= start + at:
            return None
        count = buffer[start + at]
        if not 1 <= count <= 2 * MOST_REGISTERS:
            raise FrameError("count", f"{count} bytes of values; 1 to {2 * MOST_REGISTERS} are possible")
        return at + 1 + count + _CRC_BYTES


class TcpDecoder(Scanner[Frame]):
    """Finds frames on TCP. Reject reasons: noise_bytes, protocol, length, function, truncated."""

    def __init__(self) -> None:
        super().__init__(bytes(range(256)), _read_tcp)


def _read_tcp(buffer: bytearray, start: int) -> tuple[Frame, int] | None:
    header = bytes(buffer[start : start + _MBAP_BYTES])
    if any(header[2:4]):
        raise FrameError("protocol", f"protocol {header[2:4].hex().upper()}; Modbus is 0000")
    if len(header) < _MBAP_BYTES:
        return None
    length = int.from_bytes(header[4:6], "big")
    if not 2 < length <= MOST_PDU_BYTES + 1:  # noqa: PLR2004 - unit and function alone are no frame that is used
        raise FrameError("length", f"{length} bytes announced; 3 to {MOST_PDU_BYTES + 1} are possible")
    end = start + _MBAP_BYTES - 1 + length
    if start + _MBAP_BYTES < len(buffer) and not _known(buffer[start + _MBAP_BYTES] & ~_EXCEPTION):
        raise FrameError("function", f"function {buffer[start + _MBAP_BYTES]:02X} is none that is used")
    if end > len(buffer):
        return None
    body = bytes(buffer[start + _MBAP_BYTES - 1 : end])
    if body[1] & _EXCEPTION and len(body) != _EXCEPTION_BYTES - _CRC_BYTES:
        raise FrameError("length", f"an exception of {len(body)} bytes; it has 3")
    return _frame(body, int.from_bytes(header[:2], "big")), end - start


def _known(function: int) -> bool:
    return function in _FUNCTIONS


def _frame(body: bytes, transaction: int = 0) -> Frame:
    if body[1] & _EXCEPTION:
        return Frame(body[0], body[1] & ~_EXCEPTION, refusal=body[2], transaction=transaction)
    return Frame(body[0], body[1], body[2:], transaction=transaction)
