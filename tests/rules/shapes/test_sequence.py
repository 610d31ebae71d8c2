from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.models import RulesSettings, SiteFile
from gateway.config.rules import AlarmSettings, Input, Outcome, SequenceRule
from rules.shapes import sequence
from tests.rules.play import Play, site, us
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

LATENESS_S = 0.5
MISSED = Outcome(emit="missed", alarm=AlarmSettings(message="Route not finished"))


def step(point: str) -> Input:
    return Input(on="card", when=f"e.read_point == '{point}'")


def rule(*points: str, within_s: float = 10.0, **more: object) -> SequenceRule:
    steps = [step(point) for point in points or ("a", "b", "c")]
    further = {"name": "route", "emit": "finished", "otherwise": MISSED, "steps": steps} | more
    return SequenceRule(shape="sequence", within_s=within_s, **further)


def file_of(*rules: SequenceRule) -> SiteFile:
    return site(*rules, settings=RulesSettings(lateness_s=LATENESS_S))


def cards(*rules: SequenceRule) -> Cards:
    played = Cards(file_of(*rules))
    played.tick(0.0)
    return played


def test_steps_in_order_complete_it() -> None:
    played = cards(rule())
    for at_s, point in ((1.0, "a"), (3.0, "b"), (6.0, "c")):
        played.at(at_s, "x", point)
    played.until(8.0)
    [event] = [event for event in played.events if event.rule]
    assert (event.type, event.subject, event.at_us, event.rule) == ("finished", card_of("x"), us(6.0), "route")
    assert event.fields == {
        "first_at_us": us(1.0), "elapsed_s": 5.0,
        "step_1_at_us": us(1.0), "step_2_at_us": us(3.0), "step_3_at_us": us(6.0),
    }  # fmt: skip
    heard = [batch.sequence for batch in played.batches if batch.device == "reader-1"]
    assert (event.evidence.sequence_from, event.evidence.sequence_to) == (heard[0], heard[2])
    assert (event.evidence.reads, event.evidence.read_points) == (3, ("a", "b", "c"))
    assert played.engine.counters()["rule_states"] == 0
    played.until(40.0)
    assert played.alarms == []


def test_time_runs_out_only_after_the_grace() -> None:
    played = cards(rule())
    played.at(1.0, "x", "a")
    played.at(2.0, "x", "b")
    played.until(13.0)
    assert played.told() == []
    played.until(13.6)
    [event] = [event for event in played.events if event.rule]
    assert (event.type, event.at_us) == ("missed", us(11.0))
    assert event.fields == {
        "reason": "too_late", "missing": "3", "first_at_us": us(1.0), "elapsed_s": 10.0,
        "step_1_at_us": us(1.0), "step_2_at_us": us(2.0),
    }  # fmt: skip
    assert played.states() == [("x", "raised", "Route not finished")]
    assert played.alarms[0].since_us == us(11.0)


def test_a_step_of_the_last_moment_counts_and_a_later_one_does_not() -> None:
    for last_s, expected in ((11.0, "finished"), (11.001, "missed")):
        played = cards(rule("a", "b"))
        played.at(1.0, "x", "a")
        played.at(last_s, "x", "b")
        played.until(20.0)
        assert played.told() == [(expected, "x")]


def test_a_step_that_becomes_known_within_the_grace_counts() -> None:
    played = cards(rule("a", "b"))
    played.at(1.0, "x", "a")
    played.until(13.0)
    played.at(13.2, "x", "b", late_s=2.3)
    played.until(20.0)
    assert played.told("elapsed_s") == [("finished", "x", 9.9)]
    assert played.engine.counters()["late_items"] == 1


def test_the_latest_first_step_begins_anew_until_the_second_came() -> None:
    played = cards(rule())
    for at_s, point in ((1.0, "a"), (8.0, "a"), (12.0, "b"), (13.0, "a"), (17.0, "c")):
        played.at(at_s, "x", point)
    played.until(40.0)
    assert played.told("first_at_us", "elapsed_s") == [("finished", "x", us(8.0), 9.0)]


def test_a_first_step_after_the_time_ends_the_attempt_and_begins_the_next() -> None:
    played = cards(rule("a", "b"))
    for at_s, point in ((1.0, "a"), (11.5, "a"), (12.0, "b")):
        played.at(at_s, "x", point)
    played.until(15.0)
    assert played.told("first_at_us") == [("missed", "x", us(1.0)), ("finished", "x", us(11.5))]
    assert [state for _, state, _ in played.states()] == ["raised", "cleared"]


def test_unless_ends_it_silently() -> None:
    played = cards(rule("a", "b", unless=step("out")))
    for at_s, point in ((0.5, "out"), (1.0, "a"), (2.0, "out"), (3.0, "b")):
        played.at(at_s, "x", point)
    played.until(20.0)
    assert played.told() == []
    assert played.engine.counters()["rule_states"] == 0


def test_strict_wants_every_step_in_its_turn() -> None:
    played = cards(rule(strict=True))
    for at_s, point in ((1.0, "a"), (2.0, "c"), (3.0, "b"), (4.0, "c")):
        played.at(at_s, "x", point)
    played.until(20.0)
    assert played.told("reason", "step", "step_on", "missing", "elapsed_s") == [
        ("missed", "x", "out_of_order", 3, "card", "2", 1.0)
    ]
    [event] = [event for event in played.events if event.rule]
    assert event.at_us == us(2.0)
    assert "step_2_at_us" not in event.fields
    assert event.evidence.read_points == ("a", "c")


def test_without_strict_other_steps_do_not_disturb() -> None:
    played = cards(rule())
    for at_s, point in ((1.0, "a"), (2.0, "c"), (3.0, "b"), (4.0, "b"), (5.0, "c")):
        played.at(at_s, "x", point)
    played.until(20.0)
    assert played.told("step_3_at_us") == [("finished", "x", us(5.0))]


def test_the_alarm_of_otherwise_ends_with_the_next_attempt_that_completes() -> None:
    played = cards(rule("a", "b"))
    played.at(1.0, "x", "a")
    played.until(20.0)
    played.at(20.5, "x", "a")
    played.until(40.0)
    assert len(played.alarms) == 1
    played.at(40.5, "x", "a")
    played.at(41.0, "x", "b")
    played.until(43.0)
    assert [state for _, state, _ in played.states()] == ["raised", "cleared"]


def test_the_alarm_of_the_rule_ends_with_the_next_attempt_that_does_not_complete() -> None:
    played = cards(rule("a", "b", emit=None, alarm=AlarmSettings(message="Again"), otherwise=None))
    for at_s, point in ((1.0, "a"), (2.0, "b"), (5.0, "a")):
        played.at(at_s, "x", point)
    played.until(10.0)
    assert played.states() == [("x", "raised", "Again")]
    played.until(20.0)
    assert [state for _, state, _ in played.states()] == ["raised", "cleared"]
    assert played.told() == []


def test_an_item_counts_for_one_step_only() -> None:
    anything = Input(on="card")
    played = cards(rule(steps=[anything, anything, anything], name="thrice"))
    for at_s in (1.0, 2.0, 3.0, 4.0):
        played.at(at_s, "x", "a")
    played.until(20.0)
    assert played.told("first_at_us") == [("finished", "x", us(1.0)), ("missed", "x", us(4.0))]


def test_each_step_may_have_its_key() -> None:
    steps = [Input(on="card", when="e.read_point == 'a'"), Input(on="signal", when="e.value", key="name")]
    played = cards(rule(steps=steps))
    played.at(1.0, "x", "a")
    played.signal(2.0, card_of("y"), value=True)
    played.signal(3.0, card_of("x"), value=True)
    played.until(5.0)
    assert played.told() == [("finished", "x")]


def late_news(grace_s: float, **more: object) -> Cards:
    """The first step is an event that becomes known 4 s after it happened; it happens at 11."""
    news = rule("n", "never", within_s=10.0, name="news", emit="never", otherwise=Outcome(emit="gone"), grace_s=4.0)
    steps = [Input(on="gone"), step("b"), step("c")]
    played = cards(news, rule(steps=steps, within_s=20.0, grace_s=grace_s, **more))
    played.at(1.0, "x", "n")
    return played


@pytest.mark.parametrize("is_strict", [False, True])
def test_a_step_may_be_known_before_the_one_that_it_follows(is_strict: bool) -> None:  # noqa: FBT001 - a parameter
    played = late_news(5.0, strict=is_strict)
    played.at(10.0, "x", "b")
    played.at(11.5, "x", "b")
    played.at(12.0, "x", "c")
    played.until(40.0)
    assert [told for told in played.told("first_at_us", "step_2_at_us") if told[0] != "gone"] == [
        ("finished", "x", us(11.0), us(11.5))
    ]


@pytest.mark.parametrize("within_s", [18.0, 17.5])
def test_a_step_after_the_time_may_belong_to_the_next_attempt(within_s: float) -> None:
    """The attempt ends with the first step of the next one, or just before it becomes known."""
    news = rule("n", "never", within_s=10.0, name="news", emit="never", otherwise=Outcome(emit="gone"), grace_s=4.0)
    played = cards(news, rule(steps=[Input(on="gone"), step("b")], within_s=within_s, grace_s=5.0))
    for at_s, point in ((1.0, "n"), (20.0, "n"), (30.5, "b")):
        played.at(at_s, "x", point)
    played.until(50.0)
    assert [told for told in played.told("first_at_us") if told[0] != "gone"] == [
        ("missed", "x", us(11.0)),
        ("finished", "x", us(30.0)),
    ]


def test_it_is_not_remembered_for_longer_than_the_grace() -> None:
    played = late_news(2.0)
    played.at(11.5, "x", "b")
    played.at(12.0, "x", "c")
    played.until(40.0)
    assert [told for told in played.told("missing") if told[0] != "gone"] == [("missed", "x", "2")]


def test_what_ends_the_waiting_may_be_known_before_the_first_step() -> None:
    played = late_news(5.0, unless=step("out"))
    played.at(12.0, "x", "out")
    played.until(40.0)
    assert played.told() == [("gone", "x")]


def test_a_restart_keeps_what_is_waited_for_and_remembered() -> None:
    played = late_news(5.0)
    played.at(11.5, "x", "b")
    played.until(13.0)
    played.restart()
    played.until(16.0)
    played.restart()
    played.at(17.0, "x", "c")
    played.until(19.0)
    assert played.told("elapsed_s")[-1] == ("finished", "x", 6.0)


def test_a_backlog_raises_no_alarm_until_the_present_is_reached() -> None:
    for is_completed in (False, True):
        played = cards(rule("a", "b"))
        played.historical = True
        played.at(1.0, "x", "a")
        played.until(20.0)
        if is_completed:
            played.at(20.5, "x", "a")
            played.at(21.0, "x", "b")
        played.until(25.0)
        assert played.alarms == []
        assert all(event.historical for event in played.events)
        played.historical = False
        played.until(26.0)
        assert [state for _, state, _ in played.states()] == ([] if is_completed else ["raised"])


def test_keys_and_steps_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequence, "MOST_EARLY", 2)
    played = cards(rule("a", "b", most_keys=1, grace_s=5.0))
    for at_s, card, point in ((1.0, "x", "a"), (1.1, "y", "b"), (1.2, "y", "a"), (2.0, "x", "b")):
        played.at(at_s, card, point)
    for index in range(10):
        played.at(3.0 + index / 10, "y", "b")
    played.until(4.6)
    assert played.told() == [("finished", "x")]
    assert played.engine.counters()["keys_refused"] == 1
    [row] = played.engine._rulebook.ordered[0].rows.rows.values()
    assert [item.at_us for _, item in row.early] == [us(3.8), us(3.9)]
    played.until(30.0)
    assert played.engine.counters()["rule_states"] == 0


def test_a_key_moves_with_the_gateway_that_speaks_of_it() -> None:
    one, other = two_gateways(file_of(rule()))
    one.at(1.0, "x", "a")
    one.until(3.0)
    other.until(3.0)
    other.at(4.0, "x", "b")
    other.until(6.0)
    one.until(60.0)
    assert one.told() == []
    other.until(13.4)
    assert other.told() == []
    other.until(13.6)
    assert other.told("missing") == [("missed", "x", "3")]


def test_times_move_with_a_clock_that_is_set_back() -> None:
    played = late_news(5.0)
    played.until(16.0)
    played.at(16.5, "x", "b")
    played.at(17.0, "y", "b")
    played.until(18.0)
    played.at_s = 0.0
    played.tick(-3582.0)
    played.at_s = -3582.0
    played.restart()
    played.at(-3580.0, "x", "c")
    played.until(-3570.0)
    assert played.told("elapsed_s")[-1] == ("finished", "x", 9.0)
    assert played.engine.counters()["rule_states"] == 0


def test_a_clock_that_is_set_back_is_that_of_one_gateway() -> None:
    one, other = two_gateways(file_of(rule("a", "b")))
    one.at(1.0, "x", "a")
    other.at(1.0, "y", "a")
    for played in (one, other):
        played.until(3.0)
    other.at_s = -3590.0
    other.tick(-3590.0)
    one.at(5.0, "x", "b")
    one.until(7.0)
    other.at(-3585.0, "y", "b")
    other.until(-3580.0)
    assert one.told("elapsed_s") == [("finished", "x", 4.0)]
    assert other.told("elapsed_s") == [("finished", "y", 7.0)]


def test_state_of_a_gateway_that_is_not_known_any_more_waits_for_it() -> None:
    played = cards(rule("a", "b"))
    played.at(1.0, "x", "a")
    played.until(3.0)
    played.restart("rule")
    played.at(4.0, "x", "b")
    played.until(6.0)
    assert played.told("elapsed_s") == [("finished", "x", 3.0)]


def test_keys_of_which_an_alarm_stands_take_room_and_may_end_it() -> None:
    played = cards(rule("a", "b", most_keys=1))
    played.at(1.0, "x", "a")
    played.until(20.0)
    for at_s, card, point in ((21.0, "y", "a"), (22.0, "x", "a"), (23.0, "x", "b"), (24.0, "y", "a")):
        played.at(at_s, card, point)
    played.until(26.0)
    assert [state for _, state, _ in played.states()] == ["raised", "cleared"]
    assert played.engine.counters()["keys_refused"] == 1
    assert played.engine.counters()["rule_states"] == 1


def test_what_a_signal_is_called_is_no_name_of_the_device() -> None:
    steps = [Input(on="signal", when="e.name == 'p'"), Input(on="signal", when="e.name == 'q'")]
    played = Play(file_of(rule(steps=steps)))
    played.signal(1.0, "p", value=True)
    played.signal(2.0, "q", value=True)
    played.until(4.0)
    [event] = played.events
    assert (event.subject, event.name, event.device) == ("reader-1", None, "reader-1")


POINTS = ("a", "b", "c", "out")
Told = tuple[object, ...]


class Attempt:
    """One key of the reference model."""

    def __init__(self) -> None:
        self.done: list[float] = []
        self.early: list[tuple[float, str]] = []
        self.due_s = 0.0


class Model:
    """What the page of this shape says, for items in the order in which they are taken."""

    def __init__(self, within_s: float, grace_s: float, *, strict: bool) -> None:
        self.within_s, self.grace_s, self.strict = within_s, grace_s, strict
        self.keys: dict[str, Attempt] = {}
        self.timers = Timers()
        self.told: list[Told] = []

    def take(self, at_s: float, key: str, point: str) -> None:
        mine = self.keys.setdefault(key, Attempt())
        mine.early = [each for each in mine.early if each[0] >= at_s - self.grace_s]
        is_usable = self.use(mine, key, at_s, point)
        if not is_usable and point != "a" and self.may_follow_something(mine, at_s, point):
            mine.early.append((at_s, point))
        while is_usable and mine.done:
            used = next((each for each in sorted(mine.early) if self.use(mine, key, *each)), None)
            if used is None:
                break
            mine.early = [each for each in mine.early if each != used]
        if mine.done:
            mine.due_s = mine.done[0] + self.within_s + self.grace_s
            self.timers.wake(mine.due_s, key)
        elif mine.early:
            mine.due_s = max(mine.early)[0] + self.grace_s
            self.timers.wake(mine.due_s, key)

    def wake(self, due_s: float, key: str) -> None:
        mine = self.keys[key]
        if mine.due_s == due_s:
            if mine.done:
                self.miss(mine, key, mine.done[0] + self.within_s, "too_late")
                if mine.early:
                    mine.due_s = max(mine.early)[0] + self.grace_s
                    self.timers.wake(mine.due_s, key)
            else:
                mine.early = []

    def may_follow_something(self, mine: Attempt, at_s: float, point: str) -> bool:
        if not mine.done or at_s > mine.done[0] + self.within_s:
            return True
        return point != "out" and at_s >= mine.done[-1] and "abc".index(point) > len(mine.done)

    def use(self, mine: Attempt, key: str, at_s: float, point: str) -> bool:
        if mine.done and at_s > mine.done[0] + self.within_s and point == "a":
            self.miss(mine, key, mine.done[0] + self.within_s, "too_late")
        if not mine.done:
            mine.done = [at_s] if point == "a" else []
            return point == "a"
        if not mine.done[0] <= at_s <= mine.done[0] + self.within_s:
            return False
        if point == "out":
            self.end(mine, at_s)
        elif at_s < mine.done[-1]:
            return False
        elif "abc".index(point) == len(mine.done):
            mine.done.append(at_s)
            if len(mine.done) == 3:
                self.told.append(("finished", key, at_s, tuple(mine.done)))
                self.end(mine, at_s)
        elif point == "a" and len(mine.done) == 1:
            mine.done = [at_s]
        elif self.strict and "abc".index(point) > len(mine.done):
            self.miss(mine, key, at_s, "out_of_order")
        else:
            return False
        return True

    def miss(self, mine: Attempt, key: str, at_s: float, reason: str) -> None:
        self.told.append(("missed", key, at_s, tuple(mine.done), reason))
        self.end(mine, at_s)

    def end(self, mine: Attempt, at_s: float) -> None:
        mine.done = []
        mine.early = [each for each in mine.early if each[0] > at_s]


def scanned(shown: list[Shown], within_s: float, *, strict: bool) -> set[Told]:
    """What comes of items that are in order: one plain pass over each key."""
    told: set[Told] = set()
    for key in {each.card for each in shown}:
        done: list[float] = []
        mine = sorted((each.seen_s, each.point) for each in shown if each.card == key)
        for at_s, point in [*mine, (1e9, "a")]:
            if done and at_s > done[0] + within_s:
                told.add(("missed", key, done[0] + within_s, tuple(done), "too_late"))
                done = []
            place = POINTS.index(point)
            if place == 0 and len(done) < 2:
                done = [at_s]
            elif done and place == 3:
                done = []
            elif done and place == len(done):
                done.append(at_s)
                if len(done) == 3:
                    told.add(("finished", key, at_s, tuple(done)))
                    done = []
            elif done and place > len(done) and strict:
                told.add(("missed", key, at_s, tuple(done), "out_of_order"))
                done = []
    return told


def shown_cards(delays: st.SearchStrategy[float]) -> st.SearchStrategy[list[Shown]]:
    """Cards at distinct moments; heard of after these delays."""
    one = st.tuples(st.integers(4, 100), st.sampled_from("xxxy"), st.sampled_from("aaabbbccco"), delays)
    return st.lists(one, min_size=4, max_size=30, unique_by=lambda each: each[0]).map(
        lambda found: [
            Shown(at / 4 + delay_s, at / 4, card, "out" if point == "o" else point)
            for at, card, point, delay_s in found
        ]
    )


def rounded(value_us: object) -> float:
    assert isinstance(value_us, int)
    return round((value_us - us(0)) / 1e6, 6)


def concluded(played_file: SiteFile, shown: list[Shown], restarts: list[bool]) -> list[Told]:
    """What the engine makes of them, whether it is restarted or not; its alarms must alternate."""
    batches = batches_of(shown, 80.0)
    whole = play_with_restarts(played_file, batches, lambda _: False)
    cut = play_with_restarts(played_file, batches, lambda number: restarts[number % len(restarts)])
    assert frozen(whole) == frozen(cut)
    standing: dict[str, bool] = {}
    told: list[Told] = []
    for outputs in whole:
        for alarm in outputs.alarms:
            assert standing.get(alarm.id, False) == (alarm.state == "cleared")
            standing[alarm.id] = alarm.state == "raised"
        for event in outputs.events:
            if event.rule is None:
                continue
            done = [
                event.fields[f"step_{number}_at_us"] for number in (1, 2, 3) if f"step_{number}_at_us" in event.fields
            ]
            one = (event.type, name_of(event.subject), rounded(event.at_us), tuple(rounded(each) for each in done))
            told.append(one if event.type == "finished" else (*one, event.fields["reason"]))
    last = {each[1]: each[0] for each in told}
    assert sum(standing.values()) == sum(kind == "missed" for kind in last.values())
    return told


RESTARTS = st.lists(st.booleans(), min_size=1, max_size=7)


@given(shown_cards(st.sampled_from((0.0, 0.1, 0.4))), RESTARTS, st.booleans())
@settings(max_examples=60, deadline=None)
def test_in_order_or_out_of_order_within_the_lateness_it_is_one_pass_over_what_was_seen(
    shown: list[Shown], restarts: list[bool], strict: bool  # noqa: FBT001 - drawn
) -> None:  # fmt: skip
    file = file_of(rule("a", "b", "c", strict=strict, unless=step("out"), grace_s=1.0))
    told = concluded(file, shown, restarts)
    assert len(set(told)) == len(told)
    assert set(told) == scanned(shown, 10.0, strict=strict)


@given(shown_cards(st.sampled_from((0.0, 0.3, 1.0, 2.0, 6.0, 20.0))), RESTARTS, st.booleans(), st.sampled_from((0, 3)))
@settings(max_examples=60, deadline=None)
def test_late_and_restarted_anywhere_it_does_what_its_page_says(
    shown: list[Shown], restarts: list[bool], strict: bool, grace_s: float  # noqa: FBT001 - drawn
) -> None:  # fmt: skip
    file = file_of(rule("a", "b", "c", strict=strict, unless=step("out"), grace_s=grace_s))
    model = Model(10.0, grace_s, strict=strict)
    in_turn(batches_of(shown, 80.0), LATENESS_S, model.timers, model.take, model.wake)
    assert concluded(file, shown, restarts) == model.told
