"""`rules test [PATH ...]`: runs the tests that stand beside the rules."""

from __future__ import annotations

import argparse
from pathlib import Path

from gateway.config import ConfigError
from rules.commands.saying import EX_CONFIG, EX_NO, complain, say, several
from rules.testing.files import find, run_file
from rules.testing.models import SUFFIX


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "path",
        type=Path,
        nargs="*",
        default=[Path()],
        metavar="PATH",
        help=f"files NAME{SUFFIX}, files that have one beside them, or directories (default: this one)",
    )
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="only tests whose name holds this")
    parser.add_argument("--restarts", action="store_true", help="also restart the rules after everything that is given")


def run(options: argparse.Namespace) -> int:
    """Run the tests."""
    count = failed = 0
    try:
        files = find(options.path)
        for file in files:
            for result in run_file(file, options.only, restarts=options.restarts):
                count += 1
                failed += bool(result.failures)
                say([result.text() if result.failures else f"ok     {result.path}: {result.name}"])
    except ConfigError as error:
        complain(str(error).splitlines())
        return EX_CONFIG
    say([f"{several(count, 'test')} in {several(len(files), 'file')}: {f'{failed} failed' if failed else 'all well'}"])
    if not count:
        complain([f"nothing was tested; tests stand in files called NAME{SUFFIX}"])
    return 0 if count and not failed else EX_NO
