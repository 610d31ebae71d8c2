"""Conditions, written from settings whose characters need no escapes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

DIGITS: Final = 6


def of_meters(names: Iterable[str], quantity: str) -> str:
    """Readings of this quantity of these meters."""
    return f'{one_of("device", names)} && e.quantity == "{quantity}"'


def one_of(field: str, values: Iterable[str]) -> str:
    """Whether a field is one of these texts."""
    quoted = [f'"{value}"' for value in values]
    return f"e.{field} == {quoted[0]}" if len(quoted) == 1 else f"e.{field} in [{', '.join(quoted)}]"


def number(value: float) -> str:
    """A number with its point, without what floats leave behind."""
    return repr(round(float(value), DIGITS))
