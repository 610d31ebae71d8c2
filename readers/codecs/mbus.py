"""Frames of wired M-Bus.

    E5                              single character: done
    10 C A S 16                     short frame
    68 L L 68 C A I D.. S 16        long frame; without D a control frame
       C: control, 1 byte; A: address, 1 byte; I: what D is, 1 byte; S: sum of C to D, modulo 256
       L: bytes of C to D, sent twice

Addresses: 1 to 250 meters, 0 as delivered, FD the meter that was selected by its number, FE whoever is there, FF all
without answer. Numbers of several bytes begin with the lowest.

Source: EN 13757-2:2018, 5.4 to 5.7; EN 13757-7:2018 for selection.
Seen on: published frames only (`tests/vectors/meters/mbus.toml`), no meter in our hands.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias

from readers.codecs.checksums import sum8
from readers.codecs.framing import Scanner
from readers.errors import FrameError

DONE: Final = 0xE5
_SHORT: Final = 0x10
_LONG: Final = 0x68
_STOP: Final = 0x16
_SHORT_BYTES: Final = 5
_HEAD_BYTES: Final = 4
_LEAST: Final = 3  # control, address, kind
MAX_LENGTH: Final = 255
MAX_BYTES: Final = MAX_LENGTH + _HEAD_BYTES + 2


class Control(IntEnum):
    """What a frame is for. Bit 5 of requests toggles; bits 5 and 4 of replies: the meter has alarms, or is busy."""

    RESET = 0x40  # SND_NKE
    SEND = 0x53  # SND_UD
    REQUEST = 0x5B  # REQ_UD2
    REPLY = 0x08  # RSP_UD


TOGGLE: Final = 0x20
_REPLY_MASK: Final = 0xCF


class Kind(IntEnum):
    """What the data of a long frame are."""

    SELECT = 0x52
    ERROR = 0x70
    VARIABLE = 0x72
    FIXED = 0x73
    VARIABLE_HIGH_FIRST = 0x76


class Address(IntEnum):
    """Addresses that are none of a meter."""

    SELECTED = 0xFD
    ANYBODY = 0xFE
    ALL = 0xFF


@dataclass(frozen=True, slots=True)
class Done:
    """The single character."""


@dataclass(frozen=True, slots=True)
class Short:
    """A frame without data."""

    control: int
    address: int


@dataclass(frozen=True, slots=True)
class Long:
    """A frame with data."""

    control: int
    address: int
    kind: int
    data: bytes = b""

    @property
    def is_reply(self) -> bool:
        """Whether a meter says it."""
        return self.control & _REPLY_MASK == Control.REPLY


Frame: TypeAlias = Done | Short | Long


def encode(frame: Frame) -> bytes:
    """The frame on the wire.

    Raises:
        FrameError: `length` when it has more data than a frame takes.
    """
    if isinstance(frame, Done):
        return bytes([DONE])
    if isinstance(frame, Short):
        body = bytes([frame.control, frame.address])
        return bytes([_SHORT]) + body + bytes([sum8(body), _STOP])
    body = bytes([frame.control, frame.address, frame.kind]) + frame.data
    if len(body) > MAX_LENGTH:
        raise FrameError("length", f"{len(frame.data)} bytes of data; at most {MAX_LENGTH - _LEAST} go into a frame")
    return bytes([_LONG, len(body), len(body), _LONG]) + body + bytes([sum8(body), _STOP])


class Decoder(Scanner[Frame]):
    """Finds frames of either side.

    Reject reasons: noise_bytes, length, delimiter, checksum, truncated.
    """

    def __init__(self) -> None:
        super().__init__(bytes([DONE, _SHORT, _LONG]), _parse)


def _parse(buffer: bytearray, start: int) -> tuple[Frame, int] | None:
    if buffer[start] == DONE:
        return Done(), 1
    if buffer[start] == _SHORT:
        end = start + _SHORT_BYTES
        if end > len(buffer):
            return None
        _check(buffer, start + 1, end)
        return Short(buffer[start + 1], buffer[start + 2]), _SHORT_BYTES
    head = buffer[start : start + _HEAD_BYTES]
    if len(head) > 2 and head[1] != head[2]:  # noqa: PLR2004 - the length is there twice
        raise FrameError("length", f"lengths {head[1]} and {head[2]} differ")
    if len(head) > 1 and head[1] < _LEAST:
        raise FrameError("length", f"{head[1]} bytes; at least {_LEAST} make a frame")
    if len(head) < _HEAD_BYTES:
        return None
    if head[3] != _LONG:
        raise FrameError("delimiter", f"second start mark {head[3]:02X}, not 68")
    end = start + _HEAD_BYTES + head[1] + 2
    if end > len(buffer):
        return None
    _check(buffer, start + _HEAD_BYTES, end)
    control, address, kind, *_ = body = bytes(buffer[start + _HEAD_BYTES : end - 2])
    return Long(control, address, kind, body[_LEAST:]), end - start


def _check(buffer: bytearray, start: int, end: int) -> None:
    if buffer[end - 1] != _STOP:
        raise FrameError("delimiter", f"end mark {buffer[end - 1]:02X}, not 16")
    if sum8(buffer[start : end - 2]) != buffer[end - 2]:
        raise FrameError("checksum", f"checksum {buffer[end - 2]:02X} is wrong")
