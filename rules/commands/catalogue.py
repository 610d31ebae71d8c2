"""The commands on rules by their names; each declares its arguments with `add`, and answers with `run`."""

from __future__ import annotations

import argparse
import importlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from argparse import ArgumentParser, _SubParsersAction


class Command(NamedTuple):
    """One command. `module`: of this package; it is loaded when it is needed, and brings libraries of its own."""

    help: str
    module: str

    def add(self, parser: argparse.ArgumentParser) -> None:
        """Declare its arguments."""
        self._loaded().add(parser)

    def run(self, options: argparse.Namespace) -> int:
        """Do it, and return the exit status."""
        status: int = self._loaded().run(options)
        return status

    def _loaded(self) -> Any:
        return importlib.import_module(f"rules.commands.{self.module}")


COMMANDS: Final[dict[str, Command]] = {
    "check": Command("tell all faults of a site file and its rules", "checking"),
    "list": Command("show every rule as it runs, and where it comes from", "listing"),
    "test": Command("run the tests that stand beside the rules", "tests"),
    "trace": Command("explain why an event or alarm was made, or was not", "tracing"),
    "replay": Command("run rules over a recording, and compare with what happened", "replaying"),
    "simulate": Command("play a timeline to the rules, faster than life", "simulating"),
}


def add_commands(commands: _SubParsersAction[ArgumentParser], asked: str | None = None) -> None:
    """Declare all of them; with `asked`, the arguments of that one alone, for a process that will run no other."""
    for name, command in COMMANDS.items():
        about = f"{command.help[0].upper()}{command.help[1:]}."
        parser = commands.add_parser(name, prog=f"tagwharf rules {name}", help=command.help, description=about)
        if asked in (None, name):
            command.add(parser)
