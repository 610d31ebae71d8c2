from __future__ import annotations

from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from readers.machine_states import MachineState
from simulator.world.warping import SPOILT_M, US_PER_S, Habits, StopReason, WarpingMachine

HOUR_US = 3600 * US_PER_S


def machine(seed: int = 1, **habits: float | tuple[float, float]) -> WarpingMachine:
    return WarpingMachine(seed, 0, Habits(**habits))  # type: ignore[arg-type]  # numbers


def state_of(found: WarpingMachine) -> MachineState:
    return found.state


@given(st.integers(0, 99), st.lists(st.integers(0, 2 * HOUR_US), max_size=20))
def test_its_course_does_not_depend_on_when_it_is_looked_at(seed: int, looks: list[int]) -> None:
    once, often = machine(seed), machine(seed)
    for look in sorted(looks):
        often.advance(look)
    once.advance(2 * HOUR_US)
    often.advance(2 * HOUR_US)
    assert often == once


def test_what_it_winds_is_its_speed_times_the_time_it_runs() -> None:
    found = machine(3)
    found.advance(8 * HOUR_US)
    run_us = found.time_in_us(0, 8 * HOUR_US)[MachineState.EXECUTE]
    assert found.total_m == 600 * run_us // 60_000_000
    assert found.good_m + found.bad_m == found.total_m
    breaks = [spell for spell in found.truth if spell.reason is StopReason.YARN_BREAK]
    assert found.bad_m == SPOILT_M * len(breaks) > 0
    assert sum(found.time_in_us(0, 8 * HOUR_US).values()) == 8 * HOUR_US
    stood_us = 8 * HOUR_US - run_us
    assert found.energy_wh == (900 * stood_us + (900 + 24 * 600) * run_us) // HOUR_US


def test_its_spells_follow_one_another_and_differ() -> None:
    found = machine(4, fault_after_s=900)
    found.advance(20 * HOUR_US)
    assert {spell.state for spell in found.truth} == set(MachineState)
    assert all(before.from_us < after.from_us and before[1:] != after[1:] for before, after in pairwise(found.truth))
    assert found.beams > 5


def test_a_remote_start_needs_the_key_switch() -> None:
    found = machine()
    found.stop(60 * US_PER_S)
    assert (state_of(found), found.reason) == (MachineState.STOPPED, StopReason.REMOTE)
    assert not found.start(HOUR_US)
    found.advance(2 * HOUR_US)
    assert state_of(found) == MachineState.STOPPED
    found.remote_enabled = True
    assert found.start(2 * HOUR_US)
    assert state_of(found) == MachineState.EXECUTE
    assert found.start(2 * HOUR_US + 1)


def test_a_fault_is_reset_before_anything_else() -> None:
    found = machine(2, fault_after_s=60, break_after_s=0, repair_s=(9000, 9000))
    found.remote_enabled = True
    found.advance(HOUR_US)
    assert state_of(found) == MachineState.ABORTED
    found.stop(HOUR_US)
    assert not found.start(HOUR_US)
    assert state_of(found) == MachineState.ABORTED
    found.reset(HOUR_US)
    assert state_of(found) == MachineState.STOPPED
    found.reset(HOUR_US)
    assert found.start(HOUR_US)


def test_the_speed_that_is_set_holds_from_then_on() -> None:
    found = machine(5, break_after_s=0, fault_after_s=0, beam_m=1_000_000)
    found.set_speed(10 * US_PER_S + 60 * US_PER_S, 300)
    found.advance(10 * US_PER_S + 120 * US_PER_S)
    assert (found.total_m, found.speed_m_per_min) == (900, 300)
    found.reset_counters(10 * US_PER_S + 120 * US_PER_S)
    assert found.total_m == 0
    found.set_speed(10 * US_PER_S + 120 * US_PER_S, 500)
    found.stop(10 * US_PER_S + 180 * US_PER_S, StopReason.OPERATOR)
    found.set_speed(HOUR_US, 100)
    assert (found.total_m, found.speed_m_per_min, found.power_w) == (500, 0, 900)


def test_machines_of_one_seed_are_twins_and_others_are_not() -> None:
    seeds = [Random(7).randrange(100) for _ in range(2)]
    one, same, other = machine(seeds[0]), machine(seeds[0]), machine(seeds[0] + 1)
    for each in (one, same, other):
        each.advance(4 * HOUR_US)
    assert one.truth == same.truth
    assert one.truth != other.truth
