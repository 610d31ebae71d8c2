"""What the product should conclude of what really happens: the ground truth of its rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Expected:
    """One event that should be made, once.

    Attributes:
        kind: what it is, in the plural, for people: `gate decisions`.
        type: of the event. No other event of this type should be made in the whole run.
        at_us: its event time, or about; within_us: how far from it.
        match: what it must say: `subject`, `name`, `zone` ..., or one of its fields.
        near: fields that are numbers, and how far they may be from `match`.
    """

    kind: str
    type: str
    at_us: int
    within_us: int
    match: Mapping[str, str | int | float | bool]
    near: Mapping[str, float] = field(default_factory=dict)

    def told(self) -> dict[str, object]:
        """As it stands in the truth."""
        return asdict(self)
