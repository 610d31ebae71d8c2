"""What all commands share: where they write, and how they end."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

EX_NO: Final = 1  # the answer is no
EX_CONFIG: Final = 78  # sysexits.h


def default_config() -> Path:
    """The site file, where none is named."""
    return Path(os.environ.get("TAGWHARF_CONFIG", "/etc/tagwharf/site.toml"))


def add_site_file(parser: argparse.ArgumentParser) -> None:
    """Declare the site file: `--config FILE`, as for the daemons, or just FILE."""
    either = parser.add_mutually_exclusive_group()
    default = str(default_config()).replace("%", "%%")
    either.add_argument("file", type=Path, nargs="?", metavar="FILE", help=f"the site file (default: {default})")
    either.add_argument("--config", type=Path, metavar="FILE", help="the site file, named as for the daemons")


def site_file(options: argparse.Namespace) -> Path:
    """The site file that is asked for, by `add_site_file`."""
    return Path(options.config or options.file or default_config())


def say(lines: Iterable[str]) -> None:
    """Write the answer; whoever reads it may leave before its end."""
    try:
        for line in lines:
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains when it ends
        sys.exit(0)


def complain(lines: Iterable[str]) -> None:
    """Write what is wrong."""
    for line in lines:
        sys.stderr.write(f"{line}\n")


def several(count: int, noun: str) -> str:
    """`1 rule`, `2 rules`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
