"""What a proof says: one line for each thing that must hold, with its bound and what was measured.

A proof is a module of this package with `def prove(scale: float, seed: int) -> list[Check]`: at `scale` 1.0 it runs as
long and as large as its page promises, below that proportionally less. It raises `SkippedError` where it cannot run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was measured.

    Attributes:
        holds: None where no bound is set: then the figure is told and fails nothing.
        by_the_clock: a busy machine alone can break it.
    """

    what: str
    bound: str
    measured: str
    holds: bool | None
    by_the_clock: bool = False

    @property
    def verdict(self) -> str:
        """The word for the table."""
        return {True: "holds", False: "FAILS", None: "-"}[self.holds]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one proof ended.

    Attributes:
        failure: what ended it before its checks were made; skipped: why it did not run.
    """

    name: str
    title: str
    seed: int
    took_s: float
    checks: list[Check] = field(default_factory=list)
    failure: str = ""
    skipped: str = ""

    @property
    def failed(self) -> bool:
        """Whether something that must hold does not."""
        return bool(self.failure) or any(check.holds is False for check in self.checks)


class SkippedError(Exception):
    """A proof cannot run here; the message says why."""


def at_least(what: str, measured: float, least: float, unit: str = "", *, by_the_clock: bool = False) -> Check:
    """It is not below a bound."""
    shown = f"{_number(measured)}{unit}"
    return Check(what, f"≥ {_number(least)}{unit}", shown, measured >= least, by_the_clock)


def at_most(what: str, measured: float, most: float, unit: str = "", *, by_the_clock: bool = False) -> Check:
    """It is not above a bound."""
    shown = f"{_number(measured)}{unit}"
    return Check(what, f"≤ {_number(most)}{unit}", shown, measured <= most, by_the_clock)


def exactly(what: str, measured: float, wanted: float, unit: str = "") -> Check:
    """It is this, and nothing else."""
    return Check(what, f"= {_number(wanted)}{unit}", f"{_number(measured)}{unit}", measured == wanted)


def told(what: str, measured: float | str, unit: str = "") -> Check:
    """A figure without a bound."""
    shown = measured if isinstance(measured, str) else _number(measured)
    return Check(what, "", f"{shown}{unit}", None)


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "nothing"
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:,.2f}"
