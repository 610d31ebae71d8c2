from __future__ import annotations

from datetime import UTC
from itertools import pairwise
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.energy.grid import US_PER_MIN, Grid
from rules.energy.segment import DENSE, MOST_SPREAD_US, SETTLED, SUSPECT, Anchor, Entry, Quality, Segment

GRID = Grid(15, UTC)
GAP_US = 20 * US_PER_MIN
LONG = range(-10, 100_000)


def us(minute: float) -> int:
    return round(minute * US_PER_MIN)


def opened(minute: float, steps: int) -> Segment:
    first = Anchor(us(minute), steps, 0)
    return Segment("a", "first_reading", "1", first, [first])


def read(segment: Segment, minute: float, steps: int, marks: int = 0) -> None:
    segment.put(us(minute), steps, marks, GRID.start_of(us(minute)), GAP_US)


def record(segment: Segment, minute: float, steps: int) -> bool:
    place = segment.place_of(GRID, us(minute), steps, GAP_US)
    if place is not None:
        segment.insert(place, us(minute), steps)
    return place is not None


def entries(segment: Segment) -> list[Entry]:
    return list(segment.entries(GRID, LONG, GAP_US).values())


def shown(segment: Segment) -> list[tuple[int, int, str]]:
    return [(entry.number * 15, entry.after - entry.before, entry.quality.value) for entry in entries(segment)]


def test_a_boundary_between_two_readings_lies_on_the_line_and_is_cut_off_as_a_register_cuts_off() -> None:
    segment = opened(0, 1000)
    read(segment, 14, 1010)
    read(segment, 17, 1020)
    read(segment, 30, 1060)
    (first, second) = entries(segment)
    assert (first.before, first.after, first.quality, first.estimated) == (1000, 1013, Quality.ESTIMATED, 3)
    assert (second.before, second.after, second.quality, second.estimated) == (1013, 1060, Quality.ESTIMATED, 7)


def test_readings_at_both_boundaries_are_measured() -> None:
    segment = opened(0, 0)
    for minute, steps in ((5, 3), (15, 9), (22, 10), (30, 20)):
        read(segment, minute, steps)
    assert shown(segment) == [(0, 9, "measured"), (15, 11, "measured")]
    assert all(entry.estimated == 0 for entry in entries(segment))


def test_parts_of_intervals_say_from_when_to_when() -> None:
    segment = opened(7, 100)
    read(segment, 14, 110)
    read(segment, 22, 130)
    (first,) = entries(segment)
    assert (first.start_us, first.from_us, first.to_us) == (0, us(7), us(15))
    segment.is_closed = True
    (first, last) = entries(segment)
    assert (last.from_us, last.to_us, last.after) == (us(15), us(22), 130)
    assert first.after == last.before


def test_a_gap_is_spread_and_labelled() -> None:
    segment = opened(0, 0)
    read(segment, 10, 10)
    read(segment, 70, 130)
    read(segment, 75, 140)
    read(segment, 90, 160)
    assert shown(segment) == [
        (0, 20, "gap"), (15, 30, "gap"), (30, 30, "gap"), (45, 30, "gap"), (60, 30, "gap"), (75, 20, "measured"),
    ]  # fmt: skip


def test_records_fill_a_gap() -> None:
    segment = opened(0, 0)
    read(segment, 10, 10)
    read(segment, 70, 130)
    read(segment, 90, 160)
    for minute, steps in ((15, 11), (30, 30), (45, 90), (60, 100)):
        assert record(segment, minute, steps)
    assert [quality for _, _, quality in shown(segment)] == ["backfilled"] * 5 + ["estimated"]
    assert [steps for _, steps, _ in shown(segment)][:4] == [11, 19, 60, 10]
    assert sum(steps for _, steps, _ in shown(segment)) == 160


@pytest.mark.parametrize(("minute", "steps"), [(30, 9), (30, 131), (10, 10), (-5, 0), (95, 170), (3, 2)])
def test_records_that_contradict_or_tell_nothing_have_no_place(minute: float, steps: int) -> None:
    segment = opened(0, 0)
    read(segment, 5, 5)
    read(segment, 10, 10)
    read(segment, 70, 130)
    read(segment, 90, 160)
    before = shown(segment)
    if minute == 95:
        assert segment.place_of(GRID, us(minute), steps, GAP_US) == len(segment.anchors)
    elif minute < 0:
        assert segment.place_of(GRID, us(minute), steps, GAP_US) == 0
    else:
        assert not record(segment, minute, steps)
    assert shown(segment) == before


def test_a_suspect_way_marks_every_interval_that_it_crosses() -> None:
    segment = opened(0, 0)
    read(segment, 14, 10)
    read(segment, 16, 5000, SUSPECT)
    read(segment, 30, 5010)
    read(segment, 45, 5020)
    assert [quality for _, _, quality in shown(segment)] == ["suspect", "suspect", "measured"]


def test_a_way_too_long_is_booked_where_it_ends() -> None:
    segment = opened(0, 0)
    end = MOST_SPREAD_US // US_PER_MIN + 60
    read(segment, end + 1, 1000)
    read(segment, end + 20, 1010)
    assert shown(segment)[0] == (0, 0, "gap")
    assert len(shown(segment)) == 2
    assert sum(steps for _, steps, _ in shown(segment)) + segment.open_steps(GRID) == 1010
    assert not record(segment, 600, 1)


def test_readings_inside_an_interval_are_let_go() -> None:
    segment = opened(0, 0)
    for minute in range(1, 15 * 40):
        read(segment, minute + 0.3, minute)
    assert len(segment.anchors) <= 2 * 40 + 1
    assert all(after.marks & DENSE for after in segment.anchors[1:])


def test_settled_anchors_go_and_those_around_a_gap_stay() -> None:
    segment = opened(0, 0)
    minutes = [minute + 0.3 for minute in range(1, 15 * 100) if not 300 <= minute < 420]
    for minute in minutes:
        read(segment, minute, round(minute * 7))
    told = dict(segment.entries(GRID, LONG, GAP_US))
    segment.booked = sum(entry.after - entry.before for entry in told.values())
    segment.settle(GRID, us(15 * 90), us(0), GAP_US)
    assert len(segment.anchors) < 40
    assert segment.is_balanced(GRID)
    assert any(anchor.marks & SETTLED for anchor in segment.anchors)
    around = segment.entries(GRID, range(19, 29), GAP_US)
    assert around == {index: told[index] for index in range(19, 29)}
    assert record(segment, 345, 345 * 7)
    assert not record(segment, 150, 150 * 7)
    segment.settle(GRID, us(15 * 90), us(15 * 80), GAP_US)
    assert len(segment.anchors) < 25
    assert not record(segment, 360, 360 * 7)
    assert segment.is_balanced(GRID)


def test_finer_steps_change_nothing_but_the_scale() -> None:
    segment = opened(0, 3)
    for minute in range(1, 40):
        read(segment, minute, 3 + minute)
    before = shown(segment)
    segment.booked = sum(steps for _, steps, _ in before)
    segment.scale(10)
    assert [steps for _, steps, _ in shown(segment)] == [steps * 10 for _, steps, _ in before]
    assert segment.is_balanced(GRID)


@settings(max_examples=200)
@given(st.integers(0, 10**9))
def test_whatever_is_read_and_remembered_the_intervals_add_up(seed: int) -> None:
    rng = Random(seed)
    segment = opened(rng.randrange(30), rng.randrange(1000))
    minute, steps, truth = segment.first.at_us / US_PER_MIN, segment.first.steps, []
    booked: dict[int, int] = {}
    for _ in range(rng.randrange(1, 120)):
        wait = rng.choice((0, 0.4, 1, 1, 1, 5, 15, 16, 40, 200))
        before, minute, gained = minute, minute + wait, rng.randrange(50)
        for boundary in range(int(before // 15) * 15 + 15, int(minute) + 1, 15):
            boundary_steps = steps + round(gained * (boundary - before) / max(wait, 1))
            truth.append((boundary, boundary_steps))
        steps += gained
        read(segment, minute, steps)
        if rng.random() < 0.3 and truth:
            record(segment, *rng.choice(truth))
        if rng.random() < 0.05:
            segment = msgspec.msgpack.decode(msgspec.msgpack.encode(segment), type=Segment)
    segment.is_closed = rng.random() < 0.5
    for entry in entries(segment):
        booked[entry.number] = entry.after - entry.before
        assert entry.before <= entry.after
        assert 0 <= entry.estimated <= entry.after - entry.before
    segment.booked = sum(booked.values())
    assert segment.is_balanced(GRID)
    assert sum(booked.values()) + segment.open_steps(GRID) == steps - segment.first.steps
    for one, other in pairwise(entries(segment)):
        assert one.after == other.before
