"""After an outage: the rules daemon is away while reads are journalled; then it comes back, and reads go on coming.

64 readers fill the edge journal at twice their full speed. Then they go on at an ordinary rate, and the rules daemon
starts: time runs until nothing is behind it any more. What it does in that time, beyond what arrives meanwhile, is the
drain. Nothing may be lost: at the end every read that the readers sent was judged.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.plant import Plant
from benchmarks.processes import wait_for

READERS: Final = 64
OUTAGE_READS_PER_S: Final = 140_800
OUTAGE_S: Final = 8.0
ARRIVING_READS_PER_S: Final = 10_000
FULL_SPEED_READS_PER_S: Final = 70_400
ALMOST_NOTHING_S: Final = 0.5
WITHIN_S: Final = 60.0


def run(readers: int = READERS, outage_s: float = OUTAGE_S) -> dict[str, Any]:
    """Reads drained a second, and that by the rate at which reads arrive."""
    arriving = ARRIVING_READS_PER_S * readers / READERS
    with (
        tempfile.TemporaryDirectory(prefix="tagwharf-bench-") as scratch,
        Plant(Path(scratch), readers=readers, rules_later=True) as plant,
    ):
        plant.rate(OUTAGE_READS_PER_S * readers / READERS)
        time.sleep(outage_s)
        plant.rate(arriving)
        time.sleep(ALMOST_NOTHING_S)
        backlog = plant.queued()
        edge_mib = plant.memory_mib("VmHWM")["edge"]
        plant.start_rules()
        before, began_s = plant.sample(), time.monotonic()
        wait_for("the backlog to be gone", lambda: plant.queued() < arriving * ALMOST_NOTHING_S, WITHIN_S)
        took_s = time.monotonic() - began_s
        done = plant.sample().since(before)
        rules_mib = plant.memory_mib("VmHWM")["rules"]
        _, reads = plant.settle(WITHIN_S)
        plant.stop()
        drained = (done.judged - done.heard) / took_s
        return {
            "readers": readers,
            "broker": plant.broker.description,
            "backlog_reads": int(backlog),
            "arriving_reads_per_s": round(arriving),
            "drained_after_s": took_s,
            "judged_reads_per_s": done.judged / took_s,
            "drained_reads_per_s": drained,
            "judged_reads_per_cpu_s_rules": done.judged / done.cpu_s["rules"],
            "ratio_to_arriving": drained / arriving,
            "ratio_to_full_speed": done.judged / took_s / (FULL_SPEED_READS_PER_S * readers / READERS),
            "edge_peak_mib": edge_mib,
            "rules_peak_mib": rules_mib,
            "reads_all_accounted_for": reads,
            "goal": "ratio_to_arriving >= 5, with 10,000 reads/s arriving",
        }
