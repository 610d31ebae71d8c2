"""Interlocks: what must hold before an order leaves the gateway. A value that is not known refuses.

current_a < 5                            of what the point itself shows, read from the device just now
signal lane-1-io loop-2 = false          the latest signal of another device of this gateway
reading feeder-2 active_power < 500      the latest reading; of one phase: active_power:a
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from readers.control import Value
from readers.quantities import Phase, Quantity

_FORM: Final = re.compile(
    r"""(?:(?P<source>signal|reading)\s+(?P<device>\S+)\s+)?
    (?P<name>[A-Za-z0-9_.:-]+)\s*(?P<operator><=|>=|!=|=|<|>)\s*
    (?P<literal>true|false|-?[0-9]+(?:\.[0-9]+)?|"[^"\x00-\x1f]*")""",
    re.VERBOSE,
)
_SHAPE: Final = 'as in current_a < 5, signal lane-1-io loop-2 = false, reading feeder-2 active_power < 500, mode != "x"'


class Source(StrEnum):
    """Where a condition looks."""

    POINT = "point"
    SIGNAL = "signal"
    READING = "reading"


_COMPARE: Final[Mapping[str, Callable[[Decimal, Decimal], bool]]] = {
    "<": lambda found, limit: found < limit,
    "<=": lambda found, limit: found <= limit,
    ">": lambda found, limit: found > limit,
    ">=": lambda found, limit: found >= limit,
    "=": lambda found, limit: found == limit,
    "!=": lambda found, limit: found != limit,
}


@dataclass(frozen=True, slots=True)
class Interlock:
    """One condition.

    Attributes:
        device: whose signal or reading it is; empty where the point itself is asked.
        text: as the site file has it.
    """

    source: Source
    device: str
    name: str
    operator: str
    literal: Value
    text: str

    def holds(self, found: Value) -> bool:
        """Whether it holds for a value; a value of another sort than the literal is never right."""
        if isinstance(self.literal, Decimal):
            return isinstance(found, Decimal) and _COMPARE[self.operator](found, self.literal)
        if type(found) is not type(self.literal):
            return False
        return (found == self.literal) is (self.operator == "=")


def parse(text: str) -> Interlock:
    """An interlock from its text.

    Raises:
        ValueError: it has another form; the message says which forms there are.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r}: must be NAME OPERATOR VALUE, {_SHAPE}")
    source = Source(match["source"] or "point")
    literal = _literal(match["literal"])
    if not isinstance(literal, Decimal) and match["operator"] not in ("=", "!="):
        raise ValueError(f"{text!r}: {match['operator']} compares numbers; true, false and texts have = and !=")
    if source is Source.READING:
        quantity, _, phase = match["name"].partition(":")
        if quantity not in set(Quantity):
            raise ValueError(f"{text!r}: there is no quantity {quantity}")
        if phase and phase not in set(Phase):
            raise ValueError(f"{text!r}: there is no phase {phase}; known: {', '.join(Phase)}")
        if not isinstance(literal, Decimal):
            raise ValueError(f"{text!r}: a reading is a number")
    return Interlock(source, match["device"] or "", match["name"], match["operator"], literal, text.strip())


def _literal(text: str) -> Value:
    if text in ("true", "false"):
        return text == "true"
    return text[1:-1] if text.startswith('"') else Decimal(text)


def failing(
    interlocks: tuple[Interlock, ...],
    shown: Mapping[str, Value],
    latest: Callable[[Interlock], Value | None],
) -> list[str]:
    """Why an order must not leave, one line for each interlock that does not hold; empty when all hold.

    `shown` is what the point shows now; `latest` gives the fresh value of another device, None when there is none.
    """
    found = []
    for each in interlocks:
        value = shown.get(each.name) if each.source is Source.POINT else latest(each)
        if value is None:
            where = "the device does not tell it" if each.source is Source.POINT else "no fresh value is known"
            found.append(f"{each.text}: {where}")
        elif not each.holds(value):
            found.append(f"{each.text}: it is {as_text(value)}")
    return found


def as_text(value: Value) -> str:
    """A value as people write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else value
