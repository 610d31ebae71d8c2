"""A gateway comes back after days without a broker, with 20 million reads in its journal.

The journal is filled by its own code. Then a broker, the rules daemon with the event journal, and a second gateway run
as processes; the first gateway's edge daemon starts with its backlog, and its readers go on reading.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.processes import wait_for
from benchmarks.site import EVENT_JOURNAL, GATEWAY
from gateway.contract.ledger import EdgeLedger
from gateway.edge import segment
from tests.soak.alarms import AlarmWatch, percentile_ms
from tests.soak.backlog import Backlog, fill
from tests.soak.checks import MIB, Check, at_least, at_most, exactly, told
from tests.soak.wharf import OTHER_GATEWAY, OTHER_PROBE, OtherGateway, Sampler, Wharf, size_bytes

READS: Final = 20_000_000
DAYS: Final = 3.0
READERS: Final = 64
ARRIVING_READS_PER_S: Final = 10_000
"""Of the reference plant, 64 readers on an ordinary day, as in the benchmark of the drain: the yardstick."""
LIVE_READS_PER_S: Final = 2_000
"""While it drains. All of days at the yardstick's rate would be a hundred times the backlog."""
OTHER_READS_PER_S: Final = 200
LEAST_RATIO: Final = 5.0
QUIET_S: Final = 30.0
LEAST_QUIET_S: Final = 3.0
AGO_S: Final = 600
"""The backlog ended so long before: after it the gateway was without power."""
KEPT: Final = 1 / 3
"""Of the days that the backlog spans: judged rows that are older go."""
MEMORY_MOST_MIB: Final = 512.0
"""What the units of systemd allow."""
LIVE_MOST_MS: Final = 500.0
LIVE_MOST_RATIO: Final = 2.0
DRAINED_WITHIN_S: Final = 7_200.0
ALMOST_NOTHING_S: Final = 0.5
TRIMMED_WITHIN_S: Final = 60.0
_US: Final = 1_000_000
_OTHER_RULE: Final = f"""
[[rule]]
name = "{OTHER_PROBE}"
shape = "match"
on = "read"
when = 'e.device == "{OTHER_PROBE}"'
alarm = {{ severity = "critical", message = "A blocked tag" }}
"""


def prove(scale: float, seed: int) -> list[Check]:
    """Fill, drain, compare. Nothing in it is left to chance."""
    del seed
    readers = max(4, round(READERS * min(1.0, scale * 10)))
    with tempfile.TemporaryDirectory(prefix="tagwharf-soak-") as scratch:
        journal = Path(scratch, "plant", "state", "journal")
        until_us = (int(time.time()) - AGO_S) * _US
        days = DAYS * scale
        backlog = asyncio.run(fill(journal, reads=round(READS * scale), days=days, until_us=until_us, readers=readers))
        filled_bytes = size_bytes(journal)
        sink = f"{EVENT_JOURNAL}\n[journal]\nkeep_days = {days * KEPT}\n{_OTHER_RULE}"
        plant = Wharf(Path(scratch, "plant"), readers=readers, probe=True, sink=sink)
        live = LIVE_READS_PER_S * readers / READERS
        drain = _drain(plant, Path(scratch, "other"), live, max(LEAST_QUIET_S, QUIET_S * min(1.0, scale * 10)))
        return [
            told("reads in the backlog", backlog.reads),
            told("hours that it spans", days * 24),
            told("the backlog on the disk", filled_bytes / MIB, " MiB"),
            *_figures(drain, backlog, readers, days),
            *_ledgers(drain, backlog),
            *_latencies(drain),
            *_past(plant.state, drain, backlog),
            *_bounds(plant.state, drain, days),
        ]


@dataclass(frozen=True, slots=True)
class Drain:
    """What was seen. Times are microseconds since 1970, of the five moments between which latencies are taken."""

    took_s: float
    judged: float
    heard: float
    moments_us: list[int]
    alarms: AlarmWatch
    sampler: Sampler
    sent: float
    edge: EdgeLedger
    rules: dict[str, Any]


def _drain(plant: Wharf, other_directory: Path, live: float, quiet_s: float) -> Drain:
    with ExitStack() as stack:
        stack.enter_context(plant)
        alarms = stack.enter_context(AlarmWatch(plant.broker.host, plant.broker.port))
        sampler = stack.enter_context(Sampler(plant.pids, {"journal": plant.state / "journal"}))
        other = stack.enter_context(OtherGateway(other_directory, plant.broker.port))
        other.rate(OTHER_READS_PER_S)
        time.sleep(3.0)  # its first tags arrive
        moments_us = [_now_us()]
        time.sleep(quiet_s)
        plant.start_edge()
        plant.rate(live)
        moments_us.append(_now_us())
        before, began_s = plant.counts(), time.monotonic()
        almost_nothing = max(live * ALMOST_NOTHING_S, 1_000)
        wait_for("the end of the backlog", lambda: plant.counts()["queued"] < almost_nothing, DRAINED_WITHIN_S)
        took_s = time.monotonic() - began_s
        after = plant.counts()
        moments_us.append(_now_us())
        time.sleep(3.0)
        moments_us.append(_now_us())
        time.sleep(quiet_s)
        moments_us.append(_now_us())
        time.sleep(1.0)
        other.rate(0)
        plant.empty(DRAINED_WITHIN_S)
        _until_trimmed(plant.state)
        sent = plant.farm_counts()["sent"]
        edge, rules = plant.end()
        judged, heard = after["judged"] - before["judged"], after["heard"] - before["heard"]
        return Drain(took_s, judged, heard, moments_us, alarms, sampler, sent, edge, rules)


def _figures(drain: Drain, backlog: Backlog, readers: int, days: float) -> list[Check]:
    share = readers / READERS
    rate = (drain.judged - drain.heard) / drain.took_s
    ratios = {
        "the arrival rate of the reference plant": rate / (ARRIVING_READS_PER_S * share),
        "the rate at which the backlog came": rate * days * 86_400 / backlog.reads,
    }
    return [
        told("reads arriving while it drains", LIVE_READS_PER_S * share, "/s"),
        told("drained after", drain.took_s, " s"),
        told("reads judged meanwhile, live ones included", drain.judged / drain.took_s, "/s"),
        *(at_least(f"drain, by {name}", ratio, LEAST_RATIO, " ×", by_the_clock=True) for name, ratio in ratios.items()),
    ]


def _ledgers(drain: Drain, backlog: Backlog) -> list[Check]:
    reads = drain.edge.tag_reads
    points = drain.rules["points"]["store"]
    return [
        exactly("reads heard: the backlog and what the readers sent", reads.heard, backlog.reads + drain.sent),
        exactly("reads judged, by the rules' own count", drain.rules["judged"][GATEWAY]["reads"], reads.heard),
        exactly("reads dropped, for whatever reason", sum(reads.dropped.values()), 0),
        exactly("points stored, of those made", points["stored"], points["made"]),
    ]


def _latencies(drain: Drain) -> list[Check]:
    before, during, drained, after, end = drain.moments_us
    spans = {"before": (before, during), "during": (during, drained), "after": (after, end)}
    other = {name: drain.alarms.of(OTHER_GATEWAY, *span) for name, span in spans.items()}
    own = {name: drain.alarms.of(GATEWAY, *spans[name]) for name in ("during", "after")}
    p99 = {name: percentile_ms(alarms, 99) for name, alarms in other.items()}
    most = max(LIVE_MOST_MS, LIVE_MOST_RATIO * max(p99["before"], p99["after"]))
    own_after = percentile_ms(own["after"], 99)
    own_most = max(LIVE_MOST_MS, LIVE_MOST_RATIO * own_after)
    return [
        told("read to alarm at another gateway, before the drain, p99", p99["before"], " ms"),
        told("… after it", p99["after"], " ms"),
        at_most("… during it", p99["during"], most, " ms", by_the_clock=True),
        told("read to alarm at the gateway that drains, after it, p99", own_after, " ms"),
        told("… during it: alarms that came at all", len(own["during"])),
        at_most("… during it", percentile_ms(own["during"], 99), own_most, " ms", by_the_clock=True),
    ]


def _past(state: Path, drain: Drain, backlog: Backlog) -> list[Check]:
    """Events of the backlog are marked, and nobody was alarmed by it."""
    marked = unmarked = alarms = 0
    arrivals: list[str] = []
    for path in sorted((state / "events").glob("events-*.db")):
        with closing(sqlite3.connect(path)) as db:
            for kind, subject, historical in db.execute(
                "SELECT type, subject, body ->> '$.historical' FROM events WHERE gateway = ? AND at_us <= ?",
                (GATEWAY, backlog.until_us),
            ):
                marked, unmarked = marked + bool(historical), unmarked + (not historical)
                if kind in {"arrived", "passage"}:  # a reader of a zone says the one, one of a lane the other
                    arrivals.append(subject)
            alarms += db.execute("SELECT count(*) FROM alarms WHERE at_us <= ?", (backlog.until_us,)).fetchone()[0]
    return [
        told("events of the backlog that are marked historical", marked),
        exactly("… that are not", unmarked, 0),
        exactly("tags that came in the backlog, by its events", len(set(arrivals)), backlog.arrivals),
        told("reads in the backlog that a rule would alarm about", backlog.probe_reads),
        exactly("alarms of the backlog on MQTT", len(drain.alarms.of(GATEWAY, 0, backlog.until_us + 1)), 0),
        exactly("alarms of the backlog in the store", alarms, 0),
    ]


def _bounds(state: Path, drain: Drain, days: float) -> list[Check]:
    oldest_us = _now_us() - round((days * KEPT * 86_400 + TRIMMED_WITHIN_S) * _US)
    too_old = sum(last_us < oldest_us for last_us in _closed_us(state))
    return [
        at_most("memory of the edge daemon at most", drain.sampler.most_mib("edge"), MEMORY_MOST_MIB, " MiB"),
        at_most("memory of the rules daemon at most", drain.sampler.most_mib("rules"), MEMORY_MOST_MIB, " MiB"),
        told("journal of the edge at most", drain.sampler.bytes_most["journal"] / MIB, " MiB"),
        exactly(f"judged segments older than {days * KEPT * 24:.3g} h that are still there", too_old, 0),
    ]


def _until_trimmed(state: Path) -> None:
    """What is judged and old goes with the next look of the journal."""
    count = -1
    until_s = time.monotonic() + TRIMMED_WITHIN_S
    while (found := len(_closed_us(state))) != count and time.monotonic() < until_s:
        count = found
        time.sleep(7.0)


def _closed_us(state: Path) -> list[int]:
    """The last moment of each closed segment of the edge journal."""
    found = []
    for path in segment.paths(state / "journal")[:-1]:
        try:
            with segment.reading(path) as db:
                found.append(segment.summary(db, segment.first_of(path)).last_at_us)
        except FileNotFoundError:  # it went just now
            continue
    return found


def _now_us() -> int:
    return time.time_ns() // 1_000
