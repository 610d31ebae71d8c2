from __future__ import annotations

import json
from pathlib import Path

import pytest

from rules.cli import main
from tests.rules.testing.test_files import RULE

GIVEN = """
given = [
  { at = "1s", signal = { device = "io", name = "door", value = true } },
  { at = "2s", signal = { device = "io", name = "door", value = false } },
]
until = "1h"
"""


def write(directory: Path, given: str = GIVEN) -> tuple[str, str]:
    (directory / "rules.toml").write_text(RULE.format(value="true"))
    (directory / "day.toml").write_text(given)
    return str(directory / "day.toml"), str(directory / "rules.toml")


def test_a_timeline_is_played_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    day, rules = write(tmp_path)
    assert main(["simulate", day, "--config", rules]) == 0
    assert [line.split()[:3] for line in capsys.readouterr().out.splitlines()] == [
        ["1.000s", "given", "signal"],
        ["1.000s", "event", "on"],
        ["2.000s", "given", "signal"],
    ]


def test_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    day, rules = write(tmp_path)
    assert main(["simulate", day, "--config", rules, "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["type"] == "on"


def test_what_is_wrong_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    day, _ = write(tmp_path)
    assert main(["simulate", day]) == 78
    assert "rules: is missing" in capsys.readouterr().err
    day, rules = write(tmp_path, 'given = [{ at = "1s", card = { card = "paper:1", point = "p" } }]')
    assert main(["simulate", day, "--config", rules]) == 1
    assert "cannot be played: must begin with a technology" in capsys.readouterr().err
