from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from readers.ports.memory import START_US
from simulator.meters.dlt645_accounts import (
    APPARENT_IN,
    APPARENT_OUT,
    COMBINED,
    EXPORT,
    IMPORT,
    Q1,
    Q2,
    Q3,
    Q4,
    REACTIVE_1,
    REACTIVE_2,
    Accounts,
)
from tests.simulator.meters.loads import STATE, US_PER_HOUR, Growing

D = Decimal
MIN_US = 60_000_000


def opened(imported_wh: int = 0, *, tariffs: bool = True) -> Accounts:
    exported = (D(0),) * (5 if tariffs else 1)
    return Accounts.opened((D(imported_wh), *(D(0),) * 4), exported, window_min=15, step_min=1)


def test_what_flows_is_counted_in_the_total_and_in_one_tariff() -> None:
    accounts, load = opened(), Growing(6_000)
    accounts.count(load.state(START_US), load.state(START_US + US_PER_HOUR), US_PER_HOUR, 2)
    totals = accounts.totals()
    assert [totals.energy(IMPORT, tariff) for tariff in range(5)] == [6_000, 0, 6_000, 0, 0]
    assert totals.energy(EXPORT, 0) == 0
    assert totals.energy(COMBINED, 2) == 6_000


def test_what_is_fed_is_export() -> None:
    accounts, load = opened(), Growing(-3_000)
    accounts.count(load.state(START_US), load.state(START_US + US_PER_HOUR), US_PER_HOUR, 1)
    totals = accounts.totals()
    assert [totals.energy(IMPORT, 0), totals.energy(EXPORT, 0), totals.energy(EXPORT, 1)] == [0, 3_000, 3_000]
    assert totals.energy(APPARENT_OUT, 0) == 3_000


def test_without_tariffs_of_its_own_it_takes_the_split_of_the_load() -> None:
    accounts, load = opened(tariffs=False), Growing(6_000)
    accounts.count(load.state(START_US), load.state(START_US + US_PER_HOUR), US_PER_HOUR, None)
    totals = accounts.totals()
    assert [totals.energy(IMPORT, tariff) for tariff in range(5)] == [6_000, 0, 0, 6_000, 0]
    with pytest.raises(KeyError):
        totals.energy(EXPORT, 1)


@pytest.mark.parametrize(("active", "reactive", "quadrant"), [(3, 4, Q1), (-3, 4, Q2), (-3, -4, Q3), (3, -4, Q4)])
def test_reactive_energy_goes_to_its_quadrant(active: int, reactive: int, quadrant: int) -> None:
    accounts = opened()
    state = replace(STATE, active_power_w=(D(active), None, None), reactive_power_var=(D(reactive), None, None))
    accounts.count(state, state, US_PER_HOUR, 1)
    totals = accounts.totals()
    assert {di2: totals.energy(di2, 0) for di2 in (Q1, Q2, Q3, Q4)} == {
        di2: 4 if di2 == quadrant else 0 for di2 in (Q1, Q2, Q3, Q4)
    }
    assert totals.energy(REACTIVE_1, 0) == (4 if quadrant in (Q1, Q2) else 0)
    assert totals.energy(REACTIVE_2, 0) == (4 if quadrant in (Q3, Q4) else 0)
    assert totals.energy(APPARENT_IN if active > 0 else APPARENT_OUT, 0) == 5


def test_registers_begin_anew_after_their_last_digit() -> None:
    accounts, load = opened(999_999_990), Growing(6_000)
    accounts.count(load.state(START_US), load.state(START_US + US_PER_HOUR), US_PER_HOUR, 1)
    assert accounts.totals().energy(IMPORT, 0) == 5_990
    assert accounts.totals().energy(COMBINED, 0) == 200_005_990  # this one has a digit for its sign


def run(accounts: Accounts, load: Growing, minutes: range) -> None:
    for minute in minutes:
        start_us = START_US + minute * MIN_US
        accounts.count(load.state(start_us), load.state(start_us + MIN_US), MIN_US, 1)
        accounts.slide(start_us + MIN_US, 1)


def test_a_demand_counts_once_its_window_is_full() -> None:
    accounts, load = opened(), Growing(6_000)
    run(accounts, load, range(15))
    assert accounts.demands[IMPORT, 0] == (D(0), None)
    run(accounts, load, range(15, 16))
    assert accounts.demands[IMPORT, 0] == (D(6_000), START_US + 16 * MIN_US)
    assert accounts.demands[IMPORT, 1] == (D(6_000), START_US + 16 * MIN_US)
    assert accounts.demands[IMPORT, 2] == (D(0), None)
    assert accounts.present[IMPORT] == 6_000


def test_the_window_slides_and_the_largest_demand_stays() -> None:
    accounts = opened()
    run(accounts, Growing(6_000), range(30))
    first = accounts.demands[IMPORT, 0]
    run(accounts, Growing(1_200), range(30, 60))
    assert accounts.present[IMPORT] == 1_200
    assert accounts.demands[IMPORT, 0] == first
    accounts.clear_demands()
    assert accounts.demands[IMPORT, 0] == (D(0), None)


def test_a_broken_window_is_filled_anew() -> None:
    accounts = opened()
    run(accounts, Growing(6_000), range(10))
    accounts.break_window()
    run(accounts, Growing(6_000), range(10, 25))
    assert accounts.demands[IMPORT, 0] == (D(0), None)


def test_clearing_leaves_nothing() -> None:
    accounts = opened(5_000)
    run(accounts, Growing(6_000), range(20))
    accounts.clear()
    totals = accounts.totals()
    assert {totals.energy(IMPORT, 0), totals.energy(IMPORT, 1), accounts.demands[IMPORT, 0][0]} == {0}
