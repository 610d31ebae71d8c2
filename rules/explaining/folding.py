"""Steps of a trace that are alike become one: hundreds of reads of one truck say no more than the first of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from rules.explaining.tracing import Judged, Kept, Outcome

_SERIES: Final = ("subject", "name", "quantity", "phase")
"""Fields that tell one stream of items from another."""
_RESTLESS: Final = frozenset({"evidence", "due_us", "origin", "fields", "shown", "counted_us", "raised"})
"""What of a state is another at every item."""


@dataclass(slots=True)
class Fold:
    """A step, and how many more like it came.

    Attributes:
        last: the latest of them; `first` itself when it is the only one.
    """

    first: Judged | Kept | Outcome
    last: Judged | Kept | Outcome
    more: int = 0

    @property
    def until_us(self) -> int:
        """When the latest of them was."""
        return self.last.seen.at_us if isinstance(self.last, Judged) else self.last.clock_us


def folded(steps: Iterable[Judged | Kept | Outcome]) -> list[Fold]:
    """Items of one input and subject fold while every part of the condition is as true as it was.

    States fold while nothing but their counters and timers changes. What was made ends everything before it.
    """
    found: list[Fold] = []
    current: dict[Hashable, tuple[Hashable, Fold]] = {}
    for step in steps:
        if isinstance(step, Outcome):
            current.clear()
            found.append(Fold(step, step))
            continue
        series, likeness = _judged(step) if isinstance(step, Judged) else _kept(step)
        known = current.get(series)
        if known is not None and known[0] == likeness:
            known[1].last = step
            known[1].more += 1
            continue
        fold = Fold(step, step)
        current[series] = likeness, fold
        found.append(fold)
    return found


def unfolded(steps: Iterable[Judged | Kept | Outcome]) -> list[Fold]:
    """Every step by itself."""
    return [Fold(step, step) for step in steps]


def _judged(step: Judged) -> tuple[Hashable, Hashable]:
    series = (step.rule.name, step.place, step.seen.on, *(str(step.fields.get(name)) for name in _SERIES))
    truth = tuple((each.text, each.is_true) for each in step.findings())
    return series, (truth, step.is_planned, step.key is None)


def _kept(step: Kept) -> tuple[Hashable, Hashable]:
    state = step.state
    likeness = None if state is None else tuple((name, _likeness(name, value)) for name, value in state.items())
    return (step.rule, step.key), likeness


def _likeness(name: str, value: object) -> Hashable:
    """What of a value must be the same: texts, true and false, names; of numbers and lists, whether there is one."""
    if name in _RESTLESS or name.endswith("_from"):
        return None
    if isinstance(value, bool | str):
        return value
    if isinstance(value, Mapping):
        return tuple(map(str, value))
    return bool(value)
