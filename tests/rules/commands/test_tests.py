from __future__ import annotations

from pathlib import Path

import pytest

from rules.cli import main
from tests.rules.testing.test_files import GATE, RULE, write


def test_tests_that_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", str(GATE), "--only", "card"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"ok     {GATE}: a card is known by its number, and called by its hash",
        "1 test in 1 file: all well",
    ]


def test_tests_that_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, RULE.format(value="false"))
    assert main(["test", str(tmp_path), "--restarts"]) == 1
    told = capsys.readouterr().out
    assert "  did not come: event on" in told
    assert told.endswith("1 test in 1 file: 1 failed\n")


def test_files_with_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, RULE.format(value=">"))
    assert main(["test", str(tmp_path)]) == 78
    assert "when = " in capsys.readouterr().err


def test_nothing_to_test(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["test"]) == 1
    assert "tests stand in files called NAME.tests.toml" in capsys.readouterr().err
