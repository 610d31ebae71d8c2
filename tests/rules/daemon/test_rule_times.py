from __future__ import annotations

import random

import pytest

from gateway.config.models import SiteFile
from gateway.config.rules import AlarmSettings, MatchRule
from gateway.contract.batches import Batch
from rules.daemon.rule_times import ONE_IN, REST, SPARE, RuleTime, RuleTimes
from rules.engine import Engine
from rules.stopwatch import Stopwatch
from tests.rules.every_shape import every_shape
from tests.rules.passthrough import PassThrough, reads
from tests.rules.play import Play, site
from tests.rules.test_engine import THINGS, frozen, traffic
from tests.rules.things.registries import NOTHING


class Clock:
    """Time that moves on by `every_ns` at each look, and when it is told to."""

    def __init__(self, every_ns: int) -> None:
        self.now_ns = 0
        self.every_ns = every_ns

    def __call__(self) -> int:
        self.now_ns += self.every_ns
        return self.now_ns


class Counted:
    """The engine, and how often it was put on a stopwatch."""

    def __init__(self, file: SiteFile) -> None:
        self.engine = Engine(file, THINGS)
        self.weights: list[bool] = []

    def step(self, batch: Batch, watch: Stopwatch | None = None) -> object:
        self.weights.append(watch is not None)
        return self.engine.step(batch, watch)


def times(file: SiteFile, clock: Clock, *, seed: int = 1) -> RuleTimes:
    return RuleTimes(Engine(file, THINGS), rng=random.Random(seed), clock_ns=clock, cpu_ns=lambda: 0)


def by_name(found: list[RuleTime]) -> dict[str, RuleTime]:
    return {each.rule: each for each in found}


def test_events_and_alarms_are_exact_however_few_steps_are_measured() -> None:
    """A clock that never leaves the engine any spare time: one step in so many is measured."""
    measured = times(every_shape(), Clock(1_000))
    events: dict[str, int] = {}
    alarms: dict[str, int] = {}
    plain = Engine(every_shape(), THINGS)
    for seed in range(4):
        for batch in traffic(seed):
            outputs = measured.step(batch)
            assert frozen([outputs]) == frozen([plain.step(batch)])
            for event in outputs.events:
                if event.rule is not None:
                    events[event.rule] = events.get(event.rule, 0) + 1
            for alarm in outputs.alarms:
                if alarm.state == "raised" and not (alarm.ended or alarm.escalated):
                    alarms[alarm.rule] = alarms.get(alarm.rule, 0) + 1
        found = by_name(measured.take())
        assert {name: each.events for name, each in found.items() if each.events} == events
        assert {name: each.alarms for name, each in found.items() if each.alarms} == alarms
        assert events
        assert alarms
        events, alarms = {}, {}
    assert measured.take() == []


def test_only_an_alarm_that_is_raised_counts_not_the_rest_of_its_life() -> None:
    rule = MatchRule(
        shape="match", name="open", on="signal", when="e.value == true",
        alarm=AlarmSettings(latch=True, acknowledge_within_s=5),
    )  # fmt: skip
    play = Play(site(rule))
    play.signal(1.0, "door", value=True)
    play.tick(20.0)
    play.signal(21.0, "door", value=False)
    assert [(alarm.state, alarm.escalated, alarm.ended) for alarm in play.alarms] == [
        ("raised", False, False),
        ("raised", True, False),
        ("raised", True, True),
    ]
    measured = RuleTimes(Engine(play.file, NOTHING))
    for batch in play.batches:
        measured.step(batch)
    assert by_name(measured.take())["open"].alarms == 1


def test_while_there_is_time_to_spare_every_step_is_measured_and_items_are_exact() -> None:
    rule = MatchRule(shape="match", name="seen", on="read", when="e.rssi_dbm > -90.0")
    clock = Clock(1)
    measured = times(site(rule), clock)
    for sequence in range(1, 101):
        clock.now_ns += 100_000  # nobody speaks
        measured.step(reads(sequence, 7))
    found = by_name(measured.take())
    assert found["seen"].items == 700
    assert found["seen"].events == 700
    assert found["seen"].busy_ns > 0


def test_under_load_what_is_measured_stands_for_the_rest() -> None:
    """Many intervals of the same traffic: on average the estimate is what it was, in time and in items."""
    rule = MatchRule(shape="match", name="seen", on="read", when="e.rssi_dbm > -10.0")
    clock = Clock(1_000)
    counted = Counted(site(rule))
    measured = RuleTimes(counted, rng=random.Random(4), clock_ns=clock, cpu_ns=lambda: 0)  # type: ignore[arg-type]  # judges, and is not restored
    for sequence in range(1, 4_001):
        measured.step(reads(sequence, 5))
    found = by_name(measured.take())
    share = sum(counted.weights) / len(counted.weights)
    assert share == pytest.approx(1 / ONE_IN, rel=0.25)
    assert found["seen"].items == pytest.approx(20_000, rel=0.25)
    assert found["seen"].busy_ns == pytest.approx(20_000 * 1_000, rel=0.25)  # one look at the clock for each item


def test_the_choice_follows_the_load_within_an_interval() -> None:
    clock = Clock(1_000)
    counted = Counted(site(MatchRule(shape="match", name="seen", on="read", when="false")))
    measured = RuleTimes(counted, rng=random.Random(4), clock_ns=clock, cpu_ns=lambda: 0)  # type: ignore[arg-type]  # judges, and is not restored
    for sequence in range(1, 201):
        measured.step(reads(sequence))
    assert sum(counted.weights) < 40
    clock.now_ns += SPARE * clock.now_ns
    counted.weights.clear()
    for sequence in range(201, 221):
        measured.step(reads(sequence))
    assert all(counted.weights[:10])


def test_what_no_step_took_of_the_processor_is_the_rest_and_never_negative() -> None:
    cpu_ns = [0]
    clock = Clock(10)
    measured = RuleTimes(Engine(site(), NOTHING), clock_ns=clock, cpu_ns=lambda: cpu_ns[0])
    measured.step(reads(1))
    cpu_ns[0] = 1_000_000
    found = by_name(measured.take())
    busy_ns = sum(each.busy_ns for name, each in found.items() if name != REST)
    assert 0 < busy_ns < 1_000
    assert 1_000_000 - 2 * busy_ns - 100 < found[REST].busy_ns < 1_000_000
    measured.step(reads(2))  # it waited for a core: time went by, processor time did not
    assert REST not in by_name(measured.take())


def test_a_step_that_trips_a_defect_is_paid_for_and_the_next_is_measured_anew() -> None:
    class Broken(PassThrough):
        """An engine that knows a stopwatch, and trips over bad reads."""

        def step(self, batch: Batch, watch: Stopwatch | None = None) -> object:  # type: ignore[override]  # takes a stopwatch, too
            if watch is not None:
                watch.lap("seen", 1)
            return super().step(batch)

    clock = Clock(10)
    measured = RuleTimes(Broken(), clock_ns=clock, cpu_ns=lambda: 0)  # type: ignore[arg-type]  # an engine for tests
    with pytest.raises(ZeroDivisionError):
        measured.step(reads(1, epc="BAD0"))
    clock.now_ns += 1_000_000
    measured.step(reads(2))
    assert by_name(measured.take())["seen"] == RuleTime("seen", 20, 2, 0, 0)


def test_what_judges_goes_through_untouched() -> None:
    judge = PassThrough()
    measured = RuleTimes(judge, clock_ns=Clock(1), cpu_ns=lambda: 0)  # type: ignore[arg-type]  # is only restored
    measured.restore([("reads", b"7")])
    assert judge.reads == 7
    assert measured.changes() == []
