from __future__ import annotations

import argparse

import pytest

from rules.commands.times import Ago, a_count, a_duration, a_time, at

MORNING_US = 1_772_438_400_000_000


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("2026-03-02T08:00", MORNING_US),
        ("2026-03-02T08:00:00Z", MORNING_US),
        ("2026-03-02T16:00:00.500+08:00", MORNING_US + 500_000),
        ("2026-03-02 08:00:00.123Z", MORNING_US + 123_000),
        ("1772438400000001", MORNING_US + 1),
    ],
)
def test_times_as_people_and_events_write_them(text: str, us: int) -> None:
    assert a_time(text) == us


def test_a_duration_is_before_the_end_of_the_recording() -> None:
    time = a_time("2h")
    assert isinstance(time, Ago)
    assert at(time, MORNING_US, 0) == MORNING_US - 7_200_000_000
    assert at(None, MORNING_US, 5) == 5
    assert at(7, MORNING_US, 5) == 7


def test_durations() -> None:
    assert a_duration("1.5m") == 90_000_000
    assert a_duration("0") == a_duration("0s") == 0


def test_what_is_neither_is_refused_with_examples() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="'noon' is no time; write 2026-03-02T08:00"):
        a_time("noon")
    with pytest.raises(argparse.ArgumentTypeError, match="'noon' is no duration above zero"):
        a_duration("noon")


def test_counts() -> None:
    assert (a_count("0"), a_count("500")) == (0, 500)
    for text in ("-1", "many", "1.5", "", "\u0663"):
        with pytest.raises(argparse.ArgumentTypeError, match="is no number of things"):
            a_count(text)
