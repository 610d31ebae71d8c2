from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from readers.clock import DRIFT_PPM, STEP_US, ClockOffset

S = 1_000_000


def test_nothing_is_known_at_first() -> None:
    clock = ClockOffset()
    assert not clock.known
    assert clock.offset_us == 0


def test_the_fastest_message_is_nearest_to_the_truth() -> None:
    clock = ClockOffset()
    assert clock.update(device_us=0, received_us=5_000) == 5_000
    assert clock.update(device_us=1_000, received_us=3_000) == 2_000
    assert clock.update(device_us=2_000, received_us=9_000) == 2_000
    assert clock.known


def test_a_drifting_crystal_is_followed_upwards_slowly() -> None:
    clock = ClockOffset()
    clock.update(0, 1_000)
    for second in range(1, 101):  # the device's clock loses 50 ppm
        clock.update(second * S - second * 50, second * S + 1_000)
    assert 0 <= 1_000 + 100 * 50 - clock.offset_us <= 100
    assert clock.steps == 0


def test_a_clock_that_was_set_starts_anew_in_both_directions() -> None:
    clock = ClockOffset()
    clock.update(0, 0)
    clock.update(10 * S, 20 * S)
    assert (clock.offset_us, clock.steps) == (10 * S, 1)
    clock.update(40 * S, 21 * S)
    assert (clock.offset_us, clock.steps) == (-19 * S, 2)


def test_the_step_can_be_chosen() -> None:
    clock = ClockOffset(step_us=100)
    clock.update(0, 0)
    assert clock.update(0, 101) == 101


@given(st.lists(st.tuples(st.integers(1, 10 * S), st.integers(0, S)), min_size=1, max_size=50), st.integers(-S, S))
def test_the_offset_is_never_below_the_truth_and_never_above_what_was_seen(
    steps: list[tuple[int, int]], truth_us: int
) -> None:
    clock = ClockOffset()
    received_us = smallest_us = 0
    for gap_us, delay_us in steps:
        received_us += gap_us
        seen_us = truth_us + delay_us
        smallest_us = seen_us if not clock.known else min(smallest_us, seen_us)
        offset_us = clock.update(received_us - seen_us, received_us)
        assert truth_us <= offset_us <= seen_us
        assert offset_us <= smallest_us + received_us * DRIFT_PPM // 1_000_000
    assert clock.steps == 0
    assert STEP_US > S
