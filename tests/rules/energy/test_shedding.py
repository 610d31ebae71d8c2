from __future__ import annotations

import pytest

from gateway.config.energy import SheddableLoad
from rules.energy.shedding import Proposal, proposal

LOADS = [SheddableLoad(name=name, power_w=power_w) for name, power_w in (("hvac", 20), ("pumps", 5), ("ovens", 40))]


@pytest.mark.parametrize(
    ("excess_w", "found"),
    [
        (0.1, Proposal("hvac", 1, 20, is_enough=True)),
        (20, Proposal("hvac", 1, 20, is_enough=True)),
        (20.1, Proposal("hvac, pumps", 2, 25, is_enough=True)),
        (65, Proposal("hvac, pumps, ovens", 3, 65, is_enough=True)),
        (66, Proposal("hvac, pumps, ovens", 3, 65, is_enough=False)),
        (0, None),
        (-5, None),
    ],
)
def test_as_few_as_are_enough_in_their_order(excess_w: float, found: Proposal | None) -> None:
    assert proposal(LOADS, excess_w) == found


def test_nothing_may_be_switched_off() -> None:
    assert proposal([], 10) is None
