"""Runs the benchmarks and prints a table; `--json` writes `{NAME: {figure: value, ..., "goal": ...}}`."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

NAMES: Final = (
    "llrp_decode",
    "codecs",
    "rs485",
    "tagdata",
    "edge_path",
    "whole_path",
    "mqtt_to_store",
    "drain",
    "memory",
    "credentials",
    "energy_week",
    "rules",
    "rule_states",
    "history",
)


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="dev.py bench")
    parser.add_argument("--only", action="append", choices=NAMES, help="one of the benchmarks; may be repeated")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args(arguments)
    screen = Console()
    figures: dict[str, Any] = {}
    for name in options.only or NAMES:
        screen.print(f"{name} ...", highlight=False)
        figures[name] = importlib.import_module(f"benchmarks.{name}").run()
        _show(screen, name, figures[name])
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def _show(screen: Console, name: str, figures: dict[str, Any]) -> None:
    table = Table(name, "", box=None, padding=(0, 2))
    for figure, value in figures.items():
        shown = (
            f"{value:,.3g}"
            if isinstance(value, float) and value < 100
            else f"{value:,.0f}"
            if isinstance(value, float)
            else str(value)
        )
        table.add_row(figure, shown)
    screen.print(table)


if __name__ == "__main__":
    sys.exit(main())
