r"""Line protocol: how a value is written so that no text can become a point, a tag or a measurement.

    measurement,tag=value,tag=value field=1.5,field=3i,field="text",field=true 1700000000000000000
    mmmmmmmmmmm tttttttttttttttttttt ffffffffffffffffffffffffffffffffffffffff ttttttttttttttttttt
    head (one series): measurement and tags; then fields; then nanoseconds since 1970 UTC

Source: InfluxDB OSS v2 documentation, "Line protocol"; checked against InfluxDB 1.6.7 and VictoriaMetrics 1.145.
Names come from `gateway.contract.measurements` alone. Where stores disagree, the narrower reading is written:
a raw newline inside a quoted string ends the line for VictoriaMetrics, and no store can hold a tag value that ends in a
backslash. So control characters become their Unicode pictures (LF: U+240A), halves of surrogate pairs and C1 controls
U+FFFD, and in a tag the backslash its full-width form.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Final

Value = str | int | float | bool | Decimal

MOST_TEXT_BYTES: Final = 60_000  # InfluxDB bounds a string field at 64 KiB
MOST_TAG_BYTES: Final = 512  # InfluxDB bounds a whole series key at 65,535 bytes
MOST_QUARANTINE_BYTES: Final = 65_536
EARLIEST_NS: Final = -(2**63) + 2  # the times that InfluxDB can hold
LATEST_NS: Final = 2**63 - 2
_MOST_INT: Final = 2**63 - 1
_UTF8_MOST_BYTES_PER_CHARACTER: Final = 4

_CONTROLS: Final = (
    {code: chr(0x2400 + code) for code in range(0x20)}
    | {0x7F: "\u2421"}
    | dict.fromkeys(range(0x80, 0xA0), "\ufffd")
    | dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
)
_IN_TEXT: Final = _CONTROLS | {ord('"'): '\\"', ord("\\"): "\\\\"}
_IN_TAG: Final = _CONTROLS | {ord(","): "\\,", ord("="): "\\=", ord(" "): "\\ ", ord("\\"): "\uff3c"}
_plain_text: Final = re.compile('[^"\\\\\x00-\x1f\x7f-\x9f\ud800-\udfff]*').fullmatch
_plain_tag: Final = re.compile("[^,= \\\\\x00-\x1f\x7f-\x9f\ud800-\udfff]*").fullmatch

REFUSED_MARK: Final = b"#refused "
"""A comment line of line protocol: a point that no store can take, on its way through the outbox to the quarantine."""


class UnwritableError(ValueError):
    """A point that line protocol, or our schema, has no place for.

    Attributes:
        reason: a fixed word for the counter and the quarantine.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def tag(value: str) -> str:
    """A tag value, escaped; raises UnwritableError `tag_too_long`."""
    if _longer(value, MOST_TAG_BYTES):
        raise UnwritableError("tag_too_long")
    return value if _plain_tag(value) else value.translate(_IN_TAG)


def text(value: Value) -> str:
    """A string field with its quotes; raises UnwritableError `text_too_long` or `field_type`."""
    if not isinstance(value, str):
        raise UnwritableError("field_type")
    if _longer(value, MOST_TEXT_BYTES):
        raise UnwritableError("text_too_long")
    return f'"{value}"' if _plain_text(value) else f'"{value.translate(_IN_TEXT)}"'


def real(value: Value) -> str:
    """A float field, exact to the nearest double; raises UnwritableError `not_finite` or `field_type`."""
    if isinstance(value, bool | str):
        raise UnwritableError("field_type")
    try:
        number = float(value)
    except (OverflowError, ValueError):  # an int beyond a double; a signalling NaN
        raise UnwritableError("not_finite") from None
    if not math.isfinite(number):
        raise UnwritableError("not_finite")
    return repr(number)


def whole(value: Value) -> str:
    """An int field; raises UnwritableError `out_of_range` or `field_type`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnwritableError("field_type")
    if not -_MOST_INT - 1 <= value <= _MOST_INT:
        raise UnwritableError("out_of_range")
    return f"{value}i"


def truth(value: Value) -> str:
    """A bool field; raises UnwritableError `field_type`."""
    if not isinstance(value, bool):
        raise UnwritableError("field_type")
    return "true" if value else "false"


FORMATTERS: Final[dict[str, Callable[[Value], str]]] = {"float": real, "int": whole, "str": text, "bool": truth}
"""How a field is written, by its type in `gateway.contract.measurements`."""


def timestamp(at_ns: int) -> str:
    """A time; raises UnwritableError `time_out_of_range`."""
    if not EARLIEST_NS <= at_ns <= LATEST_NS:
        raise UnwritableError("time_out_of_range")
    return str(at_ns)


def refused_line(reason: str, point: object) -> str:
    """The comment line that carries a point nobody can store; ASCII, one line, whatever the point holds."""
    described = json.dumps(point, default=str)  # escapes every control and non-ASCII character
    return f"{REFUSED_MARK.decode()}{reason} {described[:MOST_QUARANTINE_BYTES]}"


def read_refused(line: bytes) -> tuple[str, bytes]:
    """The reason and the point of a line that starts with REFUSED_MARK."""
    reason, _, described = line.removeprefix(REFUSED_MARK).partition(b" ")
    return reason.decode("ascii", "replace"), described


def _longer(value: str, most_bytes: int) -> bool:
    if len(value) * _UTF8_MOST_BYTES_PER_CHARACTER <= most_bytes:
        return False
    return len(value.encode("utf-8", "replace")) > most_bytes
