from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from simulator.world.power import ThreePhaseLoad

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
