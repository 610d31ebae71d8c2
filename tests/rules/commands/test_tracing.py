from __future__ import annotations

from pathlib import Path

import pytest

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
