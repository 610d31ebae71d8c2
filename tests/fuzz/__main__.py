"""Fuzzes all targets, or those that are named, for a time: `python3 dev.py fuzz [--for SECONDS] [--keep] [NAME ...]`.

A find is shown with the line that raises, and added to tests/fuzz/corpus, where the unit tests replay it from then on.
With --keep so is what reached new code, after minimising.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.fuzz.targets import CORPUS, Target, kept, targets

AT_ONCE: Final = 2
MOST_INPUT_BYTES: Final = 600  # several frames of any protocol
_RUNS: Final = re.compile(r"Done (\d+) runs|stat::number_of_executed_units:\s*(\d+)")
_EDGES: Final = re.compile(r"cov: (\d+)")
LEAST_EDGES: Final = 20
"""A codec has more branches than this: fewer mean that the fuzzer sees nothing of it."""
_SHOWN_LINES: Final = 30


@dataclass(frozen=True)
class Outcome:
    """What one target's run gave; `edges` are the branches of the code that were reached."""

    name: str
    executions: int
    edges: int
    finds: list[bytes]
    new: list[bytes]
    output: str


def main(arguments: list[str] | None = None) -> int:
    """Run, print one line a target, and return how it ended."""
    parser = argparse.ArgumentParser(prog="dev.py fuzz")
    parser.add_argument("names", nargs="*", metavar="NAME", help="targets; all when none is named")
    parser.add_argument("--for", dest="seconds", type=float, default=60, help="seconds for all together")
    parser.add_argument("--keep", action="store_true", help="add inputs that reached new code to the corpus")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in targets()]
    if unknown:
        parser.error(f"no target is named {', '.join(unknown)}; there are: {', '.join(targets())}")
    chosen = [targets()[name] for name in options.names or targets()]
    each_s = max(1, round(options.seconds * AT_ONCE / len(chosen)))
    failed = False
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for outcome in pool.map(lambda target: _fuzz(target, each_s, keep=options.keep), chosen):
            print(
                f"{outcome.name:<22} {outcome.executions:>9,} executions, {outcome.edges:>4} edges, "
                f"{len(outcome.finds)} finds"
            )
            if options.keep and outcome.new:
                _add(outcome.name, outcome.new)
            if outcome.finds or not outcome.executions or outcome.edges < LEAST_EDGES:
                failed = True
                _add(outcome.name, outcome.finds)
                print("\n".join(outcome.output.splitlines()[-_SHOWN_LINES:]))
    return 1 if failed else 0


def _fuzz(target: Target, seconds: int, *, keep: bool) -> Outcome:
    with tempfile.TemporaryDirectory() as scratch:
        seeds, found, finds, least = (Path(scratch, name) for name in ("seeds", "found", "finds", "least"))
        for folder in (seeds, found, finds, least):
            folder.mkdir()
        for number, data in enumerate(target.inputs()):
            (seeds / str(number)).write_bytes(data)
        child = [sys.executable, "-m", "tests.fuzz.child", target.name]
        limits = [f"-max_total_time={seconds}", f"-max_len={MOST_INPUT_BYTES}", "-timeout=10", "-rss_limit_mb=1024"]
        output = _call([*child, *limits, "-print_final_stats=1", f"-artifact_prefix={finds}/", str(found), str(seeds)])
        runs = [int(one or other) for one, other in _RUNS.findall(output)]
        new: list[bytes] = []
        if keep and not any(finds.iterdir()):
            _call([*child, "-merge=1", f"-max_len={MOST_INPUT_BYTES}", str(least), str(seeds), str(found)])
            new = [path.read_bytes() for path in sorted(least.iterdir())]
        artefacts = [path.read_bytes() for path in sorted(finds.iterdir())]
        edges = max(map(int, _EDGES.findall(output)), default=0)
        return Outcome(target.name, max(runs, default=0), edges, artefacts, new, output)


def _call(command: list[str]) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    return subprocess.run(
        command,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        text=True,
        errors="replace",
    ).stdout


def _add(name: str, inputs: list[bytes]) -> None:
    seeds = set(targets()[name].seeds())
    lines = sorted({data.hex() for data in [*kept(name), *inputs] if data and data not in seeds}, key=len)
    CORPUS.mkdir(exist_ok=True)
    (CORPUS / f"{name}.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
