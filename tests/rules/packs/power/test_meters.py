from __future__ import annotations

from gateway.config.rules import AbsenceRule, HoldRule, MatchRule
from rules.energy.watching import COUNTED
from rules.packs.power.meters import CHANGED, OPENED
from tests.rules.packs.power.rooms import rules


def test_every_count_that_is_watched_belongs_to_a_rule() -> None:
    assert {*OPENED, *CHANGED} == COUNTED
    assert not {*OPENED} & {*CHANGED}


def test_each_meter_must_tell_its_energy_while_it_is_watched() -> None:
    made = rules(meter=[{"name": "a"}, {"name": "b"}], silence={"energy_within_s": 600})
    for name in ("a", "b"):
        rule = made[f"{name}-no-energy"]
        assert isinstance(rule, AbsenceRule)
        assert (rule.watched, rule.within_s, rule.emit) == ([name], 600, "energy-not-told")


def test_an_offline_meter_is_silent_after_a_while() -> None:
    rule = rules(silence={"offline_for_s": 17})["meter-silent"]
    assert isinstance(rule, HoldRule)
    assert (rule.on, rule.for_s) == ("status", 17)


def test_who_touched_a_meter_is_asked_until_somebody_has_looked() -> None:
    made = rules()
    for name in ("meter-opened", "meter-changed", "meter-replaced", "register-fell"):
        rule = made[name]
        assert isinstance(rule, MatchRule)
        assert rule.alarm is not None
        assert rule.alarm.latch
