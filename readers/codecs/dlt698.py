"""Frames of DL/T 698.45, the object-oriented protocol of Chinese electricity meters and terminals.

    [FE..] 68 LL C F A.. K HH PPPP.. SS 16
     │     │  │  │ │ │   │ │  │      │  └ end mark
     │     │  │  │ │ │   │ │  │      └─── checksum of the frame, 2 bytes: from the length to the last P
     │     │  │  │ │ │   │ │  └────────── user data: an APDU, or a fragment of one; each byte + 33 hex where C says so
     │     │  │  │ │ │   │ └───────────── checksum of the header, 2 bytes: from the length to the client address
     │     │  │  │ │ │   └─────────────── client address, 1 byte
     │     │  │  │ │ └─────────────────── server address, low byte first, usually 6 bytes of BCD
     │     │  │  │ └───────────────────── D7-D6 kind of address, D5-D4 logical address, D3-D0 bytes of address less one
     │     │  │  └─────────────────────── control: D7 from the server, D6 PRM, D5 fragment, D3 + 33 hex, D2-D0 function
     │     │  └────────────────────────── length, 2 bytes, low first: the frame less its two marks; D15-D14 are 0
     │     └───────────────────────────── start mark
     └─────────────────────────────────── any number of wake-up bytes

Checksums are CRC-16/X.25, low byte first. A fragment begins with 2 bytes, low first: D15-D14 its kind, D11-D0 its
number.

Source: DL/T 698.45-2017 by public descriptions; every published frame of `tests/vectors/meters/dlt698.toml`.
Seen on: published frames of meters and terminals, and the PyPI package dlt698 1.0.1 (`tests/system`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag
from typing import Final

from readers.codecs.checksums import mcrf4xx_crc16
from readers.codecs.framing import Scanner
from readers.errors import FrameError

START: Final = 0x68
END: Final = 0x16
WAKE_UP: Final = 0xFE
MOST_LENGTH: Final = 4096  # 14 bits could say 16383; meters of the State Grid send at most 2048
MAX_FRAME_BYTES: Final = MOST_LENGTH + 2
MOST_ADDRESS_BYTES: Final = 16
MOST_APDU_BYTES: Final = 1 << 16
MOST_FRAGMENTS: Final = 64
USUAL_ADDRESS_DIGITS: Final = 12
WILDCARD: Final = "A" * USUAL_ADDRESS_DIGITS

_OFFSET: Final = 0x33
_ADD: Final = bytes((byte + _OFFSET) % 256 for byte in range(256))
_SUBTRACT: Final = bytes((byte - _OFFSET) % 256 for byte in range(256))
_FUNCTION_MASK: Final = 0x07
_CRC_BYTES: Final = 2
_FLAG_AT: Final = 4
_ADDRESS_AT: Final = 5
_FIXED_BYTES: Final = 2 + 1 + 1 + 1 + _CRC_BYTES + _CRC_BYTES  # of the length: all but the address and the user data
_HEADER_BYTES: Final = 1 + 2 + 1 + 1 + 1 + _CRC_BYTES  # before the user data, without the address
_CRC_FINAL: Final = 0xFFFF
_HEX_DIGITS: Final = frozenset("0123456789ABCDEF")
_NUMBER_MASK: Final = 0x0FFF
_KIND_SHIFT: Final = 14
_FRAGMENT_HEAD_BYTES: Final = 2


class Control(IntFlag):
    """The upper bits of the control byte."""

    FROM_SERVER = 0x80
    BY_CLIENT = 0x40
    """PRM: the exchange was begun by the client."""
    FRAGMENT = 0x20
    SCRAMBLED = 0x08


class Function(IntEnum):
    """What the user data are."""

    LINK = 1
    USER_DATA = 3


REQUEST: Final = Control.BY_CLIENT | Function.USER_DATA
REPLY: Final = Control.FROM_SERVER | REQUEST


class AddressKind(IntEnum):
    """Whom a server address means."""

    SINGLE = 0
    WILDCARD = 1
    GROUP = 2
    BROADCAST = 3


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame in plain terms.

    Attributes:
        address: the digits printed on the meter, two for each byte, highest first; hexadecimal, for wildcards too.
        client: the client address.
        control: the whole control byte.
        payload: the user data, without the 33 hex of scrambled ones; a fragment's with its first two bytes.
        logical: 0 to 3; 1 is the metering module of newer meters.
    """

    address: str
    client: int
    control: int
    payload: bytes = b""
    kind: AddressKind = AddressKind.SINGLE
    logical: int = 0

    @property
    def is_reply(self) -> bool:
        """Whether a meter answers a client with it; what a meter says by itself is none."""
        return self.control & (Control.FROM_SERVER | Control.BY_CLIENT) == Control.FROM_SERVER | Control.BY_CLIENT

    @property
    def is_fragment(self) -> bool:
        """Whether it holds a part of an APDU, or acknowledges one."""
        return bool(self.control & Control.FRAGMENT)

    @property
    def function(self) -> int:
        """The lowest bits of the control byte."""
        return self.control & _FUNCTION_MASK


def crc(data: bytes) -> int:
    """CRC-16/X.25, which is CRC-16/MCRF4XX complemented."""
    return mcrf4xx_crc16(data) ^ _CRC_FINAL


def encode(frame: Frame, wake_up_bytes: int = 0) -> bytes:
    """The frame on the wire, after that many wake-up bytes.

    Raises:
        FrameError: `address` or `length`.
    """
    address = address_bytes(frame.address)
    length = _FIXED_BYTES + len(address) + len(frame.payload)
    if length > MOST_LENGTH:
        raise FrameError("length", f"a frame of {length} bytes; at most {MOST_LENGTH} are sent")
    if not 0 <= frame.logical <= 3:  # noqa: PLR2004 - two bits
        raise FrameError("address", f"logical address {frame.logical}; must be 0 to 3")
    flag = frame.kind << 6 | frame.logical << 4 | len(address) - 1
    header = length.to_bytes(2, "little") + bytes([frame.control, flag]) + address + bytes([frame.client])
    payload = frame.payload.translate(_ADD) if frame.control & Control.SCRAMBLED else frame.payload
    body = header + crc(header).to_bytes(_CRC_BYTES, "little") + payload
    framed = bytes([START]) + body + crc(body).to_bytes(_CRC_BYTES, "little") + bytes([END])
    return bytes([WAKE_UP]) * wake_up_bytes + framed


def address_bytes(address: str) -> bytes:
    """The server address on the wire.

    Raises:
        FrameError: `address`: it is not 1 to 16 pairs of digits.
    """
    size, odd = divmod(len(address), 2)
    if odd or not 1 <= size <= MOST_ADDRESS_BYTES or not _HEX_DIGITS.issuperset(address):
        detail = f"address {address!r}: must be the digits printed on the meter, an even number of 2 to 32"
        raise FrameError("address", detail)
    return bytes.fromhex(address)[::-1]


class Decoder(Scanner[Frame]):
    """Finds frames, whoever sent them: an echo of one's own request is a frame too.

    Reject reasons: noise_bytes, length, header_checksum, delimiter, checksum, truncated. Wake-up bytes are no noise.
    """

    def __init__(self) -> None:
        super().__init__(bytes([START]), _read, padding=bytes([WAKE_UP]))


def _read(buffer: bytearray, start: int) -> tuple[Frame, int] | None:
    have = len(buffer) - start
    if have <= 2:  # noqa: PLR2004 - the length ends there
        return None
    length = int.from_bytes(buffer[start + 1 : start + 3], "little")
    if not _FIXED_BYTES < length <= MOST_LENGTH:
        raise FrameError("length", f"length {length}; must be {_FIXED_BYTES + 1} to {MOST_LENGTH}")
    if have <= _FLAG_AT:
        return None
    flag = buffer[start + _FLAG_AT]
    size = (flag & 0x0F) + 1
    if length < _FIXED_BYTES + size:
        raise FrameError("length", f"length {length} is too small for an address of {size} bytes")
    payload_at = start + _HEADER_BYTES + size
    if payload_at > len(buffer):
        return None
    _check("header_checksum", buffer, start + 1, payload_at - _CRC_BYTES)
    end = start + length + 2
    if end > len(buffer):
        return None
    if buffer[end - 1] != END:
        raise FrameError("delimiter", f"end mark {buffer[end - 1]:02X}, not {END:02X}")
    _check("checksum", buffer, start + 1, end - 1 - _CRC_BYTES)
    control = buffer[start + 3]
    payload = bytes(buffer[payload_at : end - 1 - _CRC_BYTES])
    if control & Control.SCRAMBLED:
        payload = payload.translate(_SUBTRACT)
    address_end = start + _ADDRESS_AT + size
    address = buffer[start + _ADDRESS_AT : address_end][::-1].hex().upper()
    frame = Frame(address, buffer[address_end], control, payload, AddressKind(flag >> 6), flag >> 4 & 3)
    return frame, end - start


def _check(reason: str, buffer: bytearray, start: int, end: int) -> None:
    found = int.from_bytes(buffer[end : end + _CRC_BYTES], "little")
    wanted = crc(bytes(buffer[start:end]))
    if found != wanted:
        raise FrameError(reason, f"checksum {found:04X}, {wanted:04X} would be right")


class FragmentKind(IntEnum):
    """What a fragment is; only the last one is not acknowledged."""

    FIRST = 0
    LAST = 1
    ACKNOWLEDGEMENT = 2
    MIDDLE = 3


@dataclass(frozen=True, slots=True)
class Fragment:
    """A part of an APDU, or the acknowledgement of one. `number` is 0 to 4095, counted on from that of the first."""

    kind: FragmentKind
    number: int
    data: bytes = b""

    def encode(self) -> bytes:
        """As user data of a frame with the bit FRAGMENT."""
        head = self.kind << _KIND_SHIFT | self.number & _NUMBER_MASK
        return head.to_bytes(_FRAGMENT_HEAD_BYTES, "little") + self.data

    @classmethod
    def decode(cls, payload: bytes) -> Fragment:
        """Read the user data of a frame with the bit FRAGMENT.

        Raises:
            FrameError: `fragment`.
        """
        if len(payload) < _FRAGMENT_HEAD_BYTES:
            raise FrameError("fragment", "a fragment begins with 2 bytes", payload)
        head = int.from_bytes(payload[:_FRAGMENT_HEAD_BYTES], "little")
        return cls(FragmentKind(head >> _KIND_SHIFT), head & _NUMBER_MASK, payload[_FRAGMENT_HEAD_BYTES:])


def acknowledgement(of: Frame, number: int) -> Frame:
    """What asks the sender of a fragment for the next one."""
    control = of.control & ~(Control.FROM_SERVER | Control.SCRAMBLED)
    return replace(of, control=control, payload=Fragment(FragmentKind.ACKNOWLEDGEMENT, number).encode())


class Reassembly:
    """Puts the fragments of one APDU together; at most 64 of them, and 64 KiB."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._bytes = 0
        self._next = 0

    def add(self, fragment: Fragment) -> bytes | None:
        """Take one; the APDU when it was the last.

        A fragment that comes twice, because its acknowledgement was lost, counts once.

        Raises:
            FrameError: `fragment`: it is not the one that comes next, or there are too many.
        """
        if fragment.kind is FragmentKind.ACKNOWLEDGEMENT:
            raise FrameError("fragment", "an acknowledgement where a part should be", fragment.data)
        if fragment.kind is FragmentKind.FIRST:
            self._parts, self._bytes = [], 0
        elif not self._parts:
            raise FrameError("fragment", f"part {fragment.number} without a first one", fragment.data)
        elif fragment.number == (self._next - 1) & _NUMBER_MASK:
            return None
        elif fragment.number != self._next:
            raise FrameError("fragment", f"part {fragment.number}; {self._next} would come next", fragment.data)
        self._parts.append(fragment.data)
        self._bytes += len(fragment.data)
        self._next = (fragment.number + 1) & _NUMBER_MASK
        if len(self._parts) > MOST_FRAGMENTS or self._bytes > MOST_APDU_BYTES:
            self._parts, self._bytes = [], 0
            raise FrameError("fragment", f"more than {MOST_FRAGMENTS} parts or {MOST_APDU_BYTES} bytes", fragment.data)
        if fragment.kind is not FragmentKind.LAST:
            return None
        apdu = b"".join(self._parts)
        self._parts, self._bytes = [], 0
        return apdu
