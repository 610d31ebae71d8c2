from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.contract.events import Event
from rules.cli import main
from tests.rules.recorded import START_US, TRUCK, Recorded, gate_recorded, recorded, site_file


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return recorded(tmp_path_factory.mktemp("tracing"))


def trace(capsys: pytest.CaptureFixture[str], config: Path, *arguments: str) -> tuple[int, list[str]]:
    status = main(["trace", "--config", str(config), *arguments])
    told = capsys.readouterr()
    return status, (told.out + told.err).splitlines()


def test_an_event_by_its_id(known: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    event = known.event("truck-in")
    status, lines = trace(capsys, known.config, event.id)
    assert status == 0
    assert any(f"event truck-in {event.id}" in line for line in lines)
    assert sum("gate-1 antenna" in line for line in lines) == 2
    status, lines = trace(capsys, known.config, event.id, "--all")
    assert status == 0
    assert sum("gate-1 antenna" in line for line in lines) == 8


def test_a_refused_truck(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gate = gate_recorded(tmp_path)
    event = gate.event("gate-decision", 1)
    status, lines = trace(capsys, gate.config, event.id)
    assert status == 0
    assert any(line.endswith(f"event gate-decision {event.id}  gate-in  hold: Heavier than declared") for line in lines)
    assert len(lines) < 60
    # its opening came before the part that is replayed: what it told itself is still shown
    status, lines = trace(capsys, gate.config, event.id, "--look-back", "1s", "--within", "2s")
    assert status == 1
    assert any("does not happen in the replay" in line for line in lines)
    assert any(line.startswith("    TRUE   hold: Heavier than declared    ") for line in lines)


def test_an_alarm_by_its_id(known: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    alarm = known.alarm("voltage-low")
    for more in ((), ("--at", str(alarm.at_us))):
        status, lines = trace(capsys, known.config, alarm.id, *more)
        assert status == 0
        assert any("made by rule voltage-low (hold), of:" in line for line in lines)
    status, lines = trace(capsys, known.config, alarm.id, "--at", str(alarm.at_us - 1))
    assert status == 1
    assert "has this id" in lines[0]


def test_an_event_of_presence(known: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    status, lines = trace(capsys, known.config, known.event("passage").id)
    assert status == 0
    assert any("rests on 8 reads in batches" in line for line in lines)


def test_an_event_of_presence_whose_reads_are_not_replayed(known: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    event = known.event("passage")
    status, lines = trace(capsys, known.config, event.id, "--look-back", "0", "--within", "100ms")
    assert status == 1
    assert "does not happen in the replay" in lines[-2]
    assert lines[-1].startswith("  kind=truck")


def test_why_a_rule_did_nothing(known: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    at = ("--at", str(START_US + 42_000_000), "--within", "10s")
    status, lines = trace(capsys, known.config, "--rule", "truck-in", "--about", "truck 7", *at)
    assert status == 0
    assert any('FALSE  e.direction == "in"    e.direction is "out"' in line for line in lines)


def test_what_happened_and_would_not_happen_again(
    known: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = site_file(tmp_path, known.state)
    config.write_text(config.read_text().replace('e.kind == "truck"', 'e.kind == "lorry"'))
    status, lines = trace(capsys, config, known.event("truck-in").id)
    assert status == 1
    assert any("does not happen in the replay: the rule was another then" in line for line in lines)
    assert any('FALSE  e.kind == "lorry"    e.kind is "truck"' in line for line in lines)


def test_what_cannot_be_answered(known: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, lines = trace(capsys, known.config)
    assert (status, lines) == (2, ["give the ID of an event or alarm, or else --rule and --about"])
    assert trace(capsys, known.config, "x", "--rule", "busy", "--about", "y")[0] == 2
    status, lines = trace(capsys, known.config, "f" * 20)
    assert status == 1
    assert "ask with --rule and --about" in lines[0]
    status, lines = trace(capsys, known.config, "--rule", "bussy", "--about", TRUCK)
    assert (status, lines) == (1, ["no rule is named 'bussy'; there are: truck-in, busy, voltage-low"])
    config = site_file(tmp_path, tmp_path / "nothing")
    assert trace(capsys, config, "x")[0] == 1
    config.write_text("")
    assert trace(capsys, config, "x")[0] == 78


def document(capsys: pytest.CaptureFixture[str], config: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    status, [line] = trace(capsys, config, *arguments, "--json")
    return status, json.loads(line)


def test_the_same_for_programs(known: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    event = known.event("truck-in")
    _, lines = trace(capsys, known.config, event.id)
    status, found = document(capsys, known.config, event.id)
    assert status == 0
    written = [" " * line["indent"] + line["text"] for line in found["lines"]]
    assert lines[-len(written) :] == written  # below what was replayed
    assert (found["answer"], found["kind"], found["rule"]) == ("made", "event", "truck-in")
    assert msgspec.convert(found["told"], Event) == event
    assert found["title"] == written[0]
    assert found["recording"]["batches"] > 0
    assert found["recording"]["sources"] == [str(known.state / "journal")]
    assert [each["is_true"] for each in found["lines"] if each["kind"] == "finding"] == [True] * 3
    head, *reads = found["rests_on"]
    assert (head["rule"], head["on"], head["event"], head["depth"]) == (
        "truck-in",
        "passage",
        known.event("passage").id,
        0,
    )
    assert [(each["on"], each["subject"], each["device"], each["depth"]) for each in reads] == [
        ("read", TRUCK, "gate-1", 1)
    ] * 8
    assert {(each["read_point"], each["rssi_dbm"]) for each in reads} == {("lane-1-out", -50.0), ("lane-1-in", -50.0)}
    assert all(each["sequence"] > 0 and each["at_us"] > START_US for each in reads)
    assert found["rests_on_left_out"] == 0


def test_a_gate_transaction_for_its_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gate = gate_recorded(tmp_path)
    status, found = document(capsys, gate.config, gate.event("gate-transaction", 1).id)
    assert status == 0
    parts = {line["part"]: line for line in found["lines"] if line["kind"] == "part"}
    assert {name: part["value"] for name, part in parts.items()} == {
        "truck": "truck 7", "weight_kg": 33480.0, "seal": None,
    }  # fmt: skip
    assert parts["truck"]["carried"] == {"epc": TRUCK}
    [lookup] = [line for line in found["lines"] if line["kind"] == "lookup"]
    assert (lookup["is_found"], lookup["key"], lookup["columns"]) == (True, "truck 7", {"declared_kg": 31000.0})
    verdicts = [line for line in found["lines"] if line["kind"] == "verdict"]
    assert [(line["verdict"], line["is_true"]) for line in verdicts] == [
        ("trouble", False), ("hold", False), ("hold", True),
    ]  # fmt: skip
    assert verdicts[-1]["finding"]["worth"] == "2480.0 > 500.0"
    [decision] = [line for line in found["lines"] if line["kind"] == "decision"]
    assert (decision["verdict"], decision["event"]) == ("hold", gate.event("gate-decision", 1).id)
    places = Counter(item["place"] for item in found["rests_on"])
    assert places == {"open": 1, "collect.truck": 9, "collect.weight_kg": 1, "close.on": 1}
    [weight] = [item for item in found["rests_on"] if item["place"] == "collect.weight_kg"]
    assert (weight["device"], weight["value"], weight["unit"]) == ("scale", 33480.0, "kg")
    kept = [line["state"] for line in found["lines"] if line["kind"] == "kept"]
    assert "hold" in {state.get("verdict") for state in kept}


def test_for_programs_what_did_not_happen_again_and_what_a_rule_did(
    known: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = site_file(tmp_path, known.state)
    config.write_text(config.read_text().replace('e.kind == "truck"', 'e.kind == "lorry"'))
    status, found = document(capsys, config, known.event("truck-in").id)
    assert (status, found["answer"]) == (1, "not_again")
    assert found["told"]["id"] == known.event("truck-in").id
    assert [item["on"] for item in found["rests_on"]] == ["read"] * 8  # as its evidence names them
    at = ("--at", str(START_US + 42_000_000), "--within", "10s")
    status, found = document(capsys, known.config, "--rule", "truck-in", "--about", "truck 7", *at)
    assert (status, found["answer"], found["told"], found["rests_on"]) == (0, "history", None, [])
    assert found["about"] == [TRUCK, "truck 7"]
    [false] = [line for line in found["lines"] if line["kind"] == "finding" and not line["is_true"]]
    assert (false["condition"], false["values"]) == ('e.direction == "in"', {"direction": "out"})
    status, found = document(capsys, known.config, known.alarm("voltage-low").id)
    assert (status, found["kind"], found["told"]["rule"]) == (0, "alarm", "voltage-low")
    assert [(item["on"], item["name"], item["value"]) for item in found["rests_on"]] == [("reading", "voltage", 200.0)]
