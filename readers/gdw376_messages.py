"""Frames of Q/GDW 376.1 (1376.1), by which the collection terminals of Chinese grid companies talk to their master.

    68 LL LL 68 C RR TT M F S DDDD.. XX.. S 16
    │  │  │  │  │ │  │  │ │ │ │      │    │ └ end mark
    │  │  │  │  │ │  │  │ │ │ │      │    └── sum of the user data, from the control byte on, modulo 256
    │  │  │  │  │ │  │  │ │ │ │      └─────── auxiliary: EC 2 bytes or PW 16 bytes, and Tp 6 bytes, where there are any
    │  │  │  │  │ │  │  │ │ │ └────────────── data units: point (DA, 2 bytes), kind (DT, 2 bytes), content
    │  │  │  │  │ │  │  │ │ └──────────────── D7 Tp, D6 first, D5 last, D4 to be confirmed, D3-D0 number
    │  │  │  │  │ │  │  │ └────────────────── AFN, what it is about
    │  │  │  │  │ │  │  └──────────────────── master station in D7-D1, D0 group address
    │  │  │  │  │ │  └─────────────────────── terminal, 2 bytes, low first
    │  │  │  │  │ └────────────────────────── region, 2 bytes of BCD, low first
    │  │  │  │  └──────────────────────────── control: D7 from the terminal, D6 PRM, D5 ACD or FCB, D3-D0 function
    │  │  │  └─────────────────────────────── second start mark
    │  │  └────────────────────────────────── the length again
    │  └───────────────────────────────────── length, 2 bytes, low first: D15-D2 of the user data, D1-D0 2 for 376.1
    └──────────────────────────────────────── start mark

EC comes from a terminal with ACD, PW goes to it with the AFN that it protects, Tp both ways where D7 of the sequence
byte says so. A terminal is named here by the four digits of its region and its number as four hexadecimal digits.

Source: Q/GDW 376.1-2009 by public descriptions; every published frame of `tests/vectors/meters/gdw376.toml`, among them
a forwarded reading of a meter and its answer. The units of the waiting times and the bits of the line word: one public
transcript and the published frames, which agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag
from typing import Final

from readers.driver import Parity
from readers.errors import FrameError

START: Final = 0x68
END: Final = 0x16
PROTOCOL: Final = 2
MOST_USER_BYTES: Final = 4096  # 14 bits could say 16383
MAX_FRAME_BYTES: Final = MOST_USER_BYTES + 8
NUMBERS: Final = 16
TERMINAL: Final = re.compile(r"[0-9]{4}[0-9A-F]{4}")
MEASURING_PORTS: Final = range(1, 32)

_HEAD_BYTES: Final = 6
_FRAMING_BYTES: Final = _HEAD_BYTES + 2
_LEAST_USER_BYTES: Final = 8  # control, address, AFN, sequence
_PASSWORD_BYTES: Final = 16
_EVENT_BYTES: Final = 2
_TIME_BYTES: Final = 6
_NAME_BYTES: Final = 4
_FORWARDED_HEAD_BYTES: Final = 3
_REQUEST_HEAD_BYTES: Final = 6
_PROTECTED: Final = frozenset({0x01, 0x04, 0x05, 0x06, 0x0F, 0x10})
_BAUDS: Final = (300, 600, 1200, 2400, 4800, 7200, 9600, 19_200)
_DATA_BITS: Final = 0b11  # of the line word: 5 to 8 of them
_SECONDS: Final = 0x80
_TENS_OF_MS: Final = 10
_MOST_WAIT: Final = 0x7F


class Control(IntFlag):
    """The upper bits of the control byte."""

    FROM_TERMINAL = 0x80
    BEGINS = 0x40
    """PRM: it begins an exchange."""
    HAS_EVENTS = 0x20
    """ACD, from a terminal."""


class Sequence(IntFlag):
    """The upper bits of the sequence byte."""

    TIMED = 0x80
    FIRST = 0x40
    LAST = 0x20
    CONFIRM = 0x10


class Afn(IntEnum):
    """What a frame is about; those that are handled here."""

    CONFIRM = 0x00
    LINK = 0x02
    FORWARD = 0x10


class LinkFn(IntEnum):
    """The kinds of `Afn.LINK`."""

    LOGIN = 1
    LOGOUT = 2
    HEARTBEAT = 3


class ConfirmFn(IntEnum):
    """The kinds of `Afn.CONFIRM`."""

    ALL = 1
    NOTHING = 2
    """A denial."""
    EACH = 3


_WHOLE: Final = Sequence.FIRST | Sequence.LAST
_MASTER_REQUEST: Final = Control.BEGINS | 11
_MASTER_REPLY: Final = 11


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame in plain terms.

    Attributes:
        terminal: region and number, eight digits.
        control, afn, sequence: whole bytes; an AFN need not be one of `Afn`.
        data: data units and auxiliary fields, as on the wire.
        master: the byte of the master station.
        protocol: the two bits beside the length.
    """

    terminal: str
    control: int
    afn: int
    sequence: int
    data: bytes = b""
    master: int = 0
    protocol: int = PROTOCOL

    @property
    def is_from_terminal(self) -> bool:
        """Whether a terminal sent it."""
        return bool(self.control & Control.FROM_TERMINAL)

    @property
    def number(self) -> int:
        """By which a reply is matched with its request."""
        return self.sequence & (NUMBERS - 1)

    @property
    def wants_confirmation(self) -> bool:
        """Whether its sender repeats it until it is confirmed."""
        return bool(self.sequence & Sequence.CONFIRM)

    @property
    def units(self) -> bytes:
        """The data units without the auxiliary fields.

        Raises:
            FrameError: `truncated`: the auxiliary fields have no room.
        """
        aux = _TIME_BYTES if self.sequence & Sequence.TIMED else 0
        if self.is_from_terminal:
            aux += _EVENT_BYTES if self.control & Control.HAS_EVENTS else 0
        elif self.afn in _PROTECTED:
            aux += _PASSWORD_BYTES
        if aux > len(self.data):
            raise FrameError("truncated", f"{aux} auxiliary bytes do not fit into {len(self.data)}", self.data)
        return self.data[: len(self.data) - aux]

    @property
    def fn(self) -> int | None:
        """The kind of the first data unit, F1 and on; None where there is none or several at once."""
        if len(self.data) < _NAME_BYTES:
            return None
        bits, group = self.data[2], self.data[3]
        return None if bits.bit_count() != 1 else group * 8 + bits.bit_length()


def kind(fn: int) -> bytes:
    """Point 0 and that kind: the name of a data unit."""
    group, bit = divmod(fn - 1, 8)
    return bytes([0, 0, 1 << bit, group])


def encode(frame: Frame) -> bytes:
    """The frame on the wire.

    Raises:
        FrameError: `address` or `length`.
    """
    if not TERMINAL.fullmatch(frame.terminal):
        raise FrameError("address", f"terminal {frame.terminal!r}: must be 4 digits and 4 hexadecimal digits")
    region, number = bytes.fromhex(frame.terminal[:4])[::-1], bytes.fromhex(frame.terminal[4:])[::-1]
    user = bytes([frame.control]) + region + number + bytes([frame.master, frame.afn, frame.sequence]) + frame.data
    if len(user) > MOST_USER_BYTES:
        raise FrameError("length", f"{len(user)} bytes of user data; at most {MOST_USER_BYTES} are sent")
    length = (len(user) << 2 | frame.protocol).to_bytes(2, "little")
    return bytes([START]) + length * 2 + bytes([START]) + user + bytes([sum(user) & 0xFF, END])


def parse(buffer: bytearray, start: int) -> tuple[Frame, int] | None:
    """The frame that starts there and its length; None when it is not whole yet.

    Raises:
        FrameError: `start`, `length`, `delimiter`, `checksum` or `address`: it is none.
    """
    head = bytes(buffer[start : start + _HEAD_BYTES])
    if len(head) < _HEAD_BYTES:
        return None
    if head[1:3] != head[3:5]:
        raise FrameError("length", "the two lengths differ")
    if head[-1] != START:
        raise FrameError("start", "no second start mark 68")
    size, protocol = divmod(int.from_bytes(head[1:3], "little"), 4)
    if not _LEAST_USER_BYTES <= size <= MOST_USER_BYTES:
        raise FrameError("length", f"{size} bytes of user data; must be {_LEAST_USER_BYTES} to {MOST_USER_BYTES}")
    end = start + size + _FRAMING_BYTES
    if end > len(buffer):
        return None
    if buffer[end - 1] != END:
        raise FrameError("delimiter", f"end mark {buffer[end - 1]:02X}, not {END:02X}")
    user = bytes(buffer[start + _HEAD_BYTES : end - 2])
    if sum(user) & 0xFF != buffer[end - 2]:
        raise FrameError("checksum", f"checksum {buffer[end - 2]:02X} is wrong")
    terminal = (user[2:0:-1] + user[4:2:-1]).hex().upper()
    if not TERMINAL.fullmatch(terminal):
        raise FrameError("address", f"region {terminal[:4]} is no BCD")
    return Frame(terminal, user[0], user[6], user[7], user[8:], user[5], protocol), end - start


def cut(buffer: bytearray) -> Iterator[Frame]:
    """Take the whole frames out of `buffer`; what is none is dropped, byte by byte. At most one frame stays in it."""
    while (at := buffer.find(START)) >= 0:
        del buffer[:at]
        try:
            found = parse(buffer, 0)
        except FrameError:
            del buffer[0]
            continue
        if found is None:
            return
        del buffer[: found[1]]
        yield found[0]
    buffer.clear()


def confirmation(of: Frame) -> Frame:
    """What tells a terminal that its frame has come."""
    sequence = _WHOLE | of.number
    return replace(of, control=_MASTER_REPLY, afn=Afn.CONFIRM, sequence=sequence, data=kind(ConfirmFn.ALL))


@dataclass(frozen=True, slots=True)
class SerialLine:
    """How the terminal sets its serial port for a forwarded frame; 8 data bits."""

    baud: int
    parity: Parity = Parity.EVEN
    stop_bits: int = 1

    def encode(self) -> int:
        """The line word.

        Raises:
            FrameError: `range`: a terminal has no such speed.
        """
        if self.baud not in _BAUDS:
            raise FrameError("range", f"{self.baud} baud; a terminal can do {', '.join(map(str, _BAUDS))}")
        word = _BAUDS.index(self.baud) << 5 | (self.stop_bits == 2) << 4 | _DATA_BITS  # noqa: PLR2004 - stop bits
        if self.parity is not Parity.NONE:
            word |= 0x08 | (self.parity is Parity.ODD) << 2
        return word

    @classmethod
    def decode(cls, word: int) -> SerialLine:
        """What a line word says.

        Raises:
            FrameError: `range`: other than 8 data bits, which no meter here has.
        """
        if word & _DATA_BITS != _DATA_BITS:
            raise FrameError("range", f"line word {word:02X}: {5 + (word & _DATA_BITS)} data bits; allowed: 8")
        parity = (Parity.ODD if word & 0x04 else Parity.EVEN) if word & 0x08 else Parity.NONE
        return cls(_BAUDS[word >> 5], parity, 2 if word & 0x10 else 1)


@dataclass(frozen=True, slots=True)
class Forward:
    """A frame that a terminal is to send through one of its ports, and how long it waits for what comes back."""

    port: int
    line: SerialLine
    wait_s: int
    byte_gap_ms: int
    content: bytes


def forward(terminal: str, number: int, what: Forward, password: bytes = bytes(_PASSWORD_BYTES)) -> Frame:
    """Have a terminal forward something.

    Raises:
        FrameError: `range`.
    """
    gap = what.byte_gap_ms // _TENS_OF_MS
    if not (0 < what.wait_s <= _MOST_WAIT and 0 < gap <= 0xFF and what.port in MEASURING_PORTS):  # noqa: PLR2004 - a byte
        raise FrameError("range", f"port {what.port}, {what.wait_s} s and {what.byte_gap_ms} ms do not fit")
    head = bytes([what.port, what.line.encode(), _SECONDS | what.wait_s, gap])
    data = kind(1) + head + len(what.content).to_bytes(2, "little") + what.content + password
    return Frame(terminal, _MASTER_REQUEST, Afn.FORWARD, _WHOLE | number % NUMBERS, data)


def read_forward(frame: Frame) -> Forward:
    """What a terminal is to forward.

    Raises:
        FrameError: `truncated`, `length` when the lengths disagree, or `range` of the line word.
    """
    body = frame.units[_NAME_BYTES:]
    if len(body) < _REQUEST_HEAD_BYTES:
        raise FrameError("truncated", "a request to forward has 6 bytes before its content", frame.data)
    port, word, wait, gap = body[:4]
    content = body[_REQUEST_HEAD_BYTES:]
    _check_length(int.from_bytes(body[4:6], "little"), content, frame)
    wait_s = wait & _MOST_WAIT if wait & _SECONDS else 1
    return Forward(port, SerialLine.decode(word), wait_s, gap * _TENS_OF_MS, content)


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What came back through a port of the terminal; empty when nothing did."""

    port: int
    content: bytes


def forwarded(request: Frame, what: Forwarded, *, events: bytes | None = None) -> Frame:
    """What a terminal answers to a request to forward; `events` are its two counters, where it has news."""
    control = Control.FROM_TERMINAL | 8 | (0 if events is None else Control.HAS_EVENTS)
    length = len(what.content).to_bytes(2, "little")
    data = kind(1) + bytes([what.port]) + length + what.content + (events or b"")
    return replace(request, control=control, sequence=_WHOLE | request.number, data=data)


def read_forwarded(frame: Frame) -> Forwarded:
    """What a terminal has brought back.

    Raises:
        FrameError: `truncated`, or `length` when the lengths disagree.
    """
    body = frame.units[_NAME_BYTES:]
    if len(body) < _FORWARDED_HEAD_BYTES:
        raise FrameError("truncated", "what was forwarded has 3 bytes before its content", frame.data)
    content = body[_FORWARDED_HEAD_BYTES:]
    _check_length(int.from_bytes(body[1:3], "little"), content, frame)
    return Forwarded(body[0], content)


def _check_length(length: int, content: bytes, frame: Frame) -> None:
    if length != len(content):
        raise FrameError("length", f"{length} bytes of content announced, {len(content)} came", frame.data)
