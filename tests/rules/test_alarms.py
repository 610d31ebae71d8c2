from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.models import RulesSettings, SiteFile
from gateway.config.rules import AlarmSettings, HoldRule, MatchRule, RateRule, Severity
from gateway.contract.alarm_orders import Action, AlarmOrder
from gateway.contract.batches import Batch
from gateway.contract.events import Alarm, Evidence, event_id
from rules import alarms
from rules.alarms import AlarmBook, Answer, Holder, Policy, Source, answered, policy_of
from rules.engine import Engine
from rules.state import State
from tests.rules.play import Play, site, us
from tests.rules.test_engine import THINGS, frozen, late, traffic
from tests.rules.things.registries import NOTHING

EVIDENCE = Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=1)
MINUTE_US = 60_000_000


def alarm(key: str = "k", at_us: int = 0, state: str = "raised", message: str = "m", severity: str = "info") -> Alarm:
    return Alarm(
        id=event_id("alarm", "rule", key), rule="rule", severity=severity, subject=key, state=state, since_us=at_us,
        at_us=at_us, message=message, evidence=EVIDENCE, fields={"value": 1.5},
    )  # fmt: skip


def order(action: Action, key: str = "k", at_us: int = 50, comment: str = "", number: int = 1) -> AlarmOrder:
    return AlarmOrder(
        id=f"order-{number:04}", alarm=event_id("alarm", "rule", key), action=action, by="anna", at_us=at_us,
        expires_at_us=at_us + MINUTE_US, comment=comment,
    )  # fmt: skip


@dataclass
class Rule:
    """What a book asks a rule."""

    standing: set[str] = field(default_factory=set)
    let_go_of: list[str] = field(default_factory=list)

    def is_standing(self, key: str) -> bool:
        return key in self.standing

    def let_go(self, key: str) -> None:
        self.let_go_of.append(key)


class Desk:
    """A book with one rule, that can be taken down and put up again anywhere."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.state = State()
        self.book = AlarmBook(self.state)
        self.rule = Rule()
        self.policy = policy or Policy()
        self.stored: dict[str, bytes] = {}
        self.clocks: dict[str, int] = {}

    @property
    def holders(self) -> Mapping[str, Holder]:
        return {"rule.1": self.rule}

    def take(self, one: Alarm, gateway: str = "edge-1", clock_us: int | None = None) -> Alarm | None:
        source = Source("rule.1", one.subject, self.policy)
        return self.book.take(one, source, gateway, one.at_us if clock_us is None else clock_us)

    def order(self, *given: Any, **more: Any) -> Answer:
        return self.book.order(order(*given, **more), self.holders, self.clocks)

    def restart(self) -> None:
        for key, value in self.state.changes():
            if value is None:
                self.stored.pop(key, None)
            else:
                self.stored[key] = value
        self.state = State()
        self.book = AlarmBook(self.state)
        for key, value in reversed(self.stored.items()):
            kind, _, rest = key.split("/")
            self.book.load(kind, rest, value)
        self.book.restore()


def test_an_alarm_without_latch_is_told_when_it_begins_and_when_it_ends() -> None:
    desk = Desk()
    raised = alarm(at_us=5)
    assert desk.take(raised) == raised
    assert desk.take(alarm(at_us=6)) is None
    told = desk.take(alarm(at_us=7, state="cleared", message="over"))
    assert told == msgspec.structs.replace(raised, state="cleared", at_us=7, message="over")
    assert desk.book.counters() == {"alarms": 0, "alarms_refused": 0}
    assert desk.take(alarm(at_us=9)) == alarm(at_us=9)


def test_an_alarm_that_says_something_else_is_told_anew_and_keeps_its_beginning() -> None:
    desk = Desk()
    desk.take(alarm(at_us=5))
    desk.order("acknowledge", at_us=6)
    told = desk.take(alarm(at_us=7, message="no data"))
    assert told is not None
    assert (told.since_us, told.at_us, told.message, told.acknowledged_by) == (5, 7, "no data", "anna")


def test_a_latched_alarm_waits_for_a_person_and_is_the_same_when_its_condition_returns() -> None:
    desk = Desk(Policy(latch=True))
    desk.take(alarm(at_us=5))
    ended = desk.take(alarm(at_us=6, state="cleared", message="over"))
    assert ended is not None
    assert (ended.state, ended.ended, ended.message, ended.since_us) == ("raised", True, "over", 5)
    assert desk.take(alarm(at_us=7, state="cleared")) is None
    back = desk.take(alarm(at_us=8))
    assert back is not None
    assert (back.state, back.ended, back.message, back.since_us, back.at_us) == ("raised", False, "m", 5, 8)
    desk.rule.standing.add("k")
    refused = desk.order("clear")
    assert (refused.alarm, refused.code) == (None, "standing")
    desk.rule.standing.clear()
    desk.take(alarm(at_us=9, state="cleared"))
    cleared = desk.order("clear", at_us=40, comment="new fan").alarm
    assert cleared is not None
    assert (cleared.state, cleared.ended, cleared.at_us, cleared.message) == ("cleared", True, 40, "m: cleared by anna")
    assert (cleared.acknowledged_by, cleared.comment, cleared.comment_by) == ("anna", "new fan", "anna")
    assert desk.rule.let_go_of == ["k"]
    assert desk.order("clear").code == "unknown"


def test_what_was_acknowledged_is_to_be_acknowledged_again_when_its_condition_returns() -> None:
    desk = Desk(Policy(latch=True, within_us=100))
    desk.take(alarm(at_us=0))
    assert desk.order("acknowledge", at_us=50, comment="on my way").code == ""
    assert desk.book.escalate("edge-1", 1_000) == []
    desk.take(alarm(at_us=1_000, state="cleared"))
    back = desk.take(alarm(at_us=2_000), gateway="edge-2")
    assert back is not None
    assert (back.acknowledged_by, back.acknowledged_at_us, back.comment) == (None, None, "on my way")
    assert desk.book.escalate("edge-2", 2_099) == []
    assert [each.escalated for each in desk.book.escalate("edge-2", 2_100)] == [True]


def test_an_alarm_that_nobody_acknowledges_in_time_is_louder_once() -> None:
    desk = Desk(Policy(within_us=100, escalate_to="critical"))
    desk.take(alarm(at_us=10))
    assert desk.book.escalate("edge-1", 109) == []
    assert desk.book.escalate("edge-2", 500) == []
    [told] = desk.book.escalate("edge-1", 115)
    assert (told.state, told.severity, told.escalated, told.since_us, told.at_us) == (
        "raised",
        "critical",
        True,
        10,
        115,
    )
    assert desk.book.escalate("edge-1", 1_000) == []
    again = desk.take(alarm(at_us=1_100, message="worse", severity="warning"))
    assert again is not None
    assert (again.severity, again.escalated) == ("critical", True)
    over = desk.take(alarm(at_us=1_200, state="cleared"))
    assert over is not None
    assert over.severity == "critical"  # the series that it stands in


def test_escalation_never_makes_an_alarm_quieter() -> None:
    desk = Desk(Policy(within_us=1, escalate_to="info"))
    desk.take(alarm(severity="critical"))
    assert [each.severity for each in desk.book.escalate("edge-1", 5)] == ["critical"]


def test_a_latched_alarm_that_ended_unseen_escalates_all_the_same_and_seen_and_back_it_begins_anew() -> None:
    desk = Desk(Policy(latch=True, within_us=100, escalate_to="warning"))
    desk.take(alarm(at_us=0))
    desk.take(alarm(at_us=50, state="cleared"))
    [told] = desk.book.escalate("edge-1", 100)
    assert (told.ended, told.escalated, told.severity) == (True, True, "warning")
    back = desk.take(alarm(at_us=150))
    assert back is not None
    assert (back.escalated, back.severity) == (True, "warning")
    desk.order("acknowledge", at_us=160)
    desk.take(alarm(at_us=170, state="cleared"))
    back = desk.take(alarm(at_us=180))
    assert back is not None
    assert (back.escalated, back.severity, back.acknowledged_by) == (False, "info", None)


def test_each_state_is_later_than_the_one_before_whosever_clock_tells_it() -> None:
    desk = Desk(Policy(latch=True))
    desk.take(alarm(at_us=1_000))
    assert (seen := desk.order("acknowledge", at_us=50).alarm) is not None
    assert (seen.at_us, seen.acknowledged_at_us) == (1_001, 50)
    assert (over := desk.take(alarm(at_us=900, state="cleared"))) is not None
    assert over.at_us == 1_002


@pytest.mark.parametrize("action", get_args(Action))
def test_an_alarm_that_does_not_stand_takes_no_order(action: Action) -> None:
    assert Desk().order(action).code == "unknown"


def test_acknowledging_twice_is_done_once_and_an_empty_comment_is_none() -> None:
    desk = Desk()
    desk.take(alarm())
    assert desk.order("comment") == Answer(None, "comment", "there is nothing to say in it; give a comment")
    assert desk.order("acknowledge").alarm is not None
    again = desk.order("acknowledge", at_us=60)
    assert (again.alarm, again.code, again.detail) == (None, "", "anna has acknowledged it already")
    told = desk.order("acknowledge", at_us=70, comment="it is the fan").alarm
    assert told is not None
    assert (told.acknowledged_at_us, told.comment) == (50, "it is the fan")


def test_an_order_is_remembered_for_a_day_through_restarts() -> None:
    desk = Desk()
    assert desk.book.remember(order("clear"), 100)
    desk.restart()
    assert not desk.book.remember(order("clear"), 200)
    assert desk.book.remember(order("clear", number=2), 100 + alarms.ORDER_KEPT_US)
    assert desk.book.remember(order("clear"), 300)


def test_orders_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "MOST_ORDERS", 2)
    book = Desk().book
    assert all(book.remember(order("clear", number=number), number) for number in range(1, 5))
    assert [book.remember(order("clear", number=number), 10) for number in (4, 3, 1)] == [False, False, True]


def test_alarms_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "MOST_ALARMS", 1)
    desk = Desk()
    assert desk.take(alarm("a")) is not None
    assert desk.take(alarm("b")) is None
    assert desk.book.counters() == {"alarms": 1, "alarms_refused": 1}


def test_the_end_of_an_alarm_that_the_book_has_lost_is_told() -> None:
    over = alarm(state="cleared")
    assert Desk().take(over) == over


def test_alarms_of_rules_that_are_gone_are_cleared_also_latched_ones() -> None:
    desk = Desk(Policy(latch=True))
    for key in ("b", "a"):
        desk.take(alarm(key, at_us=5))
    desk.restart()
    assert desk.book.bury({"rule.1"}, 9) == []
    told = desk.book.bury({"rule.2"}, 9)
    assert [(each.subject, each.state, each.at_us) for each in told] == [("a", "cleared", 9), ("b", "cleared", 9)]
    assert {each.message for each in told} == {"rule: the rule was changed or removed"}
    assert desk.book.counters()["alarms"] == 0


def test_an_order_about_an_alarm_of_a_rule_that_is_gone_needs_no_rule() -> None:
    desk = Desk()
    desk.take(alarm())
    answer = desk.book.order(order("clear"), {}, {})
    assert answer.alarm is not None
    assert answer.alarm.state == "cleared"


def test_the_policy_is_what_the_site_file_asks_for() -> None:
    assert policy_of(None) == Policy()
    asked = AlarmSettings(latch=True, acknowledge_within_s=1.5, escalate_to=Severity.WARNING)
    assert policy_of(asked) == Policy(latch=True, within_us=1_500_000, escalate_to="warning")


def test_a_person_makes_an_alarm_louder_step_by_step_and_nobody_has_seen_to_that_one() -> None:
    desk = Desk()
    desk.take(alarm(at_us=5))
    desk.order("acknowledge", at_us=6)
    told = desk.order("escalate", at_us=7, comment="nobody is here").alarm
    assert told is not None
    assert (told.severity, told.escalated, told.escalated_by, told.at_us) == ("warning", True, "anna", 7)
    assert (told.acknowledged_by, told.acknowledged_at_us, told.comment) == (None, None, "nobody is here")
    worse = desk.take(alarm(at_us=8, message="worse"))
    assert worse is not None
    assert (worse.severity, worse.escalated_by) == ("warning", "anna")  # and not what the clock would make of it
    assert (last := desk.order("escalate", at_us=9).alarm) is not None
    assert last.severity == "critical"
    desk.order("acknowledge", at_us=10)
    refused = desk.order("escalate", at_us=11, comment="still nobody")
    assert (refused.alarm, refused.code) == (None, "loudest")
    assert desk.book.rows.rows[last.id].alarm.acknowledged_by == "anna"
    over = desk.take(alarm(at_us=12, state="cleared"))
    assert over is not None
    assert (over.severity, over.escalated_by, over.comment) == ("critical", "anna", "nobody is here")


def test_an_alarm_that_a_person_escalated_is_as_loud_as_its_rule_says_when_it_was_seen_and_returns() -> None:
    desk = Desk(Policy(latch=True))
    desk.take(alarm(at_us=1))
    desk.take(alarm(at_us=2, state="cleared"))
    told = desk.order("escalate", at_us=3).alarm  # a latched one has ended, and still wants somebody to look
    assert told is not None
    assert (told.ended, told.severity) == (True, "warning")
    back = desk.take(alarm(at_us=4))
    assert back is not None
    assert (back.severity, back.escalated, back.escalated_by) == ("warning", True, "anna")
    desk.order("acknowledge", at_us=5)
    desk.take(alarm(at_us=6, state="cleared"))
    back = desk.take(alarm(at_us=7))
    assert back is not None
    assert (back.severity, back.escalated, back.escalated_by) == ("info", False, None)


def test_after_a_person_the_clock_may_still_make_it_louder_once() -> None:
    desk = Desk(Policy(within_us=100))
    desk.clocks["edge-1"] = 60
    desk.take(alarm(at_us=0))
    desk.order("escalate", at_us=50)
    assert desk.book.escalate("edge-1", 99) == []
    [told] = desk.book.escalate("edge-1", 100)  # its time goes on
    assert (told.severity, told.escalated_by) == ("critical", "anna")
    desk = Desk(Policy(within_us=100))
    desk.clocks["edge-1"] = 60
    desk.take(alarm(at_us=0))
    desk.order("acknowledge", at_us=40)
    desk.order("escalate", at_us=50)
    desk.restart()
    assert desk.book.escalate("edge-1", 159) == []
    assert [each.severity for each in desk.book.escalate("edge-1", 160)] == ["critical"]  # it begins again
    desk = Desk(Policy(within_us=100, escalate_to="warning"))
    desk.take(alarm(at_us=0))
    desk.order("escalate", at_us=50)
    assert desk.book.escalate("edge-1", 1_000) == []  # it is as loud as the clock would make it


def test_without_a_clock_of_its_gateway_no_time_begins() -> None:
    desk = Desk(Policy(within_us=100))
    desk.take(alarm(at_us=0))
    desk.order("acknowledge", at_us=40)
    desk.order("escalate", at_us=50)
    assert desk.book.escalate("edge-1", 10_000) == []


def test_what_an_order_makes_of_an_alarm() -> None:
    told = answered(alarm(at_us=3), order("comment", comment="hm")).alarm
    assert told is not None
    assert (told.comment, told.comment_by, told.acknowledged_by, told.state) == ("hm", "anna", None, "raised")


# The book against a plain model.

KEYS = ["a", "b"]
MOVES = st.one_of(
    st.tuples(st.just("raise"), st.sampled_from(KEYS), st.sampled_from(["m", "worse"])),
    st.tuples(st.just("end"), st.sampled_from(KEYS), st.just("over")),
    st.tuples(st.just("pass"), st.sampled_from(["edge-1", "edge-2"]), st.integers(1, 80)),
    st.tuples(st.just("back"), st.sampled_from(["edge-1", "edge-2"]), st.integers(1, 200)),
    st.tuples(st.sampled_from(get_args(Action)), st.sampled_from(KEYS), st.sampled_from(["", "seen"])),
    st.tuples(st.just("restart"), st.just(""), st.just("")),
)
GATEWAY = {"a": "edge-1", "b": "edge-2"}
LOUDER = {"info": "warning", "warning": "critical"}
Told = tuple[str, str, str, bool, bool, str | None, str | None, str | None, str]


def shown(told: Alarm) -> Told:
    return (
        told.subject, told.state, told.severity, told.ended, told.escalated, told.escalated_by,
        told.acknowledged_by, told.comment, told.message,
    )  # fmt: skip


class Model:
    """What the page of rules says, in the plainest way: one dictionary an alarm, all looked through each time."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.standing: dict[str, dict[str, Any]] = {}
        self.clocks = {"edge-1": 0, "edge-2": 0}

    def told(self, key: str, state: str = "raised") -> Told:
        one = self.standing[key]
        louder = one["severity"], one["ended"], one["severity"] != "info", one["escalated_by"]
        return key, state, *louder, one["by"], one["comment"], one["message"]

    def raised(self, key: str, message: str) -> list[Told]:
        one = self.standing.get(key)
        if one is None:
            due = None if self.policy.within_us is None else self.clocks[GATEWAY[key]] + self.policy.within_us
            self.standing[key] = {
                "ended": False,
                "severity": "info",
                "escalated_by": None,
                "by": None,
                "comment": None,
                "message": message,
                "due": due,
            }
            return [self.told(key)]
        if not one["ended"] and one["message"] == message:
            return []
        if one["ended"] and one["by"] is not None:
            due = None if self.policy.within_us is None else self.clocks[GATEWAY[key]] + self.policy.within_us
            one.update(by=None, severity="info", escalated_by=None, due=due)
        one.update(ended=False, message=message)
        return [self.told(key)]

    def ended(self, key: str, message: str) -> list[Told]:
        one = self.standing.get(key)
        if one is None:
            return [(key, "cleared", "info", False, False, None, None, None, message)]
        if one["ended"]:
            return []
        one["message"] = message
        if self.policy.latch:
            one["ended"] = True
            return [self.told(key)]
        told = self.told(key, "cleared")
        del self.standing[key]
        return [told]

    def passed(self, gateway: str, by: int) -> list[Told]:
        self.clocks[gateway] += by
        due = [
            (one["due"], event_id("alarm", "rule", key), key)
            for key, one in self.standing.items()
            if GATEWAY[key] == gateway and one["due"] is not None and one["due"] <= self.clocks[gateway]
        ]
        for _, _, key in due:
            self.standing[key].update(due=None, severity="warning")
        return [self.told(key) for _, _, key in sorted(due)]

    def set_back(self, gateway: str, by: int) -> None:
        self.clocks[gateway] -= by
        for key, one in self.standing.items():
            if GATEWAY[key] == gateway and one["due"] is not None:
                one["due"] -= by

    def ordered(self, key: str, action: str, comment: str, *, holds: bool) -> list[Told]:
        one = self.standing.get(key)
        if one is None or (action == "clear" and holds):
            return []
        if action == "escalate":
            return self.louder(key, one, comment)
        is_news = bool(comment) or action == "clear" or (action == "acknowledge" and one["by"] is None)
        if not is_news:
            return []
        if comment:
            one["comment"] = comment
        if action != "comment" and one["by"] is None:
            one["by"] = "anna"
        if action != "comment" or one["by"] is not None:
            one["due"] = None
        if action != "clear":
            return [self.told(key)]
        one["message"] += ": cleared by anna"
        told = self.told(key, "cleared")
        del self.standing[key]
        return [told]

    def louder(self, key: str, one: dict[str, Any], comment: str) -> list[Told]:
        if one["severity"] == "critical":
            return []
        one.update(severity=LOUDER[one["severity"]], escalated_by="anna", by=None, due=None)
        one["comment"] = comment or one["comment"]
        return [self.told(key)]


POLICIES = [Policy(latch, within_us, "warning") for latch in (False, True) for within_us in (None, 40, 100)]


@given(st.sampled_from(POLICIES), st.lists(MOVES, min_size=60, max_size=120))
@settings(max_examples=150, deadline=None)
def test_any_story_is_as_the_model_tells_it(policy: Policy, moves: list[tuple[str, str, Any]]) -> None:
    desk, model = Desk(policy), Model(policy)
    last: dict[str, int] = {}
    for number, (what, who, how) in enumerate(moves):
        found: list[Alarm] = []
        if what in ("raise", "end"):
            state = "raised" if what == "raise" else "cleared"
            clock_us = model.clocks[GATEWAY[who]]
            if (told := desk.take(alarm(who, clock_us, state, how), GATEWAY[who])) is not None:
                found = [told]
            expected = model.raised(who, how) if what == "raise" else model.ended(who, how)
            (desk.rule.standing.add if what == "raise" else desk.rule.standing.discard)(who)
        elif what == "pass":
            expected = model.passed(who, how)
            found = desk.book.escalate(who, model.clocks[who])
        elif what == "back":
            model.set_back(who, how)
            desk.book.set_back(who, how)
            last.clear()
            expected = []
        elif what == "restart":
            desk.restart()
            expected = []
        else:
            expected = model.ordered(who, what, how, holds=who in desk.rule.standing)
            desk.clocks = model.clocks
            answer = desk.order(what, who, at_us=number, comment=how, number=number)
            found = [] if answer.alarm is None else [answer.alarm]
        assert [shown(told) for told in found] == expected
        for told in found:
            assert told.at_us > last.get(told.id, -1_000_000)
            last[told.id] = told.at_us
            if told.state == "cleared":
                del last[told.id]
    assert {row.key for row in desk.book.rows.rows.values()} == set(model.standing)


# The whole engine.


def loud_site() -> SiteFile:
    seen = AlarmSettings(acknowledge_within_s=5, escalate_to=Severity.CRITICAL)
    kept = seen.model_copy(update={"latch": True})
    return site(
        MatchRule(shape="match", name="away", on="status", when="e.state != 'online'", alarm=kept),
        MatchRule(shape="match", name="loud", on="read", when="e.rssi_dbm > -42", alarm=seen),
        HoldRule(shape="hold", name="high", on="reading", when="e.value > 100", for_s=2, alarm=kept),
        HoldRule(shape="hold", name="door", on="signal", when="e.value", for_s=1, alarm=seen),
        RateRule(shape="rate", name="many", on="read", key="read_point", within_s=5, above=20, alarm=kept),
        settings=RulesSettings(forget_after_s=90),
    )


def judged(batches: list[Batch], rng: random.Random, restarts: float) -> tuple[list[bytes], list[Alarm]]:
    """What an engine makes of batches, of people who order between them, and of restarts, which neither depends on."""
    people, engine, stored = random.Random(5), Engine(loud_site(), THINGS), dict[str, bytes]()
    told: list[Alarm] = []
    outputs: list[bytes] = []
    known: list[str] = []
    for number, batch in enumerate(batches):
        made = engine.step(batch)
        outputs += frozen([made])
        told += made.alarms
        known += [each.id for each in made.alarms]
        if known and people.random() < 0.3:
            given = msgspec.structs.replace(
                order(people.choice(get_args(Action)), number=number), alarm=people.choice(known), at_us=us(number)
            )
            assert engine.is_new(given, us(number))
            answer = engine.order(given)
            outputs.append(msgspec.json.encode(answer))
            told += [answer.alarm] if answer.alarm is not None else []
        if rng.random() < restarts:
            for key, value in engine.changes():
                if value is None:
                    stored.pop(key, None)
                else:
                    stored[key] = value
            entries = list(stored.items())
            rng.shuffle(entries)
            engine = Engine(loud_site(), THINGS)
            engine.restore(entries)
    return outputs, told


@pytest.mark.parametrize("seed", range(8))
def test_with_people_at_work_a_restart_at_any_point_changes_nothing(seed: int) -> None:
    batches = traffic(seed) if seed % 2 else late(traffic(seed), random.Random(seed))
    whole, told = judged(batches, random.Random(seed), 0)
    assert judged(batches, random.Random(seed), 0.4)[0] == whole
    assert judged(batches, random.Random(seed), 1.0)[0] == whole
    last: dict[str, Alarm] = {}
    for each in told:
        before = last.pop(each.id, None)
        assert before is not None or each.state == "raised"
        assert before is None or before.at_us < each.at_us
        assert before is None or msgspec.structs.replace(before, at_us=0) != msgspec.structs.replace(each, at_us=0)
        if each.state == "raised":
            last[each.id] = each


def test_the_muddle_has_every_kind_of_state() -> None:
    told = [each for seed in range(8) for each in judged(traffic(seed), random.Random(0), 0)[1]]
    states = {(each.state, each.ended, each.escalated, each.acknowledged_by is not None) for each in told}
    assert len(states) >= 10
    assert any(each.message.endswith("cleared by anna") for each in told)


def test_an_alarm_is_not_escalated_by_a_backlog_but_at_its_end() -> None:
    play = Play(loud_site())
    play.signal(1.0, "door", value=True)
    play.until(3.0)
    assert [each.rule for each in play.alarms] == ["door"]
    play.historical = True
    play.until(50.0)
    assert len(play.alarms) == 1
    play.historical = False
    play.tick(51.0)
    assert [(each.severity, each.escalated, each.at_us) for each in play.alarms[1:]] == [("critical", True, us(51.0))]


def test_what_happened_is_cleared_by_a_person_at_any_time_and_is_raised_again_when_it_happens_again() -> None:
    play = Play(site(MatchRule(shape="match", name="tamper", on="card_presented", alarm=AlarmSettings(latch=True))))
    card = "nfca#" + 24 * "0"
    play.card(1.0, card)
    play.card(2.0, card)
    [raised] = play.alarms
    clear = msgspec.structs.replace(order("clear"), alarm=raised.id)
    answer = play.engine.order(clear).alarm
    assert answer is not None
    assert answer.state == "cleared"
    assert play.engine.order(clear).code == "unknown"
    play.card(3.0, card)
    assert [(each.state, each.since_us) for each in play.alarms] == [("raised", us(1.0)), ("raised", us(3.0))]


def test_what_still_holds_is_not_cleared_by_a_person() -> None:
    play = Play(loud_site())
    play.status(1.0, "reader-1", "offline")
    [raised] = play.alarms
    clear = msgspec.structs.replace(order("clear"), alarm=raised.id)
    assert play.engine.order(clear).code == "standing"
    play.status(2.0, "reader-1", "online")
    assert play.alarms[-1].ended
    assert play.engine.order(clear).code == ""
    play.status(3.0, "reader-1", "offline")
    assert (play.alarms[-1].since_us, play.alarms[-1].ended) == (us(3.0), False)


def test_a_rule_that_is_gone_takes_its_latched_alarm_with_it() -> None:
    play = Play(loud_site())
    play.status(1.0, "reader-1", "offline")
    play.status(2.0, "reader-1", "online")
    entries = [(key, value) for key, value in play.engine.changes() if value is not None]
    play.engine = Engine(site(), NOTHING)
    play.engine.restore(entries)
    play.tick(3.0)
    assert (play.alarms[-1].state, play.alarms[-1].message) == ("cleared", "away: the rule was changed or removed")
    assert play.engine.counters()["alarms"] == 0
