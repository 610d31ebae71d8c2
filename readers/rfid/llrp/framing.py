"""LLRP on the wire: messages with a 10-byte header, made of parameters that are TLV or TV encoded.

    message     R R R V V V T T T T T T T T T T | L x 32 | I x 32 | parameters ...
    TLV         0 0 0 0 0 0 T T T T T T T T T T | L x 16 | value ...
    TV          1 T T T T T T T | value of a length that the type fixes

R reserved, 0 · V version, 1 for LLRP 1.0.1 and 2 for 1.1 · T type · L length in bytes, header included · I message id.
All numbers are big-endian. A custom TLV (type 1023) starts its value with vendor and subtype, 32 bits each.

Source: EPCglobal LLRP 1.0.1 (2007) section 15, LLRP 1.1 (2010) section 16.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple

from readers.errors import FrameError

HEADER: Final = Struct(">HII")
VERSION_1_0_1: Final = 1
VERSION_1_1: Final = 2
CUSTOM: Final = 1023
# A report of 60,000 tags of 66 bytes. One vendor closes the connection above some 500 KiB, and EdgeX refuses above
# 640 KiB, so nothing real comes near; yet a corrupt length cannot make this process hold more than this per reader.
LARGEST_MESSAGE_BYTES: Final = 4 << 20
_TYPE_MASK: Final = 0x3FF
_VERSION_SHIFT: Final = 10
_VERSION_MASK: Final = 7
_RESERVED_SHIFT: Final = 13
_SHOWN_BYTES: Final = 64

TLV: Final = Struct(">HH")
_CUSTOM_TLV: Final = Struct(">HHII")
TV_FLAG: Final = 0x80

# Whole lengths of the TV parameters, type byte included. Source: LLRP 1.1, 17.2.7.3 and 17.3.1.5.
TV_BYTES: Final[dict[int, int]] = {
    1: 3,  # AntennaID
    2: 9,  # FirstSeenTimestampUTC
    3: 9,  # FirstSeenTimestampUptime
    4: 9,  # LastSeenTimestampUTC
    5: 9,  # LastSeenTimestampUptime
    6: 2,  # PeakRSSI
    7: 3,  # ChannelIndex
    8: 3,  # TagSeenCount
    9: 5,  # ROSpecID
    10: 3,  # InventoryParameterSpecID
    11: 3,  # C1G2CRC
    12: 3,  # C1G2PC
    13: 13,  # EPC-96
    14: 3,  # SpecIndex
    15: 3,  # ClientRequestOpSpecResult
    16: 5,  # AccessSpecID
    17: 3,  # OpSpecID
    18: 5,  # C1G2SingulationDetails
    19: 3,  # C1G2XPCW1
    20: 3,  # C1G2XPCW2
}


class Message(NamedTuple):
    """One LLRP message; a tuple, because a busy portal makes thousands a second."""

    type: int
    id: int
    payload: bytes
    version: int


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. For a custom one `vendor` and `subtype` are set and `value` begins after them."""

    type: int
    value: bytes
    vendor: int = 0
    subtype: int = 0


def encode(message_type: int, message_id: int, payload: bytes = b"", version: int = VERSION_1_0_1) -> bytes:
    """One message, ready to send."""
    return HEADER.pack(version << _VERSION_SHIFT | message_type, HEADER.size + len(payload), message_id) + payload


def encode_tlv(parameter_type: int, value: bytes) -> bytes:
    """One TLV parameter."""
    return TLV.pack(parameter_type, TLV.size + len(value)) + value


def encode_custom(vendor: int, subtype: int, value: bytes) -> bytes:
    """One custom parameter."""
    return _CUSTOM_TLV.pack(CUSTOM, _CUSTOM_TLV.size + len(value), vendor, subtype) + value


class Span(NamedTuple):
    """Where one parameter lies: `start` to `value` is its header, `value` to `end` its content."""

    type: int
    start: int
    value: int
    end: int
    vendor: int
    subtype: int


def spans(payload: bytes, position: int, end: int) -> Iterator[Span]:
    """The parameters side by side in `payload[position:end]`, not those inside them.

    Raises:
        FrameError: a parameter is cut off or shorter than its own header, or a TV type is unknown (it has no length,
            so that nothing after it can be read).
    """
    while position < end:
        kind = payload[position]
        left = end - position
        if kind & TV_FLAG:
            kind &= ~TV_FLAG
            head, size = 1, TV_BYTES.get(kind, 0)
            if not size:
                raise FrameError("parameter", f"TV parameter of unknown type {kind}", payload[position:end])
        else:
            head = TLV.size
            if left < head:
                raise FrameError("truncated", f"{left} bytes left, a TLV parameter needs 4", payload[position:end])
            kind, size = TLV.unpack_from(payload, position)
            kind &= _TYPE_MASK
        vendor = subtype = 0
        if kind == CUSTOM:
            head = _CUSTOM_TLV.size
            if head <= left:
                _, _, vendor, subtype = _CUSTOM_TLV.unpack_from(payload, position)
        if not head <= size <= left:
            detail = f"parameter {kind} says {size} bytes; {head} to {left} are possible"
            raise FrameError("length", detail, payload[position:end])
        yield Span(kind, position, position + head, position + size, vendor, subtype)
        position += size


def parameters(payload: bytes) -> Iterator[Parameter]:
    """The same as values.

    Raises:
        FrameError: as `spans`.
    """
    for span in spans(payload, 0, len(payload)):
        yield Parameter(span.type, payload[span.value : span.end], span.vendor, span.subtype)


class Framer:
    """Cuts a byte stream into messages. One per connection: bytes of an old one never meet those of a new one."""

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def held_bytes(self) -> int:
        """Bytes of a message that is not yet whole."""
        return len(self._held)

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that `data` completes.

        Raises:
            FrameError: a header that cannot be one, or a message above 4 MiB; what came before it has been yielded,
                and the stream cannot be followed any more.
        """
        if self._held:
            self._held += data
            if len(self._held) < HEADER.size:
                return
            word, size, _ = HEADER.unpack_from(self._held)
            self._check(word, size)
            if len(self._held) < size:
                return
            data = bytes(self._held)
            self._held.clear()
        position, end = 0, len(data)
        unpack, head, largest = HEADER.unpack_from, HEADER.size, LARGEST_MESSAGE_BYTES
        while end - position >= head:
            word, size, message_id = unpack(data, position)
            version = word >> _VERSION_SHIFT
            if not head <= size <= largest or not VERSION_1_0_1 <= version <= VERSION_1_1:
                self._held += data[position : position + _SHOWN_BYTES]
                self._check(word, size)
            after = position + size
            if after > end:
                break
            yield Message(word & _TYPE_MASK, message_id, data[position + head : after], version)
            position = after
        self._held += data[position:]

    def _check(self, word: int, size: int) -> None:
        start = bytes(self._held[:_SHOWN_BYTES])
        version = word >> _VERSION_SHIFT & _VERSION_MASK
        if word >> _RESERVED_SHIFT or not VERSION_1_0_1 <= version <= VERSION_1_1:
            detail = f"version {version}, reserved bits {word >> _RESERVED_SHIFT}; version 1 or 2 and bits 0 are right"
            raise FrameError("header", detail, start)
        if not HEADER.size <= size <= LARGEST_MESSAGE_BYTES:
            raise FrameError(
                "length", f"a message of {size} bytes; {HEADER.size} to {LARGEST_MESSAGE_BYTES} are taken", start
            )
