"""SML files: what German smart meters push on their optical and wired interfaces, by transport protocol version 1.

    1B1B1B1B 01010101 M M M 00.. 1B1B1B1B 1A N CC
    │        │        │     │    │        │  │ └ CRC-16/X-25 of all before it, low byte first; some meters: Kermit
    │        │        │     │    │        │  └── how many bytes of 00 fill up, 1 byte, 0 to 3; DZG meters send 4, too
    │        │        │     │    │        └───── end, 1 byte
    │        │        │     │    └────────────── escape; in the messages it is sent twice
    │        │        │     └─────────────────── fills up to a multiple of 4 bytes
    │        │        └───────────────────────── messages, each a list of six fields
    │        └────────────────────────────────── version 1
    └─────────────────────────────────────────── escape, 4 bytes

A field begins with a byte of type (bits 6 to 4: 0 octets, 4 boolean, 5 integer, 6 unsigned, 7 list) and length (bits 3
to 0, that byte counted in, but of a list the number of its fields); bit 7 says that another byte with four more bits of
length follows. 01 is a field that is left out. Integers have 1 to 8 bytes, also 3, 5, 6 and 7, big-endian.

A message: transaction (octets), group, what to do on errors, body (a list of its number and its content), CRC of all
before it, 00.

Source: SML 1.04 (BSI TR-03109-1, annex IV b), chapters 5, 6 and 8.
Seen on: published captures of EMH, DZG, Holley, eBZ and EasyMeter meters (`tests/vectors/meters/sml.toml`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias

from readers.codecs.checksums import kermit_crc16, x25_crc16
from readers.codecs.framing import Scanner
from readers.errors import FrameError

ESCAPE: Final = b"\x1b\x1b\x1b\x1b"
VERSION_1: Final = b"\x01\x01\x01\x01"
_START: Final = ESCAPE + VERSION_1
_END: Final = 0x1A
_END_BYTES: Final = 4  # end, fill, CRC
_WORD: Final = 4
MAX_BYTES: Final = 8_192  # on the wire; the longest published files have 700
MAX_DEPTH: Final = 8  # a list in a list in ...; messages of meters go five deep
_MORE: Final = 0x80
_TYPE: Final = 0x70
_NIBBLE: Final = 0x0F
_LENGTH_BYTES: Final = 3
_INTEGER_BYTES: Final = 8
MESSAGE_FIELDS: Final = 6


class _Type(IntEnum):
    OCTETS = 0x00
    BOOLEAN = 0x40
    INTEGER = 0x50
    UNSIGNED = 0x60
    LIST = 0x70


@dataclass(frozen=True, slots=True)
class Number:
    """An integer with the width and the sign that it was sent with, which is said of no other number."""

    value: int
    size: int = 4
    is_signed: bool = False


Field: TypeAlias = "bytes | bool | Number | tuple[Field, ...]"
"""One field; empty octets where it is left out."""


@dataclass(frozen=True, slots=True)
class File:
    """One SML file: the bytes of its messages, and which CRC it came with.

    Attributes:
        more_fill: bytes of 00 beyond those that fill up to a multiple of four: 4 where there should be none.
    """

    data: bytes
    is_kermit: bool = False
    more_fill: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `number` says what `content` is."""

    transaction: bytes
    number: int
    content: Field


def encode(file: File) -> bytes:
    """The file on the wire.

    Raises:
        FrameError: `length` when it is longer than any reader takes.
    """
    fill = -len(file.data) % _WORD + file.more_fill
    raw = _START + file.data.replace(ESCAPE, ESCAPE + ESCAPE) + bytes(fill) + ESCAPE + bytes([_END, fill])
    if len(raw) + 2 > MAX_BYTES:
        raise FrameError("length", f"{len(raw) + 2} bytes; a file has at most {MAX_BYTES}")
    return raw + (kermit_crc16 if file.is_kermit else x25_crc16)(raw).to_bytes(2, "little")


class Decoder(Scanner[File]):
    """Finds files.

    Reject reasons: noise_bytes, start, restart, escape, fill, length, checksum, truncated.
    """

    def __init__(self) -> None:
        super().__init__(ESCAPE[:1], _parse)


def _parse(buffer: bytearray, start: int) -> tuple[File, int] | None:
    head = buffer[start : start + len(_START)]
    if not _START.startswith(head):
        raise FrameError("start", "an escape that begins no file")
    at = start + len(_START)
    parts = []
    while True:
        escape = buffer.find(ESCAPE, at)
        if (escape if escape >= 0 else len(buffer)) - start > MAX_BYTES - len(ESCAPE) - _END_BYTES:
            raise FrameError("length", f"no end within {MAX_BYTES} bytes")
        if escape < 0 or escape + 2 * _WORD > len(buffer):
            return None
        parts.append(bytes(buffer[at:escape]))
        at = escape + _WORD
        what = bytes(buffer[at : at + _WORD])
        at += _WORD
        if what == ESCAPE:
            parts.append(ESCAPE)
        elif what == VERSION_1:
            raise FrameError("restart", "another file begins before the end of this one")
        elif what[0] == _END:
            return _file(b"".join(parts), what[1], bytes(buffer[start:at])), at - start
        else:
            raise FrameError("escape", f"{what.hex(' ').upper()} follows an escape")


def _file(data: bytes, fill: int, raw: bytes) -> File:
    if fill > _WORD or len(data) < fill or data[len(data) - fill :] != bytes(fill):
        raise FrameError("fill", f"{fill} bytes of 00 should fill up; at most 4 can")
    found = int.from_bytes(raw[-2:], "little")
    is_kermit = found != x25_crc16(raw[:-2])
    if is_kermit and found != kermit_crc16(raw[:-2]):
        raise FrameError("checksum", f"checksum {found:04X} is wrong")
    content = data[: len(data) - fill]
    return File(content, is_kermit, fill - -len(content) % _WORD)


def encode_field(field: Field) -> bytes:
    """One field as it is sent."""
    if isinstance(field, Number):
        kind = _Type.INTEGER if field.is_signed else _Type.UNSIGNED
        return bytes([kind | field.size + 1]) + field.value.to_bytes(field.size, "big", signed=field.is_signed)
    if isinstance(field, bool):
        return bytes([_Type.BOOLEAN | 2, field])
    if isinstance(field, tuple):
        return _type_and_length(_Type.LIST, len(field)) + b"".join(encode_field(each) for each in field)
    size = len(field) + 1
    if size > _NIBBLE:
        size += 1 if size + 1 < 1 << 8 else 2
    return _type_and_length(_Type.OCTETS, size) + field


def _type_and_length(kind: _Type, length: int) -> bytes:
    nibbles = [length & _NIBBLE]
    while length := length >> 4:
        nibbles.insert(0, length & _NIBBLE)
    return bytes([kind | nibbles[0] | (_MORE if len(nibbles) > 1 else 0)]) + bytes(
        nibble | (_MORE if place < len(nibbles) - 1 else 0) for place, nibble in enumerate(nibbles) if place
    )


def read_field(data: bytes, at: int = 0, depth: int = 0) -> tuple[Field, int]:
    """The field that begins at that index, and where it is over.

    Raises:
        FrameError: `depth`, `field` when it has another form, `end` when it goes beyond the data.
    """
    if depth > MAX_DEPTH:
        raise FrameError("depth", f"lists go more than {MAX_DEPTH} deep", data)
    kind, length, begins = _read_type_and_length(data, at)
    if kind == _Type.LIST:
        fields: list[Field] = []
        for _ in range(length):
            field, begins = read_field(data, begins, depth + 1)
            fields.append(field)
        return tuple(fields), begins
    end = at + length
    if end < begins:
        raise FrameError("field", f"a field of {length} bytes is shorter than its own head", data)
    if end > len(data):
        raise FrameError("end", "a field goes beyond the data", data)
    raw = data[begins:end]
    if kind == _Type.OCTETS:
        return raw, end
    if kind == _Type.BOOLEAN and len(raw) == 1:
        return raw != b"\0", end
    if kind in (_Type.INTEGER, _Type.UNSIGNED) and 1 <= len(raw) <= _INTEGER_BYTES:
        is_signed = kind == _Type.INTEGER
        return Number(int.from_bytes(raw, "big", signed=is_signed), len(raw), is_signed), end
    raise FrameError("field", f"type {kind:02X} with {len(raw)} bytes does not exist", data)


def _read_type_and_length(data: bytes, at: int) -> tuple[int, int, int]:
    kind = length = 0
    for place in range(_LENGTH_BYTES):
        if at + place >= len(data):
            raise FrameError("end", "a field goes beyond the data", data)
        byte = data[at + place]
        if place == 0:
            kind = byte & _TYPE
        elif byte & _TYPE:
            raise FrameError("field", f"{byte:02X} is no further byte of a length", data)
        length = length << 4 | byte & _NIBBLE
        if not byte & _MORE:
            return kind, length, at + place + 1
    raise FrameError("field", "a length of more than three bytes", data)


def encode_message(message: Message, *, is_kermit: bool = False) -> bytes:
    """One message with its CRC."""
    fields: tuple[Field, ...] = (
        message.transaction,
        Number(0, 1),
        Number(0, 1),
        (Number(message.number, 2), message.content),
    )
    raw = bytes([_Type.LIST | MESSAGE_FIELDS]) + b"".join(encode_field(field) for field in fields)
    crc = (kermit_crc16 if is_kermit else x25_crc16)(raw).to_bytes(2, "little")
    return raw + encode_field(Number(int.from_bytes(crc, "big"), 2)) + b"\0"


def messages(file: File) -> tuple[list[Message], list[FrameError]]:
    """The messages of a file, and what is wrong with those that are none; what follows such a one cannot be found.

    The reasons of faults begin with `message_`.
    """
    found: list[Message] = []
    faults: list[FrameError] = []
    at = 0
    while at < len(file.data):
        if not file.data[at]:  # some meters fill up with more than they say
            at += 1
            continue
        try:
            message, at, is_right = _message(file, at)
        except FrameError as error:
            faults.append(FrameError(f"message_{error.reason}", error.detail, file.data[at:]))
            break
        if is_right:
            found.append(message)
        else:
            faults.append(FrameError("message_checksum", "the checksum of a message is wrong", file.data))
    return found, faults


def _message(file: File, start: int) -> tuple[Message, int, bool]:
    data = file.data
    kind, length, at = _read_type_and_length(data, start)
    if kind != _Type.LIST or length != MESSAGE_FIELDS:
        raise FrameError("form", "a message is a list of six fields")
    fields: list[Field] = []
    for _ in range(MESSAGE_FIELDS - 2):
        field, at = read_field(data, at, 1)
        fields.append(field)
    crc_at = at
    crc, at = read_field(data, at, 1)
    if not isinstance(crc, Number) or data[at : at + 1] != b"\0":
        raise FrameError("form", "a message ends with its checksum and 00")
    transaction, _, _, body = fields
    if not isinstance(transaction, bytes) or not isinstance(body, tuple) or len(body) != 2:  # noqa: PLR2004 - number, content
        raise FrameError("form", "a message has a transaction and a body of two fields")
    number, content = body
    if not isinstance(number, Number):
        raise FrameError("form", "a body begins with its number")
    right = (kermit_crc16 if file.is_kermit else x25_crc16)(data[start:crc_at]).to_bytes(2, "little")
    return Message(transaction, number.value, content), at + 1, crc.value == int.from_bytes(right, "big")
