"""Memory of each daemon under the load of the whole path: 64 readers, 12,800 tags, the event journal as store.

Resident memory (VmRSS) when all readers are online and nothing is read, and after a quarter of a minute at full speed;
the peak (VmHWM) includes the arrival of all tags within a few seconds.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.plant import Plant

READERS: Final = 64
FULL_SPEED_READS_PER_S: Final = 70_400
LOAD_S: Final = 15.0
SETTLE_WITHIN_S: Final = 30.0


def run(readers: int = READERS, load_s: float = LOAD_S) -> dict[str, Any]:
    """MiB of the edge and of the rules daemon."""
    with (
        tempfile.TemporaryDirectory(prefix="tagwharf-bench-") as scratch,
        Plant(Path(scratch), readers=readers) as plant,
    ):
        idle = plant.memory_mib()
        rate = FULL_SPEED_READS_PER_S * readers / READERS
        plant.rate(rate)
        time.sleep(load_s)
        loaded, peak = plant.memory_mib(), plant.memory_mib("VmHWM")
        _, reads = plant.settle(SETTLE_WITHIN_S)
        plant.stop()
        figures: dict[str, Any] = {
            "readers": readers,
            "broker": plant.broker.description,
            "offered_reads_per_s": round(rate),
            "reads_all_accounted_for": reads,
        }
        for label, found in (("idle", idle), ("loaded", loaded), ("peak", peak)):
            figures |= {f"{daemon}_{label}_mib": mib for daemon, mib in found.items()}
        figures["goal"] = "each daemon < 256 MiB"
        return figures
