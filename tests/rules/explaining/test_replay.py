from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gateway.event_span import EventSpan, ToldEvent
from gateway.recording import Recording
from rules.expansion import load_as_run
from rules.explaining.replay import BUILT_IN, Difference, Replayed, Told, Window, difference, happened, replay
from rules.own_events import RULES
from rules.testing.workbench import of_site
from tests.rules.recorded import START_US, Recorded, recorded, site_file

ALL = Window(0, 0, 2**62, 2**62)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return recorded(tmp_path_factory.mktemp("replay"))


def replayed(config: Path, state: Path, window: Window = ALL) -> Replayed:
    bench = of_site(load_as_run(config))
    found = replay(bench.engine(), Recording(state).batches(window.read_from_us, window.read_to_us), window)
    bench.close()
    return found


def test_a_recording_is_judged_as_it_was(known: Recorded) -> None:
    found = replayed(known.config, known.state)
    assert {each.told.id for each in known.made} == {each.key[1] for each in found.told()}
    journal = EventSpan(known.state / "events")
    different = difference(found.told(), happened(journal.events(0, 2**62), journal.alarms(0, 2**62)))
    assert (different.made_now, different.missing_now) == ([], [])
    assert different.same == {BUILT_IN: 3, "truck-in": 2, "busy": 2, "voltage-low": 2}
    assert found.batches == len(known.batches)


def test_the_same_recording_gives_the_same_bytes(known: Recorded) -> None:
    first, second = (replayed(known.config, known.state) for _ in range(2))
    assert msgspec.json.encode((first.events, first.alarms)) == msgspec.json.encode((second.events, second.alarms))


def test_other_rules_make_something_else(known: Recorded, tmp_path: Path) -> None:
    config = site_file(tmp_path, known.state, for_s=45)
    config.write_text(config.read_text().replace('e.direction == "in"', 'e.direction == "out"'))
    journal = EventSpan(known.state / "events")
    different = difference(
        replayed(config, known.state).told(), happened(journal.events(0, 2**62), journal.alarms(0, 2**62))
    )
    assert [(each.rule, each.what) for each in different.made_now] == [("truck-in", "event truck-in")]
    assert sorted((each.rule, each.what) for each in different.missing_now) == [
        ("busy", "alarm cleared"),
        ("busy", "alarm raised"),
        ("truck-in", "event truck-in"),
        ("truck-in", "event truck-in"),
        ("voltage-low", "alarm cleared"),
        ("voltage-low", "alarm raised"),
    ]
    assert different.rules == [BUILT_IN, "busy", "truck-in", "voltage-low"]


def test_only_the_window_is_told_and_what_was_under_way_is_known(known: Recorded) -> None:
    raised = known.alarm("voltage-low")
    told_us = raised.at_us - 1_000_000
    with_past = replayed(known.config, known.state, Window(0, told_us, told_us + 2_000_000, 2**62))
    assert [each.id for each in with_past.alarms] == [raised.id]
    assert with_past.events == []
    without = replayed(known.config, known.state, Window(told_us, told_us, told_us + 2_000_000, 2**62))
    assert without.alarms == []


def test_what_the_daemon_told_of_itself_is_no_difference(known: Recorded) -> None:
    alarm = known.alarm("voltage-low")
    events = [
        ToldEvent("1", START_US, "not_judged", "x", None, "edge-1"),
        ToldEvent("2", START_US, "state_lost", "x", None, RULES),
        ToldEvent("3", START_US, "arrived", "x", None, "edge-1"),
    ]
    own = msgspec.structs.replace(alarm, rule="sink_stopped")
    assert [each.key[1] for each in happened(events, [own, alarm])] == ["3", alarm.id]


def test_an_alarm_that_is_raised_again_is_another() -> None:
    def told(since: str) -> Told:
        return Told(("alarm", "a", "raised", since), 1, "r", "alarm raised", "s")

    different = difference([told("1"), told("3")], [told("1"), told("2")])
    assert different == Difference(different.same, [told("3")], [told("2")])
    assert different.same == {"r": 1}
    assert told("1").as_json() == {"id": "a", "at_us": 1, "rule": "r", "what": "alarm raised", "subject": "s"}
