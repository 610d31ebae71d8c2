from __future__ import annotations

import pytest

from gateway.event_journal import US_PER_DAY
from gateway.history.steps import STEPS_US, choose_step

HOUR = 3_600_000_000


@pytest.mark.parametrize(
    ("hours", "points", "series", "step_s"),
    [(1, 3600, 1, 1), (1, 1000, 1, 5), (1, 1000, 50, 5), (8, 1000, 1, 30), (8, 1000, 50, 60), (24, 1440, 50, 60),
     (24, 1000, 50, 120), (24, 100, 1, 900), (30 * 24, 1000, 1, 3600), (366 * 24, 366, 1, 86400)],
)  # fmt: skip
def test_the_finest_step_is_taken_that_a_screen_needs_and_rows_can_answer(
    hours: int, points: int, series: int, step_s: int
) -> None:
    assert choose_step(0, hours * HOUR, points, series) == step_s * 1_000_000


def test_no_step_lies_in_two_days() -> None:
    assert all(US_PER_DAY % step == 0 for step in STEPS_US)
    assert list(STEPS_US) == sorted(STEPS_US)


def test_fewer_points_than_days_are_refused() -> None:
    with pytest.raises(ValueError, match="points_most = 3: must be at least 4, one for each day"):
        choose_step(0, 3 * US_PER_DAY + 1, 3, 1)
