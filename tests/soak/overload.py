"""Ten times the rate of an ordinary day for ten minutes: memory and disk stay within bounds, what is shed is counted.

64 simulated readers, the edge daemon, a broker, the rules daemon and the event journal as processes. The edge journal
is bounded so tightly that it cannot hold what the rules daemon does not judge in time.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from benchmarks.site import EVENT_JOURNAL, GATEWAY
from gateway.edge.committer import GROUP_BYTES
from gateway.edge.journal import LEAST_SEGMENTS, SEGMENT_BYTES
from tests.soak.checks import MIB, Check, at_most, exactly, told
from tests.soak.days_offline import ARRIVING_READS_PER_S, MEMORY_MOST_MIB, READERS
from tests.soak.wharf import Sampler, Wharf

TIMES: Final = 10
OVERLOAD_S: Final = 600.0
LEAST_S: Final = 8.0
LIMIT_BYTES: Final = 1 << 30
LEAST_LIMIT_BYTES: Final = 16 << 20
EMPTY_WITHIN_S: Final = 3_600.0


def prove(scale: float, seed: int) -> list[Check]:
    """Overload a plant, let it recover, and count. Nothing in it is left to chance."""
    del seed
    readers = max(4, round(READERS * min(1.0, scale * 10)))
    limit = max(LEAST_LIMIT_BYTES, round(LIMIT_BYTES * scale))
    seconds = max(LEAST_S, OVERLOAD_S * scale)
    offered = TIMES * ARRIVING_READS_PER_S
    sink = f"{EVENT_JOURNAL}\n[journal]\nlimit_bytes = {limit}\nkeep_bytes = {LEAST_LIMIT_BYTES}"
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="tagwharf-soak-"))
        plant = stack.enter_context(Wharf(Path(scratch, "plant"), readers=readers, sink=sink))
        journal = plant.state / "journal"
        sampler = stack.enter_context(Sampler(plant.pids, {"journal": journal, "state": plant.state}))
        plant.start_edge()
        plant.rate(offered)
        time.sleep(seconds)
        during = plant.counts()
        began_s = time.monotonic()
        plant.empty(EMPTY_WITHIN_S)
        emptied_s = time.monotonic() - began_s
        farm, rewinds = plant.farm_counts(), plant.counts()["rewinds"]
        edge, rules = plant.end()
        reads, points = edge.tag_reads, rules["points"]["store"]
        shed = reads.dropped.get("journal_full", 0) + reads.dropped.get("journal_stalled", 0)
        made, stored = sum(rules["events"].values()), _events(plant.state)
    part = min(SEGMENT_BYTES, limit // LEAST_SEGMENTS)
    others = {name: sum(edge.accounts[name].dropped.values()) for name in ("readings", "signals", "cards")}
    return [
        told("reads offered", offered, "/s"),
        told("for", seconds, " s"),
        told("reads heard", during["heard"] / seconds, "/s"),
        told("reads judged meanwhile", during["judged"] / seconds, "/s"),
        told("times that the sender went back", rewinds),
        told("time until all that was left was judged", emptied_s, " s"),
        exactly("reads heard, of those that the readers sent", reads.heard, farm["sent"]),
        exactly("reads judged + dropped, of those heard", reads.judged + sum(reads.dropped.values()), reads.heard),
        exactly("reads dropped for other reasons than a full journal", sum(reads.dropped.values()) - shed, 0),
        told("reads shed because the journal was full", reads.dropped.get("journal_full", 0)),
        told("reads dropped because the disk did not keep up", reads.dropped.get("journal_stalled", 0)),
        exactly("items of other kinds dropped", sum(others.values()), 0),
        exactly(
            "reads acknowledged by the journal = judged by the rules' own count + shed",
            rules["judged"][GATEWAY]["reads"] + reads.dropped.get("journal_full", 0),
            reads.journalled,
        ),
        exactly("points stored, of those made", points["stored"], points["made"]),
        exactly("events in the store, of those made", stored, made),
        at_most("memory of the edge daemon at most", sampler.most_mib("edge"), MEMORY_MOST_MIB, " MiB"),
        at_most("memory of the rules daemon at most", sampler.most_mib("rules"), MEMORY_MOST_MIB, " MiB"),
        at_most(
            "journal of the edge on the disk at most",
            sampler.bytes_most["journal"] / MIB,
            (limit + 3 * part + 2 * GROUP_BYTES) / MIB,
            " MiB",
        ),
        told("everything on the disk at most", sampler.bytes_most["state"] / MIB, " MiB"),
    ]


def _events(state: Path) -> int:
    count = 0
    for path in (state / "events").glob("events-*.db"):
        with closing(sqlite3.connect(path)) as db:
            count += db.execute("SELECT count(*) FROM events").fetchone()[0]
    return count
