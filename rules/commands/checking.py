"""`rules check [FILE]`: every fault of a site file and its rules, and what is probably a mistake."""

from __future__ import annotations

import argparse
from collections import Counter

from gateway.config import ConfigError
from rules.checking import check
from rules.commands.saying import EX_CONFIG, EX_NO, add_site_file, complain, say, several, site_file
from rules.expansion import load_as_run


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_site_file(parser)
    parser.add_argument("--strict", action="store_true", help="exit with 1 when there is a warning, too")


def run(options: argparse.Namespace) -> int:
    """Check."""
    path = site_file(options)
    try:
        site = load_as_run(path)
    except ConfigError as error:
        lines = str(error).splitlines()
        say(lines)
        complain([several(len(lines), "fault")])
        return EX_CONFIG
    warnings = check.warnings(site)
    say(f"{path}: warning: {warning}" for warning in warnings)
    shapes = Counter(rule.shape for rule in site.rule)
    told = ", ".join(f"{count} {shape}" for shape, count in sorted(shapes.items()))
    say([f"{path}: ok: {several(len(site.rule), 'rule')}{f' ({told})' if told else ''}"])
    return EX_NO if warnings and options.strict else 0
