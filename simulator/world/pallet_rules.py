"""What the rules of a factory line should conclude of its pallets: routes, skipped stations, what is stuck or slow.

The site file describes the line as it is here: its stations are called as their read points, it is called as its
conveyor, and its times are those below.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from simulator.world.expected import Expected
from simulator.world.pallet_ways import HALT_S, Mishap
from simulator.world.pallets import Pallet

USE: Final = "hall"
"""Name of the pack."""
SLOW_S: Final = 10.5
"""What takes longer from the first station to the last is an overrun."""
STUCK_S: Final = 7.0
"""What stands so long at the last station but one is stuck."""
WITHIN_US: Final = 3_000_000
"""A pallet is heard up to 2 m before a station, and believed with its second read."""
NEAR_S: Final = 3.0
TYPES: Final = (
    *("station-skipped", "station-out-of-order", "thing-stuck", "route-completed", "route-incomplete", "cycle-overrun"),
    *("wip-full", "queue-full"),
)
"""What the rules may conclude of a line, besides who came where."""
_US_PER_S: Final = 1_000_000


def expected(pallets: Sequence[Pallet]) -> list[Expected]:
    """All of it, in order of time."""
    found = [each for pallet in pallets for each in _of(pallet)]
    return sorted(found, key=lambda each: (each.at_us, each.type))


def never(pallets: Sequence[Pallet]) -> list[str]:
    """Types of events that none of these pallets gives cause for; without pallets there is no line."""
    caused = {each.type for each in expected(pallets)}
    return [each for each in TYPES if each not in caused] if pallets else []


def _of(pallet: Pallet) -> Iterator[Expected]:
    subject = pallet.epc.hex().upper()
    stations = list(pallet.conveyor.stations)
    head = f"{USE}-{pallet.conveyor.name}"
    visits = dict(pallet.visits())
    first_us, end_us = visits[stations[0]], visits[stations[-1]]
    took_s = (end_us - first_us) / _US_PER_S
    route: dict[str, str | float] = {"subject": subject, "rule": f"{head}-route", "duration_s": took_s}
    near = {"duration_s": NEAR_S}

    def skipped(station: str, at_us: int) -> Expected:
        match = {"subject": subject, "rule": f"{head}-skipped-{station}"}
        return Expected("skipped stations", "station-skipped", at_us, WITHIN_US, match)

    if pallet.mishap is Mishap.SKIPPED:
        yield skipped(stations[-2], end_us)
        match = route | {"missing": stations[-2]}
        yield Expected("incomplete routes", "route-incomplete", end_us, WITHIN_US, match, near)
        return
    order = "kept"
    if pallet.mishap is Mishap.DISORDERED:
        order = "broken"
        second, third, fourth = stations[1:4]
        yield skipped(second, visits[third])
        back = {"subject": subject, "rule": f"{head}-order-{third}"}
        yield Expected("stations out of order", "station-out-of-order", visits[second], WITHIN_US, back)
        yield skipped(third, visits[fourth])
    elif pallet.mishap is Mishap.STUCK:
        assert HALT_S > STUCK_S
        at_us = visits[stations[-2]] + round(STUCK_S * _US_PER_S)
        stuck = {"subject": subject, "rule": f"{head}-stuck-{stations[-2]}"}
        yield Expected("stuck pallets", "thing-stuck", at_us, WITHIN_US, stuck)
    yield Expected("completed routes", "route-completed", end_us, WITHIN_US, route | {"order": order}, near)
    if took_s > SLOW_S:
        slow = {"subject": subject, "rule": f"{head}-overrun"}
        yield Expected("overrun cycles", "cycle-overrun", end_us, WITHIN_US, slow)
