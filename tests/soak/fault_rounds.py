"""The fault tests that have chance in them, over and over, each round with a seed of its own.

A round that fails is named with its seed: `TAGWHARF_SEED=N` repeats it.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from tests.soak.checks import Check, exactly
from tests.support.seeds import VARIABLE

FAULTS: Final = Path(__file__).parents[1] / "faults"
ROUNDS: Final = 20
LEAST: Final = 0.02
SHORT: Final = ("test_journal_kill.py",)
"""Below that scale: what takes seconds."""
ENDS_WITHIN_S: Final = 3_600.0
_TOLD: Final = re.compile(r"^(?:=+ )?(\d+ (?:passed|failed|skipped|errors?).*?)(?: in .*)?$", re.MULTILINE)


def prove(scale: float, seed: int) -> list[Check]:
    """Run the rounds one after the other."""
    rng = random.Random(seed)
    files = [FAULTS / name for name in SHORT] if scale < LEAST else seeded()
    checks = []
    for number in range(max(1, round(ROUNDS * scale))):
        chosen = rng.getrandbits(32)
        checks.append(_round(number + 1, chosen, files))
    failed = sum(check.holds is False for check in checks)
    return [exactly(f"rounds of {len(files)} files that fail, of {len(checks)}", failed, 0), *checks]


def seeded() -> list[Path]:
    """The files of fault tests that choose a seed."""
    return sorted(path for path in FAULTS.glob("test_*.py") if "chosen_seed" in path.read_text())


def _round(number: int, seed: int, files: list[Path]) -> Check:
    began_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, files)],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=ENDS_WITHIN_S,
        cwd=FAULTS.parents[1],
        env={**os.environ, VARIABLE: str(seed)},
    )
    found = _TOLD.findall(done.stdout)
    told = found[-1] if found else done.stdout[-200:]
    if done.returncode != 0:
        told += "; " + "; ".join(line for line in done.stdout.splitlines() if line.startswith("FAILED"))[:400]
        sys.stderr.write(done.stdout)
    what = f"round {number}, {VARIABLE}={seed}, {time.monotonic() - began_s:.0f} s"
    return Check(what, "all pass", told, done.returncode == 0)
