"""`rules simulate TIMELINE`: plays a timeline to the rules, faster than life, and tells everything that they make."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from gateway.config import ConfigError
from rules.commands.saying import EX_CONFIG, EX_NO, complain, say
from rules.testing.files import site_of, start_of
from rules.testing.models import load_timeline
from rules.testing.player import Player
from rules.testing.verdict import timeline
from rules.testing.workbench import of_tests


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("timeline", type=Path, metavar="TIMELINE", help="what is heard: `given` as in a file of tests")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the site file, where the timeline names none")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(options: argparse.Namespace) -> int:
    """Play it."""
    path: Path = options.timeline
    try:
        file = load_timeline(path)
        bench = of_tests(site_of(file, path, options.config), file.things)
    except ConfigError as error:
        complain(str(error).splitlines())
        return EX_CONFIG
    try:
        player = Player(bench, start_of(file))
        player.play(file.given, file.until)
    except (LookupError, ValueError) as error:
        complain([f"{path}: cannot be played: {error}"])
        return EX_NO
    finally:
        bench.close()
    if options.json:
        say(msgspec.json.encode(made.told).decode() for made in player.made)
    else:
        say(timeline(file.given, player.made, start_of(file)))
    return 0
