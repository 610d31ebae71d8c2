from __future__ import annotations

import pytest

from gateway.config.rules import AbsenceRule, AlarmSettings, Input, OrderedHead, RateRule, SequenceRule, Window
from gateway.contract.events import event_id
from rules.language.grammar import ExpressionError
from rules.shapes.ordered import Intake, Ordered
from rules.state import State
from tests.rules.play import EPC, OTHER, Play, site, us

GATE = Input(on="read", when="e.read_point == 'gate' && e.rssi_dbm > -60.0")


def made(**more: object) -> RateRule:
    settings = {"name": "many", "on": "read", "above": 0.0, "within_s": 10.0, "window": Window.TUMBLING} | more
    return RateRule(shape="rate", **settings)


def test_an_intake_knows_what_is_one_of_its() -> None:
    intake = Intake("entry", GATE, "subject", {})
    assert (intake.role, intake.on) == ("entry", "read")
    assert intake.wants({"read_point": "gate", "rssi_dbm": -50.0})
    assert not intake.wants({"read_point": "gate", "rssi_dbm": -70.0})
    with pytest.raises(ExpressionError):
        Intake("entry", Input(on="read", when="e.nothing > 1"), "subject", {})


def test_the_key_of_an_item_is_a_text() -> None:
    intake = Intake("entry", GATE, "antenna_port", {})
    assert intake.key({"antenna_port": 3}) == "3"
    assert intake.key({"antenna_port": ["3"]}) is None
    assert intake.key({}) is None
    own = Intake("entry", Input(on="read", key="device"), "subject", {})
    assert own.key({"device": "reader-1", "subject": "x"}) == "reader-1"


def test_places_are_several_values_of_one_name_and_other_values_are_nowhere() -> None:
    intake = Intake("entry", GATE, "read_point", {"lane-1": ["loop-1", "desk-1"], "lane-2": ["loop-2"]})
    found = [intake.key({"read_point": point}) for point in ("loop-1", "desk-1", "lane-1", "loop-2", "loop-3")]
    assert found == ["lane-1", "lane-1", "lane-1", "lane-2", None]


def test_items_of_one_place_are_counted_together() -> None:
    rule = made(above=1.0, key="read_point", places={"lane-1": ["loop-1", "desk-1"]})
    played = Play(site(rule))
    for at_s, point in ((1.0, "loop-1"), (2.0, "desk-1"), (3.0, "loop-9")):
        played.read(at_s, point)
    played.until(12.0)
    [event] = [event for event in played.events if event.rule]
    assert (event.subject, event.fields["value"]) == ("lane-1", 2.0)


def test_an_event_says_where_and_what_the_last_item_was() -> None:
    played = Play(site(made()))
    played.read(1.0, "gate")
    played.until(12.0)
    [event] = [event for event in played.events if event.rule]
    assert (event.type, event.rule, event.subject, event.read_point, event.device) == (
        "many", "many", EPC, "gate", "reader-1",
    )  # fmt: skip
    assert event.id == event_id("many", "many", EPC, f"edge-1/7/{played.batches[0].sequence}/0", us(0.0))
    assert (event.at_us, event.historical) == (us(10.0), False)


def test_a_rule_without_an_alarm_makes_an_event_of_its_name_and_one_with_an_alarm_only_that() -> None:
    alarm = AlarmSettings(message="Look")
    played = Play(site(made(), made(name="loud", alarm=alarm), made(name="both", alarm=alarm, emit="seen")))
    played.read(1.0, "gate")
    played.until(12.0)
    assert sorted(event.type for event in played.events if event.rule) == ["many", "seen"]
    assert sorted((alarm.rule, alarm.state, alarm.message) for alarm in played.alarms) == [
        ("both", "raised", "Look"),
        ("loud", "raised", "Look"),
    ]


def test_an_alarm_stands_once_for_each_key() -> None:
    played = Play(site(made(alarm=AlarmSettings())))
    for at_s in (1.0, 11.0, 12.0):
        played.until(at_s)
        played.read(at_s, "gate")
        played.read(at_s, "gate", OTHER)
    played.until(42.0)
    assert [(alarm.subject, alarm.state, alarm.at_us) for alarm in played.alarms] == [
        (EPC, "raised", us(10.0)),
        (OTHER, "raised", us(10.0)),
        (EPC, "cleared", us(30.0)),
        (OTHER, "cleared", us(30.0)),
    ]
    assert len({alarm.id for alarm in played.alarms}) == 2


def test_rules_follow_rules_at_the_same_moment() -> None:
    step = Input(on="many", when="e.value > 1")
    played = Play(
        site(
            made(above=1.0),
            made(name="again", on="many", within_s=10.0, window=Window.SLIDING),
            SequenceRule(shape="sequence", name="twice", steps=[step, step], within_s=30.0),
        )
    )
    for at_s in (1.0, 2.0, 11.0, 12.0):
        played.until(at_s)
        played.read(at_s, "gate")
    played.until(25.0)
    made_of = [(event.type, event.at_us) for event in played.events if event.rule]
    assert made_of == [("many", us(10.0)), ("again", us(10.0)), ("many", us(20.0)), ("twice", us(20.0))]


def test_an_alarm_of_a_backlog_is_raised_at_its_end_by_the_clock() -> None:
    expected = AbsenceRule(
        shape="absence", name="lost", expect=Input(on="read"), within_s=5.0, grace_s=0.0, alarm=AlarmSettings()
    )
    played = Play(site(expected))
    played.historical = True
    played.read(1.0, "gate")
    played.until(9.0)
    assert played.alarms == []
    played.historical = False
    played.tick(9.2)
    assert [(alarm.state, alarm.since_us, alarm.at_us) for alarm in played.alarms] == [("raised", us(6.0), us(9.2))]


def test_what_a_shape_must_say_is_asked_of_it() -> None:
    bare = Ordered(OrderedHead(name="bare"), 0, State(), {})
    with pytest.raises(NotImplementedError):
        bare.take("x", "k", None, None)  # type: ignore[arg-type]  # nothing is looked at
    with pytest.raises(NotImplementedError):
        bare.wake("k", 1, None)  # type: ignore[arg-type]  # as above
    with pytest.raises(NotImplementedError):
        bare.set_back("edge-1", 1)
    assert not bare.is_standing("k")
    assert bare.emits == "bare"


def test_there_is_room_for_so_many_keys() -> None:
    played = Play(site(made(most_keys=2, alarm=AlarmSettings(), below=0.5)))
    for number in range(4):
        played.read(1.0 + number / 10, "gate", f"3034{number:020X}")
    played.until(3.0)
    assert played.engine.counters()["rule_states"] == 2
    assert played.engine.counters()["keys_refused"] == 2
    [shape] = played.engine._rulebook.ordered
    assert not shape.has_room()
