"""Messages of meters that are read out by IEC 62056-21 (IEC 1107) in modes A, B and C, by optical head or line.

    / ? A.. ! NL                    request, to the meter of that address or to the only one
    / XXX Z I.. NL                  identification: maker, baud rate, model
    06 V Z Y NL                     select (mode C): protocol 0, baud rate Z, Y: 0 data readout, 1 programming
    02 D.. ! NL 03 B                data: lines of data sets, then the end and the block check
           D: ID(value*unit)ID(value*unit)... NL
    NL is 0D 0A

All is ASCII of 7 bits with even parity. Line and device server are set to 8 bits without parity here, and the parity is
bit 7: put on and checked in this module; bytes that come without it (a line that is set to 7 bits) are taken as well.
B is the exclusive or of all bytes behind 02 up to 03.

Source: IEC 62056-21:2002, chapter 5 and 6.3; ISO 1155 for B.
Seen on: the readout that the manual of the LEM EM4TII prints, and messages of public tests
(`tests/vectors/meters/iec62056.toml`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Final, TypeAlias

from readers.codecs.framing import Scanner
from readers.errors import FrameError

MAX_BYTES: Final = 32_768  # readouts with 15 past months of a meter with many tariffs have 20 KiB
MAX_LINE_BYTES: Final = 80
BAUDS: Final = {"0": 300, "1": 600, "2": 1_200, "3": 2_400, "4": 4_800, "5": 9_600, "6": 19_200}
"""Baud rates of mode C by their letter; those of mode B are A to F, for 600 to 19200."""
BAUDS_B: Final = dict(zip("ABCDEF", list(BAUDS.values())[1:], strict=True))
_STX: Final = 0x02
_ETX: Final = 0x03
_ACK: Final = 0x06
_SLASH: Final = 0x2F
_SEVEN_BITS: Final = 0x7F
_STRIPPED: Final = bytes(byte & _SEVEN_BITS for byte in range(256))
_EVEN: Final = frozenset(byte for byte in range(256) if byte.bit_count() % 2 == 0)
_WITH_PARITY: Final = bytes(byte if byte in _EVEN else byte ^ 0x80 for byte in range(256))
_STARTS: Final = (_STX, _ACK, _SLASH)
_TEXT: Final = bytes([*range(0x20, 0x7F), 0x0D, 0x0A])
_NO_TEXT: Final = re.compile(b"[^" + re.escape(_TEXT) + b"]")
_NO_TEXT_WITH_PARITY: Final = re.compile(b"[^" + re.escape(_TEXT.translate(_WITH_PARITY)) + b"]")
_REQUEST: Final = re.compile(r"/\?([0-9A-Za-z ]{0,32})!\r\n")
# no brackets: 6.00*Imp/kWh) in a damaged readout is no maker
_IDENTIFICATION: Final = re.compile(r"/([A-Za-z]{3})([^()*/!?])([^()*/!]{0,40})\r\n")
_SELECT: Final = re.compile(r"\x06([0-9])([0-9A-Z])([0-9A-Z])\r\n")
_SETS: Final = re.compile(r"([^()]*)((?:\([^()]*\))+)")
_END: Final = "!"
ADDRESS: Final = re.compile(r"[0-9A-Za-z ]{1,32}")


@dataclass(frozen=True, slots=True)
class Request:
    """Asks a meter to identify itself; without an address, the only one."""

    address: str = ""


@dataclass(frozen=True, slots=True)
class Identification:
    """Who answers, and how fast it could go on."""

    maker: str
    baud: str
    model: str = ""

    @property
    def product(self) -> str:
        """The model without the marks of two characters that may stand before it."""
        text = self.model
        while text.startswith("\\"):
            text = text[2:]
        return text


@dataclass(frozen=True, slots=True)
class Select:
    """What the meter is to do next, and at which speed."""

    baud: str
    mode: str = "0"
    protocol: str = "0"


@dataclass(frozen=True, slots=True)
class DataSet:
    """One value or several under one name, as text; a set without a name belongs to the one before it."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Data:
    """What was read out, line by line. An answer without lines of its own, such as an error, has no end mark."""

    lines: tuple[tuple[DataSet, ...], ...]
    has_end: bool = True

    @property
    def sets(self) -> list[DataSet]:
        """All of them, those without a name joined to the ones before."""
        found: list[DataSet] = []
        for each in (each for line in self.lines for each in line):
            if not each.name and found:
                found.append(DataSet(found[-1].name, found.pop().values + each.values))
            else:
                found.append(each)
        return found


Frame: TypeAlias = Request | Identification | Select | Data


def encode(frame: Frame, *, parity: bool = True) -> bytes:
    """The message on the wire, with or without the parity in bit 7.

    Raises:
        FrameError: `length` when it is longer than any reader takes.
    """
    if isinstance(frame, Request):
        raw = f"/?{frame.address}!\r\n".encode("ascii")
    elif isinstance(frame, Identification):
        raw = f"/{frame.maker}{frame.baud}{frame.model}\r\n".encode("ascii")
    elif isinstance(frame, Select):
        raw = f"\x06{frame.protocol}{frame.baud}{frame.mode}\r\n".encode("ascii")
    else:
        raw = _encode_data(frame)
    return raw.translate(_WITH_PARITY) if parity else raw


def _encode_data(data: Data) -> bytes:
    lines = [
        "".join(f"{each.name}{''.join(f'({value})' for value in each.values)}" for each in line) for line in data.lines
    ]
    text = "".join(f"{line}\r\n" for line in [*lines, _END]) if data.has_end else "\r\n".join(lines)
    raw = text.encode("ascii") + bytes([_ETX])
    if len(raw) + 2 > MAX_BYTES:
        raise FrameError("length", f"{len(raw) + 2} bytes; a readout has at most {MAX_BYTES}")
    return bytes([_STX]) + raw + bytes([reduce(xor, raw)])


class Decoder(Scanner[Frame]):
    """Finds messages of either side, so that an echo of our own is one too.

    Reject reasons: noise_bytes, parity, character, length, form, checksum, truncated.
    """

    def __init__(self) -> None:
        starts = bytes(_STARTS)
        super().__init__(bytes({*starts, *starts.translate(_WITH_PARITY)}), _parse, padding=b"\r\n\x8d\x00\xff")


def _parse(buffer: bytearray, start: int) -> tuple[Frame, int] | None:
    first = buffer[start] & _SEVEN_BITS
    has_parity = first != buffer[start]
    if first == _STX:
        return _data(buffer, start, has_parity=has_parity)
    stop = buffer.find(b"\n", start, start + MAX_LINE_BYTES)  # with even parity 0A is 0A
    whole = bytes(buffer[start : stop + 1 if stop >= 0 else start + MAX_LINE_BYTES])
    # 06 is the same with parity: whether the rest has some shows in the rest
    if first == _ACK:
        has_parity = any(byte > _SEVEN_BITS for byte in whole)
    _check_text(whole[1:], has_parity=has_parity)
    if stop < 0:
        if len(whole) >= MAX_LINE_BYTES:
            raise FrameError("length", f"no end of line within {MAX_LINE_BYTES} bytes")
        return None
    text = whole.translate(_STRIPPED).decode("ascii")
    if match := _REQUEST.fullmatch(text):
        return Request(match[1]), len(whole)
    if match := _SELECT.fullmatch(text):
        return Select(match[2], match[3], match[1]), len(whole)
    if match := _IDENTIFICATION.fullmatch(text):
        return Identification(match[1], match[2], match[3]), len(whole)
    raise FrameError("form", f"{text!r} is no message")


def _check_text(raw: bytes, *, has_parity: bool) -> None:
    bad = (_NO_TEXT_WITH_PARITY if has_parity else _NO_TEXT).search(raw)
    if bad is not None:
        found = bad[0][0]
        raise FrameError(
            "parity" if has_parity and found not in _EVEN else "character", f"byte {found:02X} in a message"
        )


def _data(buffer: bytearray, start: int, *, has_parity: bool) -> tuple[Data, int] | None:
    etx = buffer.find(_ETX, start, start + MAX_BYTES)  # 03 is the same with parity
    _check_text(bytes(buffer[start + 1 : etx if etx >= 0 else start + MAX_BYTES]), has_parity=has_parity)
    if etx < 0:
        if len(buffer) - start >= MAX_BYTES:
            raise FrameError("length", f"no end within {MAX_BYTES} bytes")
        return None
    if etx + 1 >= len(buffer):
        return None
    raw = bytes(buffer[start + 1 : etx + 1]).translate(_STRIPPED)
    check = buffer[etx + 1]
    if has_parity and check not in _EVEN:
        raise FrameError("parity", f"block check {check:02X} with a wrong parity")
    right = reduce(xor, raw)
    if check & _SEVEN_BITS != right or (check > _SEVEN_BITS and not has_parity):
        raise FrameError("checksum", f"block check {check & _SEVEN_BITS:02X}, {right:02X} would be right")
    return _lines(raw[:-1].decode("ascii")), etx + 2 - start


def _lines(text: str) -> Data:
    rows = text.split("\r\n")
    has_end = _END in rows
    if has_end:
        rows = rows[: rows.index(_END)]
    lines = []
    for row in rows:
        sets = [DataSet(match[1], tuple(match[2][1:-1].split(")("))) for match in _SETS.finditer(row)]
        if row and "".join(_as_text(each) for each in sets) != row:
            raise FrameError("form", f"{row[:40]!r} is no line of data sets")
        if sets:
            lines.append(tuple(sets))
    return Data(tuple(lines), has_end)


def _as_text(each: DataSet) -> str:
    return f"{each.name}{''.join(f'({value})' for value in each.values)}"
