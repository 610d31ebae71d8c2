"""Cells of look-up tables: from what stands in the file to a value of the column's type.

string   text of at most 200 printable characters
int      whole number of 64 bits
double   number with a decimal point, no infinity
bool     true, false, 1 or 0
time     RFC 3339, as microseconds of 1970: 2026-03-01T08:00:00+08:00
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from rules.language.grammar import INT_MAX, INT_MIN
from rules.tables.table import Cell

MOST_TEXT: Final = 200
"""Characters of a cell at most: it travels in every event that used it."""
SHOWN: Final = 80

_INT: Final = re.compile(r"[+-]?[0-9]{1,19}")
_DOUBLE: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_BOOLS: Final = {"true": True, "1": True, "false": False, "0": False}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def _text(text: str) -> str:
    if len(text) > MOST_TEXT:
        raise ValueError(f"must be at most {MOST_TEXT} characters, not {len(text)}")
    if not text.isprintable():
        raise ValueError("must be printable characters")
    return text


def _int(text: str) -> int:
    if not _INT.fullmatch(text) or not INT_MIN <= (value := int(text)) <= INT_MAX:
        raise ValueError("must be a whole number of 64 bits")
    return value


def _double(text: str) -> float:
    if not _DOUBLE.fullmatch(text) or not math.isfinite(value := float(text)):
        raise ValueError("must be a number with a decimal point, as in 12.5")
    return value


def _bool(text: str) -> bool:
    value = _BOOLS.get(text.lower())
    if value is None:
        raise ValueError("must be true, false, 1 or 0")
    return value


def _time(text: str) -> int:
    if _TIME.fullmatch(text):
        try:
            return (datetime.fromisoformat(text.upper()) - _EPOCH) // _MICROSECOND
        except ValueError:
            pass  # the 30th of February and the like: told as every other text that is no time
    raise ValueError("must be a time with its offset, as in 2026-03-01T08:00:00+08:00 or 2026-03-01T00:00:00Z")


_PARSERS: Final[dict[str, Callable[[str], Cell]]] = {
    "string": _text,
    "int": _int,
    "double": _double,
    "bool": _bool,
    "time": _time,
}


def cell(kind: str, given: object) -> Cell:
    """The value of a cell: text of a CSV file, or whatever stands in a database. None when it is empty.

    Raises:
        ValueError: it is no value of the column's type; the text says what it is, and what is allowed.
    """
    if given is None:
        return None
    try:
        return _value(kind, given)
    except ValueError as error:
        shown = f"{len(given)} bytes" if isinstance(given, bytes) else repr(given)[:SHOWN]
        raise ValueError(f"{shown}: {error}") from None


def _value(kind: str, given: object) -> Cell:
    if isinstance(given, str):
        return _PARSERS[kind](text) if (text := given.strip()) else None
    if isinstance(given, int) and kind in {"int", "double", "bool"}:
        return _of_int(kind, given)
    if isinstance(given, float) and kind == "double":
        return _finite(given)
    raise ValueError(f"must be {_WANTED[kind]}")


_WANTED: Final = {
    "string": "a text",
    "int": "a whole number",
    "double": "a number",
    "bool": "true, false, 1 or 0",
    "time": "a text, as in 2026-03-01T08:00:00+08:00",
}


def _of_int(kind: str, given: int) -> Cell:
    if kind == "bool":
        return _bool(str(given))
    return given if kind == "int" else float(given)


def _finite(given: float) -> float:
    if not math.isfinite(given):
        raise ValueError("must be a finite number")
    return given
