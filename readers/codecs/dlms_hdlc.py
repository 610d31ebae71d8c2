"""Frames of DLMS/COSEM on a serial line: HDLC with the frame format type 3.

    7E AS LL D..D S..S C HH HH I..I FF FF 7E
    │  │     │    │    │ │     │    │     └ flag; it may open the next frame, too
    │  │     │    │    │ │     │    └ FCS: CRC-16/X-25 of all since the flag, low byte first
    │  │     │    │    │ │     └ information: E6 E6 00 (to a meter) or E6 E7 00 (from it), then a piece of an APDU
    │  │     │    │    │ └ HCS: the same CRC of the header; only where there is information
    │  │     │    │    └ control: the kind of frame, and in two kinds the numbers N(S) and N(R)
    │  │     │    └ source, and before it the destination: 1 byte of a client, 1, 2 or 4 of a meter; the last has bit 0
    │  └ format: A, a bit for "more segments follow", and 11 bits of length, from here to the FCS
    └ flag

Source: IEC 62056-46:2002+A1, sections 6.2 to 6.4; DLMS UA Green Book Ed. 8.1, sections 8.4.1 to 8.4.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from readers.codecs.checksums import mcrf4xx_crc16
from readers.codecs.framing import Scanner
from readers.errors import FrameError

FLAG: Final = 0x7E
MOST_LENGTH: Final = 0x7FF
MAX_FRAME_BYTES: Final = MOST_LENGTH + 2
OVERHEAD_BYTES: Final = 1 + 2 + 4 + 1 + 1 + 2 + 2 + 1
TO_METER: Final = bytes.fromhex("E6E600")
FROM_METER: Final = bytes.fromhex("E6E700")
POLL_FINAL: Final = 0x10
NUMBERS: Final = 8
_FORMAT: Final = 0xA0
_FORMAT_MASK: Final = 0xF0
_SEGMENTED: Final = 0x08
_LENGTH_MASK: Final = 0x07
_LAST_BYTE: Final = 0x01
_SEVEN_BITS: Final = 0x7F
_CRC_ONES: Final = 0xFFFF
_ADDRESS_SIZES: Final = (1, 2, 4)
_MOST_ADDRESS_BYTES: Final = 4
_CHECK_BYTES: Final = 2
_FORMAT_BYTES: Final = 2
_LEAST_LENGTH: Final = _FORMAT_BYTES + 1 + 1 + 1 + _CHECK_BYTES


class Kind(IntEnum):
    """Kinds of frames, as their control byte without the poll/final bit and the numbers."""

    INFORMATION = 0x00
    RECEIVE_READY = 0x01
    RECEIVE_NOT_READY = 0x05
    UNNUMBERED_INFORMATION = 0x03
    DISCONNECTED_MODE = 0x0F
    DISCONNECT = 0x43
    UNNUMBERED_ACKNOWLEDGE = 0x63
    SET_NORMAL_RESPONSE_MODE = 0x83
    FRAME_REJECT = 0x87


@dataclass(frozen=True, slots=True)
class Address:
    """An HDLC address.

    Attributes:
        upper: of a client, its number; of a meter, the logical device.
        lower: of a meter, the physical device; 0 where the address has one byte.
        size: bytes on the line, 1, 2 or 4.
    """

    upper: int
    lower: int = 0
    size: int = 1

    def encode(self) -> bytes:
        """The address as it stands on the line."""
        parts = {
            1: (self.upper,),
            2: (self.upper, self.lower),
            4: (self.upper >> 7, self.upper & _SEVEN_BITS, self.lower >> 7, self.lower & _SEVEN_BITS),
        }[self.size]
        shifted = [part << 1 for part in parts]
        shifted[-1] |= _LAST_BYTE
        return bytes(shifted)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Attributes:
        control: the whole byte; see `kind`, `send_number`, `receive_number`, `is_final`.
        is_segmented: more of the same follows in the next frame.
    """

    destination: Address
    source: Address
    control: int
    information: bytes = b""
    is_segmented: bool = False

    @property
    def kind(self) -> int:
        """One of `Kind`, or a control byte without the poll/final bit that is none of them."""
        if not self.control & 1:
            return Kind.INFORMATION
        if self.control & 3 == 1:
            return self.control & 0x0F
        return self.control & ~POLL_FINAL

    @property
    def send_number(self) -> int:
        """N(S) of an information frame."""
        return self.control >> 1 & 7

    @property
    def receive_number(self) -> int:
        """N(R) of an information or supervisory frame: the number that is expected next."""
        return self.control >> 5

    @property
    def is_final(self) -> bool:
        """The other side may speak now."""
        return bool(self.control & POLL_FINAL)


def information(send_number: int, receive_number: int) -> int:
    """The control byte of an information frame that gives the turn away."""
    return receive_number << 5 | POLL_FINAL | send_number << 1


def supervisory(kind: Kind, receive_number: int) -> int:
    """The control byte of a supervisory frame that gives the turn away."""
    return receive_number << 5 | POLL_FINAL | kind


def encode(frame: Frame) -> bytes:
    """The frame as it stands on the line, flags and all.

    Raises:
        FrameError: it is longer than the length can say.
    """
    addressed = frame.destination.encode() + frame.source.encode() + bytes([frame.control])
    carried = len(frame.information) + _CHECK_BYTES if frame.information else 0
    length = _FORMAT_BYTES + len(addressed) + carried + _CHECK_BYTES
    if length > MOST_LENGTH:
        raise FrameError("length", f"{length} bytes in one frame; at most {MOST_LENGTH}")
    high = _FORMAT | (_SEGMENTED if frame.is_segmented else 0) | length >> 8
    content = bytes([high, length & 0xFF]) + addressed
    if frame.information:
        content += check_of(content) + frame.information
    return bytes([FLAG]) + content + check_of(content) + bytes([FLAG])


def check_of(content: bytes) -> bytes:
    """The two check bytes of some content."""
    return (mcrf4xx_crc16(content) ^ _CRC_ONES).to_bytes(_CHECK_BYTES, "little")


class Decoder(Scanner[Frame]):
    """Cuts a stream into frames. One flag may close a frame and open the next."""

    def __init__(self) -> None:
        super().__init__(bytes([FLAG]), _parse)

    @property
    def holds(self) -> int:
        """How many bytes of an unfinished frame are held; a flag alone is none."""
        return len(self._buffer) if self._buffer.strip(bytes([FLAG])) else 0

    def gap(self) -> list[Frame]:
        """See `Scanner`."""
        if not self.holds:
            self._buffer.clear()
        return super().gap()


def _parse(buffer: bytearray, start: int) -> tuple[Frame, int] | None:
    at = start
    while at < len(buffer) and buffer[at] == FLAG:
        at += 1
    if len(buffer) < at + _FORMAT_BYTES:
        if at < len(buffer):
            _check_format(buffer[at])
        return None
    _check_format(buffer[at])
    length = (buffer[at] & _LENGTH_MASK) << 8 | buffer[at + 1]
    if length < _LEAST_LENGTH:
        raise FrameError("length", f"{length} bytes; must be at least {_LEAST_LENGTH}")
    end = at + length
    found = _addresses(buffer[at + _FORMAT_BYTES : end], length)
    if found is None:
        return None
    destination, source, control_at = found
    header_end = at + _FORMAT_BYTES + control_at + 1
    carried = end - header_end - _CHECK_BYTES
    if carried < 0 or 0 < carried <= _CHECK_BYTES:
        raise FrameError("length", f"{length} bytes have no room for what their header announces")
    if carried:
        if len(buffer) < header_end + _CHECK_BYTES:
            return None
        if buffer[header_end : header_end + _CHECK_BYTES] != check_of(bytes(buffer[at:header_end])):
            raise FrameError("header_checksum", "the check bytes of the header are wrong")
    if len(buffer) <= end:
        return None
    content = bytes(buffer[at:end])
    if content[-_CHECK_BYTES:] != check_of(content[:-_CHECK_BYTES]):
        raise FrameError("checksum", "the check bytes of the frame are wrong")
    if buffer[end] != FLAG:
        raise FrameError("delimiter", f"{buffer[end]:02X} where the closing flag should be")
    told = content[header_end + _CHECK_BYTES - at : -_CHECK_BYTES] if carried else b""
    frame = Frame(destination, source, buffer[header_end - 1], told, bool(buffer[at] & _SEGMENTED))
    return frame, end - start


def _check_format(high: int) -> None:
    if high & _FORMAT_MASK != _FORMAT:
        raise FrameError("format", f"{high:02X} is no frame format of type 3")


def _addresses(rest: bytearray, length: int) -> tuple[Address, Address, int] | None:
    """Destination, source, and where in `rest` the control byte is; None when they are not whole yet."""
    found: list[Address] = []
    at = 0
    for _ in range(2):
        size = 1
        while True:
            if at + size > len(rest):
                if len(rest) >= length - _FORMAT_BYTES:
                    raise FrameError("address", "the addresses do not end within the frame")
                return None
            if rest[at + size - 1] & _LAST_BYTE:
                break
            size += 1
            if size > _MOST_ADDRESS_BYTES:
                raise FrameError("address", f"an address of more than {_MOST_ADDRESS_BYTES} bytes")
        if size not in _ADDRESS_SIZES:
            raise FrameError("address", f"an address of {size} bytes; 1, 2 and 4 exist")
        found.append(_address(bytes(rest[at : at + size])))
        at += size
    if at < len(rest):
        return found[0], found[1], at
    if len(rest) >= length - _FORMAT_BYTES:
        raise FrameError("address", "the addresses leave no room for anything else")
    return None


def _address(raw: bytes) -> Address:
    parts = [byte >> 1 for byte in raw]
    match parts:
        case [upper]:
            return Address(upper)
        case [upper, lower]:
            return Address(upper, lower, 2)
        case _:
            return Address(parts[0] << 7 | parts[1], parts[2] << 7 | parts[3], 4)
