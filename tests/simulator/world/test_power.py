from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.world.power import Change, ThreePhaseLoad

START_US = 1_767_225_600_000_000
HOUR_US = 3_600_000_000
LOAD = ThreePhaseLoad("crane", 3, START_US, 1_000_000.0, 80_000.0, swing=0.8)


@given(st.integers(0, 10_000_000_000), st.integers(0, 10_000_000_000))
def test_energy_never_decreases(first_us: int, second_us: int) -> None:
    early, late = sorted((first_us, second_us))
    assert LOAD.state(START_US + early).active_energy_import_wh <= LOAD.state(START_US + late).active_energy_import_wh


def test_an_hour_uses_the_mean_power() -> None:
    used = LOAD.state(START_US + HOUR_US).active_energy_import_wh - LOAD.state(START_US).active_energy_import_wh
    assert abs(used - Decimal(80_000)) <= Decimal(200)


def test_registers_show_whole_steps() -> None:
    state = LOAD.state(START_US + 1_234_567)
    assert state.active_energy_import_wh % 10 == 0
    assert all(v is not None and v % Decimal("0.1") == 0 for v in state.voltage_v)
    assert all(a is not None and a % Decimal("0.001") == 0 for a in state.current_a)


def test_tariffs_add_up_to_the_total_but_for_their_cuts() -> None:
    state = LOAD.state(START_US + HOUR_US)
    assert abs(sum(state.active_energy_import_by_tariff_wh) - state.active_energy_import_wh) <= 40


def test_a_single_phase_meter_has_one_phase() -> None:
    state = ThreePhaseLoad("gatehouse", 4, START_US, 0.0, 3_000.0, single_phase=True).state(START_US)
    assert state.voltage_v[0] is not None
    assert state.voltage_v[1:] == (None, None)


CHANGE_US = START_US + 60_000_000


def changed(**change: Any) -> ThreePhaseLoad:
    return replace(LOAD, change=Change(CHANGE_US, **change))


@pytest.mark.parametrize("change", [{"added_w": 40_000.0}, {"lost_phase": 1}, {"power_factor": 0.7}])
def test_before_a_change_nothing_is_different(change: dict[str, Any]) -> None:
    assert changed(**change).state(CHANGE_US - 1) == LOAD.state(CHANGE_US - 1)


def test_what_is_added_is_counted_too() -> None:
    state, plain = changed(added_w=60_000.0).state(CHANGE_US + HOUR_US), LOAD.state(CHANGE_US + HOUR_US)
    assert abs(state.active_energy_import_wh - plain.active_energy_import_wh - 60_000) <= 10
    for phase in range(3):
        with_it, without = state.active_power_w[phase], plain.active_power_w[phase]
        assert with_it is not None
        assert without is not None
        assert abs(with_it - without - 20_000) <= Decimal("0.1")


def test_a_lost_phase_has_neither_voltage_nor_current_and_uses_nothing() -> None:
    state, plain = changed(lost_phase=1).state(CHANGE_US + HOUR_US), LOAD.state(CHANGE_US + HOUR_US)
    for values in (state.voltage_v, state.current_a, state.active_power_w):
        assert values[1] == 0
    assert state.voltage_v[0] == plain.voltage_v[0]
    before_wh = LOAD.state(CHANGE_US).active_energy_import_wh
    used, usual = state.active_energy_import_wh - before_wh, plain.active_energy_import_wh - before_wh
    assert abs(used - usual * 2 / 3) <= 20


def test_a_lower_power_factor_takes_more_current_for_the_same_power() -> None:
    state, plain = changed(power_factor=0.5).state(CHANGE_US), LOAD.state(CHANGE_US)
    assert state.power_factor == (Decimal("0.5"),) * 3
    assert state.active_power_w == plain.active_power_w
    assert state.current_a[0] is not None
    assert plain.current_a[0] is not None
    assert abs(state.current_a[0] / plain.current_a[0] - Decimal("1.84")) < Decimal("0.01")
