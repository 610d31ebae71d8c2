"""Durations as people type them: `250ms`, `30s`, `5m`, `1.5h`, `7d`; a number alone means seconds."""

from __future__ import annotations

import re
from typing import Final

_UNITS_S: Final = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|min|m|h|d|)")


def seconds(text: str) -> float:
    """The duration in seconds.

    Raises:
        ValueError: it is none, or not above zero.
    """
    match = _DURATION.fullmatch(text.strip())
    duration_s = float(match[1]) * _UNITS_S[match[2]] if match else 0.0
    if duration_s <= 0:
        raise ValueError(f"{text!r} is no duration above zero; write 250ms, 30s, 5m, 1.5h or 7d")
    return duration_s
