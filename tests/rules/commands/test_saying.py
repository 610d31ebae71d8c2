from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from rules.commands.saying import add_site_file, complain, default_config, say, several, site_file


def test_answers_and_complaints_have_their_streams(capsys: pytest.CaptureFixture[str]) -> None:
    say(["a", "b"])
    complain(["c"])
    told = capsys.readouterr()
    assert (told.out, told.err) == ("a\nb\n", "c\n")


def test_the_site_file_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGWHARF_CONFIG", "/x/site.toml")
    assert default_config() == Path("/x/site.toml")
    monkeypatch.delenv("TAGWHARF_CONFIG")
    assert default_config() == Path("/etc/tagwharf/site.toml")


def test_the_site_file_is_named_in_either_way(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAGWHARF_CONFIG", "/x/site.toml")
    parser = argparse.ArgumentParser()
    add_site_file(parser)
    assert site_file(parser.parse_args([])) == Path("/x/site.toml")
    assert site_file(parser.parse_args(["a.toml"])) == Path("a.toml")
    assert site_file(parser.parse_args(["--config", "b.toml"])) == Path("b.toml")
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["--config", "b.toml", "a.toml"])
    assert ended.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


def test_plurals() -> None:
    assert [several(number, "rule") for number in (0, 1, 2)] == ["0 rules", "1 rule", "2 rules"]


def test_whoever_reads_may_leave() -> None:
    program = "from rules.commands.saying import say; say(f'{number}' for number in range(1_000_000))"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline() == b"0\n"
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(20) == 0
