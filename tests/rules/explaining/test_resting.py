from __future__ import annotations

from pathlib import Path

import pytest

from gateway.recording import Recording
from rules.explaining import resting
from rules.explaining.leading import Leads
from rules.explaining.resting import Resting
from rules.explaining.tracing import Trace
from tests.rules.explaining.test_trace_text import traced
from tests.rules.recorded import TRUCK, Recorded, recorded


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    directory: Path = tmp_path_factory.mktemp("resting")
    return recorded(directory)


def of(known: Recorded) -> Resting:
    text, tracer = traced(known, "busy", "lane-1")
    key = known.alarm("busy").id
    return text.rests_on(next(each.told for each in tracer.trace.outcomes() if each.told.id == key))


def test_an_alarm_over_two_rules_down_to_the_reads(known: Recorded) -> None:
    found = of(known)
    assert [(item["depth"], item["on"]) for item in found.items] == ([(0, "truck-in"), *[(1, "read")] * 8] * 2)
    first = found.items[0]
    assert (first["rule"], first["event"], first["subject"]) == ("busy", known.event("truck-in").id, TRUCK)
    assert f"event truck-in {first['event']}" in first["title"]
    assert [item["antenna_port"] for item in found.items[1:9]] == [1] * 4 + [2] * 4
    assert len({(item["sequence"], item["index"]) for item in found.items if item["on"] == "read"}) == 16


def test_items_are_bounded_and_the_rest_is_counted(known: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resting, "MOST", 3)
    found = of(known)
    assert (len(found.items), found.left_out) == (3, 15)
    monkeypatch.undo()
    monkeypatch.setattr(resting, "MOST_DEPTH", 1)
    assert {item["place"] for item in of(known).items if item["depth"]} == {""}  # as the evidence names them


def test_what_is_no_longer_recorded_is_told_without_its_raw_item(known: Recorded, tmp_path: Path) -> None:
    text, tracer = traced(known, "voltage-low", "meter-1")
    alarm = known.alarm("voltage-low")
    [item] = text.rests_on(alarm).items
    assert (item["value"], item["unit"], item["place"]) == (200.0, "V", "")
    part = tmp_path / "part.jsonl"
    Recording(known.state).save(part, 0, alarm.since_us - 20_000_000)
    [item] = Resting(Leads(tracer.trace), tracer.rules, Recording(part), alarm).items
    assert (item["rule"], item["on"]) == ("voltage-low", "reading")
    assert "value" not in item
    assert Resting(Leads(Trace()), [], Recording(part), alarm).items == []
