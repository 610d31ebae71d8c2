"""Conditions, written from settings whose characters need no escapes."""

from __future__ import annotations

from collections.abc import Iterable


def one_of(field: str, values: Iterable[str]) -> str:
    """Whether a field is one of these texts."""
    quoted = ", ".join(f'"{value}"' for value in values)
    return f"e.{field} in [{quoted}]"


def both(*conditions: str) -> str:
    """Whether all of them hold; those that are empty ask for nothing."""
    asked = [each for each in conditions if each]
    if len(asked) == 1:
        return asked[0]
    return " && ".join(f"({each})" if "||" in each else each for each in asked) or "true"


def of_kind(kinds: list[str], classes: list[str]) -> str:
    """Whether a thing is of one of these kinds, and of one of these classes; empty when any is."""
    asked = [one_of(field, values) for field, values in (("kind", kinds), ("class", classes)) if values]
    return " && ".join(asked)
