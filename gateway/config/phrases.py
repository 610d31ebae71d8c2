"""What is wrong with one value of the site file, and what would be right, in words for the person who wrote it."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic_core import ErrorDetails

SHOWN_VALUE_CHARACTERS: Final = 60
SECRET: Final = re.compile(
    r"(^|[_-])(pass(word|wd|phrase)?|secret|token|api[_-]?key|private[_-]?key|credential)s?([_-]|$)", re.IGNORECASE
)
"""Keys that hold a secret; their values are never shown."""
_RUN: Final = re.compile(r'[^\s"]+')

_SIMPLE: Final = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "date_from_datetime_inexact": "must be a date without a time, as in 2026-01-01",
    "date_from_datetime_parsing": "must be a date, as in 2026-01-01",
    "date_type": "must be a date, as in 2026-01-01",
    "dict_type": "must be a table",
    "finite_number": "must be a finite number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "list_type": "must be an array",
    "tuple_type": "must be an array",
    "path_type": 'must be a path in quotes, as in "/etc/tagwharf/ca.pem"',
    "string_type": "must be text in quotes",
}
_BOUNDS: Final = {
    "less_than_equal": ("at most", "le"),
    "less_than": ("below", "lt"),
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("above", "gt"),
}
_PATTERNS: Final = {
    r"^[a-z0-9][a-z0-9_-]{0,63}$": "must be 1 to 64 of a-z, 0-9, _ and -, beginning with a letter or digit",
    r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$": "must be the name of a credential: 1 to 64 of A-Z, a-z, 0-9, _, . and -",
    r"^([01][0-9]|2[0-3]):[0-5][0-9]$": "must be a time of day, HH:MM, from 00:00 to 23:59",
    r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$": "must be a day of the year, MM-DD",
    r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$": "must be a time of the day, HH:MM-HH:MM",
    r"^[^\s\x00-\x1f]{1,16}$": "must be a unit: 1 to 16 characters without blanks",
    r"^((ns=[0-9]{1,5}|nsu=[^;]{1,200});)?[isgb]=.{1,500}$": "must be a node id, as in ns=2;s=Speed or i=2258",
    r"^(\*|[a-z0-9][a-z0-9_-]{0,63})$": 'must be a name of a-z, 0-9, _ and -, or "*" for all of them',
    r"^https?://": "must begin with http:// or https://",
    r"^([0-9A-Fa-f]{2}:?){32}$": "must be the SHA-256 fingerprint: 64 hex digits, colons allowed",
}


def explain(error: ErrorDetails) -> str:
    """What one error of pydantic means; unknown and missing keys are told by who knows their neighbours."""
    kind = error["type"]
    context: Mapping[str, Any] = error.get("ctx", {})
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if kind in _BOUNDS:
        words, limit = _BOUNDS[kind]
        return f"must be {words} {show(context[limit])}"
    if kind in ("literal_error", "enum"):
        return one_of(error["input"], re.findall(r"'([^']*)'|(\d+)", str(context["expected"])))
    if kind == "union_tag_invalid":
        return one_of(context["tag"], re.findall(r"'([^']*)'", str(context["expected_tags"])))
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(context["pattern"], f"must match {context['pattern']}")
    if kind in ("string_too_long", "string_too_short"):
        words, limit = ("at most", "max_length") if kind == "string_too_long" else ("at least", "min_length")
        return f"must have {words} {context[limit]} characters"
    if kind in ("too_short", "too_long"):
        words, limit = ("at least", "min_length") if kind == "too_short" else ("at most", "max_length")
        return f"must have {words} {context[limit]} {'entry' if context[limit] == 1 else 'entries'}"
    if kind in ("model_type", "model_attributes_type"):
        return "must be a table"
    if kind in ("value_error", "assertion_error"):
        return str(context["error"])
    message = error["msg"]
    return message[:1].lower() + message[1:]


def one_of(value: object, allowed: Iterable[str | tuple[str, ...]]) -> str:
    """`must be one of ...`, with the nearest one."""
    names = ["".join(name) for name in allowed]
    return f"must be {' or '.join(names) if len(names) < 3 else 'one of ' + ', '.join(names)}{nearest(value, names)}"  # noqa: PLR2004 - two read well with "or"


def nearest(value: object, names: Iterable[str]) -> str:
    """` (did you mean "x"?)` when one of the names is near, else nothing."""
    near = difflib.get_close_matches(str(value), list(names), n=1)
    return f' (did you mean "{near[0]}"?)' if near else ""


def show(value: object) -> str:
    """A value as it would stand in the file, cut short; never what a secret is."""
    if isinstance(value, Mapping):
        return "{...}" if value else "{}"
    if isinstance(value, list):
        text = f"[{', '.join(map(show, value))}]"
    elif isinstance(value, bool | str):
        text = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, float) and value.is_integer() and abs(value) < 1e15:  # noqa: PLR2004 - beyond it digits mislead
        text = f"{value:.1f}"
    else:
        text = str(value)
    text = _RUN.sub(_without_user, text)
    printable = clean(text)
    return printable if len(printable) <= SHOWN_VALUE_CHARACTERS else printable[:SHOWN_VALUE_CHARACTERS] + "..."


def _without_user(run: re.Match[str]) -> str:
    """What stands in a URL before `@` is a user and a password; looked for from its end, so that it takes no time."""
    text = run[0]
    before, at, behind = text.rpartition("@")
    return f"***@{behind}" if at and (":" in before or "/" in before) else text


def clean(text: str) -> str:
    """Text that cannot forge a line or steer a terminal."""
    return text if text.isprintable() else "".join(each if each.isprintable() else "?" for each in text)
