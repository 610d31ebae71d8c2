from __future__ import annotations

import argparse

import pytest

from rules.cli import main
from rules.commands.catalogue import COMMANDS, add_commands


def test_every_command_declares_its_arguments_and_its_help() -> None:
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers(dest="command"))
    assert sorted(COMMANDS) == ["check", "list", "replay", "simulate", "test", "trace"]
    assert parser.parse_args(["check", "x.toml"]).command == "check"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_process_knows_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: tagwharf rules {name} ")
