from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.meters.dlt645.habits import ANSWERS_BEFORE_LESS, LATENCY_S, REPLY_WITHIN_S, Habits

BYTE_S = 11 / 2400


def answers(habits: Habits, count: int = ANSWERS_BEFORE_LESS) -> None:
    for _ in range(count):
        habits.heard(0.03)


def test_a_meter_that_answers_gets_fewer_wake_up_bytes_and_all_again_after_a_silence() -> None:
    habits = Habits(4, BYTE_S)
    sent = [habits.wake_up_bytes]
    for _ in range(3):
        answers(habits)
        sent.append(habits.wake_up_bytes)
    assert sent == [4, 1, 0, 0]
    habits.missed()
    assert habits.wake_up_bytes == 4


def test_a_meter_that_needs_them_is_tried_with_fewer_ever_more_rarely() -> None:
    habits = Habits(4, BYTE_S)
    lost = 0
    for _ in range(5000):
        if habits.wake_up_bytes < 4:
            lost += 1
            habits.missed()
        else:
            habits.heard(0.03)
    assert lost < 13
    assert habits.wake_up_bytes == 4


@pytest.mark.parametrize(("most", "levels"), [(0, [0, 0]), (1, [1, 0]), (16, [16, 1])])
def test_what_the_settings_allow_is_the_most(most: int, levels: list[int]) -> None:
    habits = Habits(most, BYTE_S)
    first = habits.wake_up_bytes
    answers(habits)
    assert [first, habits.wake_up_bytes] == levels


def test_the_wait_for_a_reply_is_learnt() -> None:
    habits = Habits(4, BYTE_S)
    assert habits.delay.within_s == REPLY_WITHIN_S + LATENCY_S
    answers(habits)
    assert habits.delay.within_s < 0.3
    habits.missed()
    assert habits.delay.within_s == REPLY_WITHIN_S + LATENCY_S


@given(st.lists(st.one_of(st.none(), st.floats(0, 2)), max_size=200), st.integers(0, 16))
def test_never_more_wake_up_bytes_than_set_and_never_longer_waits_than_the_standard(
    heard: list[float | None], most: int
) -> None:
    habits = Habits(most, BYTE_S)
    for delay_s in heard:
        if delay_s is None:
            habits.missed()
            assert habits.wake_up_bytes == most
        else:
            habits.heard(delay_s)
        assert habits.wake_up_bytes in (most, 1, 0)
        assert habits.delay.within_s <= REPLY_WITHIN_S + LATENCY_S
