from __future__ import annotations

import json
from pathlib import Path

import pytest

from rules.cli import main
from tests.rules.recorded import START_US, Recorded, recorded, site_file


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return recorded(tmp_path_factory.mktemp("replaying"))


def answer(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, list[str]]:
    status = main(["replay", *map(str, arguments)])
    return status, capsys.readouterr().out.splitlines()


def test_what_would_have_been_made(known: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    status, lines = answer(capsys, known.config)
    assert status == 0
    assert "         2  truck-in: event truck-in" in lines
    assert sum("  event truck-in " in line for line in lines) == 2
    assert answer(capsys, known.config) == (0, lines)
    assert answer(capsys, "--config", known.config) == (0, lines)


def test_the_same_rules_make_no_difference(known: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    status, lines = answer(capsys, known.config, "--diff")
    assert status == 0
    assert lines[-4:] == [
        "(presence, cards and books): 3 the same, 0 made now, 0 missing now",
        "busy: 2 the same, 0 made now, 0 missing now",
        "truck-in: 2 the same, 0 made now, 0 missing now",
        "voltage-low: 2 the same, 0 made now, 0 missing now",
    ]


def test_other_rules_do(known: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = site_file(tmp_path, known.state, for_s=25)
    status, lines = answer(capsys, config, "--diff")
    assert status == 1
    at = lines.index("voltage-low: 1 the same, 1 made now, 1 missing now")
    key = known.alarm("voltage-low").id
    assert [line[:4] for line in lines[at + 1 : at + 3]] == ["  - ", "  + "]
    assert all(line.endswith(f"alarm raised  meter-1  {key}") for line in lines[at + 1 : at + 3])
    config.write_text(config.read_text().replace("above = 1", "above = 9"))
    status, lines = answer(capsys, config, "--diff", "--json")
    assert status == 1
    busy = json.loads(lines[0])["rules"]["busy"]
    assert (busy["same"], busy["made_now"]) == (0, [])
    assert [each["what"] for each in busy["missing_now"]] == ["alarm raised", "alarm cleared"]


def test_a_window_and_a_file_of_batches(known: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part = tmp_path / "part.jsonl"
    status, lines = answer(capsys, known.config, "--from", "60s", "--to", "40s", "--look-back", "0", "--save", part)
    count = sum(each.received_at_us > START_US + 30_000_000 for each in known.batches)
    assert (status, lines) == (0, [f"{part}: {count} batches"])
    status, lines = answer(capsys, known.config, "--recording", part, "--json")
    found = json.loads(lines[0])
    assert found["batches"] == count
    assert [each["type"] for each in found["events"]] == ["passage"]


def test_no_recording_and_a_wrong_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = site_file(tmp_path, tmp_path / "state")
    assert main(["replay", str(config)]) == 1
    assert "holds no journal" in capsys.readouterr().err
    config.write_text("[site]\n")
    assert main(["replay", str(config)]) == 78
    assert "site.name is missing" in capsys.readouterr().err


def test_when_nothing_happened(known: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    status, lines = answer(capsys, known.config, "--diff", "--from", "100ms")
    assert (status, lines[-1]) == (0, "nothing was made, neither then nor now")


def test_a_difference_for_a_page_is_counted_whole_and_listed_in_part(
    known: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, lines = answer(capsys, known.config, "--diff", "--json")
    found = json.loads(lines[0])
    assert (status, found["is_same"]) == (0, True)
    assert found["recording"]["batches"] == len(known.batches)
    assert found["recording"]["damaged"] == []
    config = site_file(tmp_path, known.state)
    config.write_text(config.read_text().replace("above = 1", "above = 9"))
    status, lines = answer(capsys, config, "--diff", "--json", "--most", "1")
    found = json.loads(lines[0])
    assert (status, found["is_same"]) == (1, False)
    assert (found["rules"]["busy"]["missing_now_count"], len(found["rules"]["busy"]["missing_now"])) == (2, 1)
    status, lines = answer(capsys, config, "--diff", "--most", "1")
    assert "  ... and 1 more (--most)" in lines
    status, lines = answer(capsys, known.config, "--json", "--most", "1")
    found = json.loads(lines[0])
    assert (len(found["events"]), len(found["alarms"])) == (1, 1)
    assert {"rule": "truck-in", "what": "event truck-in", "count": 2} in found["counts"]
