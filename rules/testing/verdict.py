"""Compares what came out of a test with what was expected, and says what is missing and what came nearest."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from gateway.contract.events import Alarm, Event
from rules.testing.models import Case, Expected, Given
from rules.testing.player import Made

MOST_LINES: Final = 60
"""Lines of a timeline that a failure shows."""
AROUND_S: Final = 0.5
"""How far a single moment may be missed."""
_TEXTS: Final = (
    *("subject", "rule", "name", "zone", "from_zone", "read_point", "direction", "device", "severity", "message"),
)


class Judge:
    """Judges the outcome of one test; `start_us` is the time of 0s."""

    def __init__(self, case: Case, start_us: int) -> None:
        self._case = case
        self._start_us = start_us

    def failures(self, made: Sequence[Made]) -> list[str]:
        """What is wrong, a paragraph each; empty when all is as expected."""
        wanted = [each for each in self._case.expect for _ in range(each.count)]
        taken = _matched([[self.misses(each, one) == [] for one in made] for each in wanted])
        found = []
        told: set[int] = set()
        for index, expected in enumerate(wanted):
            if index not in taken.values() and id(expected) not in told:
                told.add(id(expected))
                found.append(self._missing(expected, made, taken))
        for expected in self._case.never:
            found += [
                f"must never come: {text_of(expected)}\n  came: {self.line(one)}"
                for one in made
                if not self.misses(expected, one)
            ]
        if self._case.only:
            found += [
                f"was not expected, and only what is expected may come:\n  came: {self.line(one)}"
                for number, one in enumerate(made)
                if number not in taken and one.told.rule is not None
            ]
        return found

    def misses(self, expected: Expected, made: Made) -> list[str]:
        """In what something is not what is expected."""
        told = made.told
        kind = told.type if isinstance(told, Event) else told.rule
        found = []
        if isinstance(told, Event) != (expected.event is not None) or kind != (expected.event or expected.alarm):
            return ["is something else"]
        if isinstance(told, Alarm) and told.state != expected.state:
            found.append(f"state is {told.state}")
        if expected.at is not None:
            first, last = expected.at
            around = AROUND_S if first == last else 0.0
            if not first - around <= self._at_s(told) <= last + around:
                found.append(f"at {self._at_s(told):g}s")
        found += [
            f"{name} is {getattr(told, name, None)!r}"
            for name in _TEXTS
            if (wanted := getattr(expected, name)) is not None and getattr(told, name, None) != wanted
        ]
        if expected.historical is not None and getattr(told, "historical", None) != expected.historical:
            found.append(f"historical is {getattr(told, 'historical', None)}")
        found += [
            f"fields.{name} is {told.fields.get(name)!r}"
            for name, value in expected.fields.items()
            if not _is_same(value, told.fields.get(name))
        ]
        return found

    def line(self, made: Made) -> str:
        """One outcome as a line."""
        return line_of(made, self._start_us)

    def timeline(self, given: Iterable[Given], made: Sequence[Made]) -> list[str]:
        """What was given and what came, by time; the middle is left out when it is long."""
        lines = timeline(given, made, self._start_us)
        if len(lines) > MOST_LINES:
            half = MOST_LINES // 2
            lines = [*lines[:half], f"           ... {len(lines) - 2 * half} lines more ...", *lines[-half:]]
        return lines

    def _at_s(self, told: Event | Alarm) -> float:
        return (told.at_us - self._start_us) / 1e6

    def _missing(self, expected: Expected, made: Sequence[Made], taken: dict[int, int]) -> str:
        lines = [f"did not come: {text_of(expected)}"]
        scored = []
        for number, one in enumerate(made):
            misses = self.misses(expected, one)
            if misses != ["is something else"] and number not in taken:
                scored.append((len(misses), number, misses))
        if scored:
            _, number, misses = min(scored)
            lines.append(f"  nearest:    {self.line(made[number])}")
            lines.append(f"  differs in: {'; '.join(misses)}")
        else:
            kind = "event of this type" if expected.event is not None else "alarm of this rule"
            lines.append(f"  no {'other ' if taken and self._any(expected, made) else ''}{kind} came at all")
        return "\n".join(lines)

    def _any(self, expected: Expected, made: Sequence[Made]) -> bool:
        return any(self.misses(expected, one) != ["is something else"] for one in made)


def line_of(made: Made, start_us: int) -> str:
    """One outcome as a line, with its time from the beginning."""
    told = made.told
    what = f"event {told.type}" if isinstance(told, Event) else f"alarm {told.rule} {told.state}"
    parts = [f"{(told.at_us - start_us) / 1e6:>9.3f}s  {what}", f"subject {told.subject}"]
    if isinstance(told, Event):
        names = ("name", "zone", "from_zone", "read_point", "direction", "rule")
        parts += [f"{name} {value}" for name in names if (value := getattr(told, name)) is not None]
    else:
        parts += [told.severity, repr(told.message)]
    parts += [f"{name}={value!r}" for name, value in told.fields.items()]
    return "  ".join(parts)


def timeline(given: Iterable[Given], made: Sequence[Made], start_us: int) -> list[str]:
    """What was given and what came, in the order in which it was known."""
    rows = [(each.at, 0, f"{each.at:>9.3f}s  given {given_text(each)}") for each in given]
    rows += [((one.clock_us - start_us) / 1e6, 1, line_of(one, start_us)) for one in made]
    return [line for _, _, line in sorted(rows, key=lambda row: row[:2])]


def text_of(expected: Expected) -> str:
    """An expectation as a line."""
    what = f"event {expected.event}" if expected.event is not None else f"alarm {expected.alarm} {expected.state}"
    parts = [what]
    if expected.at is not None:
        first, last = expected.at
        parts.append(f"at {first:g}s" if first == last else f"at {first:g}s..{last:g}s")
    parts += [f"{name} {value}" for name in _TEXTS if (value := getattr(expected, name)) is not None]
    parts += [f"{name}={value!r}" for name, value in expected.fields.items()]
    if expected.count > 1:
        parts.append(f"({expected.count} times)")
    return "  ".join(parts)


def given_text(given: Given) -> str:
    """What is given, as a line."""
    (kind,) = given.what()
    value = getattr(given, kind)
    if kind in {"watched", "unwatched"}:
        return f"{kind} {', '.join(value) or 'nothing'}"
    if kind in {"silent", "restart"}:
        return kind if kind == "restart" else f"silent for {value:g}s"
    shown = value.model_dump(exclude_defaults=True, by_alias=True)
    return f"{kind} {' '.join(f'{name}={each}' for name, each in shown.items())}"


def _is_same(wanted: object, found: object) -> bool:
    if isinstance(wanted, bool) or isinstance(found, bool):
        return wanted is found
    if isinstance(wanted, int | float) and isinstance(found, int | float):
        return math.isclose(wanted, found, rel_tol=1e-9, abs_tol=1e-9)
    return wanted == found


def _matched(fits: Sequence[Sequence[bool]]) -> dict[int, int]:
    """Which outcome is taken by which expectation, so that as many as possible have one."""
    taken: dict[int, int] = {}

    def find(wanted: int, seen: set[int]) -> bool:
        for one in _fitting(fits[wanted]):
            if one not in seen:
                seen.add(one)
                if one not in taken or find(taken[one], seen):
                    taken[one] = wanted
                    return True
        return False

    for wanted in range(len(fits)):
        find(wanted, set())
    return taken


def _fitting(fits: Sequence[bool]) -> Iterator[int]:
    return (number for number, is_fit in enumerate(fits) if is_fit)
