from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.presence.direction import Side, judge
from rules.presence.reorder import Cell

Heard = list[tuple[float, float, int]]
"""Seconds, dBm, air reads."""


def side(heard: Heard) -> Side:
    found = Side.empty()
    for at_s, level_dbm, reads in heard:
        at_us = round(at_s * 1e6)
        found.add(Cell(reads, round(10 ** ((level_dbm + 120) / 10)) * reads, level_dbm, at_us, at_us, 1, 1), 0)
    return found


def bell(centre_s: float, width_s: float = 0.6, peak_dbm: float = -45.0, step_s: float = 0.2) -> Heard:
    """A tag that goes by: 12 dB down at the ends."""
    count = round(width_s / step_s)
    return [(centre_s + n * step_s, peak_dbm - 12 * (n / count) ** 2, 3) for n in range(-count, count + 1)]


def test_a_tag_that_goes_by_the_outer_side_first_comes_in() -> None:
    verdict = judge(side(bell(1.0)), side(bell(1.8)))
    assert verdict is not None
    assert verdict.inwards
    assert verdict.crossed_s == pytest.approx(1.4)
    assert verdict.certainty > 0.9


@given(st.floats(0.3, 3.0), st.floats(-55, -35), st.floats(-55, -35))
def test_going_out_is_the_mirror_of_coming_in(lag_s: float, outer_dbm: float, inner_dbm: float) -> None:
    first, second = side(bell(3.0, peak_dbm=outer_dbm)), side(bell(3.0 + lag_s, peak_dbm=inner_dbm))
    inwards, outwards = judge(first, second), judge(second, first)
    assert inwards is not None
    assert outwards is not None
    assert (inwards.inwards, outwards.inwards) == (True, False)
    assert inwards.nats == pytest.approx(outwards.nats)


def test_a_stop_between_the_sides_does_not_hide_the_direction() -> None:
    waiting: Heard = [(2.0 + n * 0.2, -50.0 - n % 3, 3) for n in range(150)]
    outer = [(at_s, level, n) for at_s, level, n in bell(1.2)] + waiting
    inner = waiting + bell(32.6)
    verdict = judge(side(outer), side(inner))
    assert verdict is not None
    assert verdict.inwards


def test_a_tag_that_turns_round_did_not_pass() -> None:
    assert judge(side(bell(1.0) + bell(5.0)), side(bell(3.0))) is None


def test_a_tag_that_stands_between_the_sides_did_not_pass() -> None:
    standing: Heard = [(n * 0.2, -45.0, 3) for n in range(100)]
    assert judge(side(standing), side([(at_s + 0.01, level, n) for at_s, level, n in standing])) is None


def test_few_weak_reads_are_strays_whatever_their_order() -> None:
    assert judge(side([(0.0, -65.0, 2)]), side([(2.0, -64.0, 2)])) is None


def test_few_strong_reads_are_a_passage_when_chance_cannot_explain_them() -> None:
    assert judge(side([(0.0, -45.0, 4), (0.2, -42.0, 5)]), side([(0.6, -44.0, 5), (0.8, -46.0, 4)])) is not None


def test_reads_without_rssi_are_judged_by_their_times() -> None:
    outer, inner = side(bell(1.0)), side(bell(2.0))
    outer.strongest_dbm = inner.strongest_dbm = None
    verdict = judge(outer, inner)
    assert verdict is not None
    assert verdict.inwards


def test_one_read_on_each_side_has_no_centroids_to_speak_of() -> None:
    assert judge(side([(0.0, -45.0, 1)]), side([(0.0, -45.0, 1)])) is None


def test_a_side_keeps_extremes_in_any_order() -> None:
    found = side([(3.0, -50.0, 1), (1.0, -40.0, 1), (2.0, -60.0, 1)])
    assert (found.first_us, found.last_us, found.strongest_dbm) == (1_000_000, 3_000_000, -40.0)
    assert found.centroid_s == pytest.approx(1.19, abs=0.01)
