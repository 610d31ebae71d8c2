"""The edge path: from the readers' sockets through decoding, normalising and the journal to the broker.

64 simulated readers in one process are heard by one edge daemon, which has a core to itself, threads and all; readers
and broker have the other. A read counts when the broker has acknowledged it, which is after its commit. Reports hold 50
reads, then one; the rate is that of 64 readers at full speed (1,100 reads a second each), then twice that. A read for
each second of processor time counts all that the edge daemon does, and grows with the rate, because more reads share
each message and each commit.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.plant import Plant

READERS: Final = 64
FULL_SPEED_READS_PER_S: Final = 70_400
WARM_UP_S: Final = 2.0
MEASURE_S: Final = 6.0
SETTLE_WITHIN_S: Final = 20.0


def run(readers: int = READERS, measure_s: float = MEASURE_S) -> dict[str, Any]:
    """Reads a second and for each second of processor time."""
    figures: dict[str, Any] = {"readers": readers}
    full = FULL_SPEED_READS_PER_S * readers / READERS
    for every_n in (50, 1):
        figures |= _measure(readers, every_n, full, measure_s, "full_speed")
        figures |= _measure(readers, every_n, 2 * full, measure_s, "double_speed")
    figures["goal"] = "reads_per_s_* and reads_per_cpu_s_* >= 40,000 on one core now, 70,000 as the aim"
    return figures


def _measure(readers: int, every_n: int, rate: float, measure_s: float, label: str) -> dict[str, Any]:
    label = f"{label}_{every_n}"
    with (
        tempfile.TemporaryDirectory(prefix="tagwharf-bench-") as scratch,
        Plant(Path(scratch), readers=readers, every_n=every_n, rules=False, edge_core=0) as plant,
    ):
        plant.rate(rate)
        time.sleep(WARM_UP_S)
        done = plant.measure(measure_s)
        figures: dict[str, Any] = {
            "broker": plant.broker.description,
            f"offered_reads_per_s_{label}": round(rate),
            f"reads_per_s_{label}": done.judged / done.at_s,
            f"reads_per_cpu_s_{label}": done.judged / done.cpu_s["edge"],
            f"edge_cores_{label}": done.cpu_s["edge"] / done.at_s,
            f"simulator_cores_{label}": done.cpu_s["farm"] / done.at_s,
            f"reads_per_message_{label}": done.judged / done.batches,
        }
        plant.settle(SETTLE_WITHIN_S)
        plant.stop()
    return figures
