"""Lines of text from card readers, Wiegand converters and keyboard-wedge style readers.

    P NNNNNNNN.. S T
    │ │          │ └ terminator: 0D, 0A, 0D 0A or 03; or silence
    │ │          └── suffix, if any
    │ └───────────── the number, and whatever else the reader writes: printable ASCII
    └─────────────── prefix, if any: 02, or text such as `ID:`

Line ends and blanks around a line mean nothing. What stands before the prefix is noise. Text has no checksum, so a line
that differs in any way from what it should be is refused.

A `Pattern` says where the number stands: its fields end where the text that follows them in the pattern first occurs.
There is nothing to try twice, so that a hostile line costs no more than its length.

Source: manuals and data sheets of such readers (`tests/vectors/cards/ascii_line.toml`); there is no standard.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from readers.errors import SHOWN_FRAME_BYTES, FrameError

MOST_LINE_BYTES: Final = 256  # the longest EPC has 124 digits; a UHF reader adds RSSI, antenna and time
_PADDING: Final = b"\x00\t\n\r "
_PRINTABLE: Final = re.compile(rb"[\x20-\x7e]+")
_FIELD: Final = re.compile(r"\{(number|rssi_dbm|antenna_port|skip)(?::([1-9][0-9]?))?\}")
_BRACES: Final = frozenset("{}")
_LEAST_PRINTABLE: Final = " "


class Terminator(StrEnum):
    """What ends a line."""

    LINE_END = "line_end"
    """CR, LF, or both."""
    CR = "cr"
    LF = "lf"
    CRLF = "crlf"
    """Read as `lf`: a CR at the end of a line means nothing."""
    ETX = "etx"
    IDLE = "idle"
    """Silence: the reader marks no end."""


_ENDS: Final[Mapping[Terminator, re.Pattern[bytes]]] = {
    Terminator.LINE_END: re.compile(rb"[\r\n]"),
    Terminator.CR: re.compile(rb"\r"),
    Terminator.LF: re.compile(rb"\n"),
    Terminator.CRLF: re.compile(rb"\n"),
    Terminator.ETX: re.compile(rb"\x03"),
}
_WRITTEN: Final[Mapping[Terminator, bytes]] = {
    Terminator.LINE_END: b"\r\n",
    Terminator.CR: b"\r",
    Terminator.LF: b"\n",
    Terminator.CRLF: b"\r\n",
    Terminator.ETX: b"\x03",
    Terminator.IDLE: b"",
}


@dataclass(frozen=True, slots=True)
class LineForm:
    """How a reader frames its lines. Prefix and suffix are ASCII, control characters too."""

    terminator: Terminator = Terminator.LINE_END
    prefix: str = ""
    suffix: str = ""


def encode(text: str, form: LineForm) -> bytes:
    """The line on the wire."""
    return f"{form.prefix}{text}{form.suffix}".encode("ascii") + _WRITTEN[form.terminator]


class Decoder:
    """Cuts a stream into lines; holds at most `MOST_LINE_BYTES` of an unfinished one.

    Reject reasons: noise_bytes (counts bytes), too_long, not_text, prefix, suffix, truncated.
    """

    def __init__(self, form: LineForm) -> None:
        self._form = form
        self._end = _ENDS.get(form.terminator)
        self._prefix = form.prefix.encode("ascii")
        self._suffix = form.suffix.encode("ascii").strip(_PADDING)
        self._buffer = bytearray()
        self._is_skipping = False
        self._rejects: Counter[str] = Counter()
        self.reject_sample = b""

    @property
    def holds(self) -> int:
        """How many bytes of an unfinished line are held; 1 while the rest of one that was too long is thrown away."""
        return 1 if self._is_skipping else len(self._buffer)

    def feed(self, data: bytes) -> list[str]:
        """Take bytes in any slicing and return the lines that are whole now. Never raises."""
        lines: list[str] = []
        at = 0
        for match in self._end.finditer(data) if self._end else ():
            self._hold(data[at : match.start()])
            at = match.end()
            lines += self._finish()
        self._hold(data[at:])
        return lines

    def gap(self) -> list[str]:
        """The line was silent for longer than any pause inside a line."""
        if self._form.terminator is Terminator.IDLE:
            return self._finish()
        if self._buffer.strip(_PADDING):
            self._reject("truncated", bytes(self._buffer))
        self._buffer.clear()
        self._is_skipping = False
        return []

    def take_rejects(self) -> dict[str, int]:
        """Rejects by reason since the last call; `noise_bytes` counts bytes, all others lines."""
        rejects = dict(self._rejects)
        self._rejects.clear()
        return rejects

    def _hold(self, data: bytes) -> None:
        if self._is_skipping:
            return
        self._buffer += data
        if len(self._buffer) > MOST_LINE_BYTES:
            self._reject("too_long", bytes(self._buffer))
            self._is_skipping = True
            self._buffer.clear()

    def _finish(self) -> list[str]:
        """The line that has just ended, if it is one."""
        raw = bytes(self._buffer)
        self._buffer.clear()
        if self._is_skipping:
            self._is_skipping = False
            return []
        raw = raw.strip(_PADDING)
        if not raw:
            return []
        try:
            return [self._inside(raw)]
        except FrameError as error:
            self._reject(error.reason, raw)
            return []

    def _inside(self, raw: bytes) -> str:
        """What stands between prefix and suffix."""
        if self._prefix:
            start = self._start(raw)
            if start < 0:
                raise FrameError("prefix", "the prefix is missing")
            if start:
                self._reject("noise_bytes", raw[:start], start)
            raw = raw[start + len(self._prefix) :]
        if self._suffix:
            if not raw.endswith(self._suffix):
                raise FrameError("suffix", "the suffix is missing")
            raw = raw[: -len(self._suffix)]
        raw = raw.strip(_PADDING)
        if not _PRINTABLE.fullmatch(raw):
            raise FrameError("not_text", "a byte that is no printable ASCII, or nothing at all")
        return raw.decode("ascii")

    def _start(self, raw: bytes) -> int:
        """Where the prefix is; of a control character the last one, because it stands in no number."""
        if self._form.prefix[0] < _LEAST_PRINTABLE:
            return raw.rfind(self._prefix)
        return raw.find(self._prefix)

    def _reject(self, reason: str, sample: bytes, count: int = 1) -> None:
        self._rejects[reason] += count
        self.reject_sample = sample[:SHOWN_FRAME_BYTES]


class Found(NamedTuple):
    """What a pattern has found in a line."""

    number: str
    rssi_dbm: float | None = None
    antenna_port: int | None = None


class _Field(NamedTuple):
    name: str
    size: int | None
    behind: str


class Pattern:
    """Where the number stands in a line: `EPC={number};RSSI={rssi_dbm}`, `{skip:4}{number:24}`.

    Args:
        text: literal text and fields: `{number}`, `{rssi_dbm}`, `{antenna_port}`, and `{skip}` for what means nothing;
            `{number:8}` has exactly 8 characters.

    Raises:
        ValueError: the pattern cannot be understood; the message says why.
    """

    def __init__(self, text: str) -> None:
        matches = list(_FIELD.finditer(text))
        edges = [*(match.start() for match in matches), len(text)]
        self._before = text[: edges[0]]
        self._fields = [
            _Field(match[1], int(match[2]) if match[2] else None, text[match.end() : edges[index + 1]])
            for index, match in enumerate(matches)
        ]
        names = [field.name for field in self._fields if field.name != "skip"]
        if _BRACES.intersection(self._before + "".join(field.behind for field in self._fields)):
            raise ValueError("a brace that is no field; {number}, {rssi_dbm}, {antenna_port} and {skip} exist")
        if "number" not in names or len(set(names)) != len(names):
            raise ValueError("{number} must stand in it, and each field but {skip} once at most")
        for field in self._fields[:-1]:
            if field.size is None and not field.behind:
                raise ValueError(f"{{{field.name}}} has no end: give it a size, or put text behind it")
        self.has_antenna_port = "antenna_port" in names

    def find(self, line: str) -> Found:
        """What the line says.

        Raises:
            FrameError: `pattern` when it does not fit, `range` when a value is none.
        """
        if not line.startswith(self._before):
            raise FrameError("pattern", "the line begins otherwise")
        at = len(self._before)
        values: dict[str, str] = {}
        for index, field in enumerate(self._fields):
            is_last = index == len(self._fields) - 1
            stop = self._stop(line, at, field, is_last=is_last)
            values[field.name] = line[at:stop].strip()
            at = stop + len(field.behind)
        if at != len(line) or not values["number"]:
            raise FrameError("pattern", "the line ends otherwise, or has no number")
        return Found(values["number"], _rssi_dbm(values), _antenna_port(values))

    @staticmethod
    def _stop(line: str, at: int, field: _Field, *, is_last: bool) -> int:
        if field.size is not None:
            stop = at + field.size
        elif is_last:
            stop = len(line) - len(field.behind)
        else:
            stop = line.find(field.behind, at)
        if not at <= stop <= len(line) or not line.startswith(field.behind, stop):
            raise FrameError("pattern", f"{field.name} does not end as it should")
        return stop


def _rssi_dbm(values: Mapping[str, str]) -> float | None:
    text = values.get("rssi_dbm")
    if text is None:
        return None
    if not re.fullmatch(r"[+-]?[0-9]{1,3}(?:\.[0-9]{1,3})?", text):
        raise FrameError("range", "an RSSI that is no number of dBm")
    return float(text)


def _antenna_port(values: Mapping[str, str]) -> int | None:
    text = values.get("antenna_port")
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= 255:  # noqa: PLR2004 - ports that can be named
        raise FrameError("range", "an antenna port that is none of 1 to 255")
    return int(text)
