from __future__ import annotations

from pathlib import Path

import pytest

from gateway.event_journal import US_PER_DAY, Row
from gateway.history import demands
from tests.gateway.history.day_rows import HOUR, days, write
from tests.gateway.journal_rows import NOON_US


def demand(at_us: int, watts: float, kind: str, *, meter: str = "m") -> Row:
    return (at_us * 1_000, meter, "active_demand", "W", "", "computed", kind, watts, "computed", at_us + 900, 15)


def test_demands_are_held_against_a_limit(tmp_path: Path) -> None:
    rows = [
        demand(NOON_US - US_PER_DAY, 700, "block"),
        demand(NOON_US, 500, "block"),
        demand(NOON_US, 900, "sliding_max"),
        demand(NOON_US + HOUR, 600.5, "block"),
        demand(NOON_US, 5_000, "block", meter="other"),
    ]
    write(tmp_path, demand=rows)
    found = demands(days(tmp_path), "m", NOON_US - US_PER_DAY, NOON_US + 2 * HOUR, limit_w=600.5)
    assert sorted(row.demand_w for row in found.rows) == [500, 600.5, 700, 900]
    assert [(row.kind, row.demand_w, row.at_us, row.is_over) for row in found.largest] == [
        ("block", 700, NOON_US - US_PER_DAY, True),
        ("sliding_max", 900, NOON_US, True),
    ]
    assert (found.over, found.more) == (2, False)
    assert demands(days(tmp_path), "m", NOON_US, NOON_US + HOUR).over == 0
    cut = demands(days(tmp_path), "m", NOON_US - US_PER_DAY, NOON_US + HOUR, limit=1)
    assert ([row.demand_w for row in cut.rows], cut.more) == ([700], True)
    with pytest.raises(ValueError, match="limit = 0"):
        demands(days(tmp_path), "m", 0, 1, limit=0)
