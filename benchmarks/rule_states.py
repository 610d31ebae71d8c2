"""What the states of rules weigh: 1.2 million cards come in, one after another, and leave or are forgotten.

A `pair` keeps who is inside, with a timer for those who stay too long; a `hold` waits for each; a `match` has raised an
alarm for each, as far as alarms are told (50,000). Rules that judge at once hold 200,000 states each, so there are six.
Each kind in a process of its own: resident memory before, with all states, and when they are gone. The state is saved
every 20 batches and thrown away: what the database needs is not counted.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.processes import memory_mib
from gateway.config.models import SiteFile
from gateway.contract.batches import Batch, CardBatch, CardRead, TickBatch, decode, encode
from rules.engine import Engine
from tests.rules.things.registries import NOTHING

KEYS: Final = 1_200_000
A_BATCH: Final = 1_000
BATCHES_PER_COMMIT: Final = 20
START_US: Final = 1_790_000_000_000_000
CARD_US: Final = 500
HOUR_US: Final = 3_600_000_000
HOURS: Final = 30
TICKS_PER_HOUR: Final = 6
SHARES: Final = 6
EVERY: Final[dict[str, list[dict[str, Any]]]] = {
    "pair": [
        {
            "shape": "pair",
            "entry": {"on": "card", "when": "e.read_point == 'in-0'"},
            "exit": {"on": "card", "when": "e.read_point == 'out'"},
            "longest_s": 43_200,
            "overstay": {"emit": "overstay"},
            "most_keys": 2_000_000,
        }
    ],
    "hold": [
        {"shape": "hold", "on": "card", "when": f"e.read_point == 'in-{share}'", "for_s": 604_800}
        for share in range(SHARES)
    ],
    "match": [
        {"shape": "match", "on": "card", "when": f"e.read_point == 'in-{share}'", "alarm": {}}
        for share in range(SHARES)
    ],
}
"""The rules of each run. What a hold or a match knows of a card is forgotten after a day, the default."""


def run(keys: int = KEYS) -> dict[str, Any]:
    """MiB and microseconds for each shape."""
    figures: dict[str, Any] = {"keys": keys}
    for shape in EVERY:
        command = [sys.executable, "-m", "benchmarks.rule_states", shape, str(keys)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        figures |= {f"{shape}_{name}": value for name, value in json.loads(done.stdout).items()}
    return figures | {"goal": "each *_full_mib < 1024, and *_after_mib far less"}


class Life:
    """One engine, its gateway, and the time that both take."""

    def __init__(self, shape: str) -> None:
        rules = [{"name": f"{shape}-{number}", **rule} for number, rule in enumerate(EVERY[shape])]
        self.engine = Engine(SiteFile.model_validate({"site": {"name": "car-park"}, "rule": rules}), NOTHING)
        self.step_s = self.save_s = 0.0
        self.now_us = START_US
        self._sequence = 0
        self._points = 1 if shape == "pair" else SHARES

    def come(self, keys: int) -> None:
        """All cards come in."""
        self._pass(keys, lambda number: f"in-{number % self._points}")

    def leave(self, keys: int) -> None:
        """All cards leave."""
        self._pass(keys, lambda _: "out")

    def wait(self, hours: int) -> None:
        """Nothing happens."""
        for _ in range(hours * TICKS_PER_HOUR):
            self.now_us += HOUR_US // TICKS_PER_HOUR
            self._sequence += 1
            self._give(
                TickBatch(
                    gateway="edge-1",
                    epoch=1,
                    sequence=self._sequence,
                    device="edge-1",
                    received_at_us=self.now_us,
                    watched=[],
                )
            )

    def states(self) -> int:
        """What is kept."""
        return self.engine.counters()["rule_states"]

    def _pass(self, keys: int, point: Callable[[int], str]) -> None:
        for first in range(0, keys, A_BATCH):
            self.now_us += A_BATCH * CARD_US
            self._sequence += 1
            cards = [
                CardRead(f"nfca:{number:014X}", "nfca", point(number), 1, self.now_us, "whole")
                for number in range(first, min(first + A_BATCH, keys))
            ]
            batch = CardBatch(
                gateway="edge-1", epoch=1, sequence=self._sequence, device="desk", received_at_us=self.now_us,
                cards=cards,
            )  # fmt: skip
            self._give(decode(encode(batch)))  # as it comes: no two batches share a text

    def _give(self, batch: Batch) -> None:
        began_s = time.process_time()
        self.engine.step(batch)
        judged_s = time.process_time()
        if self._sequence % BATCHES_PER_COMMIT == 0:
            self.engine.changes()
        self.step_s += judged_s - began_s
        self.save_s += time.process_time() - judged_s


def measured(shape: str, keys: int) -> dict[str, float]:
    """One run, in this process."""
    life = Life(shape)
    figures = {"before_mib": _memory_mib()}
    life.come(keys)
    figures |= {"step_us": life.step_s / keys * 1e6, "save_us": life.save_s / keys * 1e6}
    life.wait(1)
    figures |= {"states": life.states(), "full_mib": _memory_mib()}
    if shape == "pair":
        life.leave(keys)
    life.wait(HOURS)
    return figures | {
        "peak_mib": _memory_mib("VmHWM"),
        "states_after": life.states(),
        "after_mib": _memory_mib(),
    }


def _memory_mib(what: str = "VmRSS") -> float:
    gc.collect()
    return memory_mib(int(Path("/proc/self").readlink().name), what)


def main(arguments: Sequence[str]) -> None:
    """One of the processes: it prints its figures."""
    shape, keys = arguments
    print(json.dumps(measured(shape, int(keys))))


if __name__ == "__main__":
    main(sys.argv[1:])
