import json
from pathlib import Path

import pytest

from gateway.demo.run import DemoSettings, run


def test_a_short_demonstration_finds_everything_and_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    status = run(DemoSettings(duration_s=16, report=report, keep=tmp_path / "demo", console_port=0))
    said = capsys.readouterr().out
    made = json.loads(report.read_text())
    assert status == 0, said
    assert made["ledger"]["balanced"]
    assert made["ledger"]["tag_reads"]["heard"] > 50
    assert made["ledger"]["readings"]["judged"] > 50
    assert made["ledger"]["points"]["queued"] == 0
    assert made["truth"]["passages"] >= 2
    assert made["truth"] == {
        "passages": made["truth"]["passages"],
        "detected": made["truth"]["passages"],
        "wrong_direction": 0,
        "ghosts": 0,
    }
    assert {device["driver"] for device in made["devices"]} == {"llrp", "m100", "dlt645"}
    assert "passages detected" in said


def test_a_demonstration_without_its_broker_fails_with_a_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = DemoSettings(duration_s=6, broker="127.0.0.1:1", keep=tmp_path / "demo", console_port=0)
    assert run(settings) == 1
    assert "the broker is away at the end" in capsys.readouterr().out.replace("\n", " ")
