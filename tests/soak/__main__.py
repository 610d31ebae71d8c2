"""The long proofs: `python3 dev.py soak [--only NAME] [--scale S] [--seed N] [--report FILE]`.

Prints a table for each proof; with --report it takes the place of the same proof in that file, between its markers.
Ends with 1 when something that must hold does not. `docs/explanation/soak.md` says what each proof is.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import random
import shutil
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.soak.checks import Check, Outcome, SkippedError
from tests.soak.report import put
from tests.support.seeds import VARIABLE

PROOFS: Final = {
    "days_offline": "Days offline",
    "full_journal": "A full journal",
    "overload": "Overload",
    "twelve_hours": "Twelve hours",
    "fault_rounds": "The fault tests with many seeds",
    "power_cuts": "Power cuts",
}


NEEDS: Final = {"power_cuts": "qemu-system-x86_64"}


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for, one after the other."""
    parser = argparse.ArgumentParser(prog="dev.py soak", description=__doc__)
    parser.add_argument("--only", action="append", choices=PROOFS, help="one of the proofs; may be repeated")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is the whole proof; 0.01 takes about two minutes")
    parser.add_argument("--seed", type=int, help="repeat a run with this seed")
    parser.add_argument("--report", type=Path, help="the page in which the results are kept")
    options = parser.parse_args(arguments)
    if not 0 < options.scale <= 1:
        parser.error(f"--scale {options.scale:g}: must be above 0 and at most 1")
    seed = random.SystemRandom().getrandbits(32) if options.seed is None else options.seed
    screen = Console(highlight=False)
    failed = False
    for name in options.only or PROOFS:
        screen.print(f"{name} (scale {options.scale:g}, {VARIABLE}={seed}) ...")
        outcome = run(name, options.scale, seed)
        failed |= outcome.failed
        _show(screen, outcome)
        if options.report is not None:
            put(options.report, outcome, options.scale)
    return 1 if failed else 0


def run(name: str, scale: float, seed: int) -> Outcome:
    """Run one proof, whatever happens."""
    title, began_s = PROOFS[name], time.monotonic()
    if importlib.util.find_spec(f"tests.soak.{name}") is None:
        return Outcome(name, title, seed, 0.0, skipped=f"tests/soak/{name}.py is not there")
    needed = NEEDS.get(name)
    if needed is not None and shutil.which(needed) is None:
        return Outcome(name, title, seed, 0.0, skipped=f"{needed} is not installed")
    try:
        found = importlib.import_module(f"tests.soak.{name}").prove(scale, seed)
    except SkippedError as reason:
        return Outcome(name, title, seed, time.monotonic() - began_s, skipped=str(reason))
    except Exception as error:  # noqa: BLE001  # one proof that cannot be finished keeps no other from running
        traceback.print_exc()
        return Outcome(name, title, seed, time.monotonic() - began_s, failure=f"{type(error).__name__}: {error}")
    return Outcome(name, title, seed, time.monotonic() - began_s, _checks(found))


def _checks(found: Sequence[Check | str]) -> list[Check]:
    """A proof that prints its own table says only what failed."""
    said = [each for each in found if isinstance(each, str)]
    checks = [each for each in found if isinstance(each, Check)]
    return checks or [Check("failures", "= 0", "; ".join(said) or "0", not said)]


def _show(screen: Console, outcome: Outcome) -> None:
    table = Table("what", "bound", "measured", "verdict", title=f"{outcome.title}, {outcome.took_s:.0f} s")
    for check in outcome.checks:
        table.add_row(check.what, check.bound, check.measured, check.verdict)
    if outcome.checks:
        screen.print(table)
    if outcome.skipped:
        screen.print(f"skipped: {outcome.skipped}", markup=False)
    if outcome.failure:
        screen.print(f"FAILS: {outcome.failure}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
