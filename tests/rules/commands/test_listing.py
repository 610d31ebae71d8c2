from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from rules.cli import main
from rules.commands.listing import described
from rules.expansion import load_as_run
from rules.explaining.origins import Origin
from tests.rules.every_shape import RULES
from tests.rules.explaining.test_origins import OWN, SITE, USE
from tests.rules.explaining.test_rule_toml import RULE


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(SITE + OWN + 'when = "e.value"\nalarm = { message = "Open", latch = true }\n' + USE)
    return path


def answer(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    status = main(["list", *map(str, arguments)])
    return status, capsys.readouterr().out


def test_every_rule_as_it_runs(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out = answer(capsys, config, "--json")
    found = json.loads(out)
    assert (status, found["site"]) == (0, "port")
    run = load_as_run(config).rule
    assert [each["name"] for each in found["rules"]] == [rule.name for rule in run]
    door, *others = found["rules"]
    assert door["takes"] == [{"place": "", "on": "signal", "when": "e.value", "key": None}]
    assert door["makes"] == []
    assert [(each["place"], each["severity"], each["message"], each["latch"]) for each in door["alarms"]] == [
        ("alarm", "warning", "Open", True)
    ]
    assert door["from"] == {"file": str(config), "line": 10, "pack": None, "kind": None}
    assert {each["from"]["pack"] for each in others} == {"power"}


def test_the_same_for_people(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out = answer(capsys, config)
    assert status == 0
    assert out.splitlines()[:3] == [
        f"door (match)  {config}:10", "  takes  signal when e.value", "  alarm  warning, latched: Open",
    ]  # fmt: skip
    assert f"power-phase-lost (hold)  {config}:17, pack power (power)" in out.splitlines()
    config.write_text(SITE)
    assert answer(capsys, config) == (0, f"{config}: no rules\n")


def test_as_a_rule_file_it_makes_the_same_rules_without_packs(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = load_as_run(config).rule
    status, out = answer(capsys, "--config", config, "--toml")
    assert status == 0
    assert out.startswith(f"# {config}:10\n[[rule]]\n")
    assert [RULE.validate_python(each) for each in tomllib.loads(out)["rule"]] == run


def test_a_file_with_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "site.toml").write_text("[site]\n")
    assert main(["list", str(tmp_path / "site.toml")]) == 78
    assert "site.name is missing" in capsys.readouterr().err


def test_rules_of_every_shape_tell_what_they_take_make_and_raise() -> None:
    told = {str(each["name"]): described(RULE.validate_python(each), Origin("f", 1)) for each in RULES}
    assert [each["place"] for each in told["visit"]["takes"]] == [
        "open", "collect.tag", "collect.strong", "close.on",
    ]  # fmt: skip
    assert told["visit"]["makes"] == [
        {"place": "name", "type": "visit"},
        {"place": "otherwise.emit", "type": "visit-broken"},
        {"place": "decide.emit", "type": "decided"},
    ]
    assert [each["place"] for each in told["inside"]["alarms"]] == [
        "violation.alarm", "full.alarm", "overstay.alarm",
    ]  # fmt: skip
    assert [each["message"] for each in told["crowd"]["alarms"]] == ["crowd"]
