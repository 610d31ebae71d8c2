"""What a demand will be at the end of its window: energy so far, and present power for the time that is left.

    power │             ┌────── present power
          │    ▒▒▒▒▒▒▒▒▒│░░░░░░░░      ▒ counted by the register
          │ ·· ▒▒▒▒▒▒▒▒▒│░░░░░░░░      ░ not yet: present power is taken to stay
          └─┬──┬────────┬───────┬─     · not read: taken to be as what was read, or as present power
         from  first   now     to

The register at the beginning of the window lies on the straight line between two readings. Present power also stands
for the time since the register was read last. What was read for less than a minute says little in steps of 10 Wh: until
then present power stands for the unread part, too.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

US_PER_H: Final = 3_600_000_000
LEAST_READ_US: Final = 60_000_000
"""What was read for a shorter time says nothing of the time before."""
MOST_APART_US: Final = 150_000_000
"""A register that was not read for so long is not followed: it is begun anew."""
POWER_HOLDS_US: Final = 60_000_000
"""An older power is not present."""
SAMPLES: Final = 60
"""Readings of a register that are kept of one window, at most and about."""


class Window(NamedTuple):
    """What a demand is the mean over."""

    from_us: int
    to_us: int

    @property
    def length_us(self) -> int:
        """How long it is."""
        return self.to_us - self.from_us


class Course(msgspec.Struct, array_like=True):
    """How a register went.

    Attributes:
        times_us, energies_wh: what is kept of it, in order; the last is always kept.
        power_w: present power, as of `power_us`; None when it was never told.
    """

    times_us: list[int] = []
    energies_wh: list[float] = []
    power_w: float | None = None
    power_us: int = 0

    def read(self, at_us: int, energy_wh: float, window: Window) -> None:
        """The register was read. One that fell, or was not read for long, is followed from here on."""
        times, energies = self.times_us, self.energies_wh
        if times and at_us == times[-1]:
            return  # told twice in one answer
        if times and (energy_wh < energies[-1] or at_us < times[-1] or at_us - times[-1] > MOST_APART_US):
            times.clear()
            energies.clear()
        if len(times) > 1 and times[-1] - times[-2] < window.length_us // SAMPLES:
            times[-1], energies[-1] = at_us, energy_wh
        else:
            times.append(at_us)
            energies.append(energy_wh)
        while len(times) > 1 and times[1] <= window.from_us:
            del times[0], energies[0]

    def counted_wh(self, at_us: int) -> float:
        """The register at a time between the first and the last that are kept."""
        times, energies = self.times_us, self.energies_wh
        after = next(place for place, time_us in enumerate(times) if time_us >= at_us)
        if times[after] == at_us or not after:
            return energies[after]
        share = (at_us - times[after - 1]) / (times[after] - times[after - 1])
        return energies[after - 1] + (energies[after] - energies[after - 1]) * share


def forecast_w(course: Course, window: Window, now_us: int) -> float | None:
    """The demand of a window in which now lies; None when the present power is not known."""
    power_w = course.power_w
    if power_w is None or now_us - course.power_us > POWER_HOLDS_US:
        return None
    times = course.times_us
    first_us = last_us = now_us
    known_wh = 0.0
    if times and times[-1] > window.from_us and now_us - times[-1] <= MOST_APART_US:
        first_us, last_us = max(window.from_us, times[0]), times[-1]
        known_wh = course.energies_wh[-1] - course.counted_wh(first_us)
    elif times:
        first_us = last_us = max(window.from_us, times[-1]) if now_us - times[-1] <= MOST_APART_US else now_us
    known_wh += power_w * (now_us - last_us) / US_PER_H
    unread_us = first_us - window.from_us
    before_w = known_wh * US_PER_H / (now_us - first_us) if now_us - first_us >= LEAST_READ_US else power_w
    whole_wh = known_wh + (before_w * unread_us + power_w * (window.to_us - now_us)) / US_PER_H
    return whole_wh * US_PER_H / window.length_us


def excess_w(forecast: float, limit_w: float, window: Window, now_us: int) -> float:
    """The power that must go at once and until the end for the demand to be as the limit; negative: what may come."""
    left_us = max(window.to_us - now_us, 1)
    return (forecast - limit_w) * window.length_us / left_us
