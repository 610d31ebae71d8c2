from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.models import RulesSettings, SiteFile
from gateway.config.rules import AlarmSettings, AntiPassback, Input, MatchRule, Outcome, PairRule
from rules.shapes import pair
from rules.things.thing import Thing
from tests.rules.play import START_US, site, us
from tests.rules.shapes.cards import (
    Cards,
    Shown,
    Timers,
    batches_of,
    card_of,
    frozen,
    in_turn,
    name_of,
    play_with_restarts,
    two_gateways,
)
from tests.rules.things.registries import registry

LATENESS_S = 0.5
SOFT, HARD, TIMED, NONE = AntiPassback.SOFT, AntiPassback.HARD, AntiPassback.TIMED, AntiPassback.NONE


def point(*points: str) -> Input:
    return Input(on="card", when=" || ".join(f"e.read_point == '{each}'" for each in points))


def outcome(name: str) -> Outcome:
    return Outcome(emit=name, alarm=AlarmSettings(message=name))


def rule(antipassback: AntiPassback = NONE, **more: object) -> PairRule:
    given: dict[str, object] = {"entry": point("in-1", "in-2"), "exit": point("out"), "emit": "left"}
    if antipassback is not NONE:
        given["violation"] = outcome("violation")
    if antipassback is TIMED:
        given["forgive_after_s"] = 4.0
    return PairRule(shape="pair", name="lot", antipassback=antipassback, **(given | more))


def cards(*rules: PairRule | MatchRule) -> Cards:
    played = Cards(site(*rules, settings=RulesSettings(lateness_s=LATENESS_S)))
    played.tick(0.0)
    return played


def show(played: Cards, *shown: tuple[float, str, str]) -> None:
    for at_s, card, where in shown:
        played.at(at_s, card, where)


def test_an_exit_that_has_its_entry_tells_how_long_it_was() -> None:
    played = cards(rule(entered="entered"))
    show(played, (1.0, "x", "in-1"), (2.0, "y", "in-1"), (5.5, "x", "out"))
    played.until(7.0)
    told = played.told("inside", "entered_at_us", "dwell_s", "area")
    assert told == [
        ("entered", "x", 1, None, None, None),
        ("entered", "y", 2, None, None, None),
        ("left", "x", 1, us(1.0), 4.5, None),
    ]
    left = played.events[-1]
    heard = [batch.sequence for batch in played.batches if batch.device == "reader-1"]
    assert (left.at_us, left.read_point, left.rule) == (us(5.5), "out", "lot")
    assert (left.evidence.sequence_from, left.evidence.sequence_to) == (heard[0], heard[2])
    assert (left.evidence.reads, left.evidence.read_points) == (2, ("in-1", "out"))
    assert (left.evidence.first_seen_at_us, left.evidence.last_seen_at_us) == (us(1.0), us(5.5))
    assert played.engine.counters()["rule_states"] == 1
    assert played.alarms == []


def test_without_antipassback_the_last_entry_counts_and_an_exit_alone_is_nothing() -> None:
    played = cards(rule(entered="entered"))
    show(played, (1.0, "x", "out"), (2.0, "x", "in-1"), (3.0, "x", "in-1"), (5.0, "x", "out"), (6.0, "x", "out"))
    played.until(8.0)
    assert played.told("inside", "dwell_s") == [
        ("entered", "x", 1, None),
        ("entered", "x", 1, None),
        ("left", "x", 0, 2.0),
    ]


def test_a_soft_violation_is_told_and_counts_as_a_passage() -> None:
    played = cards(rule(SOFT, entered="entered"))
    show(played, (1.0, "x", "in-1"), (2.0, "x", "in-1"), (5.0, "x", "out"), (6.0, "x", "out"), (7.0, "x", "in-1"))
    played.until(9.0)
    assert played.told("reason", "dwell_s", "inside", "entered_at_us") == [
        ("entered", "x", None, None, 1, None),
        ("violation", "x", "entered_twice", None, 1, us(1.0)),
        ("entered", "x", None, None, 1, None),
        ("left", "x", None, 3.0, 0, us(2.0)),
        ("violation", "x", "exit_without_entry", None, 0, None),
        ("entered", "x", None, None, 1, None),
    ]
    assert [state for _, state, _ in played.states()] == ["raised", "cleared", "raised", "cleared"]


def test_a_hard_violation_is_told_and_counts_as_none() -> None:
    played = cards(rule(HARD, entered="entered"))
    show(played, (1.0, "x", "in-1"), (2.0, "x", "in-1"), (5.0, "x", "out"), (6.0, "x", "out"), (7.0, "x", "in-1"))
    played.until(9.0)
    assert played.told("reason", "dwell_s") == [
        ("entered", "x", None, None),
        ("violation", "x", "entered_twice", None),
        ("left", "x", None, 4.0),
        ("violation", "x", "exit_without_entry", None),
        ("entered", "x", None, None),
    ]
    assert [state for _, state, _ in played.states()] == ["raised", "cleared", "raised", "cleared"]


def test_a_timed_violation_is_forgiven_after_a_while() -> None:
    played = cards(rule(TIMED, entered="entered"))
    show(
        played,
        (0.5, "x", "out"),  # no passage is known in the last 4 s
        (1.0, "x", "out"),
        (2.0, "x", "in-1"),
        (5.9, "x", "in-1"),
        (6.0, "x", "in-1"),
        (7.0, "x", "out"),
        (10.9, "x", "out"),
        (11.0, "x", "out"),
    )
    played.until(13.0)
    assert played.told("reason", "dwell_s") == [
        ("violation", "x", "exit_without_entry", None),
        ("entered", "x", None, None),
        ("violation", "x", "entered_twice", None),
        ("entered", "x", None, None),
        ("left", "x", None, 1.0),
        ("violation", "x", "exit_without_entry", None),
    ]
    assert played.engine.counters()["rule_states"] == 1
    played.until(700.0)
    assert played.engine.counters()["rule_states"] == 0


def test_a_reset_forgives_everybody_inside_and_outside() -> None:
    signal = Input(on="signal", when="e.name == 'fire' && e.value")
    more = {"longest_s": 2.0, "overstay": outcome("overstay"), "capacity": 1, "full": outcome("full")}
    played = cards(rule(HARD, entered="entered", reset=signal, key="card", **more))
    show(played, (1.0, "x", "in-1"), (1.5, "y", "in-1"), (2.0, "z", "out"), (2.5, "y", "in-2"))
    played.until(6.0)
    assert {message for _, _, message in played.states()} == {"violation", "full", "overstay"}
    played.signal(6.5, "fire", value=True)
    played.until(8.0)
    assert [message for _, state, message in played.states() if state == "cleared"] == [
        "full: reset", "overstay: reset", "overstay: reset", "violation: reset", "violation: reset",
    ]  # fmt: skip
    assert played.engine.counters()["rule_states"] == 1  # when the reset was
    played.events.clear()
    played.alarms.clear()
    played.restart()
    show(played, (9.0, "x", "out"), (10.0, "y", "in-1"), (11.0, "z", "out"), (11.5, "y", "out"), (12.0, "x", "out"))
    played.at(12.5, "y", "out")
    played.until(14.0)
    assert played.told("reason", "inside") == [
        ("entered", "y", None, 1),
        ("left", "y", None, 0),
        ("violation", "x", "exit_without_entry", 0),
        ("violation", "y", "exit_without_entry", 0),
    ]


def test_what_is_from_before_a_reset_and_comes_after_it_changes_nothing() -> None:
    played = cards(rule(HARD, entered="entered", reset=point("fire")))
    show(played, (5.0, "x", "in-1"), (10.0, "z", "fire"))
    played.until(12.0)
    played.at(13.0, "y", "in-1", late_s=4.0)
    played.at(13.1, "x", "out", late_s=5.0)
    played.until(15.0)
    assert played.told() == [("entered", "x")]
    played.at(16.0, "x", "in-1")
    played.until(20.0)
    played.at(21.0, "z", "fire", late_s=6.0)  # at 15, before it entered again
    played.at(22.0, "x", "out")
    played.until(24.0)
    assert played.told("dwell_s")[1:] == [("entered", "x", None), ("left", "x", 6.0)]


def test_an_area_is_full_when_more_are_inside() -> None:
    played = cards(rule(area="read_point", capacity=1, full=outcome("full"), entered="entered"))
    show(played, (1.0, "x", "in-1"), (2.0, "y", "in-2"), (3.0, "z", "in-1"), (4.0, "w", "in-1"))
    played.until(5.5)
    full = [event for event in played.events if event.type == "full"]
    assert [(event.subject, event.name, event.fields) for event in full] == [
        ("in-1", None, {"inside": 2, "free": 0, "area": "in-1", "capacity": 1})
    ]
    show(played, (6.0, "x", "out"), (7.0, "z", "out"))
    played.until(8.5)
    assert played.states() == [("in-1", "raised", "full"), ("in-1", "cleared", "full")]
    assert played.told("area", "inside")[-2:] == [("left", "x", "in-1", 2), ("left", "z", "in-1", 1)]
    show(played, (9.0, "w", "in-2"))  # to the other area, by way of no exit
    played.until(10.5)
    assert played.told("area", "inside")[-2:] == [("entered", "w", "in-2", 2), ("full", "in-2", "in-2", 2)]
    played.restart()
    show(played, (11.0, "y", "out"))
    played.until(13.0)
    assert played.told("area", "inside")[-1] == ("left", "y", "in-2", 1)
    assert played.states()[-1] == ("in-2", "cleared", "full")


def test_a_full_area_refuses_who_comes_too_many_and_counts_nobody() -> None:
    played = cards(
        rule(
            HARD,
            capacity=1,
            refuse_full=True,
            full=outcome("full"),
            entered="entered",
            violation=outcome("refused"),
        )
    )
    show(played, (1.0, "x", "in-1"), (2.0, "y", "in-1"), (3.0, "x", "in-1"))
    played.until(4.5)
    assert played.told("reason", "inside", "free") == [
        ("entered", "x", None, 1, 0),
        ("full", "lot", None, 1, 0),
        ("refused", "y", "full", 1, 0),
        ("refused", "x", "entered_twice", 1, 0),
    ]
    assert [state[:2] for state in played.states()] == [("lot", "raised"), ("x", "raised")]
    played.restart()
    show(played, (5.0, "x", "out"), (6.0, "y", "in-1"))
    played.until(7.5)
    assert played.told("inside", "free")[-3:] == [("left", "x", 0, 1), ("entered", "y", 1, 0), ("full", "lot", 1, 0)]


def test_who_is_refused_may_be_of_no_interest() -> None:
    played = cards(rule(capacity=1, refuse_full=True, full=Outcome(emit="full"), entered="entered"))
    show(played, (1.0, "x", "in-1"), (2.0, "y", "in-1"), (3.0, "y", "out"), (4.0, "x", "out"))
    played.until(5.5)
    assert played.told("inside") == [("entered", "x", 1), ("full", "lot", 1), ("left", "x", 0)]


def test_one_area_has_the_name_of_the_rule() -> None:
    played = cards(rule(capacity=1, full=Outcome(emit="full")))
    show(played, (1.0, "x", "in-1"), (2.0, "y", "in-2"))
    played.until(4.0)
    assert played.told("inside", "capacity") == [("full", "lot", 2, 1)]


def test_who_stays_too_long_is_told_until_it_leaves() -> None:
    things = registry(cards={card_of("x"): Thing("Lorry 7", "truck", "lorry")})
    played = Cards(site(rule(longest_s=10.0, overstay=outcome("overstay"))), things)
    played.tick(0.0)
    show(played, (1.0, "x", "in-1"), (2.0, "y", "in-1"), (9.0, "y", "out"))
    played.until(5.0)
    played.restart()
    played.until(30.0)
    [event] = [event for event in played.events if event.type == "overstay"]
    assert (event.subject, event.name, event.at_us, event.read_point) == (card_of("x"), "Lorry 7", us(11.0), "in-1")
    assert event.fields == {"kind": "truck", "class": "lorry", "entered_at_us": us(1.0), "dwell_s": 10.0, "inside": 1}
    assert (event.evidence.sequence_from, event.evidence.sequence_to) == (2, 2)
    played.restart()
    played.until(40.0)
    played.at(41.0, "x", "out")
    played.until(43.0)
    assert played.states() == [("x", "raised", "overstay"), ("x", "cleared", "overstay")]


def test_what_stands_is_known_and_what_happened_is_not() -> None:
    more = {"longest_s": 2.0, "overstay": outcome("overstay"), "capacity": 1, "full": outcome("full")}
    played = cards(rule(SOFT, **more))
    show(played, (1.0, "x", "in-1"), (1.5, "y", "in-1"), (2.0, "y", "in-1"))
    played.until(3.4)
    shape = played.engine._rulebook.ordered[0]
    assert shape.is_raised(f"violation/{card_of('y')}")
    assert not shape.is_standing(f"violation/{card_of('y')}")
    assert shape.is_standing("full/")
    assert not shape.is_standing("full/other")
    assert not shape.is_standing(f"overstay/{card_of('x')}")
    played.until(6.0)
    assert shape.is_standing(f"overstay/{card_of('x')}")


def test_entries_are_forgotten_and_their_alarms_cleared() -> None:
    more = {"longest_s": 5.0, "overstay": outcome("overstay"), "capacity": 1, "full": outcome("full")}
    played = cards(rule(HARD, forget_after_s=60.0, **more))
    show(played, (1.0, "x", "in-1"), (2.0, "y", "in-1"), (3.0, "y", "in-1"), (4.0, "z", "out"))
    played.until(61.4)
    assert played.engine.counters()["rule_states"] == 3
    played.until(65.0)
    assert played.engine.counters()["rule_states"] == 0
    assert [message for _, state, message in played.states() if state == "cleared"] == [
        "full", "overstay: forgotten", "violation: forgotten", "overstay: forgotten", "violation: forgotten",
    ]  # fmt: skip
    played.at(66.0, "x", "in-1")
    played.until(68.0)
    assert played.told("reason")[-1] != ("violation", "x", "entered_twice")


def test_an_exit_is_remembered_for_as_long_as_its_alarm_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look at 1000.5 finds that x may be forgotten at 1006 and that the next look is due at 1402."""
    monkeypatch.setattr(pair, "LOOK_US", 10_000_000)
    played = cards(rule(TIMED, forgive_after_s=605.0, forget_after_s=1000.0))
    show(played, (0.5, "y", "in-1"), (400.0, "x", "in-1"), (401.0, "x", "out"), (402.0, "z", "in-1"))
    played.until(1001.5)
    played.at(1002.0, "x", "out")
    played.until(1410.0)
    assert played.states() == [("x", "raised", "violation"), ("x", "cleared", "violation: forgotten")]
    assert [alarm.at_us for alarm in played.alarms] == [us(1002.0), us(1401.0)]


def test_a_late_exit_does_not_end_a_newer_stay() -> None:
    for kind in (NONE, SOFT):
        played = cards(rule(kind, entered="entered"))
        show(played, (1.0, "x", "in-1"), (10.0, "x", "in-1"))
        played.until(12.0)
        played.at(13.0, "x", "out", late_s=8.0)
        played.until(15.0)
        played.at(20.0, "x", "out")
        played.until(22.0)
        assert [told for told in played.told("dwell_s") if told[0] == "left"] == [("left", "x", 10.0)]


def test_a_late_entry_does_not_count_after_its_exit() -> None:
    played = cards(rule(entered="entered"))
    played.at(10.0, "x", "out")
    played.until(12.0)
    played.at(13.0, "x", "in-1", late_s=8.0)
    played.until(15.0)
    assert played.told() == []
    assert played.engine.counters()["rule_states"] == 1
    played.until(611.0)
    assert played.engine.counters()["rule_states"] == 0


def test_a_late_second_entry_does_not_change_the_first() -> None:
    played = cards(rule(SOFT, entered="entered"))
    played.at(10.0, "x", "in-1")
    played.until(12.0)
    played.at(13.0, "x", "in-1", late_s=8.0)
    played.at(20.0, "x", "out")
    played.until(22.0)
    assert played.told("dwell_s") == [("entered", "x", None), ("left", "x", 10.0)]


def test_one_reader_for_both_ways() -> None:
    played = cards(rule(HARD, entry=point("door"), exit=point("door", "out"), entered="entered"))
    show(played, (1.0, "x", "door"), (2.0, "x", "door"), (3.0, "x", "door"), (4.0, "x", "out"))
    played.until(6.0)
    assert [kind for kind, _ in played.told()] == ["entered", "left", "entered", "left"]


def test_the_alarm_of_the_rule_stands_from_exit_to_entry() -> None:
    played = cards(rule(emit=None, alarm=AlarmSettings(message="Out")))
    show(played, (1.0, "x", "in-1"), (2.0, "x", "out"))
    played.until(1000.0)
    assert played.told() == []
    played.at(1001.0, "x", "in-1")
    played.until(1003.0)
    assert played.states() == [("x", "raised", "Out"), ("x", "cleared", "Out")]


def test_violations_may_be_of_no_interest() -> None:
    played = cards(rule(HARD, violation=None))
    show(played, (1.0, "x", "in-1"), (2.0, "x", "in-1"), (4.0, "x", "out"), (5.0, "x", "out"))
    played.until(7.0)
    assert played.told("dwell_s") == [("left", "x", 3.0)]


def test_a_key_that_is_empty_is_of_no_concern() -> None:
    played = cards(rule(entry=Input(on="signal", key="value"), exit=point("never"), entered="entered"))
    played.signal(1.0, "p", value="")
    played.signal(2.0, "p", value="k")
    played.until(4.0)
    assert played.told() == [("entered", "k")]


def test_keys_are_bounded() -> None:
    played = cards(rule(HARD, most_keys=2, entered="entered"))
    show(played, (1.0, "x", "in-1"), (1.5, "y", "out"), (2.0, "z", "in-1"), (3.0, "w", "out"), (4.0, "x", "out"))
    show(played, (5.0, "z", "in-1"))
    played.until(7.0)
    assert played.told("reason") == [
        ("entered", "x", None),
        ("violation", "y", "exit_without_entry"),
        ("violation", "w", "exit_without_entry"),
        ("left", "x", None),
        ("entered", "z", None),
    ]
    assert [name for name, _, _ in played.states()] == ["y"]  # the alarm of w would have nothing to be forgotten with
    assert played.engine.counters()["keys_refused"] == 2


def test_an_entry_may_move_to_another_gateway() -> None:
    one, other = two_gateways(site(rule(longest_s=10.0, overstay=outcome("overstay"), forget_after_s=20.0)))
    one.at(1.0, "x", "in-1")
    one.at(1.5, "y", "in-1")
    one.until(3.0)
    other.until(3.0)
    other.at(5.0, "x", "in-1")
    other.until(7.0)
    one.restart()
    other.engine = one.engine
    one.until(60.0)
    assert [name for kind, name in one.told() if kind == "overstay"] == ["y"]
    assert one.engine.counters()["rule_states"] == 1
    other.until(30.0)
    assert [(name_of(event.subject), event.at_us) for event in other.events if event.rule] == [("x", us(15.0))]
    assert one.engine.counters()["rule_states"] == 0


@pytest.mark.parametrize("is_restarted", [False, True])
def test_times_move_with_a_clock_that_is_set_back(is_restarted: bool) -> None:  # noqa: FBT001 - a parameter
    played = cards(rule(longest_s=20.0, overstay=outcome("overstay"), forget_after_s=700.0))
    show(played, (1.0, "x", "in-1"), (2.0, "y", "in-1"))
    played.until(10.0)
    played.at_s = -3590.0
    played.tick(-3590.0)
    if is_restarted:
        played.restart()
    played.at(-3585.0, "y", "out")
    played.until(-3570.0)
    assert played.told("dwell_s") == [("left", "y", 13.0), ("overstay", "x", 20.0)]
    played.until(-3590.0 + 700.0)
    assert played.engine.counters()["rule_states"] == 0


def test_a_clock_that_is_set_back_is_that_of_one_gateway() -> None:
    one, other = two_gateways(site(rule()))
    one.at(1.0, "x", "in-1")
    for played in (one, other):
        played.until(3.0)
    other.at_s = -3590.0
    other.tick(-3590.0)
    one.at(5.0, "x", "out")
    one.until(7.0)
    assert one.told("dwell_s") == [("left", "x", 4.0)]


def test_state_of_a_gateway_that_is_not_known_any_more_waits_for_it() -> None:
    played = cards(rule(longest_s=20.0, overstay=outcome("overstay")))
    played.at(1.0, "x", "in-1")
    played.until(3.0)
    played.restart("rule")
    played.at(4.0, "x", "out")
    played.until(6.0)
    assert played.told("dwell_s") == [("left", "x", 3.0)]


def test_the_time_inside_may_be_called_otherwise() -> None:
    more = {"longest_s": 2.0, "overstay": outcome("overstay")}
    played = cards(rule(NONE, dwell_as="turn_time_s", **more))
    show(played, (1.0, "x", "in-1"), (5.0, "x", "out"))
    played.until(7.0)
    assert played.told("turn_time_s", "dwell_s") == [("overstay", "x", 2.0, None), ("left", "x", 4.0, None)]


def test_a_backlog_raises_no_alarm_until_the_present_is_reached() -> None:
    more = {"longest_s": 5.0, "overstay": outcome("overstay"), "capacity": 1, "full": outcome("full")}
    played = cards(rule(HARD, **more))
    played.historical = True
    show(played, (1.0, "x", "in-1"), (2.0, "y", "in-1"), (3.0, "x", "in-1"), (4.0, "z", "in-1"), (5.0, "z", "in-1"))
    played.at(6.0, "z", "out")
    played.until(10.0)
    assert played.alarms == []
    assert all(event.historical for event in played.events)
    played.historical = False
    played.until(10.1)
    assert sorted(played.states()) == [
        ("lot", "raised", "full"), ("x", "raised", "overstay"), ("x", "raised", "violation"),
        ("y", "raised", "overstay"),
    ]  # fmt: skip


def test_a_rule_may_follow_the_events() -> None:
    follow = MatchRule(shape="match", name="long", on="left", when="e.dwell_s > 3.0 && e.inside == 0")
    played = cards(rule(), follow)
    show(played, (1.0, "x", "in-1"), (5.0, "x", "out"))
    played.until(7.0)
    assert played.told() == [("left", "x"), ("long", "x")]


def test_the_table_shrinks_when_they_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair, "SHRINK_FROM", 40)
    played = cards(rule(entered="entered"))
    names = [f"n{number}" for number in range(64)]
    played.show(*(Shown(1.0, 1.0, name, "in-1") for name in names))
    played.until(2.0)
    rows = played.engine._rulebook.shapes[0].rows
    before = rows.rows.__sizeof__()
    played.show(*(Shown(3.0, 3.0, name, "out") for name in names[:-1]))
    played.until(4.0)
    assert rows.rows.__sizeof__() < before / 3
    assert played.told("inside")[-1] == ("left", "n62", 1)


class Inside:
    """One key of the reference model: the last that is known of it."""

    def __init__(self, what: str, at_s: float, area: str = "") -> None:
        self.what, self.at_s, self.area, self.is_told = what, at_s, area, False


class Model:
    """What the page of this shape says, for items in the order in which they are taken; everybody is counted anew."""

    def __init__(self, kind: AntiPassback) -> None:
        self.kind = kind
        self.keys: dict[str, Inside] = {}
        self.reset_s: float | None = None
        self.timers = Timers()
        self.alarms: set[tuple[str, str]] = set()
        self.told: list[tuple[object, ...]] = []

    def inside(self, area: str) -> int:
        return sum(each.what == "in" and each.area == area for each in self.keys.values())

    def event(self, kind: str, subject: str, at_s: float, area: str, extra: object = None) -> None:
        self.told.append((kind, subject, at_s, self.inside(area), area, extra))

    def alarm(self, kind: str, subject: str) -> None:
        if (kind, subject) not in self.alarms:
            self.alarms.add((kind, subject))
            self.told.append(("raised", kind, subject))

    def lower(self, kind: str, subject: str) -> None:
        if (kind, subject) in self.alarms:
            self.alarms.discard((kind, subject))
            self.told.append(("cleared", kind, subject))

    def gone_s(self, key: str) -> float:
        mine = self.keys[key]
        if mine.what in ("in", "refused") or ("violation", key) in self.alarms:
            return mine.at_s + FORGET_S
        keep_s = max(STRAY_S if mine.what == "stray" else 0.0, FORGIVE_S if self.kind is TIMED else 0.0)
        gone_s = mine.at_s + keep_s
        if self.reset_s is not None and self.kind in (SOFT, HARD):
            gone_s = max(gone_s, self.reset_s + FORGET_S)
        return gone_s

    def take(self, at_s: float, key: str, where: str) -> None:
        if where == "fire":
            self.reset(at_s)
            return
        mine = self.keys.get(key)
        if mine is not None and (mine.what == "refused" or (mine.what != "in" and self.gone_s(key) <= at_s)):
            mine = None
        if (mine is not None and at_s < mine.at_s) or (self.reset_s is not None and at_s < self.reset_s):
            return
        is_inside = mine is not None and mine.what == "in"
        is_possible = is_inside == (where == "out")
        is_violation = not is_possible and self.is_violation(mine, at_s)
        if is_violation:
            self.violate(key, mine if is_inside else None, at_s)
            if self.kind is not SOFT:
                return
        else:
            self.lower("violation", key)
        if where == "out":
            self.leave(key, mine if is_inside else None, at_s)
        else:
            self.enter(key, mine if is_inside else None, at_s, where)

    def is_violation(self, mine: Inside | None, at_s: float) -> bool:
        if self.kind is TIMED:
            return mine is not None and at_s - mine.at_s < FORGIVE_S
        return self.kind is not NONE and (mine is not None or self.reset_s is None or at_s >= self.reset_s + FORGET_S)

    def violate(self, key: str, mine: Inside | None, at_s: float) -> None:
        if key not in self.keys:
            self.keys[key] = Inside("refused", at_s)
        area = mine.area if mine else "out"
        self.event("violation", key, at_s, area, "entered_twice" if mine else "exit_without_entry")
        self.alarm("violation", key)
        self.timers.wake(self.gone_s(key), key)

    def enter(self, key: str, mine: Inside | None, at_s: float, area: str) -> None:
        self.lower("overstay", key)
        before = self.inside(area)
        self.keys[key] = Inside("in", at_s, area)
        if mine is not None and mine.area != area and self.inside(mine.area) == CAPACITY:
            self.lower("full", mine.area)
        self.timers.wake(at_s + LONGEST_S, key)
        self.timers.wake(at_s + FORGET_S, key)
        self.event("entered", key, at_s, area)
        if before == CAPACITY and self.inside(area) > CAPACITY:
            self.event("full", area, at_s, area)
            self.alarm("full", area)

    def leave(self, key: str, mine: Inside | None, at_s: float) -> None:
        if mine is None:
            self.keys[key] = Inside("stray", at_s)
        else:
            self.lower("overstay", key)
            self.keys[key] = Inside("left", at_s)
            if self.inside(mine.area) == CAPACITY:
                self.lower("full", mine.area)
            self.event("left", key, at_s, mine.area, round(at_s - mine.at_s, 6))
        if self.gone_s(key) <= at_s:
            del self.keys[key]
        else:
            self.timers.wake(self.gone_s(key), key)

    def reset(self, at_s: float) -> None:
        self.reset_s = at_s if self.reset_s is None else max(at_s, self.reset_s)
        self.keys = {key: mine for key, mine in self.keys.items() if mine.at_s > self.reset_s}
        for kind, subject in sorted(self.alarms):
            if (self.inside(subject) <= CAPACITY) if kind == "full" else (subject not in self.keys):
                self.lower(kind, subject)
        self.timers.wake(self.reset_s + FORGET_S, "")

    def wake(self, due_s: float, key: str) -> None:
        if key == "":
            if self.reset_s is not None and self.reset_s + FORGET_S <= due_s:
                self.reset_s = None
            return
        mine = self.keys.get(key)
        if mine is None:
            return
        if mine.what == "in" and mine.at_s + LONGEST_S == due_s and not mine.is_told:
            mine.is_told = True
            self.event("overstay", key, due_s, mine.area, LONGEST_S)
            self.alarm("overstay", key)
        if self.gone_s(key) <= due_s:
            del self.keys[key]
            if mine.what == "in" and self.inside(mine.area) == CAPACITY:
                self.lower("full", mine.area)
            for kind in ("violation", "overstay"):
                self.lower(kind, key)


LONGEST_S, FORGET_S, FORGIVE_S, STRAY_S, CAPACITY = 5.0, 9.0, 3.0, 4.0, 1


def pair_file(kind: AntiPassback) -> SiteFile:
    more: dict[str, object] = {"forgive_after_s": FORGIVE_S} if kind is TIMED else {}
    full = rule(
        kind, area="read_point", entered="entered", longest_s=LONGEST_S, overstay=outcome("overstay"),
        capacity=CAPACITY, full=outcome("full"), forget_after_s=FORGET_S, reset=point("fire"), **more,
    )  # fmt: skip
    return site(full, settings=RulesSettings(lateness_s=LATENESS_S))


def shown_cards(delays: st.SearchStrategy[float]) -> st.SearchStrategy[list[Shown]]:
    """Cards at distinct moments; heard of after these delays."""
    where = st.sampled_from(("in-1", "in-1", "in-2", "out", "out", "out", "fire"))
    one = st.tuples(st.integers(4, 100), st.sampled_from("xxyz"), where, delays)
    return st.lists(one, min_size=4, max_size=30, unique_by=lambda each: each[0]).map(
        lambda found: [Shown(at / 4 + delay_s, at / 4, card, at_point) for at, card, at_point, delay_s in found]
    )


def at_s_of(at_us: int) -> float:
    return round((at_us - START_US) / 1e6, 6)


def concluded(kind: AntiPassback, shown: list[Shown], restarts: list[bool]) -> tuple[list[object], list[object]]:
    """Events and alarms that the engine makes of them, whether it is restarted or not."""
    batches = batches_of(shown, 60.0)
    file = pair_file(kind)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair, "STRAY_US", round(STRAY_S * 1e6))
        patch.setattr(pair, "LOOK_US", 2_000_000)
        whole = play_with_restarts(file, batches, lambda _: False)
        cut = play_with_restarts(file, batches, lambda number: restarts[number % len(restarts)])
    assert frozen(whole) == frozen(cut)
    events: list[object] = []
    for event in (event for outputs in whole for event in outputs.events if event.rule is not None):
        extra = event.fields.get("reason", event.fields.get("dwell_s"))
        area = event.fields.get("area", "out")
        inside = event.fields["inside"]
        events.append((event.type, name_of(event.subject), at_s_of(event.at_us), inside, area, extra))
    alarms: list[object] = [
        (alarm.state, alarm.message.partition(":")[0], name_of(alarm.subject))
        for outputs in whole
        for alarm in outputs.alarms
    ]
    return events, alarms


RESTARTS = st.lists(st.booleans(), min_size=1, max_size=7)
KINDS = st.sampled_from(AntiPassback)


def expected(kind: AntiPassback, shown: list[Shown]) -> tuple[list[object], list[object]]:
    model = Model(kind)
    in_turn(batches_of(shown, 60.0), LATENESS_S, model.timers, model.take, model.wake)
    states = ("raised", "cleared")
    return [one for one in model.told if one[0] not in states], [one for one in model.told if one[0] in states]


@given(KINDS, shown_cards(st.sampled_from((0.0, 0.1, 0.4))), RESTARTS)
@settings(max_examples=60, deadline=None)
def test_in_order_or_out_of_order_within_the_lateness_it_does_what_its_page_says(
    kind: AntiPassback, shown: list[Shown], restarts: list[bool]
) -> None:
    found = concluded(kind, shown, restarts)
    assert found == expected(kind, shown)
    in_order = [Shown(each.seen_s, each.seen_s, each.card, each.point) for each in shown]
    assert found == expected(kind, in_order)


@given(KINDS, shown_cards(st.sampled_from((0.0, 0.3, 1.0, 2.0, 6.0, 20.0))), RESTARTS)
@settings(max_examples=60, deadline=None)
def test_late_and_restarted_anywhere_it_does_what_its_page_says(
    kind: AntiPassback, shown: list[Shown], restarts: list[bool]
) -> None:
    assert concluded(kind, shown, restarts) == expected(kind, shown)


def test_how_long_it_was_may_be_called_otherwise() -> None:
    named = rule(dwell_as="turn_s", longest_s=2.0, overstay=Outcome(emit="long"))
    played = cards(named)
    show(played, (1.0, "x", "in-1"), (5.5, "x", "out"))
    played.until(8.0)
    told = {event.type: event.fields for event in played.events if event.type in {"left", "long"}}
    assert told["left"]["turn_s"] == 4.5
    assert told["long"]["turn_s"] == 2.0
    assert all("dwell_s" not in fields for fields in told.values())
