"""Twelve hours of a busy gate in half an hour: what happens comes 24 times as often, on real daemons and real clocks.

Each of two lanes has a truck every 4.5 s, as one behind the other can pass (every 108 s is a busy gate), meters are
read every second (every half minute is usual), papers lie on the desk, and one reader never rests. For each half hour
there is one act of harm: broker, InfluxDB or a device's link gone and back, and in the first third the rules and the
edge daemon, too. No clock is bent: time-outs, keepalives and commits are those of the product. What grows with what
happens is seen; what would grow with the hours alone is seen for half an hour only.

Memory and open handles of each daemon's last life, which goes through all the rest, must be flat.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Final

from benchmarks.processes import wait_for
from simulator.faults import Kind
from simulator.llrp.load import LoadRadio
from tests.soak.checks import Check, SkippedError, at_least, at_most, exactly, told
from tests.soak.wharf import Sampled, Sampler
from tests.support.field import llrp_reader
from tests.support.plant import STORE_READS, Scene, scene
from tests.support.servers import Influx, ServerError, influxd, mosquitto, program

HOURS: Final = 12.0
TIMES: Final = 24.0
ACTS_AN_HOUR: Final = 2.0
BUSY_READS_PER_S: Final = 400.0
COUNTED_READS_PER_S: Final = 2.0
"""Each a tag of its own, remembered for a day: few, so that what is remembered is not taken for a leak."""
DATABASE: Final = "soak"
LEAST_S: Final = 24.0
GROWTH_MOST_MIB: Final = 8.0
"""From one quarter of the last life to the next, which are two hours of the gate."""
FLAT_FROM_S: Final = 60.0
"""A shorter quarter shows how a daemon warms up, not how it stays: no bound then."""
HANDLES_MORE: Final = 4
"""Connections that come and go: a request of InfluxDB, a file of the journal that is being read."""
DELIVERED_WITHIN_S: Final = 120.0


def prove(scale: float, seed: int) -> list[Check]:
    """Let the hours pass."""
    try:
        for name in ("mosquitto", "influxd"):
            program(name)
    except ServerError as error:
        raise SkippedError(str(error)) from error
    seconds = max(LEAST_S, HOURS * 3_600 / TIMES * scale)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tagwharf-soak-")))
        broker = stack.enter_context(mosquitto(directory / "broker"))
        influx = stack.enter_context(influxd(directory / "influx"))
        influx.create_database(DATABASE)
        busy = llrp_reader("busy", LoadRadio(BUSY_READS_PER_S, tags=50))
        site = stack.enter_context(
            scene(directory, broker, seed, sinks=_sinks(influx), reads_per_s=COUNTED_READS_PER_S, extra=[busy])
        )
        sampler = stack.enter_context(Sampler(lambda: _pids(site)))
        site.begin(seconds)
        began_s = time.monotonic()
        acts = _harm(site, influx, began_s, seconds)
        ended_s = time.monotonic()
        site.field.strike_out("busy")
        wait_for("InfluxDB to have everything", lambda: _delivered(site), DELIVERED_WITHIN_S)
        site.settle()
        site.assert_exactly_once()
        found = site.evidence.compare(site.field.truth["passages"])
        edge, rules = site.evidence.ledgers()
    checks = [
        told("hours of the gate", seconds * TIMES / 3_600),
        told("passages", found["passages"]),
        told("reads", edge.tag_reads.heard),
        told("readings", edge.readings.heard),
        told(
            "restarts of the broker, the rules, the edge",
            " / ".join(str(acts.count(n)) for n in ("broker", "rules", "edge")),
        ),
        told("restarts of InfluxDB, links cut", f"{acts.count('influx')} / {acts.count('link')}"),
        exactly("reads dropped", sum(edge.tag_reads.dropped.values()), 0),
        exactly("passages in the wrong direction, or of no truck", found["wrong_direction"] + found["ghosts"], 0),
        at_least("passages seen, of all", 100 * found["detected"] / max(1, found["passages"]), 90.0, " %"),
        exactly("points refused or still queued", sum(p.refused + p.queued for p in rules.points.values()), 0),
        Check("the store holds what the journal acknowledged", "exactly", "exactly", holds=True),
    ]
    for name in ("edge", "rules"):
        checks += _flat(name, last_life(sampler.samples[name], ended_s))
    return checks


def _sinks(influx: Influx) -> str:
    return f"""{STORE_READS}
[[sink]]
kind = "influxdb"
name = "main"
url = "{influx.url}"
api = "v1"
bucket = "{DATABASE}"
timeout_s = 3
"""


def _pids(site: Scene) -> dict[str, int]:
    both = (site.edge, site.rules)
    return {p.name: p.child.pid for p in both if p.child is not None and p.child.poll() is None}


def _harm(site: Scene, influx: Influx, began_s: float, seconds: float) -> list[str]:
    """Do harm until traffic ends; the daemons only in the first third. Returns what was done."""
    rng = random.Random(site.seed)
    count = max(4, round(seconds * TIMES / 3_600 * ACTS_AN_HOUR))
    victims = _victims(count, rng)
    done = []
    for number, victim in enumerate(victims):
        time.sleep(max(0.0, began_s + seconds * (number + rng.uniform(0.3, 0.7)) / count - time.monotonic()))
        if victim == "link":
            site.field.strike(rng.choice([device.name for device in site.devices]), rng.choice([Kind.CUT, Kind.RESET]))
        elif victim in {"rules", "edge"} and rng.random() < 0.5:
            daemon = site.edge if victim == "edge" else site.rules
            assert daemon.stop() == 0, daemon.log()
            daemon.start()
        else:
            server = influx if victim == "influx" else site.plant.victim(victim)
            server.kill()
            time.sleep(rng.uniform(0.2, 2.0))
            server.start()
        done.append(victim)
    time.sleep(max(0.0, began_s + seconds - time.monotonic()))
    return done


def _victims(count: int, rng: random.Random) -> list[str]:
    early = max(2, count // 3)
    first = [("rules", "edge", "broker", "influx")[number % 4] for number in range(early)]
    rest = [("broker", "link", "influx", "link")[number % 4] for number in range(count - early)]
    rng.shuffle(first)
    rng.shuffle(rest)
    return first + rest


def _delivered(site: Scene) -> bool:
    points = site.watch.rules[-1].points
    return len(points) == 2 and all(account.queued < 50 for account in points.values())


def last_life(samples: list[Sampled], until_s: float) -> list[Sampled]:
    """What was sampled since the daemon was started for the last time, up to then."""
    found = [sample for sample in samples if sample.at_s <= until_s]
    begins = 0
    for index, (before, after) in enumerate(pairwise(found), start=1):
        if after.pid != before.pid:
            begins = index
    return found[begins:]


def _flat(name: str, samples: list[Sampled]) -> list[Check]:
    """The last quarter of this life against the one after its first half: what it needs at all it has by then."""
    quarter = max(1, len(samples) // 4)
    before, after = samples[2 * quarter : 3 * quarter] or samples[:1], samples[3 * quarter :] or samples[-1:]
    grown_mib = statistics.median(s.rss_mib for s in after) - statistics.median(s.rss_mib for s in before)
    is_long = after[-1].at_s - after[0].at_s >= FLAT_FROM_S
    handles = max(s.handles for s in before)
    more = f"{name}: memory more in its last quarter than in the one before"
    return [
        told(f"{name}: hours of its last life", (samples[-1].at_s - samples[0].at_s) * TIMES / 3_600),
        told(f"{name}: memory at its end", statistics.median(s.rss_mib for s in after), " MiB"),
        _bounded(more, grown_mib, GROWTH_MOST_MIB, " MiB", is_long),
        told(f"{name}: open handles at most in the quarter before its last", handles),
        _bounded("… in its last", max(s.handles for s in after), handles + HANDLES_MORE, "", is_long),
    ]


def _bounded(what: str, measured: float, most: float, unit: str, is_long: bool) -> Check:  # noqa: FBT001  # a fact
    return at_most(what, measured, most, unit) if is_long else told(what, measured, unit)
