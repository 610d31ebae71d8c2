from __future__ import annotations

from pathlib import Path

import pytest

from rules.cli import main

SITE = '[site]\nname = "x"\n[[rule]]\nname = "r"\nshape = "match"\non = "{on}"\nwhen = "{when}"\n'


def check(tmp_path: Path, *options: str, on: str = "read", when: str = "true") -> int:
    path = tmp_path / "site.toml"
    path.write_text(SITE.format(on=on, when=when))
    return main(["check", str(path), *options])


def test_a_good_file_says_what_it_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path) == 0
    assert capsys.readouterr().out == f"{tmp_path}/site.toml: ok: 1 rule (1 match)\n"


def test_faults_are_told_with_their_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path, when="e.zone == 'x'") == 78
    told = capsys.readouterr()
    assert told.out.startswith(f"{tmp_path}/site.toml:7: rule[r].when = \"e.zone == 'x'\": e.zone is no field here")
    assert told.err == "1 fault\n"


def test_warnings_are_told_and_may_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path, on="passage") == 0
    assert "warning: rule[r].on = 'passage': there is no [[portal]]" in capsys.readouterr().out
    assert check(tmp_path, "--strict", on="passage") == 1


def test_the_file_is_named_as_for_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "site.toml"
    path.write_text(SITE.format(on="read", when="true"))
    assert main(["check", "--config", str(path)]) == 0
    monkeypatch.setenv("TAGWHARF_CONFIG", str(path))
    assert main(["check"]) == 0
    assert capsys.readouterr().out == f"{path}: ok: 1 rule (1 match)\n" * 2


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "absent.toml")]) == 78
    assert "cannot be read" in capsys.readouterr().out
