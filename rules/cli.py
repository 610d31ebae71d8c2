"""`python -m rules run --config FILE`: the rules daemon as a process of its own; its other commands work on files."""

# ruff: noqa: PLC0415  # what a command needs is imported when it runs: the daemon's libraries take a second

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rules.commands.catalogue import COMMANDS, add_commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m rules", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="judge what the edge daemons send, until SIGTERM")
    default = os.environ.get("TAGWHARF_CONFIG", "/etc/tagwharf/site.toml")
    run.add_argument("--config", type=Path, default=Path(default), help="the site file (default: %(default)s)")
    run.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    registry = commands.add_parser("registry", help="the list of things").add_subparsers(dest="action", required=True)
    importing = registry.add_parser("import", help="make a registry, for `site.assets`, of a list of things")
    importing.add_argument("list", type=Path, metavar="CSV", help="the list")
    importing.add_argument("--to", type=Path, required=True, metavar="FILE", help="the registry; replaced if it exists")
    importing.add_argument("--config", type=Path, default=Path(default), help="the site file (default: %(default)s)")
    words = list(sys.argv[1:] if arguments is None else arguments)
    add_commands(commands, words[0] if words else "")
    options = parser.parse_args(words)
    if options.command in COMMANDS:
        return COMMANDS[options.command].run(options)
    if options.command == "registry":
        from rules.things.command import import_list

        return import_list(options.config, options.list, options.to)
    from rules.daemon.process import run as run_daemon

    return run_daemon(options.config, options.log_level)
