from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gateway.event_journal import US_PER_DAY, day_files
from gateway.history import EnergyBar, EnergyGap, energy_bars, energy_gaps, energy_rows, energy_totals
from tests.gateway.history.day_rows import HOUR, S, days, energy, write
from tests.gateway.journal_rows import NOON_US

QUARTER = 900 * S
IMPORT = "active_energy_import"
ROWS = [
    energy(NOON_US - US_PER_DAY, 100),
    energy(NOON_US, 10, cost=0.5),
    energy(NOON_US + QUARTER, 20, quality="gap", estimated=20, cost=1.0),
    energy(NOON_US + 2 * QUARTER, 30, quality="gap", estimated=30),
    energy(NOON_US + 4 * QUARTER, 40, quality="suspect"),
    energy(NOON_US + 5 * QUARTER, 50),
    energy(NOON_US, 4, tariff="peak"),
    energy(NOON_US, 6, tariff="valley"),
    energy(NOON_US, 3, phase="l1"),
    energy(NOON_US, 999, meter="other"),
]
SPAN = (NOON_US - 2 * US_PER_DAY, NOON_US + 2 * HOUR)


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    write(tmp_path, energy=ROWS)
    return tmp_path


def test_intervals_come_with_quality_and_cost(filled: Path) -> None:
    found = energy_rows(days(filled), "m", *SPAN, quantity=IMPORT, tariff="")
    assert [row.energy for row in found.rows if not row.phase] == [100, 10, 20, 30, 40, 50]
    assert [row.tariff for row in energy_rows(days(filled), "m", *SPAN, tariff="peak").rows] == ["peak"]
    priced = [row for row in found.rows if row.cost is not None]
    assert [(row.cost, row.currency, row.quality, row.to_us) for row in priced] == [
        (0.5, "CNY", "measured", NOON_US + QUARTER),
        (1.0, "CNY", "gap", NOON_US + 2 * QUARTER),
    ]
    cut = energy_rows(days(filled), "m", *SPAN, limit=2)
    assert (len(cut.rows), cut.more) == (2, True)
    assert len(energy_rows(days(filled), "m", *SPAN).rows) == 9


def test_totals_are_by_register_and_count_the_labels(filled: Path) -> None:
    totals = energy_totals(days(filled), "m", *SPAN).totals
    assert [(each.phase, each.tariff, each.energy, each.intervals) for each in totals] == [
        ("", "", 250, 6),
        ("", "peak", 4, 1),
        ("", "valley", 6, 1),
        ("l1", "", 3, 1),
    ]
    assert totals[0].qualities == {"gap": 2, "measured": 3, "suspect": 1}
    assert (totals[0].estimated, totals[0].cost, totals[0].currency) == (50, 1.5, "CNY")
    assert totals[1].cost is None


def test_bars_lie_between_edges_and_bear_the_worst_label(filled: Path) -> None:
    edges = [NOON_US - US_PER_DAY, NOON_US, NOON_US + HOUR, NOON_US + 2 * HOUR]
    bars = energy_bars(days(filled), "m", IMPORT, edges).bars
    assert bars == [
        EnergyBar(edges[0], edges[1], "", 100, 0, None, None, "measured"),
        EnergyBar(edges[1], edges[2], "", 60, 50, 1.5, "CNY", "gap"),
        EnergyBar(edges[1], edges[2], "peak", 4, 0, None, None, "measured"),
        EnergyBar(edges[1], edges[2], "valley", 6, 0, None, None, "measured"),
        EnergyBar(edges[2], edges[3], "", 90, 0, None, None, "suspect"),
    ]
    for wrong in ([], [5], [5, 5], [6, 5]):
        with pytest.raises(ValueError, match="edges_us"):
            energy_bars(days(filled), "m", IMPORT, wrong)


def test_gaps_are_joined_and_what_is_missing_is_told(filled: Path) -> None:
    assert energy_gaps(days(filled), "m", *SPAN).gaps == [
        EnergyGap(NOON_US - US_PER_DAY + QUARTER, NOON_US, "missing", None),
        EnergyGap(NOON_US + QUARTER, NOON_US + 3 * QUARTER, "gap", 50),
        EnergyGap(NOON_US + 3 * QUARTER, NOON_US + 4 * QUARTER, "missing", None),
        EnergyGap(NOON_US + 4 * QUARTER, NOON_US + 5 * QUARTER, "suspect", 40),
    ]
    assert energy_gaps(days(filled), "none", *SPAN).gaps == []


def test_a_day_without_cost_or_without_books_is_read_too(filled: Path) -> None:
    (_, before), (_, today) = day_files(filled)
    for path, change in ((before, "DROP TABLE energy"), (today, "ALTER TABLE energy DROP COLUMN cost")):
        with sqlite3.connect(path) as connection:
            connection.execute(change)
        connection.close()
    found = energy_rows(days(filled), "m", *SPAN)
    assert (len(found.rows), found.damaged) == (8, [])
    assert {row.cost for row in found.rows} == {None}
    totals = energy_totals(days(filled), "m", *SPAN)
    assert (totals.totals[0].energy, totals.totals[0].cost, totals.damaged) == (150, None, [])


def test_what_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="limit = 0"):
        energy_rows(days(tmp_path), "m", *SPAN, limit=0)
    with pytest.raises(ValueError, match="at most 366 days"):
        energy_totals(days(tmp_path), "m", 0, NOON_US)
