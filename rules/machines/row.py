"""What survives of the books of a machine: sums of the periods that run, and what was heard last."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

STATES: Final = ("execute", "idle", "held", "stopped", "aborted")
UNKNOWN: Final = 5
"""Watched, and the machine has not said what it does."""
NO_DATA: Final = 6
"""Nobody watched: neither running nor standing."""
KINDS_OF_TIME: Final = 7
COUNTERS: Final = ("total", "good", "bad")
MOST_REASONS: Final = 60
OTHER: Final = "other"
UNSAID: Final = "unknown"


class Made(msgspec.Struct, array_like=True):
    """Units of the three counters; None for one that tells nothing."""

    total: Decimal | None = None
    good: Decimal | None = None
    bad: Decimal | None = None

    def add(self, name: str, units: Decimal) -> None:
        """Count more."""
        setattr(self, name, (getattr(self, name) or Decimal(0)) + units)

    def whole(self) -> Made:
        """With the third of them, where two are told; a total alone tells nothing of quality."""
        total, good, bad = self.total, self.good, self.bad
        if total is None and good is not None and bad is not None:
            return Made(good + bad, good, bad)
        if total is not None and good is None and bad is not None:
            return Made(total, max(Decimal(0), total - bad), bad)
        if total is not None and good is not None and bad is None:
            return Made(total, good, max(Decimal(0), total - good))
        return self


class Standing(msgspec.Struct, array_like=True):
    """What stops for one reason took of a period, and how many began in it."""

    us: int = 0
    count: int = 0


class Period(msgspec.Struct, array_like=True):
    """The sums of an interval or a shift.

    Attributes:
        until_us: how far it is accounted for.
        part: tells apart periods of the same beginning, when the gateway's clock was set back.
        planned, unplanned: microseconds by `STATES`, then unknown and no data.
        made: in planned time; beside: in other time; unwatched: while nobody watched.
        covered_us: time whose energy is known.
    """

    shift: str
    from_us: int
    to_us: int
    until_us: int
    part: int
    planned: list[int]
    unplanned: list[int]
    made: Made
    beside: Made
    unwatched: Made
    reasons: dict[str, Standing]
    resets: int = 0
    energy_wh: Decimal = Decimal(0)
    covered_us: int = 0

    @property
    def is_dark(self) -> bool:
        """Whether nothing at all is known of it."""
        times = (*self.planned[:NO_DATA], *self.unplanned[:NO_DATA])
        made = (self.made, self.beside, self.unwatched)
        return not any(times) and not self.covered_us and all(each == Made() for each in made)

    def stand(self, reason: str, us: int, count: int = 0) -> None:
        """Add to, or take from, what a reason took."""
        if reason not in self.reasons and len(self.reasons) >= MOST_REASONS:
            reason = OTHER
        standing = self.reasons.setdefault(reason, Standing())
        standing.us += us
        standing.count += count


def period(shift: str, from_us: int, to_us: int, at_us: int, part: int) -> Period:
    """An empty one, accounted for from `at_us` on."""
    zeros = [0] * KINDS_OF_TIME
    return Period(shift, from_us, to_us, at_us, part, zeros, list(zeros), Made(), Made(), Made(), {})


class Counter(msgspec.Struct, array_like=True):
    """A counter as it was heard last; `is_dark` when nobody watched since."""

    value: Decimal
    at_us: int
    is_dark: bool = False


class Stop(msgspec.Struct, array_like=True):
    """A stop that lasts.

    Attributes:
        number: of the stops of this machine.
        stood_us, dark_us: how long it was seen to stand, and was not seen, since.
        is_exact: its beginning was seen.
        is_told: the event was made, and only an empty reason is still filled in.
        here_us: what of it is in the running interval, and in the running shift.
    """

    number: int
    from_us: int
    state: str
    reason: str
    is_exact: bool
    stood_us: int = 0
    dark_us: int = 0
    is_told: bool = False
    here_us: list[int] = []
    here_counts: list[int] = []


class Energy(msgspec.Struct, array_like=True):
    """The register of the machine's meter as it was read last."""

    value_wh: Decimal
    at_us: int


class MachineRow(msgspec.Struct, array_like=True):
    """What survives of a machine.

    Attributes:
        settled_us: how far its time is accounted for; watched_us: the watched time of its device up to there.
        state: empty while it is not known; last_state: the one before it was lost.
        length_us: of the intervals that its periods were made for.
        last, last_shift: periods that have ended, and wait for the energy of their end.
    """

    settled_us: int
    watched_us: int
    length_us: int
    state: str = ""
    last_state: str = ""
    reason: str = ""
    part: int = 0
    stops: int = 0
    counters: dict[str, Counter] = {}
    interval: Period | None = None
    shift: Period | None = None
    last: Period | None = None
    last_shift: Period | None = None
    stop: Stop | None = None
    energy: Energy | None = None
