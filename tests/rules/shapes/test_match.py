from __future__ import annotations

import pytest

from gateway.config.models import RulesSettings
from gateway.config.rules import AlarmSettings, MatchRule, Severity
from gateway.contract.events import event_id
from rules.engine import Engine
from rules.shapes import match
from rules.things.thing import Thing
from tests.rules.play import EPC, OTHER, Play, site, tag_read, us
from tests.rules.things.registries import NOTHING, registry


def rule(on: str, when: str = "true", *, name: str = "rule-1", emit: str | None = None, **alarm: object) -> MatchRule:
    settings = AlarmSettings(**alarm) if alarm else None
    return MatchRule(shape="match", name=name, on=on, when=when, emit=emit, alarm=settings)


def test_every_read_that_matches_is_an_event() -> None:
    file = site(rule("read", "e.rssi_dbm > -60 && e.kind == 'truck'", emit="near"))
    play = Play(file, registry({EPC: Thing("Truck 7", "truck")}))
    outputs = play.reads(1.0, tag_read(0.9, "p"), tag_read(0.95, "p", OTHER), tag_read(0.96, "p", rssi_dbm=-70.0))
    [event] = outputs.events
    assert (event.type, event.subject, event.name, event.at_us, event.rule) == (
        "near",
        EPC,
        "Truck 7",
        us(0.9),
        "rule-1",
    )
    assert (event.read_point, event.device, event.fields) == ("p", "reader-1", {"kind": "truck"})
    assert event.rule == "rule-1"
    evidence = event.evidence
    assert (evidence.sequence_from, evidence.sequence_to, evidence.reads, evidence.rssi_max_dbm) == (1, 1, 1, -50.0)
    assert outputs.alarms == []


def test_the_type_is_the_name_of_the_rule_when_nothing_else_is_said() -> None:
    play = Play(site(rule("signal", "e.name == 'loop' && e.value", name="truck-waits")))
    assert [event.type for event in play.signal(1.0, "loop", value=True).events] == ["truck-waits"]
    assert play.signal(2.0, "loop", value=False).events == []
    assert play.signal(3.0, "gate", value=True).events == []


def test_a_rule_with_an_alarm_makes_an_event_only_when_asked() -> None:
    play = Play(site(rule("status", "e.state == 'offline'", severity=Severity.CRITICAL)))
    outputs = play.status(1.0, "reader-1", "offline")
    assert outputs.events == []
    [alarm] = outputs.alarms
    assert (alarm.id, alarm.rule, alarm.severity) == (event_id("alarm", "rule-1", "reader-1"), "rule-1", "critical")
    assert (alarm.subject, alarm.state, alarm.since_us, alarm.at_us) == ("reader-1", "raised", us(1.0), us(1.0))
    assert (alarm.message, alarm.fields) == ("rule-1", {"state": "offline", "reason": "test"})


def test_an_alarm_is_raised_once_and_cleared_by_the_next_item_that_does_not_match() -> None:
    play = Play(site(rule("status", "e.state != 'online'", message="Reader is away")))
    play.status(1.0, "reader-1", "offline")
    play.status(2.0, "reader-1", "degraded")
    play.status(3.0, "reader-2", "online")
    play.status(4.0, "reader-1", "online")
    play.status(5.0, "reader-1", "online")
    assert [(alarm.state, alarm.subject, alarm.at_us, alarm.since_us) for alarm in play.alarms] == [
        ("raised", "reader-1", us(1.0), us(1.0)),
        ("cleared", "reader-1", us(4.0), us(1.0)),
    ]
    assert play.alarms[1].message == "Reader is away"
    assert play.engine.counters()["rule_states"] == 0


def test_a_latched_alarm_stays() -> None:
    play = Play(site(rule("status", "e.state == 'offline'", latch=True)))
    for at_s, state in ((1.0, "offline"), (2.0, "online"), (3.0, "offline")):
        play.status(at_s, "reader-1", state)
    assert [(alarm.state, alarm.ended, alarm.since_us) for alarm in play.alarms] == [
        ("raised", False, us(1.0)),
        ("raised", True, us(1.0)),
        ("raised", False, us(1.0)),
    ]


@pytest.mark.parametrize(("on", "stands"), [("status", True), ("reading", True), ("card", False), ("arrived", False)])
def test_of_what_only_happened_nobody_knows_whether_it_still_holds(on: str, *, stands: bool) -> None:
    play = Play(site(rule(on, severity=Severity.INFO)))
    play.watch(0.0, "p")
    play.status(1.0, "reader-1", "offline")
    play.reading(1.0, "5")
    play.card(1.0, "nfca#" + 24 * "0")
    play.read(1.0, "p", count=2)
    play.until(3.0)
    assert play.alarms
    [shape] = play.engine._rulebook.prompt
    (key, *_) = shape.rows.rows
    assert shape.is_standing(key) is stands
    shape.let_go(key)
    assert not shape.is_standing(key)


def test_items_that_the_rule_is_not_about_do_not_clear_its_alarm() -> None:
    play = Play(site(rule("signal", "e.name == 'door' && e.value", severity=Severity.INFO)))
    play.signal(1.0, "door", value=True)
    play.signal(2.0, "lamp", value=False)
    assert [alarm.state for alarm in play.alarms] == ["raised"]
    play.signal(3.0, "door", value=False)
    assert [alarm.state for alarm in play.alarms] == ["raised", "cleared"]


def test_each_phase_of_a_meter_has_an_alarm_of_its_own() -> None:
    play = Play(site(rule("reading", "e.quantity == 'voltage' && e.value < 207.0", severity=Severity.WARNING)))
    play.reading(1.0, "200", "voltage", phase="a")
    play.reading(2.0, "230", "voltage", phase="b")
    play.reading(3.0, "12", "active_power")
    play.reading(4.0, "230", "voltage", phase="a")
    assert [(alarm.state, alarm.at_us) for alarm in play.alarms] == [("raised", us(1.0)), ("cleared", us(4.0))]
    assert play.alarms[0].fields["phase"] == "a"


def test_rules_on_presence_see_events_as_they_are_made_and_rules_on_rules_too() -> None:
    play = Play(
        site(
            rule("arrived", "e.zone == 'p'", name="first", emit="here"),
            rule("here", "e.kind == 'truck' && e.reads >= 2", name="second"),
        ),
        registry({EPC: Thing("Truck 7", "truck")}),
    )
    play.watch(0.0, "p")
    play.read(1.0, "p", count=2)
    play.until(3.0)
    assert [event.type for event in play.events] == ["arrived", "here", "second"]
    assert len({event.id for event in play.events}) == 3
    assert {event.evidence for event in play.events} == {play.events[0].evidence}
    assert play.events[2].fields == {"kind": "truck"}


def test_a_tag_without_a_name_is_an_item_too() -> None:
    play = Play(site(rule("arrived", "e.zone == 'p' && !has(e.kind)", emit="stranger")))
    play.watch(0.0, "p")
    play.read(1.0, "p", count=2)
    play.until(3.0)
    assert [event.type for event in play.events] == ["arrived", "stranger"]


def test_a_latched_alarm_of_a_tag_stays_when_the_tag_is_forgotten() -> None:
    play = Play(site(rule("read", latch=True), settings=RulesSettings(forget_after_s=100)))
    play.read(1.0, "p")
    play.until(300.0)
    assert [(alarm.state, alarm.ended) for alarm in play.alarms] == [("raised", False), ("raised", True)]
    assert play.engine.counters()["rule_states"] == 0


def test_old_items_raise_no_alarm() -> None:
    play = Play(site(rule("read", severity=Severity.INFO, emit="seen")))
    outputs = play.reads(100.0, tag_read(30.0, "p"))
    assert ([event.historical for event in outputs.events], outputs.alarms) == ([True], [])
    play.historical = True
    outputs = play.reads(101.0, tag_read(100.9, "p"))
    assert ([event.historical for event in outputs.events], outputs.alarms) == ([True], [])
    play.historical = False
    outputs = play.reads(102.0, tag_read(101.9, "p"))
    assert ([event.historical for event in outputs.events], len(outputs.alarms)) == ([False], 1)


def test_the_alarm_of_a_tag_not_seen_for_long_is_cleared_and_forgotten() -> None:
    play = Play(
        site(rule("read", "e.rssi_dbm > -60", severity=Severity.INFO), settings=RulesSettings(forget_after_s=100))
    )
    play.read(1.0, "p")
    play.until(90.0)
    assert [alarm.state for alarm in play.alarms] == ["raised"]
    play.until(200.0)
    assert [alarm.state for alarm in play.alarms] == ["raised", "cleared"]
    assert "not seen again" in play.alarms[1].message
    assert play.engine.counters()["rule_states"] == 0


def test_the_alarm_of_a_device_that_says_nothing_more_is_never_forgotten() -> None:
    file = site(
        rule("status", "e.state == 'offline'", severity=Severity.INFO), settings=RulesSettings(forget_after_s=100)
    )
    play = Play(file)
    play.status(1.0, "reader-1", "offline")
    play.until(400.0)
    assert [alarm.state for alarm in play.alarms] == ["raised"]


def test_keys_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match, "MOST_KEYS", 1)
    play = Play(site(rule("read", severity=Severity.INFO)))
    play.reads(1.0, tag_read(1.0, "p"), tag_read(1.0, "p", OTHER))
    assert [alarm.subject for alarm in play.alarms] == [EPC]
    assert play.engine.counters()["keys_refused"] == 1


def test_ids_are_those_of_the_same_input() -> None:
    file = site(rule("read", emit="seen"))
    one, other = Play(file), Play(file)
    first = one.reads(1.0, tag_read(1.0, "p"), tag_read(1.0, "p")).events
    second = other.reads(1.0, tag_read(1.0, "p"), tag_read(1.0, "p")).events
    assert first == second
    assert len({event.id for event in first}) == 2


def test_a_state_that_began_in_a_backlog_is_raised_at_its_end() -> None:
    play = Play(site(rule("status", "e.state == 'offline'", message="Reader is away")))
    play.historical = True
    play.status(1.0, "reader-1", "offline")
    play.status(2.0, "reader-2", "offline")
    play.status(3.0, "reader-3", "offline")
    play.status(4.0, "reader-2", "online")
    assert play.alarms == []
    play.historical = False
    play.status(500.0, "reader-3", "offline")
    assert [(alarm.subject, alarm.state, alarm.since_us, alarm.at_us) for alarm in play.alarms] == [
        ("reader-3", "raised", us(3.0), us(500.0)),
        ("reader-1", "raised", us(1.0), us(500.0)),
    ]
    assert [alarm.fields for alarm in play.alarms] == [{"state": "offline", "reason": "test"}] * 2
    play.status(501.0, "reader-1", "online")
    play.tick(502.0)
    assert [(alarm.subject, alarm.state) for alarm in play.alarms[2:]] == [("reader-1", "cleared")]


def test_an_alarm_from_before_a_backlog_is_cleared_in_its_course() -> None:
    play = Play(site(rule("signal", "e.value", severity=Severity.INFO)))
    play.signal(1.0, "door", value=True)
    play.historical = True
    play.signal(2.0, "door", value=False)
    play.signal(3.0, "door", value=True)
    play.signal(4.0, "door", value=False)
    play.historical = False
    play.tick(500.0)
    assert [(alarm.state, alarm.at_us) for alarm in play.alarms] == [("raised", us(1.0)), ("cleared", us(2.0))]


def test_a_latched_alarm_whose_trouble_was_over_before_anybody_could_see_it_is_not_raised() -> None:
    play = Play(site(rule("signal", "e.value", latch=True)))
    play.historical = True
    play.signal(1.0, "door", value=True)
    play.signal(2.0, "door", value=False)
    play.signal(3.0, "hatch", value=True)
    play.historical = False
    play.tick(500.0)
    assert [(alarm.state, alarm.fields["name"]) for alarm in play.alarms] == [("raised", "hatch")]


@pytest.mark.parametrize("on", ["read", "card", "card_presented"])
def test_what_happened_in_a_backlog_is_an_event_and_no_alarm(on: str) -> None:
    play = Play(site(rule(on, severity=Severity.INFO, emit="seen")))
    play.historical = True
    play.read(1.0, "p")
    play.card(2.0, "nfca#" + 24 * "0")
    play.historical = False
    play.tick(500.0)
    assert [event.historical for event in play.events if event.type == "seen"] == [True]
    assert play.alarms == []


def test_an_alarm_that_waits_for_the_end_of_a_backlog_survives_a_restart_but_not_its_rule() -> None:
    play = Play(site(rule("signal", "e.value", severity=Severity.INFO)))
    play.historical = True
    play.signal(1.0, "door", value=True)
    state = [(key, value) for key, value in play.engine.changes() if value is not None]
    play.historical = False
    play.engine = Engine(play.file, NOTHING)
    play.engine.restore(state)
    play.tick(500.0)
    assert [alarm.state for alarm in play.alarms] == ["raised"]

    other = Play(site(rule("signal", "!e.value", severity=Severity.INFO)))
    other.sequence = play.sequence
    other.engine.restore(state)
    other.tick(500.0)
    assert other.alarms == []
