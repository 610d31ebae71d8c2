from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.config.models import SiteFile
from gateway.config.rules import AlarmSettings, Input, Report, SetRule
from gateway.contract.batches import Batch
from gateway.contract.events import Event
from rules.checking.check import faults
from rules.engine import Engine
from rules.outputs import Outputs
from rules.shapes import sets
from rules.state import State, parts_of
from rules.things.thing import Thing
from tests.rules.play import START_US, Play, run, site, tag_read
from tests.rules.things.registries import NOTHING, registry

A, B, C = (f"3034{n:020X}" for n in (10, 11, 12))
PAGE = Path(__file__).parents[3] / "docs/reference/rules/set.md"
START = Input(on="signal", when='e.name == "loop" && e.value')
STOP = Input(on="signal", when='e.name == "loop" && !e.value')


def rule(**more: object) -> SetRule:
    given_ = {"name": "rack", "on": "read", "key": "epc"} | more
    return SetRule(shape="set", **given_)


def play(**more: object) -> Play:
    played = Play(site(rule(**more)))
    played.watch(0.0, "a")
    return played


def hear(played: Play, at_s: float, *tags: str, point: str = "a") -> None:
    played.until(at_s)
    played.reads(at_s, *(tag_read(at_s, point, tag) for tag in tags))


def loop(played: Play, at_s: float, *, on: bool, device: str = "reader-1") -> None:
    played.until(at_s)
    played.signal(at_s, "loop", value=on, device=device)


def told(event: Event) -> tuple[float, float, object, str]:
    """Beginning, end, why it ended, and the members by their last digit."""
    begin, end = event.fields["cycle_from_us"], event.fields["cycle_to_us"]
    assert isinstance(begin, int)
    assert isinstance(end, int)
    assert event.at_us == end
    members = "".join(member[-1] for member in str(event.fields["members"]).split())
    return (begin - START_US) / 1e6, (end - START_US) / 1e6, event.fields["ended_by"], members


def of_rules(played: Play) -> list[Event]:
    """Without those of presence."""
    return [event for event in played.events if event.rule is not None]


def reports(played: Play) -> list[tuple[float, float, object, str]]:
    return [told(event) for event in of_rules(played)]


def test_cycles_of_a_duration_follow_one_another_and_tell_what_they_heard() -> None:
    played = play(duration_s=10)
    hear(played, 2.0, A, B)
    hear(played, 5.0, A)
    hear(played, 12.0, C)  # the timer of this moment comes after it
    hear(played, 21.0, C)
    played.until(60.0)
    assert reports(played) == [(2.0, 12.0, "duration", "ABC"), (12.0, 22.0, "duration", "C")]
    first, second = of_rules(played)
    assert (first.type, first.subject, first.rule, first.read_point) == ("rack", "rack", "rack", "a")
    assert first.fields | {"cycle_from_us": 0, "cycle_to_us": 0, "members": ""} == {
        "count": 3, "added": 3, "removed": 0, "cycle_from_us": 0, "cycle_to_us": 0, "ended_by": "duration",
        "complete": True, "cut": 0, "members": "", "members_cut": 0,
    }  # fmt: skip
    assert (second.fields["count"], second.fields["added"], second.fields["removed"]) == (1, 0, 2)
    assert first.evidence.reads == 3  # the second sighting of A told nothing new
    assert first.evidence.sequence_from < first.evidence.sequence_to
    assert played.engine.counters()["rule_states"] == 0  # nothing is kept of a rack that is empty and has told so


def test_a_set_that_is_stable_ends_the_cycle() -> None:
    played = play(stable_s=3, duration_s=60)
    hear(played, 1.0, A)
    hear(played, 3.0, A, B)
    hear(played, 5.9, A)  # nothing new
    hear(played, 6.5, A)
    played.until(20.0)
    assert reports(played) == [(1.0, 6.0, "stable", "AB"), (6.0, 9.5, "stable", "A")]


def test_the_duration_ends_a_set_that_never_becomes_stable() -> None:
    played = play(stable_s=3, duration_s=4)
    for second in range(1, 6):
        hear(played, float(second), f"3034{second:020X}")
    played.until(30.0)
    assert reports(played)[0] == (1.0, 5.0, "duration", "12345")


def test_items_of_start_and_stop_begin_and_end_a_cycle() -> None:
    played = play(start=START, stop=STOP, report_if_empty=True)
    hear(played, 1.0, A)
    loop(played, 2.0, on=True)
    hear(played, 3.0, B)
    loop(played, 4.0, on=True)  # one runs already
    hear(played, 5.0, C)
    loop(played, 6.0, on=False)
    hear(played, 7.0, A)
    loop(played, 8.0, on=False)  # none runs
    loop(played, 9.0, on=True)
    loop(played, 10.0, on=False)
    played.until(15.0)
    assert reports(played) == [(2.0, 6.0, "stop", "BC"), (9.0, 10.0, "stop", "")]
    [first, empty] = of_rules(played)
    assert first.evidence.reads == 2
    assert (empty.fields["removed"], empty.fields["complete"]) == (2, True)


def test_without_start_an_item_of_stop_ends_one_cycle_and_begins_the_next() -> None:
    played = play(stop=STOP)
    hear(played, 1.0, A)
    loop(played, 2.0, on=False)
    hear(played, 3.0, B)
    loop(played, 8.0, on=False)
    loop(played, 9.0, on=False)
    hear(played, 20.0, C)
    loop(played, 21.0, on=False)
    played.until(25.0)
    assert reports(played) == [(1.0, 2.0, "stop", "A"), (2.0, 8.0, "stop", "B"), (20.0, 21.0, "stop", "C")]


def test_the_next_cycle_begins_repeat_s_after_the_last() -> None:
    played = play(duration_s=2, repeat_s=10)
    for at_s in (1.0, 2.5, 5.0, 10.9, 12.0, 13.1, 20.0, 22.0):
        hear(played, at_s, B if at_s == 5.0 else A)
    played.until(60.0)
    assert reports(played) == [
        (1.0, 3.0, "duration", "A"),
        (11.0, 13.0, "duration", "A"),
        (21.0, 23.0, "duration", "A"),
    ]


def test_a_cycle_that_outlasts_repeat_s_is_followed_at_once() -> None:
    played = play(stable_s=4, repeat_s=5)
    for at_s, tag in ((1.0, A), (4.0, B), (7.0, C)):
        hear(played, at_s, tag)
    played.until(13.0)
    hear(played, 13.0, C)
    played.until(30.0)
    assert reports(played) == [(1.0, 11.0, "stable", "ABC"), (11.0, 17.0, "stable", "C")]


def test_start_and_repeat_s_together_go_on_until_nothing_more_is_asked() -> None:
    played = play(start=START, duration_s=2, repeat_s=10, report_if_empty=True)
    hear(played, 0.5, A)
    loop(played, 1.0, on=True)
    played.until(5.0)
    loop(played, 6.0, on=True)  # sooner than by itself
    played.until(20.0)
    assert [(begin, end) for begin, end, _, _ in reports(played)] == [(1.0, 3.0), (6.0, 8.0), (16.0, 18.0)]


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (Report.CURRENT, ["AB", "BC", "BC"]),
        (Report.ADDITIONS, ["AB", "C"]),
        (Report.DELETIONS, ["A", "BC"]),
    ],
)
def test_the_three_report_sets(report: Report, expected: list[str]) -> None:
    played = play(duration_s=10, report=report)
    hear(played, 1.0, A, B)
    hear(played, 12.0, B, C)
    hear(played, 25.0, B, C)
    played.until(80.0)
    assert [members for _, _, _, members in reports(played)] == expected


def test_an_empty_report_is_made_only_where_it_is_asked_for() -> None:
    played = play(duration_s=10, report_if_empty=True)
    hear(played, 1.0, A)
    played.until(42.0)
    assert [members for _, _, _, members in reports(played)] == ["A", "", "", ""]


def test_only_on_change_is_silent_while_the_set_is_the_same() -> None:
    played = play(duration_s=10, only_on_change=True, report_if_empty=True)
    for at_s in (1.0, 12.0, 22.0):
        hear(played, at_s, A, B)
    hear(played, 32.0, B)
    played.until(90.0)
    assert [(begin, members) for begin, _, _, members in reports(played)] == [(1.0, "AB"), (31.0, "B"), (41.0, "")]
    assert played.engine.counters()["rule_states"] == 0


def test_each_group_has_cycles_of_its_own() -> None:
    played = play(duration_s=10, group="read_point")
    hear(played, 1.0, A, point="a")
    hear(played, 4.0, A, B, point="b")
    played.until(30.0)
    assert [(event.subject, told(event)[:2], told(event)[3]) for event in of_rules(played)] == [
        ("a", (1.0, 11.0), "A"),
        ("b", (4.0, 14.0), "AB"),
    ]
    [one, other] = of_rules(played)
    assert (one.read_point, other.read_point, one.id != other.id) == ("a", "b", True)


def test_an_item_without_the_field_that_names_members_is_no_member() -> None:
    played = play(duration_s=10, group="read_point", key="tid")
    played.reads(1.0, replace(tag_read(1.0, "a", A), tid="E2A"), tag_read(1.5, "a", B))
    played.until(30.0)
    assert [(told(event)[3], event.fields["cut"]) for event in of_rules(played)] == [("A", 0)]


def test_places_join_groups_and_leave_out_others() -> None:
    played = play(duration_s=10, group="read_point", places={"lane-1": ["a", "b"]})
    hear(played, 1.0, A, point="a")
    hear(played, 2.0, B, point="b")
    hear(played, 3.0, C, point="elsewhere")
    played.until(30.0)
    assert [(event.subject, told(event)[3]) for event in of_rules(played)] == [("lane-1", "AB")]
    assert of_rules(played)[0].read_point is None  # not the same of both


def test_a_group_is_started_and_stopped_by_items_that_name_it() -> None:
    start, stop = (each.model_copy(update={"key": "device"}) for each in (START, STOP))
    played = play(start=start, stop=stop, group="device")
    played.until(1.0)
    loop(played, 2.0, on=True, device="reader-2")
    played.reads(3.0, tag_read(3.0, "a", A), device="reader-1")
    played.reads(3.0, tag_read(3.0, "b", B), device="reader-2")
    loop(played, 4.0, on=False, device="reader-1")
    loop(played, 5.0, on=False, device="reader-2")
    played.until(9.0)
    assert [(event.subject, told(event)) for event in of_rules(played)] == [("reader-2", (2.0, 5.0, "stop", "B"))]


def test_an_alarm_stands_until_a_cycle_has_nothing_to_report() -> None:
    alarm = AlarmSettings(message="Tool gone")
    played = play(duration_s=10, report=Report.DELETIONS, alarm=alarm)
    hear(played, 1.0, A, B)
    for at_s in (12.0, 22.0, 32.0, 42.0):
        hear(played, at_s, A)
    played.until(70.0)
    states = [(alarm.state, (alarm.at_us - START_US) / 1e6, alarm.fields["members"]) for alarm in played.alarms]
    assert states == [("raised", 21.0, B), ("cleared", 31.0, B), ("raised", 61.0, A)]
    assert of_rules(played) == []  # only the alarm was asked for
    played.until(90.0)
    assert played.alarms[-1].state == "cleared"  # an empty rack has one more cycle, to say so


def test_a_latched_alarm_stays_and_lets_the_group_be_forgotten() -> None:
    played = play(duration_s=10, report=Report.DELETIONS, alarm=AlarmSettings(latch=True))
    hear(played, 1.0, A)
    played.until(90.0)
    assert [(alarm.state, alarm.ended) for alarm in played.alarms] == [("raised", False), ("raised", True)]
    assert played.engine.counters()["rule_states"] == 0


def test_a_set_that_is_not_empty_stands_and_what_was_new_or_gone_does_not() -> None:
    for report in Report:
        state = State()
        reported = sets.SetReports(rule(duration_s=10, report=report, alarm=AlarmSettings()), 0, state)
        played = play(duration_s=10, report=report, alarm=AlarmSettings())
        hear(played, 1.0, A)
        hear(played, 12.0, B)
        played.until(24.0)
        assert [alarm.state for alarm in played.alarms][:1] == ["raised"]
        for key, value in played.engine.changes():
            kind, _, rest = parts_of(key)
            if value is not None and kind == "raised":
                reported.alarms.load(rest, value)
        assert reported.is_standing("rack") is (report is Report.CURRENT)


def test_an_unchanged_set_that_is_not_told_again_keeps_its_alarm() -> None:
    played = play(duration_s=10, only_on_change=True, alarm=AlarmSettings(), emit="left-behind")
    for at_s in (1.0, 12.0, 22.0):
        hear(played, at_s, A)
    assert ([alarm.state for alarm in played.alarms], len(of_rules(played))) == (["raised"], 1)
    played.until(60.0)
    assert [alarm.state for alarm in played.alarms] == ["raised", "cleared"]


def test_what_is_not_heard_is_not_gone_while_nobody_listened() -> None:
    played = play(duration_s=10, report=Report.DELETIONS, watched=["a"], alarm=AlarmSettings(), emit="gone")
    hear(played, 1.0, A, B)
    played.until(12.0)
    played.watch(12.0)  # the antenna is off
    hear(played, 24.0, B)
    played.until(31.5)
    assert reports(played) == []
    played.watch(31.5, "a")
    hear(played, 35.0, B)
    hear(played, 45.0, B)
    played.until(60.0)
    assert reports(played) == [(34.0, 44.0, "duration", "A")]
    assert [alarm.state for alarm in played.alarms] == ["raised", "cleared"]


def test_a_dead_gateway_neither_deletes_nor_reports_empty_sets() -> None:
    played = play(duration_s=1, report_if_empty=True)
    hear(played, 1.0, A)
    played.until(1.5)
    played.tick(50_000.0)
    played.until(50_130.0)
    made = reports(played)
    assert made[0] == (1.0, 2.0, "duration", "A")
    assert all(begin > 50_000.0 for begin, _, _, _ in made[1:])
    assert (made[1][3], of_rules(played)[1].fields["removed"]) == ("", 1)
    incomplete = of_rules(played)[0]
    assert incomplete.fields["complete"] is False


def test_silence_does_not_lower_an_alarm_while_nobody_listened() -> None:
    played = play(duration_s=10, alarm=AlarmSettings(), watched=["a"])
    hear(played, 1.0, A)
    played.until(12.0)
    played.watch(12.0)
    played.until(200.0)
    assert [alarm.state for alarm in played.alarms] == ["raised"]
    played.watch(200.0, "a")
    played.until(300.0)
    assert [alarm.state for alarm in played.alarms] == ["raised", "cleared"]


def test_what_comes_too_late_counts_in_the_cycle_that_runs() -> None:
    played = play(duration_s=10)
    hear(played, 1.0, A)
    hear(played, 13.0, B)
    played.read(14.0, "a", C, late_s=6.0)
    played.until(40.0)
    assert reports(played) == [(1.0, 11.0, "duration", "A"), (11.0, 21.0, "duration", "BC")]
    assert played.engine.counters()["late_items"] == 1


def test_a_stop_that_comes_too_late_ends_no_later_cycle() -> None:
    played = play(stop=Input(on="read", when='e.read_point == "end"'), when='e.read_point == "a"')
    hear(played, 1.0, A)
    hear(played, 5.0, B, point="end")
    hear(played, 6.0, C)
    played.read(8.0, "end", B, late_s=5.0)
    played.until(12.0)
    assert reports(played) == [(1.0, 5.0, "stop", "A")]


def test_members_beyond_the_bound_are_counted_as_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sets, "MOST_MEMBERS", 3)
    played = play(duration_s=10)
    hear(played, 1.0, *(f"3034{n:020X}" for n in range(1, 6)))
    hear(played, 2.0, f"3034{5:020X}", f"3034{1:020X}")
    hear(played, 12.0, f"3034{2:020X}", f"3034{7:020X}")
    played.until(50.0)
    assert [(told(event)[3], event.fields["cut"]) for event in of_rules(played)] == [("123", 3), ("2", 1)]


def test_the_text_of_the_members_is_bounded() -> None:
    played = play(duration_s=10)
    hear(played, 1.0, *(f"3034{n:020X}" for n in range(150)))
    long = play(duration_s=10, key="user_memory")
    reads = [replace(tag_read(1.0, "a", f"3034{n:020X}"), user_memory=f"{n}" * 1_900) for n in range(3)]
    long.reads(1.0, *reads, tag_read(1.0, "a", A))
    for played_ in (played, long):
        played_.until(30.0)
    assert (len(str(of_rules(played)[0].fields["members"]).split()), of_rules(played)[0].fields["members_cut"]) == (
        100,
        50,
    )
    assert (len(str(of_rules(long)[0].fields["members"])), of_rules(long)[0].fields["members_cut"]) == (3_801, 1)
    assert of_rules(long)[0].fields["count"] == 3  # the read without user memory has no key


def test_groups_beyond_most_keys_are_refused() -> None:
    played = play(duration_s=10, group="epc", key="read_point", most_keys=4)
    hear(played, 1.0, A, B, C)
    played.until(3.0)
    assert played.engine.counters()["keys_refused"] == 1
    assert played.engine.counters()["rule_states"] == 4
    played.until(12.0)
    assert [event.subject for event in of_rules(played)] == [A, B]


def test_a_clock_that_is_set_back_moves_the_cycle() -> None:
    played = play(duration_s=100)
    hear(played, 50.0, A)
    played.until(60.0)
    for at_s in (20.0, 21.0, 22.0, 23.0):
        played.tick(at_s)
    back_s = played.engine.counters()["clocks_set_back"]
    assert back_s == 1
    played.at_s = 23.0
    played.until(130.0)
    [(begin, end, by, members)] = reports(played)
    assert (end - begin, by, members) == (100.0, "duration", "A")
    assert begin < 20.0


def test_another_gateway_goes_on_with_the_cycles_of_one_that_is_quiet() -> None:
    played = play(duration_s=10, group="read_point")
    hear(played, 1.0, A)
    played.until(2.0)
    other = Play(played.file, gateway="edge-2")
    other.engine = played.engine
    hear(other, 3.0, B)
    other.until(30.0)
    assert reports(other) == []
    hear(other, 33.0, C)
    other.until(34.0)
    assert reports(other) == [(1.0, 11.0, "duration", "AB")]
    assert of_rules(other)[0].fields["complete"] is False
    other.until(60.0)
    assert [told(event)[3] for event in of_rules(other)] == ["AB", "C"]
    assert [event.fields["removed"] for event in of_rules(other)] == [0, 0]  # the cycle between them was empty


def test_the_rules_of_the_page_are_good() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        file = SiteFile.model_validate({"site": {"name": "harbour"}} | tomllib.loads(block))
        assert faults(file) == []


def test_the_tool_rack_of_the_page_tells_what_the_page_says() -> None:
    [block, _] = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    tools = registry({tag: Thing(f"Tool {tag[-1]}", "tool") for tag in (A, B, C)})
    file = SiteFile.model_validate({"site": {"name": "harbour"}} | tomllib.loads(block))
    played = Play(file, tools)
    played.watch(0.0, "rack-1", "rack-2")
    for at_s, tags in ((1.0, (A, B, C)), (62.0, (A, C)), (182.0, (A,))):
        if at_s == 182.0:
            played.until(130.0)
            played.watch(130.0, "rack-2")
            played.until(150.0)
            played.watch(150.0, "rack-1", "rack-2")
        hear(played, at_s, *tags, point="rack-1")
    played.until(245.0)
    assert [(event.type, event.subject, told(event)[:2], told(event)[3]) for event in of_rules(played)] == [
        ("tools-taken", "rack-1", (61.0, 121.0), "B"),
        ("tools-taken", "rack-1", (182.0, 242.0), "C"),
    ]
    figures = [dict(point.fields)["value"] for point in played.points if point.measurement == "figure"]
    assert figures == [2.0, 1.0]


# A reference that knows nothing of engine, timers or rows: it walks along sorted items, cycle by cycle.


@dataclass
class Plan:
    """Boundaries and report of a rule, times in tenths of a second."""

    starts: bool = False
    stops: bool = False
    duration: int | None = None
    stable: int | None = None
    repeat: int | None = None
    report: Report = Report.CURRENT
    if_empty: bool = False
    on_change: bool = False

    def rule(self) -> SetRule:
        return rule(
            when='e.read_point == "a"',
            start=Input(on="read", when='e.read_point == "start"') if self.starts else None,
            stop=Input(on="read", when='e.read_point == "stop"') if self.stops else None,
            duration_s=None if self.duration is None else self.duration / 10,
            stable_s=None if self.stable is None else self.stable / 10,
            repeat_s=None if self.repeat is None else self.repeat / 10,
            report=self.report,
            report_if_empty=self.if_empty,
            only_on_change=self.on_change,
        )


Heard = tuple[int, str, str]
"""When, at which read point, which tag."""


def cycles(plan: Plan, heard: list[Heard], until: int) -> Iterator[tuple[int, int, str, set[str]]]:
    """Beginning, end, why it ended, and members of every cycle that has ended by then."""
    at, planned, last_end = 0, None, 0
    while True:
        begin = planned
        if begin is None or begin > last_end:  # until then, items begin a cycle or belong to none
            opener = "start" if plan.starts else "a" if begin is None else "nothing"
            while at < len(heard) and heard[at][1] != opener and (begin is None or heard[at][0] <= begin):
                at += 1
            if at < len(heard) and heard[at][1] == opener and (begin is None or heard[at][0] <= begin):
                begin = heard[at][0]
        if begin is None:
            return
        found: set[str] = set()
        fresh = begin
        while True:
            ends = [(until + 1, "")]
            ends += [] if plan.duration is None else [(begin + plan.duration, "duration")]
            ends += [] if plan.stable is None else [(fresh + plan.stable, "stable")]
            end, why = min(ends)
            if at == len(heard) or heard[at][0] > end:
                break
            time, point, tag = heard[at]
            at += 1
            if point == "stop" and plan.stops:
                end, why = time, "stop"
                break
            if point == "a" and tag not in found:
                found.add(tag)
                fresh = time
        if end > until:
            return
        yield begin, end, why, found
        planned, last_end = max(end, begin + (plan.repeat or 0)), end
        sleeps = not plan.starts and not found and not (plan.if_empty and not plan.on_change)
        if sleeps or (plan.starts and plan.repeat is None):
            planned = None


def expected(plan: Plan, heard: list[Heard], until: int) -> list[tuple[float, float, str, list[str], int, int]]:
    """What has to be reported: beginning, end, why, the members told, how many are new and gone."""
    before: set[str] = set()
    made = []
    for begin, end, why, found in cycles(plan, heard, until):
        added, removed = found - before, before - found
        shown = {Report.CURRENT: found, Report.ADDITIONS: added, Report.DELETIONS: removed}[plan.report]
        before = found
        if (shown or plan.if_empty) and (added or removed or not plan.on_change):
            made.append((begin / 10, end / 10, why, sorted(shown), len(added), len(removed)))
    return made


def judge(file: SiteFile, batches: list[Batch], rng: random.Random) -> list[Outputs]:
    """Restarted now and then from what was committed."""
    engine, stored, outputs = Engine(file, NOTHING), dict[str, bytes](), []
    for batch in batches:
        outputs.append(engine.step(batch))
        if rng.random() < 0.3:
            for key, value in engine.changes():
                if value is None:
                    stored.pop(key, None)
                else:
                    stored[key] = value
            engine = Engine(file, NOTHING)
            entries = list(stored.items())
            rng.shuffle(entries)
            engine.restore(entries)
    return outputs


def frozen(outputs: list[Outputs]) -> list[bytes]:
    return [msgspec.json.encode([one.events, one.alarms, one.points]) for one in outputs]


TIMES = st.integers(1, 40)
PLANS = st.builds(
    Plan,
    starts=st.booleans(),
    stops=st.booleans(),
    duration=st.none() | TIMES,
    stable=st.none() | TIMES,
    repeat=st.none() | TIMES,
    report=st.sampled_from(Report),
    if_empty=st.booleans(),
    on_change=st.booleans(),
).filter(
    lambda plan: (
        (plan.stops or plan.duration is not None or plan.stable is not None)
        and not (plan.repeat is not None and plan.duration is not None and plan.repeat < plan.duration)
    )
)
POINTS = st.sampled_from(["a", "a", "a", "a", "start", "stop", "elsewhere"])
ITEMS = st.lists(
    st.tuples(st.integers(1, 250), POINTS, st.sampled_from([A, B, C]), st.integers(0, 4)), min_size=1, max_size=25
)


@settings(max_examples=60)
@given(PLANS, ITEMS, st.integers(0, 2**32))
def test_it_reports_what_a_walk_along_sorted_items_finds(
    plan: Plan, items: list[tuple[int, str, str, int]], seed: int
) -> None:
    played = Play(site(plan.rule()))
    played.watch(0.0, "a")
    arrived = sorted(items, key=lambda item: item[0] + item[3])
    for at, point, tag, late in arrived:
        played.until((at + late) / 10)
        played.read((at + late) / 10, point, tag, late_s=late / 10)
    played.until(40.0)
    heard = [(at, point, tag) for at, point, tag, _ in sorted(arrived, key=lambda item: item[0])]
    made = [
        (*told(event)[:3], str(event.fields["members"]).split(), event.fields["added"], event.fields["removed"])
        for event in of_rules(played)
    ]
    assert made == expected(plan, heard, 395)
    assert played.engine.counters()["late_items"] == 0
    assert len({event.id for event in of_rules(played)}) == len(made)
    assert frozen(judge(played.file, played.batches, random.Random(seed))) == frozen(run(played.file, played.batches))
