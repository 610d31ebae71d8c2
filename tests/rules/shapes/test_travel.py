from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.identity_rules import Spot, TravelRule, Way
from gateway.config.models import RulesSettings, SiteFile
from gateway.config.rules import AlarmSettings
from rules.shapes.sighting import Sighting
from rules.shapes.travel import MOST_RUNS, Run, put
from tests.rules.play import EPC, OTHER, Play, site, us
from tests.rules.shapes.timeline import Heard, Line, events, frozen, judged, ms

SPOTS = {
    "gate": Spot(x_m=0, y_m=0, covers=["gate-in", "gate-out"]),
    "yard": Spot(x_m=540, y_m=0, covers=["yard-1"]),
    "quay": Spot(x_m=570, y_m=0, covers=["quay-1"]),
    "shop": Spot(covers=["shop-1"]),
}
"""The gate is 500 m from the yard, which take 50 s; yard and quay overlap; from the quay to the shop are 20 s."""


def rule(**more: Any) -> TravelRule:
    given: dict[str, Any] = {
        "spots": SPOTS,
        "ways": [Way(between=["quay", "shop"], least_s=20)],
        "fastest_m_per_s": 10,
        "reach_m": 20,
        "clocks_differ_s": 2,
        "again_after_s": 100,
        "alarm": AlarmSettings(message="cloned"),
        "emit": "two-places",
        **more,
    }
    return TravelRule(shape="travel", name="fast", on="read", key="epc", **given)


def play(**more: Any) -> Play:
    return Play(site(rule(**more), settings=RulesSettings(lateness_s=0.5)))


def seen(played: Play, *sightings: tuple[float, str]) -> None:
    for at_s, point in sightings:
        played.until(at_s)
        played.read(at_s, point)


def told(played: Play) -> list[tuple[float, object, object]]:
    return [
        ((event.at_us - us(0)) / 1e6, event.fields["other_spot"], event.fields["spot"])
        for event in played.events
        if event.type == "two-places"
    ]


def test_a_tag_at_two_places_too_soon_is_told_with_both_sightings() -> None:
    played = play()
    seen(played, (1.0, "gate-in"), (3.0, "gate-out"), (23.0, "yard-1"))
    played.until(25)
    (event,) = (each for each in played.events if each.type == "two-places")
    heard = [batch.sequence for batch in played.batches if batch.device == "reader-1"]
    assert (event.subject, event.read_point, event.device, event.at_us) == (EPC, "yard-1", "reader-1", us(23))
    assert event.fields == {
        "spot": "yard",
        "other_spot": "gate",
        "elapsed_s": 20.0,
        "least_s": 50.0,
        "way_m": 500.0,
        "speed_m_per_s": 25.0,
        "other_at_us": us(3),
        "other_gateway": "edge-1",
        "other_epoch": 7,
        "other_sequence": heard[1],
        "other_read_point": "gate-out",
        "other_device": "reader-1",
        "repeats": 0,
    }
    assert (event.evidence.sequence_from, event.evidence.sequence_to) == (heard[1], heard[2])
    assert (event.evidence.reads, event.evidence.read_points) == (2, ("gate-out", "yard-1"))
    (alarm,) = played.alarms
    assert (alarm.state, alarm.subject, alarm.message) == ("raised", EPC, "cloned")


@pytest.mark.parametrize(
    ("sightings", "expected"),
    [
        ([(1, "gate-in"), (48.9, "yard-1")], [(48.9, "gate", "yard")]),
        ([(1, "gate-in"), (49.0, "yard-1")], []),
        ([(1, "yard-1"), (1.1, "quay-1"), (1.2, "yard-1"), (1.3, "quay-1")], []),
        ([(1, "quay-1"), (18, "shop-1")], [(18, "quay", "shop")]),
        ([(1, "quay-1"), (20, "shop-1")], []),
        ([(1, "gate-in"), (2, "shop-1")], []),
        ([(1, "gate-in"), (2, "elsewhere"), (60, "yard-1")], []),
        ([(1, "gate-in"), (5, "shop-1"), (20, "yard-1")], [(20, "gate", "yard")]),
        ([(1, "gate-in"), (1.0, "yard-1")], [(1, "gate", "yard")]),
    ],
)
def test_what_is_possible_is_not_told(
    sightings: list[tuple[float, str]], expected: list[tuple[float, str, str]]
) -> None:
    played = play()
    seen(played, *sightings)
    played.until(70)
    assert told(played) == expected


def test_a_sighting_at_the_same_moment_has_no_speed() -> None:
    played = play()
    seen(played, (1.0, "gate-in"), (1.0, "yard-1"), (9.0, "quay-1"))
    played.until(11)
    fields = played.events[-1].fields
    assert fields["elapsed_s"] == 0
    assert "speed_m_per_s" not in fields
    measured = play()
    seen(measured, (1.0, "quay-1"), (3.0, "shop-1"))
    measured.until(11)
    assert measured.events[-1].fields.keys() & {"way_m", "speed_m_per_s"} == set()


def test_two_that_stand_still_are_told_once_and_again_after_a_while() -> None:
    played = play()
    seen(played, *((1.0 + each, ("gate-in", "yard-1")[each % 2]) for each in range(220)))
    played.until(225)
    found = [event for event in played.events if event.type == "two-places"]
    assert [(event.at_us - us(0)) / 1e6 for event in found] == [2, 102, 202]
    assert [event.fields["repeats"] for event in found] == [0, 99, 99]
    assert [alarm.state for alarm in played.alarms] == ["raised"]


def test_a_tag_that_is_read_again_and_again_between_two_antennas_is_never_told() -> None:
    played = play()
    for each in range(300):
        played.read(1 + each * 0.1, ("yard-1", "quay-1")[each % 2])
    played.until(35)
    assert told(played) == []
    (row,) = played.engine.states("fast").values()
    assert len(row.runs) == MOST_RUNS  # type: ignore[attr-defined]  # a row of this shape


def test_the_end_of_a_stay_is_kept_to_half_a_second() -> None:
    played = play()
    for each in range(25):
        played.read(1 + each * 0.1, "gate-in")
    played.until(5)
    (row,) = played.engine.states("fast").values()
    (run,) = row.runs  # type: ignore[attr-defined]  # a row of this shape
    assert (run.first.at_us, run.last.at_us) == (us(1), us(3))


def test_each_tag_goes_its_own_ways() -> None:
    played = play()
    played.read(1, "gate-in")
    played.read(2, "yard-1", epc=OTHER)
    played.until(10)
    assert told(played) == []


def test_two_gateways_see_it_whichever_speaks_first() -> None:
    for first_speaks in (True, False):
        one = play()
        other = Play(one.file, gateway="edge-2")
        other.engine = one.engine
        for played in (one, other):
            played.tick(0)
        if first_speaks:
            one.read(5, "gate-in")
            one.until(40)
            other.read(9, "yard-1")
            other.until(40)
            last, expected = other, ("edge-1", us(5), "gate", "yard")
        else:
            other.read(9, "yard-1")
            other.until(40)
            one.read(5, "gate-in")
            one.until(40)
            last, expected = one, ("edge-2", us(9), "yard", "gate")
        (event,) = (each for each in (*one.events, *other.events) if each.type == "two-places")
        assert event in last.events
        fields = event.fields
        assert (
            fields["other_gateway"],
            fields["other_at_us"],
            fields["other_spot"],
            fields["spot"],
        ) == expected
        assert fields["elapsed_s"] == 4.0
        assert event.evidence.reads == 1  # the other one is in the journal of the other gateway
        assert event.evidence.gateway == last.gateway


def test_what_comes_late_is_compared_with_what_was_seen_around_it() -> None:
    played = play()
    seen(played, (1, "gate-in"), (10, "gate-in"), (60, "yard-1"), (61, "yard-1"))
    played.until(70)
    played.read(70, "yard-1", late_s=52)  # at 18 s, long after the turn of its own moment
    played.until(75)
    assert told(played) == [(18.0, "gate", "yard")]


def test_a_person_clears_it_and_it_is_raised_again_at_once() -> None:
    played = play()
    seen(played, (1, "gate-in"), (2, "yard-1"))
    played.until(4)
    (shape,) = played.engine._rulebook.ordered
    shape.let_go(EPC)
    seen(played, (5, "gate-in"))
    played.until(8)
    assert [at_s for at_s, _, _ in told(played)] == [2.0, 5.0]
    assert [alarm.state for alarm in played.alarms] == ["raised", "raised"]


def test_a_key_not_seen_for_long_is_forgotten_with_its_alarm() -> None:
    played = play(forget_after_s=30)
    seen(played, (1, "gate-in"), (2, "yard-1"), (20, "yard-1"))
    played.until(50)
    assert [alarm.state for alarm in played.alarms] == ["raised"]
    played.until(52)
    assert [(alarm.state, alarm.message) for alarm in played.alarms[1:]] == [("cleared", "cloned: not seen for long")]
    assert played.engine.counters()["rule_states"] == 0


def test_keys_are_bounded() -> None:
    played = play(most_keys=1)
    played.read(1, "gate-in")
    played.read(2, "gate-in", epc=OTHER)
    played.until(5)
    assert played.engine.counters()["rule_states"] == 1
    assert played.engine.counters()["keys_refused"] == 1


def test_a_backlog_raises_no_alarm_while_it_comes() -> None:
    played = play()
    played.historical = True
    seen(played, (1, "gate-in"), (2, "yard-1"))
    played.until(5)
    assert [event.historical for event in played.events if event.type == "two-places"] == [True]
    assert played.alarms == []


def test_a_clock_that_is_set_back_takes_its_sightings_along() -> None:
    played = play()
    played.read(1000, "gate-in")
    played.until(1002)
    played.tick(500)  # 502 s back: the read was at 498 s
    seen(played, (540, "yard-1"))
    played.until(543)
    assert [(round(at_s), other) for at_s, other, _ in told(played)] == [(540, "gate")]


def test_cards_of_which_a_part_is_known_are_anybodys() -> None:
    spots = {"in": Spot(x_m=0, y_m=0, covers=["door-1"]), "out": Spot(x_m=9_000, y_m=0, covers=["door-2"])}
    made = rule(spots=spots, ways=[]).model_copy(update={"on": "card", "key": "subject"})
    played = Play(site(made))
    whole = f"nfca#{7:024X}"
    for card in (f"wiegand~last24#{7:024X}", whole):
        played.card(1, card, point="door-1")
        played.card(3, card, point="door-2")
    played.until(6)
    assert [event.subject for event in played.events if event.type == "two-places"] == [whole]


def at(at_us: int) -> Sighting:
    return Sighting(at_us, "edge-1", 7, at_us, "p", "r")


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 20)), max_size=12))
def test_runs_stay_in_order_and_hold_what_was_seen(sightings: list[tuple[str, int]]) -> None:
    runs: list[Run] = []
    for spot, at_us in sightings:
        put(runs, spot, at(at_us))
    assert len(runs) <= MOST_RUNS
    for run in runs:
        assert run.first.at_us <= run.last.at_us
        assert {(run.spot, run.first.at_us), (run.spot, run.last.at_us)} <= set(sightings)
    for before, after in pairwise(runs):
        assert before.last.at_us <= after.first.at_us


HEARD = st.lists(
    st.builds(
        Heard,
        at_ms=st.integers(0, 120).map(lambda tenths: tenths * 1000),
        key=st.sampled_from(("AA00", "BB00")),
        point=st.sampled_from(("gate-in", "yard-1", "quay-1", "shop-1")),
        delay_ms=st.sampled_from((0, 0, 100, 400, 3_000)),
    ),
    max_size=MOST_RUNS,
    unique_by=lambda heard: (heard.key, heard.point, heard.at_ms),
)


def spot_of(point: str) -> str:
    return next(name for name, spot in SPOTS.items() if point in spot.covers)


CLOSE_MS = {
    frozenset(("gate", "yard")): 48_000,
    frozenset(("gate", "quay")): 51_000,
    frozenset(("quay", "shop")): 18_000,
}


@settings(max_examples=150, deadline=None)
@given(HEARD, st.integers(0, 1_000))
def test_what_is_told_was_seen_and_is_impossible_and_nothing_impossible_is_missed(
    heard: list[Heard], seed: int
) -> None:
    file: SiteFile = site(rule(again_after_s=0.001), settings=RulesSettings(lateness_s=0.5))
    rng = random.Random(seed)
    line = Line(heard, 130_000, rng=rng)
    batches = line.batches()
    outputs = judged(file, batches)
    found = set()
    for event in events(outputs, "fast"):
        other_ms, at_ms = (ms(int(str(event.fields[name]))) for name in ("other_at_us",)), ms(event.at_us)
        pair = frozenset((str(event.fields["spot"]), str(event.fields["other_spot"])))
        (other,) = other_ms
        assert abs(at_ms - other) < CLOSE_MS[pair]
        seen_at = {(each.key, spot_of(each.point), each.at_ms) for each in heard}
        assert (event.subject, event.fields["spot"], at_ms) in seen_at
        assert (event.subject, event.fields["other_spot"], other) in seen_at
        found.add(event.subject)
    impossible = {
        one.key
        for one in heard
        for other in heard
        if one.key == other.key
        and abs(one.at_ms - other.at_ms) < CLOSE_MS.get(frozenset((spot_of(one.point), spot_of(other.point))), 0)
    }
    assert found <= impossible
    if all(each.delay_ms <= 400 for each in heard):
        assert found == impossible
    assert frozen(judged(file, batches, random.Random(seed))) == frozen(outputs)
    in_time = [each for each in heard if each.delay_ms <= 400]
    divided = [judged(file, Line(in_time, 130_000, rng=random.Random(each)).batches()) for each in range(2)]
    assert told_of(divided[0]) == told_of(divided[1])


def told_of(outputs: list[Any]) -> list[tuple[object, ...]]:
    return [
        (each.subject, each.at_us, each.fields["other_at_us"], each.fields["spot"]) for each in events(outputs, "fast")
    ]
