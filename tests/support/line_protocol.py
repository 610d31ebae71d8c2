"""A strict reader of line protocol, written from the grammar alone: it shares nothing with what it checks.

Source: InfluxDB OSS v2 documentation, "Line protocol": elements, special characters, data types.
Stricter than the stores: control characters, duplicate names and unescaped specials anywhere are errors.
"""

from __future__ import annotations

import math
import re
from typing import Final, NamedTuple

FieldValue = float | int | str | bool

_FLOAT: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_INT: Final = re.compile(r"-?[0-9]+i")
_TIME: Final = re.compile(r"-?[0-9]+")


class Row(NamedTuple):
    """One point as a store would see it; a float and an int are told apart by their Python type."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, FieldValue]
    at_ns: int

    @property
    def key(self) -> tuple[str, tuple[tuple[str, str], ...], int]:
        """What makes two points the same to a store."""
        return self.measurement, tuple(sorted(self.tags.items())), self.at_ns


def parse(body: bytes) -> list[Row]:
    """All points of a body; comment lines are skipped.

    Raises:
        ValueError: it is not line protocol; the message has the line.
    """
    rows = []
    for line in body.split(b"\n"):
        if line.startswith(b"#"):
            continue
        try:
            rows.append(_row(line.decode("utf-8")))
        except (ValueError, IndexError) as error:
            raise ValueError(f"unable to parse '{line!r}': {error}") from error
    return rows


def _row(line: str) -> Row:
    if any(character < " " or character == "\x7f" for character in line):
        raise ValueError("control character")
    at = 0
    measurement, at = _name(line, at, ", ")
    tags: dict[str, str] = {}
    while line[at] == ",":
        name, at = _name(line, at + 1, "=")
        if name in tags:
            raise ValueError(f"tag {name} twice")
        tags[name], at = _name(line, at + 1, ", ")
    fields: dict[str, FieldValue] = {}
    separator = " "
    while line[at] == separator:
        name, at = _name(line, at + 1, "=")
        value_at = at + 1
        value: FieldValue
        if line[value_at] == '"':
            value, at = _text(line, value_at + 1)
        else:
            at = min((i for i in (line.find(",", value_at), line.find(" ", value_at)) if i >= 0), default=len(line))
            value = _scalar(line[value_at:at])
        if name in fields:
            raise ValueError(f"field {name} twice")
        fields[name] = value
        separator = ","
    if line[at] != " " or not _TIME.fullmatch(line[at + 1 :]):
        raise ValueError(f"bad timestamp {line[at:]!r}")
    at_ns = int(line[at + 1 :])
    if not -(2**63) + 2 <= at_ns <= 2**63 - 2:
        raise ValueError("time outside range")
    return Row(measurement, tags, fields, at_ns)


def _name(line: str, at: int, ends: str) -> tuple[str, int]:
    """A name or tag value up to an unescaped one of `ends`."""
    taken = []
    while line[at] not in ends:
        if line[at] == "\\":
            if line[at + 1] not in ",= ":
                raise ValueError("a backslash that escapes nothing")
            at += 1
        elif line[at] in ",= ":
            raise ValueError(f"unescaped {line[at]!r}")
        taken.append(line[at])
        at += 1
    if not taken:
        raise ValueError("empty name or tag value")
    return "".join(taken), at


def _text(line: str, at: int) -> tuple[str, int]:
    taken = []
    while line[at] != '"':
        if line[at] == "\\":
            if line[at + 1] not in '"\\':
                raise ValueError("a backslash that escapes nothing")
            at += 1
        taken.append(line[at])
        at += 1
    return "".join(taken), at + 1


def _scalar(word: str) -> FieldValue:
    if word in ("true", "false"):
        return word == "true"
    if _INT.fullmatch(word):
        whole = int(word[:-1])
        if not -(2**63) <= whole < 2**63:
            raise ValueError("int outside range")
        return whole
    if _FLOAT.fullmatch(word) and math.isfinite(float(word)):
        return float(word)
    raise ValueError(f"bad field value {word!r}")
