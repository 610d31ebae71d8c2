"""The commands on rules by their names; each declares its arguments with `add`, and answers with `run`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from rules.commands import checking, replaying, simulating, tests, tracing

if TYPE_CHECKING:
    from argparse import ArgumentParser, _SubParsersAction


class Command(NamedTuple):
    """One command."""

    help: str
    add: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


COMMANDS: Final[dict[str, Command]] = {
    "check": Command("tell all faults of a site file and its rules", checking.add, checking.run),
    "test": Command("run the tests that stand beside the rules", tests.add, tests.run),
    "trace": Command("explain why an event or alarm was made, or was not", tracing.add, tracing.run),
    "replay": Command("run rules over a recording, and compare with what happened", replaying.add, replaying.run),
    "simulate": Command("play a timeline to the rules, faster than life", simulating.add, simulating.run),
}


def add_commands(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Declare all of them."""
    for name, command in COMMANDS.items():
        about = f"{command.help[0].upper()}{command.help[1:]}."
        command.add(commands.add_parser(name, prog=f"tagwharf rules {name}", help=command.help, description=about))
