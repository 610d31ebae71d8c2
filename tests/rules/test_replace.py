"""Other rules for a running engine: `Engine.replace`. That it is the same as a restart: `test_engine_shapes.py`."""

from __future__ import annotations

import pytest

from gateway.config.models import SiteFile, Zone
from gateway.config.rules import AbsenceRule, AlarmSettings, HoldRule, Input, MatchRule, RateRule, SequenceRule
from rules.language.grammar import ExpressionError
from tests.rules.play import Play, site, us

ALARM = AlarmSettings()
AWAY = HoldRule(shape="hold", name="away", on="status", when="e.state == 'offline'", for_s=5, alarm=ALARM)
DOWN = MatchRule(shape="match", name="down", on="status", when="e.state == 'offline'", alarm=ALARM)
LATE = AbsenceRule(
    shape="absence", name="late", expect=Input(on="card"), after=Input(on="signal"), key="device", within_s=4,
    alarm=ALARM, grace_s=0,
)  # fmt: skip


def alarms(play: Play) -> list[tuple[str, str]]:
    return [(alarm.rule, alarm.state) for alarm in play.alarms]


def deleted(play: Play) -> list[str]:
    return sorted(key.split(".")[0] for key, value in play.engine.changes() if value is None)


def test_a_timer_of_an_unchanged_rule_goes_on() -> None:
    play = Play(site(AWAY))
    play.status(1.0, "reader-1", "offline")
    play.tick(3.0)
    play.engine.replace(site(DOWN, AWAY))  # another place in the file is no change
    play.until(5.5)
    assert alarms(play) == []
    play.until(7.0)
    assert alarms(play) == [("away", "raised")]
    assert play.alarms[0].since_us == us(1.0)


def test_a_timer_of_an_ordered_rule_goes_on() -> None:
    play = Play(site(LATE))
    play.signal(1.0, "open", value=True)
    play.until(3.0)
    play.engine.replace(site(DOWN, AWAY, LATE))
    play.until(10.0)
    assert alarms(play) == [("late", "raised")]
    assert play.alarms[0].at_us == us(5.0)


def test_a_rule_that_is_gone_clears_its_alarms_in_the_next_step_and_leaves_no_state() -> None:
    play = Play(site(DOWN, LATE))
    play.status(1.0, "reader-1", "offline")
    play.signal(1.0, "open", value=True)
    play.until(8.0)
    assert alarms(play) == [("down", "raised"), ("late", "raised")]
    play.engine.changes()
    play.engine.replace(site(AWAY))
    assert play.engine.counters()["rule_states"] == 0
    assert deleted(play) == []  # as long as nobody was told, it must survive a crash
    outputs = play.tick(9.0)
    assert [(alarm.rule, alarm.state, alarm.at_us) for alarm in outputs.alarms] == [
        ("down", "cleared", us(9.0)),
        ("late", "cleared", us(9.0)),
    ]
    assert {alarm.message for alarm in outputs.alarms} == {
        "down: the rule was changed or removed",
        "late: the rule was changed or removed",
    }
    assert [key for key in deleted(play) if key.startswith(("rule/", "raised/"))] == ["raised/late", "rule/down"]
    assert play.tick(10.0).alarms == []


def test_a_rule_that_is_changed_begins_anew() -> None:
    play = Play(site(DOWN))
    play.status(1.0, "reader-1", "offline")
    changed = DOWN.model_copy(update={"alarm": AlarmSettings(message="A reader is away")})
    play.engine.replace(site(changed))
    play.status(2.0, "reader-1", "offline")
    assert [(alarm.state, alarm.message) for alarm in play.alarms] == [
        ("raised", "down"),
        ("cleared", "down: the rule was changed or removed"),
        ("raised", "A reader is away"),
    ]


def test_a_rule_that_is_back_before_the_next_step_was_never_gone() -> None:
    play = Play(site(DOWN, AWAY))
    play.status(1.0, "reader-1", "offline")
    play.engine.replace(site())
    play.engine.replace(site(AWAY, DOWN))
    play.until(7.0)
    assert alarms(play) == [("down", "raised"), ("away", "raised")]
    play.status(8.0, "reader-1", "online")
    assert alarms(play)[2:] == [("away", "cleared"), ("down", "cleared")]


def test_a_rule_that_cannot_be_used_changes_nothing() -> None:
    play = Play(site(DOWN))
    play.status(1.0, "reader-1", "offline")
    bad = MatchRule(shape="match", name="bad", on="status", when="e.sate == 'x'")
    with pytest.raises(ExpressionError, match=r"did you mean e\.state"):
        play.engine.replace(site(AWAY, bad))
    play.status(2.0, "reader-1", "online")
    assert alarms(play) == [("down", "raised"), ("down", "cleared")]
    assert play.engine.counters()["rule_states"] == 0


def test_what_waits_for_its_turn_stays_and_goes_to_those_who_want_it_then() -> None:
    count = RateRule(shape="rate", name="count", on="signal", key="device", window="tumbling", within_s=1)
    other = count.model_copy(update={"name": "other"})
    unrelated = RateRule(shape="rate", name="cards", on="card", key="device", window="tumbling", within_s=1)
    play = Play(site(count))
    play.signal(1.0, "open", value=True)
    play.engine.replace(site(other))
    play.until(4.0)
    assert [event.type for event in play.events] == ["other"]
    play.signal(5.0, "open", value=True)
    play.engine.replace(site(unrelated))  # nobody wants signals any more
    play.until(8.0)
    assert [event.type for event in play.events] == ["other"]
    assert not [key for key, value in play.engine.changes() if key.startswith("item/") and value is not None]


def test_zones_readers_and_settings_are_not_taken_over() -> None:
    play = Play(site())
    moved = site(MatchRule(shape="match", name="came", on="arrived"), zones=[Zone(name="yard", read_points=["p"])])
    whole = SiteFile.model_validate({**moved.model_dump(), "rules": {"forget_after_s": 1.0}})
    play.engine.replace(whole)
    play.watch(1.0, "p")
    play.read(2.0, "p", count=3)
    play.until(5.0)
    assert play.types() == [("arrived", "p"), ("came", "p")]


def test_common_watched_time_is_counted_for_new_rules_too() -> None:
    late = LATE.model_copy(update={"watched": ["p", "q"]})
    play = Play(site())
    play.watch(1.0, "p", "q")
    play.until(3.0)
    play.engine.replace(site(late))
    play.signal(4.0, "open", value=True)
    play.until(7.0)
    play.watch(7.0, "p")  # for three of four seconds both were watched
    play.until(20.0)
    assert alarms(play) == []
    play.watch(20.0, "p", "q")
    play.until(25.0)
    assert alarms(play) == [("late", "raised")]


def test_keys_that_were_refused_stay_counted() -> None:
    rule = SequenceRule(
        shape="sequence", name="s", key="device", steps=[Input(on="signal"), Input(on="card")], within_s=60,
        most_keys=1,
    )  # fmt: skip
    play = Play(site(rule))
    for device in ("one", "two", "three"):
        play.signal(1.0, "open", value=True, device=device)
    play.until(3.0)
    assert play.engine.counters()["keys_refused"] == 2
    play.engine.replace(site())
    assert play.engine.counters()["keys_refused"] == 2
