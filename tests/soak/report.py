"""The report page: one section for each proof, each between markers of its own, renewed when that proof runs."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Final

from tests.soak.checks import Outcome

HEAD: Final = """# The last run of the soak

Written by `python3 dev.py soak --report docs/explanation/soak-report.md`; [what each proof is](soak.md). Each section
is of the last run of that proof, at the scale that it names: figures of a scale below 1 say nothing of the whole.
"""
FAILURE_SHOWN: Final = 600


def put(page: Path, outcome: Outcome, scale: float) -> None:
    """Put the outcome into the page, in the place of the same proof's last one."""
    text = page.read_text() if page.exists() else HEAD
    begin, end = f"<!-- {outcome.name} -->", f"<!-- end of {outcome.name} -->"
    part = f"{begin}\n{section(outcome, scale)}\n{end}"
    before, found, rest = text.partition(begin)
    page.write_text(before + part + rest.partition(end)[2] if found else f"{text.rstrip()}\n\n{part}\n")


def section(outcome: Outcome, scale: float) -> str:
    """The Markdown of one outcome."""
    load = os.getloadavg()[2]
    told = (
        f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, scale {scale:g}, seed {outcome.seed}, "
        f"{outcome.took_s:,.0f} s; {os.cpu_count()} processors, Python {platform.python_version()}, "
        f"load {load:.1f} in the last quarter of an hour."
    )
    lines = [
        f"## {outcome.title}",
        "",
        told,
        "",
    ]
    if outcome.skipped:
        lines.append(f"**Did not run**: {outcome.skipped}.")
    if outcome.failure:
        lines.append(f"**Fails**: {_cell(outcome.failure[:FAILURE_SHOWN])}")
    if outcome.checks:
        lines += ["| what | bound | measured | verdict |", "|---|---|---|---|"]
        for check in outcome.checks:
            cells = (check.what, check.bound, check.measured, f"**{check.verdict}**" if not check.holds else "holds")
            lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;").replace("**-**", "–")
