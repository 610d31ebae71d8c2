from __future__ import annotations

import pytest

from gateway.config.models import RulesSettings
from gateway.config.rules import AlarmSettings, HoldRule, NoData
from rules.shapes import hold
from tests.rules.play import EPC, OTHER, Play, site, tag_read, us

ALARM = AlarmSettings(message="Power too high")
HIGH = "e.quantity == 'active_power' && e.value > 100.0"


def rule(when: str = HIGH, for_s: float = 60.0, *, on: str = "reading", **more: object) -> HoldRule:
    settings = {"alarm": ALARM, "name": "high"} | more
    return HoldRule(shape="hold", on=on, when=when, for_s=for_s, **settings)


def play(*rules: HoldRule, settings: RulesSettings | None = None) -> Play:
    played = Play(site(*rules, settings=settings))
    played.watch(0.0, "meter-1")
    return played


def feed(played: Play, value: str, to_s: float, every_s: float = 10.0) -> None:
    """Readings up to this time, with ticks in between."""
    while played.at_s < to_s:
        at_s = min(to_s, played.at_s + every_s)
        played.until(at_s - 0.1)
        played.reading(at_s, value)


def states(played: Play) -> list[tuple[str, float]]:
    return [(alarm.state, (alarm.at_us - us(0)) / 1e6) for alarm in played.alarms]


def test_it_fires_when_the_condition_was_true_for_long_enough() -> None:
    played = play(rule(emit="too-high"))
    played.reading(1.0, "120")
    feed(played, "130", 60.5)
    assert states(played) == []
    played.until(62.0)
    assert states(played) == [("raised", 61.0)]
    [event] = played.events
    assert (event.type, event.at_us, event.subject, event.rule) == ("too-high", us(61.0), "meter-1", "high")
    assert event.fields["value"] == 130.0
    [alarm] = played.alarms
    assert (alarm.since_us, alarm.message, alarm.subject) == (us(1.0), "Power too high", "meter-1")


def test_a_break_begins_the_time_anew() -> None:
    played = play(rule())
    feed(played, "120", 50.0)
    feed(played, "90", 60.0)
    feed(played, "120", 125.0)
    assert states(played) == []
    feed(played, "120", 132.0)
    assert states(played) == [("raised", 130.0)]


def test_it_ends_when_the_condition_is_false_or_clear_is_true() -> None:
    plain, with_clear = play(rule(for_s=0)), play(rule(for_s=0, clear="e.value < 80.0"))
    for played in (plain, with_clear):
        for at_s, value in ((1.0, "120"), (2.0, "90"), (3.0, "120"), (4.0, "70")):
            played.reading(at_s, value)
    assert states(plain) == [("raised", 1.0), ("cleared", 2.0), ("raised", 3.0), ("cleared", 4.0)]
    assert states(with_clear) == [("raised", 1.0), ("cleared", 4.0)]
    assert plain.engine.counters()["rule_states"] == 0


def test_readings_of_other_quantities_phases_and_meters_do_not_break_it() -> None:
    played = play(rule(for_s=5))
    played.reading(1.0, "120")
    played.reading(2.0, "1", "frequency")
    played.reading(3.0, "1", phase="b")
    played.reading(4.0, "1", meter="meter-2")
    played.until(8.0)
    assert states(played) == [("raised", 6.0)]


def test_time_counts_only_while_the_meter_is_watched() -> None:
    played = play(rule(for_s=20, no_data_after_s=1000))
    played.reading(1.0, "120")
    played.until(11.0)
    played.watch(11.0)
    played.until(100.0)
    assert states(played) == []
    played.watch(100.0, "meter-1")
    played.until(109.0)
    assert states(played) == []
    played.until(112.0)
    assert states(played) == [("raised", 110.0)]


def test_silence_is_neither_a_break_nor_a_reason_to_fire() -> None:
    played = play(rule(for_s=100, no_data_after_s=30))
    played.reading(1.0, "120")
    played.until(300.0)
    assert states(played) == []
    played.reading(300.5, "120")
    assert states(played) == [("raised", 300.5)]
    played.until(600.0)
    assert states(played) == [("raised", 300.5)]


def test_silence_clears_where_the_rule_says_so() -> None:
    played = play(rule(for_s=0, no_data=NoData.CLEAR, no_data_after_s=30))
    played.reading(1.0, "120")
    played.until(40.0)
    assert states(played) == [("raised", 1.0), ("cleared", 31.0)]
    assert played.alarms[1].message == "Power too high: no data"
    assert played.engine.counters()["rule_states"] == 0


def test_silence_is_an_alarm_where_the_rule_says_so_even_if_all_was_well() -> None:
    played = play(rule(no_data=NoData.ALARM, no_data_after_s=30))
    played.reading(1.0, "50")
    played.reading(1.5, "50", "frequency")
    played.until(40.0)
    assert states(played) == [("raised", 31.0)]
    assert played.alarms[0].message == "Power too high: no data for 30 s"
    played.until(100.0)
    played.reading(100.5, "50")
    assert states(played) == [("raised", 31.0), ("cleared", 100.5)]
    played.until(120.0)
    played.watch(120.0)
    played.until(400.0)
    assert len(played.alarms) == 2


def test_data_that_come_back_bad_keep_the_time_that_was_counted() -> None:
    played = play(rule(for_s=60, no_data=NoData.ALARM, no_data_after_s=30))
    played.reading(1.0, "120")
    played.until(50.0)
    assert states(played) == [("raised", 31.0)]
    played.reading(50.5, "120")
    played.until(62.0)
    assert states(played) == [("raised", 31.0), ("cleared", 50.5), ("raised", 61.0)]


def test_a_latched_alarm_is_one_alarm_and_stays() -> None:
    played = play(rule(for_s=0, alarm=AlarmSettings(latch=True)))
    for at_s, value in ((1.0, "120"), (2.0, "90"), (3.0, "120")):
        played.reading(at_s, value)
    assert states(played) == [("raised", 1.0), ("raised", 2.0), ("raised", 3.0)]
    assert [(alarm.ended, alarm.since_us) for alarm in played.alarms] == [
        (False, us(1.0)),
        (True, us(1.0)),
        (False, us(1.0)),
    ]
    [shape] = played.engine._rulebook.prompt
    [key] = shape.rows.rows
    assert shape.is_standing(key)
    played.reading(4.0, "90")
    assert not shape.is_standing(key)
    shape.let_go(key)
    assert played.engine.counters()["rule_states"] == 0


def test_a_state_that_was_said_once_stands_until_it_is_taken_back() -> None:
    played = Play(site(rule("e.state == 'offline'", 60, on="status")))
    played.status(1.0, "reader-1", "offline")
    played.until(62.0)
    played.status(70.0, "reader-1", "online")
    assert states(played) == [("raised", 61.0), ("cleared", 70.0)]


def test_time_in_which_the_gateway_was_dead_does_not_count() -> None:
    played = Play(site(rule("e.state == 'offline'", 60, on="status")))
    played.status(1.0, "reader-1", "offline")
    played.until(10.0)
    played.tick(500.0)
    played.until(550.0)
    assert states(played) == []
    played.until(552.0)
    assert states(played) == [("raised", 551.0)]


def test_the_last_signal_of_a_device_that_is_offline_is_not_believed() -> None:
    played = Play(site(rule("e.name == 'door' && e.value", 30, on="signal")))
    played.signal(1.0, "door", value=True)
    played.status(10.0, "reader-1", "offline")
    played.until(100.0)
    assert states(played) == []
    played.status(100.5, "reader-1", "online")
    played.until(102.0)
    assert [state for state, _ in states(played)] == ["raised"]


def test_a_tag_that_stays_is_told_by_its_reads() -> None:
    played = Play(site(rule("e.read_point == 'p'", 10, on="read", alarm=None, emit="stays", no_data_after_s=5)))
    played.watch(0.0, "p")
    for step in range(25):
        played.read(1.0 + step * 0.5, "p")
    played.read(6.0, "p", OTHER)
    played.until(30.0)
    assert [(event.subject, event.at_us) for event in played.events if event.rule] == [(EPC, us(11.0))]


def test_an_item_without_the_key_is_of_no_concern() -> None:
    played = Play(site(rule("e.rssi_dbm > -60", 0, on="read", key="name")))
    played.read(1.0, "p")
    assert played.engine.counters()["rule_states"] == 0


def test_old_data_raise_no_alarm_until_the_present_is_reached() -> None:
    played = play(rule(for_s=10))
    played.historical = True
    played.reading(1.0, "120")
    played.until(15.0)
    assert states(played) == []
    played.historical = False
    played.until(17.0)
    assert [state for state, _ in states(played)] == ["raised"]


def test_silence_that_began_in_a_backlog_is_told_at_its_end() -> None:
    played = play(rule(no_data=NoData.ALARM, no_data_after_s=30))
    played.reading(1.0, "50")
    played.historical = True
    played.until(60.0)
    assert states(played) == []
    played.historical = False
    played.until(63.0)
    assert [state for state, _ in states(played)] == ["raised"]
    assert "no data for 30 s" in played.alarms[0].message


def test_silence_that_ended_in_a_backlog_is_not_told() -> None:
    played = play(rule(no_data=NoData.ALARM, no_data_after_s=30))
    played.reading(1.0, "50")
    played.historical = True
    played.until(60.0)
    played.reading(60.5, "50")
    played.historical = False
    played.until(70.0)
    assert states(played) == []


def test_a_key_moves_with_the_gateway_that_speaks_of_it() -> None:
    file = site(rule(for_s=20))
    one = Play(file)
    other = Play(file, gateway="edge-2")
    other.engine = one.engine
    for played in (one, other):
        played.watch(0.0, "meter-1")
    one.reading(1.0, "120")
    one.until(5.0)
    other.until(5.0)
    other.reading(6.0, "120")
    one.until(60.0)
    assert states(one) == []
    other.until(24.9)
    assert states(other) == []
    other.until(27.0)
    assert states(other) == [("raised", 26.0)]


def test_what_is_kept_of_tags_not_seen_is_forgotten() -> None:
    file = site(
        rule("e.rssi_dbm > -60", 10, on="read", no_data_after_s=5),
        settings=RulesSettings(forget_after_s=100, lateness_s=0),
    )
    played = Play(file)
    played.watch(0.0, "p")
    for step in range(30):
        played.read(1.0 + step * 0.5, "p")
    played.read(16.0, "p", OTHER)
    assert played.engine.counters()["rule_states"] == 2
    played.until(200.0)
    assert [state for state, _ in states(played)] == ["raised", "cleared"]
    assert played.engine.counters()["rule_states"] == 0


def test_keys_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold, "MOST_KEYS", 1)
    played = Play(site(rule("e.rssi_dbm > -60", 0, on="read")))
    played.reads(1.0, tag_read(1.0, "p"), tag_read(1.0, "p", OTHER))
    assert len(played.alarms) == 1
    assert played.engine.counters()["keys_refused"] == 1
