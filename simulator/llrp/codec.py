"""The LLRP wire format, as the device's side needs it: frames, and trees of parameters read by the table of shapes.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    |RRRRR|VVVVV|TTTTTTTTTTTTTTTTTTT|LLLLLLLLLLLLLLLLLLLLLLLLLLLLLLL ..   message header, 10 bytes
    .. LLLLLLLLLLLLLLLLLLLLLLLLLLLLL|IIIIIIIIIIIIIIIIIIIIIIIIIIIIIII ..
    |RRRRRRRRRRR|TTTTTTTTTTTTTTTTTTT|LLLLLLLLLLLLLLLLLLLLLLLLLLLLLLL|     TLV parameter header, 4 bytes
    |1|TTTTTTTTTTTTT|                                                    TV parameter header, 1 byte, types 1 to 127

R reserved, 0; V version, 3 bits (1 = LLRP 1.0.1, 2 = LLRP 1.1); T type, 10 bits, 7 in a TV; L length in bytes with the
header, 32 bits in a message, 16 in a TLV; I message id, 32 bits. Everything is big-endian.

This codec shares nothing with the driver's, so that each side checks the other.

Source: EPCglobal LLRP 1.0.1 section 16; `simulator.llrp.shapes` has the tables.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

from readers.errors import FrameError
from simulator.llrp.shapes import CUSTOM, MESSAGES, MESSAGES_BY_NUMBER, PARAMETERS, PARAMETERS_BY_NUMBER, Shape

VERSION_1_0_1: Final = 1
VERSION_1_1: Final = 2
HEADER: Final = struct.Struct(">HII")
LARGEST_MESSAGE_BYTES: Final = 512 * 1024  # readers close the connection above about 500 KiB: EdgeX device-rfid-llrp
DEEPEST_PARAMETER: Final = 16  # the standard's own nesting ends at 7
_TLV: Final = struct.Struct(">HH")
_VENDOR: Final = struct.Struct(">II")
_LAST_TV: Final = 127
_TYPE_BITS: Final = 10
_TYPE_MASK: Final = 0x3FF
_VERSION_MASK: Final = 0x7


class Bits(NamedTuple):
    """A string of bits, left-aligned in whole bytes."""

    length: int
    data: bytes


Value = int | str | bytes | Bits | tuple[int, ...]


class Status(IntEnum):
    """The status codes of LLRPStatus, FieldError and ParameterError (section 14.2.1 of 1.0.1)."""

    M_SUCCESS = 0
    M_PARAMETER_ERROR = 100
    M_FIELD_ERROR = 101
    M_UNEXPECTED_PARAMETER = 102
    M_MISSING_PARAMETER = 103
    M_DUPLICATE_PARAMETER = 104
    M_OVERFLOW_PARAMETER = 105
    M_UNKNOWN_PARAMETER = 107
    M_UNSUPPORTED_MESSAGE = 109
    M_UNSUPPORTED_VERSION = 110
    M_UNSUPPORTED_PARAMETER = 111
    P_PARAMETER_ERROR = 200
    P_FIELD_ERROR = 201
    P_UNEXPECTED_PARAMETER = 202
    P_MISSING_PARAMETER = 203
    P_DUPLICATE_PARAMETER = 204
    P_OVERFLOW_PARAMETER = 205
    P_OVERFLOW_FIELD = 206
    P_UNKNOWN_PARAMETER = 207
    P_UNSUPPORTED_PARAMETER = 209
    A_INVALID = 300
    A_OUT_OF_RANGE = 301
    R_DEVICE_ERROR = 401


@dataclass(slots=True)
class Node:
    """A message or parameter as a tree. Field and parameter names are the standard's own."""

    name: str
    fields: dict[str, Value] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)

    def number(self, name: str) -> int:
        """An integer field."""
        value = self.fields[name]
        assert isinstance(value, int)
        return value

    def numbers(self, name: str) -> tuple[int, ...]:
        """A field that is an array of integers."""
        value = self.fields[name]
        assert isinstance(value, tuple)
        return tuple(item for item in value if isinstance(item, int))

    def one(self, name: str) -> Node | None:
        """The first sub-parameter of that name, or None."""
        return next((child for child in self.children if child.name == name), None)

    def need(self, name: str) -> Node:
        """A sub-parameter that the shape guarantees."""
        found = self.one(name)
        assert found is not None, f"{self.name} without {name}"
        return found

    def all(self, name: str) -> list[Node]:
        """Every sub-parameter of that name, in order."""
        return [child for child in self.children if child.name == name]


def node(name: str, *children: Node, **fields: Value) -> Node:
    """Make a tree in one expression."""
    return Node(name, fields, list(children))


class RefusedError(Exception):
    """The reader does not do what a message asks; says which part is wrong, in LLRP's own terms.

    Args:
        code: for the innermost part: P_*, M_*, R_* or, with a field, A_INVALID or A_OUT_OF_RANGE.
        text: what is wrong and what would be allowed, for ErrorDescription.
        path: the parameters that lead to the fault, outermost first; empty when the message itself is at fault.
        at: the name of the field at fault, in the last parameter of the path or in the message.
    """

    def __init__(self, code: Status, text: str, path: Sequence[str] = (), at: str | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.path = tuple(path)
        self.at = at

    def status(self, message: str) -> Node:
        """LLRPStatus for the response to `message`."""
        if not self.path:
            if self.at is None:
                return _status(self.code, self.text)
            return _status(Status.M_FIELD_ERROR, self.text, _field_error(MESSAGES[message], self.at, self.code))
        *outer, inner = (PARAMETERS[name] for name in self.path)
        if self.at is None:
            error = node("ParameterError", ParameterType=inner.number, ErrorCode=int(self.code))
        else:
            where = _field_error(inner, self.at, self.code)
            error = node("ParameterError", where, ParameterType=inner.number, ErrorCode=int(Status.P_FIELD_ERROR))
        for shape in reversed(outer):
            code = int(Status.P_PARAMETER_ERROR)
            error = node("ParameterError", error, ParameterType=shape.number, ErrorCode=code)
        return _status(Status.M_PARAMETER_ERROR, self.text, error)


def success() -> Node:
    """LLRPStatus of a request that was carried out."""
    return _status(Status.M_SUCCESS, "")


def _status(code: Status, text: str, *details: Node) -> Node:
    return node("LLRPStatus", *details, StatusCode=int(code), ErrorDescription=text)


def _field_error(shape: Shape, name: str, code: Status) -> Node:
    return node("FieldError", FieldNum=shape.field_number(name), ErrorCode=int(code))


class Frame(NamedTuple):
    """One message as it travels."""

    version: int
    type: int
    message_id: int
    body: bytes


class Decoder:
    """Cuts a byte stream into frames, whatever the slicing. Holds at most one message of the largest size."""

    def __init__(self, largest_bytes: int = LARGEST_MESSAGE_BYTES) -> None:
        self._largest_bytes = largest_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take `data` and return the frames that are complete.

        Raises:
            FrameError: a length that no message has; the stream cannot be followed any more.
        """
        self._buffer += data
        while len(self._buffer) >= HEADER.size:
            first, length, message_id = HEADER.unpack_from(self._buffer)
            if not HEADER.size <= length <= self._largest_bytes:
                allowed = f"{HEADER.size} to {self._largest_bytes}"
                raise FrameError(
                    "length", f"a message of {length} bytes; allowed are {allowed}", bytes(self._buffer[:64])
                )
            if len(self._buffer) < length:
                return
            body = bytes(self._buffer[HEADER.size : length])
            del self._buffer[:length]
            yield Frame(first >> _TYPE_BITS & _VERSION_MASK, first & _TYPE_MASK, message_id, body)


def header(message_type: int, length: int, message_id: int, version: int = VERSION_1_0_1) -> bytes:
    """The ten bytes before a body."""
    return HEADER.pack(version << _TYPE_BITS | message_type, length, message_id)


def encode(message: Node, message_id: int, version: int = VERSION_1_0_1) -> bytes:
    """A whole message, ready to send."""
    shape = MESSAGES[message.name]
    body = b"".join([_fields_out(shape, message), *map(encode_parameter, message.children)])
    if shape.vendor:
        body = struct.pack(">IB", shape.vendor, shape.subtype) + body
    return header(shape.number, HEADER.size + len(body), message_id, version) + body


def encode_parameter(parameter: Node) -> bytes:
    """One parameter with everything in it."""
    shape = PARAMETERS[parameter.name]
    body = b"".join([_fields_out(shape, parameter), *map(encode_parameter, parameter.children)])
    if shape.number <= _LAST_TV:
        return bytes([0x80 | shape.number]) + body
    if shape.vendor:
        body = _VENDOR.pack(shape.vendor, shape.subtype) + body
    return _TLV.pack(shape.number, _TLV.size + len(body)) + body


def decode(frame: Frame) -> Node:
    """The tree of one message.

    Raises:
        RefusedError: the message is unknown, or its content is not what its shape demands.
    """
    body = frame.body
    shape = MESSAGES_BY_NUMBER.get((frame.type, 0, 0))
    if frame.type == CUSTOM:
        vendor, subtype = struct.unpack_from(">IB", body) if len(body) >= struct.calcsize(">IB") else (0, 0)
        known = MESSAGES_BY_NUMBER.get((CUSTOM, vendor, subtype))
        if known is not None:
            shape, body = known, body[struct.calcsize(">IB") :]
    if shape is None:
        raise RefusedError(Status.M_UNSUPPORTED_MESSAGE, f"message type {frame.type} is not supported")
    return _tree(shape, body, (), is_message=True)


def message_name(frame: Frame) -> str | None:
    """The name of a message by its type alone, for answering what cannot be decoded."""
    shape = MESSAGES_BY_NUMBER.get((frame.type, 0, 0))
    return shape.name if shape else None


def _tree(shape: Shape, body: bytes, path: tuple[str, ...], *, is_message: bool = False) -> Node:
    fields, start = _fields_in(shape, body, path)
    tree = Node(shape.name, fields)
    if not shape.slots:
        if start != len(body):
            text = f"{shape.name} has {len(body) - start} bytes too many"
            raise RefusedError(
                Status.M_UNEXPECTED_PARAMETER if is_message else Status.P_UNEXPECTED_PARAMETER, text, path
            )
        return tree
    while start < len(body):
        child, content, start = _parameter(body, start, path)
        tree.children.append(_tree(child, content, (*path, child.name)))
    _check_slots(shape, tree, path)
    return tree


def _parameter(body: bytes, start: int, path: tuple[str, ...]) -> tuple[Shape, bytes, int]:
    """The shape and content of the parameter at `start`, and where the next one begins."""
    if len(path) >= DEEPEST_PARAMETER:
        raise RefusedError(Status.P_OVERFLOW_PARAMETER, f"parameters nest deeper than {DEEPEST_PARAMETER}", path)
    if body[start] & 0x80:
        tv = PARAMETERS_BY_NUMBER.get((body[start] & 0x7F, 0, 0))
        if tv is None:
            raise RefusedError(Status.P_UNKNOWN_PARAMETER, f"TV parameter {body[start] & 0x7F} is unknown", path)
        size = sum(int(kind.strip("_us")) for _, kind in tv.fields) // 8
        end = start + 1 + size
        if end > len(body):
            raise _cut(tv.name, path)
        return tv, body[start + 1 : end], end
    if len(body) - start < _TLV.size:
        raise _cut(f"a parameter after {path[-1] if path else 'the message fields'}", path)
    first, length = _TLV.unpack_from(body, start)
    number, end = first & _TYPE_MASK, start + length
    if length < _TLV.size or end > len(body):
        left = len(body) - start
        raise RefusedError(
            Status.P_FIELD_ERROR if path else Status.M_PARAMETER_ERROR,
            f"parameter type {number} says length {length}; {_TLV.size} to {left} are possible",
            path,
        )
    content = body[start + _TLV.size : end]
    if number == CUSTOM and len(content) >= _VENDOR.size:
        vendor, subtype = _VENDOR.unpack_from(content)
        known = PARAMETERS_BY_NUMBER.get((CUSTOM, vendor, subtype))
        if known is not None:
            return known, content[_VENDOR.size :], end
    shape = PARAMETERS_BY_NUMBER.get((number, 0, 0))
    if shape is None:
        code = Status.P_UNKNOWN_PARAMETER if path else Status.M_UNKNOWN_PARAMETER
        raise RefusedError(code, f"parameter type {number} is unknown", path)
    return shape, content, end


def _check_slots(shape: Shape, tree: Node, path: tuple[str, ...]) -> None:
    prefix = "P" if path else "M"
    names = ["Custom" if PARAMETERS[child.name].number == CUSTOM else child.name for child in tree.children]
    for slot in shape.slots:
        found = sum(
            name in slot.names or child.name in slot.names for name, child in zip(names, tree.children, strict=True)
        )
        wanted = " or ".join(slot.names)
        if found < slot.least:
            code = Status[f"{prefix}_MISSING_PARAMETER"]
            raise RefusedError(code, f"{shape.name} needs {wanted}", path)
        if slot.most is not None and found > slot.most:
            code = Status[f"{prefix}_DUPLICATE_PARAMETER"]
            raise RefusedError(code, f"{shape.name} has {wanted} {found} times; {slot.most} is allowed", path)
    allowed = {name for slot in shape.slots for name in slot.names}
    for name, child in zip(names, tree.children, strict=True):
        if name not in allowed and child.name not in allowed:
            code = Status[f"{prefix}_UNEXPECTED_PARAMETER"]
            raise RefusedError(code, f"{child.name} does not belong into {shape.name}", path)


def _cut(what: str, path: tuple[str, ...]) -> RefusedError:
    code = Status.P_FIELD_ERROR if path else Status.M_FIELD_ERROR
    return RefusedError(code, f"{what} is cut off", path)


def _fields_in(shape: Shape, body: bytes, path: tuple[str, ...]) -> tuple[dict[str, Value], int]:
    fields: dict[str, Value] = {}
    at_bit = 0
    for name, kind in shape.fields:
        start = at_bit // 8
        if kind[0] in "us_" and kind != "utf8":
            width = int(kind[1:])
            end = (at_bit + width + 7) // 8
            if end > len(body):
                raise _cut(f"{shape.name}.{name}", path)
            window = int.from_bytes(body[start:end], "big") >> (end * 8 - at_bit - width)
            value = window & (1 << width) - 1
            if kind[0] == "s" and value >> width - 1:
                value -= 1 << width
            if kind[0] != "_":
                fields[name] = value
            at_bit += width
            continue
        if kind == "rest":
            fields[name] = body[start:]
            at_bit = len(body) * 8
            continue
        count = int.from_bytes(body[start : start + 2], "big")
        size = {"utf8": count, "bits": (count + 7) // 8, "a8": count, "a16": 2 * count, "a32": 4 * count}[kind]
        if len(body) < start + 2 + size:
            raise _cut(f"{shape.name}.{name}", path)
        fields[name] = _sized_in(kind, count, body[start + 2 : start + 2 + size])
        at_bit = (start + 2 + size) * 8
    return fields, at_bit // 8


def _sized_in(kind: str, count: int, content: bytes) -> Value:
    if kind == "utf8":
        return content.decode("utf-8", "replace")
    if kind == "bits":
        return Bits(count, content)
    width = int(kind[1:]) // 8
    return tuple(int.from_bytes(content[i : i + width], "big") for i in range(0, len(content), width))


def _fields_out(shape: Shape, tree: Node) -> bytes:
    out = bytearray()
    bits, waiting = 0, 0
    for name, kind in shape.fields:
        value = 0 if kind.startswith("_") else tree.fields[name]
        if isinstance(value, int):
            width = int(kind[1:])
            bits, waiting = bits << width | value & (1 << width) - 1, waiting + width
            if waiting % 8 == 0:
                out += bits.to_bytes(waiting // 8, "big")
                bits, waiting = 0, 0
        else:
            out += _sized_out(kind, value)
    assert waiting == 0, f"{shape.name}: the table leaves {waiting} bits over"
    return bytes(out)


def _sized_out(kind: str, value: str | bytes | Bits | tuple[int, ...]) -> bytes:
    if isinstance(value, str):
        text = value.encode()
        return struct.pack(">H", len(text)) + text
    if isinstance(value, bytes):
        return value
    if isinstance(value, Bits):
        return struct.pack(">H", value.length) + value.data
    width = int(kind[1:]) // 8
    return struct.pack(">H", len(value)) + b"".join(item.to_bytes(width, "big") for item in value)
