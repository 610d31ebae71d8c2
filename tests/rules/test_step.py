"""One batch on its way; that restarts and order change nothing is tested with the engine."""

from __future__ import annotations

import pytest

from gateway.config.models import Zone
from gateway.config.rules import AlarmSettings, Input, MatchRule, RateRule, SequenceRule
from rules.step import HISTORICAL_US
from tests.rules.play import EPC, START_US, Play, site, tag_read, us

ALARM = AlarmSettings()
COUNT = RateRule(shape="rate", name="count", on="signal", key="device", window="tumbling", within_s=1)


def match(name: str, on: str, when: str = "true") -> MatchRule:
    return MatchRule(shape="match", name=name, on=on, when=when)


def test_rules_on_rules_follow_in_one_step_in_the_order_in_which_events_are_made() -> None:
    play = Play(site(match("third", "second"), match("second", "first"), match("first", "signal")))
    outputs = play.signal(1.0, "open", value=True)
    assert [event.type for event in outputs.events] == ["first", "second", "third"]
    assert len({event.id for event in outputs.events}) == 3


@pytest.mark.parametrize("on", ["read", "card", "reading", "signal", "status", "card_presented"])
def test_items_of_every_kind_are_shown(on: str) -> None:
    play = Play(site(match("seen", on)))
    play.read(1.0, "p")
    play.card(2.0, "nfca:04A1")
    play.reading(3.0, "5")
    play.signal(4.0, "open", value=True)
    play.status(5.0, "reader-1")
    assert [event.type for event in play.events if event.rule] == ["seen"]


def test_an_item_waits_for_what_may_come_before_it() -> None:
    play = Play(site(COUNT))
    play.signal(1.0, "open", value=True)
    assert play.engine.counters()["late_items"] == 0
    assert [key for key, value in play.engine.changes() if key.startswith("item/") and value is not None]
    play.tick(1.4)
    assert play.events == []
    play.until(3.0)
    assert [event.type for event in play.events] == ["count"]
    assert not [key for key, value in play.engine.changes() if key.startswith("item/") and value is not None]


def test_an_event_that_a_rule_makes_is_an_item_at_the_moment_of_its_turn() -> None:
    after = SequenceRule(
        shape="sequence", name="after", key="device", steps=[Input(on="signal"), Input(on="count")], within_s=10
    )
    play = Play(site(COUNT, after))
    play.signal(1.25, "open", value=True)
    play.until(6.0)
    assert [(event.type, event.at_us) for event in play.events] == [
        ("count", us(2.0)),
        ("after", us(2.0)),
    ]


@pytest.mark.parametrize(("late_s", "is_historical"), [(59.9, False), (60.1, True)])
def test_what_a_device_has_kept_for_a_minute_is_historical(late_s: float, is_historical: bool) -> None:  # noqa: FBT001 - of the table
    play = Play(site(match("seen", "read")))
    outputs = play.read(100.0, "p", late_s=late_s)
    assert [event.historical for event in outputs.events] == [is_historical]


def test_an_item_from_the_future_happened_now() -> None:
    play = Play(site(RateRule(shape="rate", name="reads", on="read", key="device", window="tumbling", within_s=1)))
    play.reads(1.5, tag_read(500.0, "p", EPC))
    play.until(4.0)
    assert [(event.type, event.at_us) for event in play.events if event.rule] == [("reads", us(2.0))]


def test_subjects_that_were_not_seen_for_long_are_forgotten_once_a_minute() -> None:
    loud = MatchRule(shape="match", name="loud", on="read", when="e.rssi_dbm > -60.0", alarm=ALARM)
    file = site(loud)
    file = file.model_copy(update={"rules": file.rules.model_copy(update={"forget_after_s": 90.0})})
    minute_s = HISTORICAL_US / 1e6
    first_s = minute_s - (START_US % HISTORICAL_US) / 1e6
    play = Play(file)
    play.read(first_s, "p")
    play.until(first_s + minute_s)
    assert [alarm.state for alarm in play.alarms] == ["raised"]
    play.until(first_s + 2 * minute_s)
    assert [alarm.state for alarm in play.alarms] == ["raised", "cleared"]
    assert "not seen again, forgotten" in play.alarms[-1].message


def test_presence_is_shown_in_its_order() -> None:
    rules = [match("came", "arrived"), match("went", "departed")]
    play = Play(site(*rules, zones=[Zone(name="yard", read_points=["p"], depart_after_s=1)]))
    play.watch(0.5, "p")
    play.read(1.0, "p", count=3)
    play.until(5.0)
    assert play.types() == [("arrived", "yard"), ("came", "yard"), ("departed", "yard"), ("went", "yard")]
