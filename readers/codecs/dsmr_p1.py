"""Telegrams of the P1 port of Dutch, Belgian, Luxembourg and other smart meters that follow DSMR or e-MUCS.

    /XXXB identification NL  NL  A-B:C.D.E(value*unit) NL ...  ! CCCC NL
    ││  ││                       │                             │ └ CRC-16/ARC of all from / to !, 4 hex digits; since V4
    ││  │└ model, up to 16       │                             └── end, 1 byte: 21
    ││  └─ baud rate digit       └──────────────────────────────── data lines, each an OBIS code and its values
    │└──── manufacturer, 3 letters (FLAG)                          NL is 0D 0A
    └───── start, 1 byte: 2F

All is ASCII. V2 and V3 have no CRC and send 7 bits with even parity: on a line of 8 bits the parity is bit 7, so that
their start comes as AF; it is checked and taken off here, byte by byte. A value with a time of its own has it in front:
`0-1:24.2.1(170102161005W)(00000.107*m3)`; V2 and V3 break that line before the value. Times are YYMMDDhhmmss, then S in
summer time and W in winter; V2 and V3 do not say which.

Telegrams of Luxembourg and Austria are encrypted (general-glo-ciphering, DB 08 ...): they are recognised, not read.

Source: DSMR P1 Companion Standard 2.2, 4.0 and 5.0.2; e-MUCS P1 Ed. 1.7.1; IEC 62056-21 for the form of the lines.
Seen on: published telegrams only (`tests/vectors/meters/dsmr_p1.toml`), no meter in our hands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from readers.codecs.checksums import crc16_arc
from readers.codecs.framing import Scanner
from readers.codecs.obis_readings import code_of
from readers.errors import FrameError
from readers.obis import ObisCode

MAX_BYTES: Final = 8_192  # the longest published telegrams have 3 KiB: four meters behind, 13 peaks, a text of 2,048
START: Final = 0x2F
START_WITH_PARITY: Final = 0xAF
END: Final = b"!"
_SEVEN_BITS: Final = 0x7F
_TAIL_BYTES: Final = 6  # CRC and NL
_TEXT: Final = bytes([*range(0x20, 0x7F), 0x0D, 0x0A])
_EVEN: Final = frozenset(byte for byte in range(256) if byte.bit_count() % 2 == 0)
_STRIPPED: Final = bytes(byte & _SEVEN_BITS for byte in range(256))
_WITH_PARITY: Final = bytes(byte if byte in _EVEN else byte ^ 0x80 for byte in range(256))
_END_WITH_PARITY: Final = END.translate(_WITH_PARITY)
_NO_TEXT: Final = re.compile(b"[^" + re.escape(_TEXT) + b"]")
_NO_TEXT_WITH_PARITY: Final = re.compile(b"[^" + re.escape(_TEXT.translate(_WITH_PARITY)) + b"]")
_CRC: Final = re.compile(rb"[0-9A-Fa-f]{4}")
_IDENTIFICATION: Final = re.compile(r"[A-Za-z]{3}[0-9A-Z][ -~]{0,40}")
_LINE: Final = re.compile(
    r"(\d{1,3})-(\d{1,3}):(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\*(\d{1,3}))?((?:\([^()]*\))+)", re.ASCII
)
_CONTINUED: Final = re.compile(r"(?:\([^()]*\))+")
_TIME: Final = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)([SW])", re.ASCII)
_ENCRYPTED: Final = re.compile(rb"\xdb\x08.{8}\x82", re.DOTALL)
ENCRYPTED_BYTES: Final = 11
_US_PER_S: Final = 1_000_000

VERSION: Final = (ObisCode(1, 3, 0, 2, 8), ObisCode(0, 0, 96, 1, 4))
"""Where the Dutch and the Belgian version stand; a telegram that has one has a CRC."""


@dataclass(frozen=True, slots=True)
class Line:
    """One data line; `values` are the texts between its brackets."""

    code: ObisCode
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Telegram:
    """One telegram.

    Attributes:
        identification: the first line without its slash.
        odd_lines: lines that have not the form of a data line; only telegrams with a CRC may have some.
    """

    identification: str
    lines: tuple[Line, ...]
    has_crc: bool = True
    odd_lines: tuple[str, ...] = ()

    @property
    def maker_and_model(self) -> tuple[str, str]:
        """The three letters, and what follows the baud rate digit and the mark of two characters, if any."""
        maker, model = self.identification[:3], self.identification[4:]
        return maker, model[2:] if model.startswith("\\") else model

    def values(self, code: ObisCode) -> tuple[str, ...]:
        """The values of the first line with this code; none when there is none."""
        return next((line.values for line in self.lines if line.code == code), ())


def encode(telegram: Telegram, *, parity: bool = False) -> bytes:
    """The telegram on the wire; with `parity`, of 7 bits with even parity as a line of 8 bits has it.

    Raises:
        FrameError: `length` when it is longer than any reader takes.
    """
    lines = [f"{line.code}{''.join(f'({value})' for value in line.values)}" for line in telegram.lines]
    text = "\r\n".join([f"/{telegram.identification}", "", *lines, *telegram.odd_lines, "!"])
    raw = text.encode("ascii")
    raw += b"%04X\r\n" % crc16_arc(raw) if telegram.has_crc else b"\r\n"
    if len(raw) > MAX_BYTES:
        raise FrameError("length", f"{len(raw)} bytes; a telegram has at most {MAX_BYTES}")
    return raw.translate(_WITH_PARITY) if parity else raw


class Decoder(Scanner[Telegram]):
    """Finds telegrams, with or without CRC, of 8 bits or of 7 with parity.

    Reject reasons: noise_bytes, parity, character, length, start, end, checksum, checksum_missing, identification,
    line, truncated.
    """

    def __init__(self) -> None:
        super().__init__(bytes([START, START_WITH_PARITY]), _parse, padding=b"\r\n\x8d")


def _parse(buffer: bytearray, start: int) -> tuple[Telegram, int] | None:
    has_parity = buffer[start] == START_WITH_PARITY
    end = buffer.find(_END_WITH_PARITY if has_parity else END, start, start + MAX_BYTES)
    stop = end if end >= 0 else min(len(buffer), start + MAX_BYTES)
    if (bad := (_NO_TEXT_WITH_PARITY if has_parity else _NO_TEXT).search(buffer, start, stop)) is not None:
        found = bad[0][0]
        reason = "parity" if has_parity and found not in _EVEN else "character"
        raise FrameError(reason, f"byte {found:02X} in a telegram")
    if buffer.find(buffer[start : start + 1], start + 1, stop) >= 0:
        raise FrameError("start", "another telegram begins before the end of this one")
    if end < 0:
        if len(buffer) - start >= MAX_BYTES:
            raise FrameError("length", f"no end within {MAX_BYTES} bytes")
        return None
    newline = buffer.find(b"\n", end, end + 1 + _TAIL_BYTES)  # with even parity 0A is 0A
    if newline < 0:
        if len(buffer) > end + _TAIL_BYTES:
            raise FrameError("end", "no new line behind the end mark and its checksum")
        return None
    raw = bytes(buffer[start : newline + 1])
    return _telegram(raw.translate(_STRIPPED) if has_parity else raw, end - start), newline + 1 - start


def _telegram(raw: bytes, end: int) -> Telegram:
    tail = raw[end + 1 :].strip(b"\r\n")
    has_crc = bool(tail)
    if has_crc:
        if not _CRC.fullmatch(tail):
            raise FrameError("end", f"{tail!r} behind the end mark; four hex digits or nothing would be right")
        right = crc16_arc(raw[: end + 1])
        if int(tail, 16) != right:
            raise FrameError("checksum", f"checksum {tail.decode()}, {right:04X} would be right")
    first, *rest = raw[1:end].decode("ascii").replace("\r\n", "\n").split("\n")
    if not _IDENTIFICATION.fullmatch(first):
        raise FrameError("identification", f"{first!r} is no identification")
    lines, odd = _lines(rest)
    if not has_crc:
        if odd or not lines:
            raise FrameError("line", f"{odd[0] if odd else 'nothing'!r} is no data line, and there is no checksum")
        if any(line.code in VERSION for line in lines):
            raise FrameError("checksum_missing", "telegrams that tell their version have a checksum")
    return Telegram(first, tuple(lines), has_crc, tuple(odd))


def _lines(rows: list[str]) -> tuple[list[Line], list[str]]:
    lines: list[Line] = []
    odd: list[str] = []
    for row in rows:
        if not row:
            continue
        match = _LINE.fullmatch(row)
        code = code_of(*(int(group) for group in match.groups()[:-1] if group is not None)) if match else None
        if match and code:
            lines.append(Line(code, tuple(match[7][1:-1].split(")("))))
        elif lines and _CONTINUED.fullmatch(row):
            before = lines.pop()
            lines.append(Line(before.code, before.values + tuple(row[1:-1].split(")("))))
        else:
            odd.append(row)
    return lines, odd


def time_us(text: str, utc_offset_min: int) -> int | None:
    """UTC of `170102192002W`; None for a text that is no such time, or does not say whether it is summer time.

    `utc_offset_min` is that of winter time.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(group) for group in match.groups()[:6])
    try:
        local = datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    offset = timedelta(minutes=utc_offset_min + (60 if match[7] == "S" else 0))
    return round((local - offset).timestamp()) * _US_PER_S


def time_text(at_us: int, utc_offset_min: int, *, is_summer: bool) -> str:
    """The time as a meter writes it, to the second."""
    offset = timedelta(minutes=utc_offset_min + (60 if is_summer else 0))
    local = datetime.fromtimestamp(at_us // _US_PER_S, UTC) + offset
    return f"{local:%y%m%d%H%M%S}{'S' if is_summer else 'W'}"


def is_encrypted(data: bytes) -> bool:
    """Whether these bytes hold the beginning of an encrypted telegram."""
    return _ENCRYPTED.search(data) is not None
