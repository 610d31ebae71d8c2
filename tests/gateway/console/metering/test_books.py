import time
from pathlib import Path

from gateway.console.metering.books import Forecast, Interval, books, forecasts, intervals
from gateway.console.metering.known import Limit
from gateway.event_journal import Row
from tests.gateway.history.day_rows import HOUR, S, days, energy, write
from tests.gateway.journal_rows import NOON_US

QUARTER = 900 * S
IMPORT = "active_energy_import"


def demand(at_us: int, watts: float, kind: str, tariff: str = "") -> Row:
    return (at_us * 1_000, "m", "active_demand", "W", tariff, "computed", kind, watts, "computed", at_us + 900, 15)


def test_books_hold_everything_between_their_edges(tmp_path: Path) -> None:
    rows = [
        energy(NOON_US, 100, cost=0.5),
        energy(NOON_US + QUARTER, 200, quality="suspect", cost=1.0),
        energy(NOON_US + 4 * QUARTER, 50),
        energy(NOON_US, 60, tariff="peak"),
        energy(NOON_US, 40, tariff="flat"),
        energy(NOON_US, 7, meter="other"),
    ]
    told = [demand(NOON_US, 900, "block"), demand(NOON_US, 990, "sliding_max"), demand(NOON_US + QUARTER, 100, "block")]
    told += [demand(NOON_US, 880, "max", "peak"), demand(NOON_US + 2 * QUARTER, 910, "block", "peak")]
    write(tmp_path, energy=rows, demand=told)
    edges = [NOON_US, NOON_US + HOUR, NOON_US + 2 * HOUR]
    found = books(days(tmp_path), "m", IMPORT, edges, Limit(limit_w=800))
    assert found.edges_us == edges
    assert [(bar.from_us, bar.tariff, bar.energy, bar.cost, bar.quality) for bar in found.bars] == [
        (NOON_US, "", 300, 1.5, "suspect"),
        (NOON_US, "flat", 40, None, "measured"),
        (NOON_US, "peak", 60, None, "measured"),
        (NOON_US + HOUR, "", 50, None, "measured"),
    ]
    assert [(total.tariff, total.energy, total.intervals) for total in found.totals] == [
        ("", 350, 3),
        ("flat", 40, 1),
        ("peak", 60, 1),
    ]
    assert [(gap.from_us, gap.to_us, gap.quality) for gap in found.gaps] == [
        (NOON_US + QUARTER, NOON_US + 2 * QUARTER, "suspect"),
        (NOON_US + 2 * QUARTER, NOON_US + 4 * QUARTER, "missing"),
    ]
    assert (found.over, found.more, found.damaged) == (1, [], [])
    assert [row.demand_w for row in found.largest if row.kind == "sliding_max"] == [990]
    assert books(days(tmp_path), "m", IMPORT, edges, Limit(limit_w=989, kind="sliding")).over == 1
    assert books(days(tmp_path), "m", IMPORT, edges, None).over == 0


def test_a_day_by_intervals_with_those_that_are_missing(tmp_path: Path) -> None:
    rows = [
        energy(NOON_US, 100, estimated=30, quality="estimated"),
        energy(NOON_US, 60, tariff="peak", cost=0.6),
        energy(NOON_US, 40, tariff="flat", cost=0.2),
        energy(NOON_US, 33, phase="a"),
        energy(NOON_US + 3 * QUARTER, 10, cost=0.1),
    ]
    write(tmp_path, energy=rows)
    found = intervals(days(tmp_path), "m", IMPORT, NOON_US, NOON_US + HOUR)
    assert (found.tariffs, found.unit, found.more) == (["flat", "peak"], "Wh", False)
    first, missing, last = found.intervals
    assert first == Interval(
        from_us=NOON_US,
        to_us=NOON_US + QUARTER,
        quality="estimated",
        energy=100,
        estimated=30,
        tariffs={"flat": 40, "peak": 60},
        cost=0.8,
        currency="CNY",
        register_start=0,
        register_end=100,
    )
    assert missing == Interval(NOON_US + QUARTER, NOON_US + 3 * QUARTER, "missing")
    assert (last.energy, last.cost, last.tariffs) == (10, 0.1, {})


def test_two_registers_of_one_interval_are_added(tmp_path: Path) -> None:
    begin = list(energy(NOON_US, 100, to_us=NOON_US + 300 * S))
    end = list(energy(NOON_US, 20, quality="gap"))
    begin[7], end[7] = "s1", "s2"
    write(tmp_path, energy=[tuple(begin), tuple(end)])
    (found,) = intervals(days(tmp_path), "m", IMPORT, NOON_US, NOON_US + HOUR).intervals
    assert (found.energy, found.quality, found.to_us) == (120, "gap", NOON_US + QUARTER)


def test_an_empty_day(tmp_path: Path) -> None:
    found = intervals(days(tmp_path), "m", IMPORT, NOON_US, NOON_US + HOUR)
    assert (found.intervals, found.unit) == ([], "")


def test_a_forecast_is_the_newest_and_not_an_old_one(tmp_path: Path) -> None:
    now_us = time.time_ns() // 1_000

    def told(meter: str, name: str, ago_s: int, value: float) -> Row:
        at_us = now_us - ago_s * S
        return (at_us * 1_000, meter, name, "W", "", "", value, str(value), "", "computed", None)

    rows = [
        told("m", "active_demand_forecast", 9, 40_000),
        told("m", "active_demand_forecast", 4, 60_000),
        told("m", "active_power_excess", 4, 15_000),
        told("old", "active_demand_forecast", 1000, 1),
    ]
    write(tmp_path, now_us, readings=rows)
    found = forecasts(days(tmp_path), ["m", "old"]).meters
    assert found["old"] == Forecast()
    assert (found["m"].forecast_w, found["m"].excess_w) == (60_000, 15_000)
    assert found["m"].at_us is not None
    assert abs(found["m"].at_us - (now_us - 4 * S)) <= 2 * S
    assert forecasts(days(tmp_path), []).meters == {}
