"""The whole path: 64 simulated readers, the edge daemon, the broker, the rules daemon, the event journal.

Eight readers make lanes, 56 cover a zone each, 12,800 tags are there. Three parts, each a plant of its own:

    full speed   64 readers at 1,100 reads a second: what is judged durably in that time, and what it costs
    half speed   the same at half the rate, with one more reader whose every read raises an alarm: the latencies
    every read   half speed again, every single read kept in the event journal

After each the field is emptied, and everything must have arrived: what the readers sent is what the edge heard is what
the rules judged, both ledgers come out, the store has every point. Read to store is from the socket of the edge to the
committed store, by the histogram that the rules daemon shows, and by its ledger over its whole life. Read to alarm is
from the moment at which the simulated reader sees the tag to the alarm at a client of the broker; up to 20 ms of it is
the simulated reader's own time.
"""

from __future__ import annotations

import asyncio
import math
import os
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.plant import Plant
from benchmarks.processes import BrokerInUse
from benchmarks.site import EVENT_JOURNAL, SITE
from gateway.config.models import Mqtt
from gateway.contract.events import Alarm
from gateway.contract.topics import Topics
from gateway.mqtt import session

READERS: Final = 64
FULL_SPEED_READS_PER_S: Final = 70_400
ARRIVE_S: Final = 7.0
ARRIVING_READS_PER_S_OF_EACH: Final = 140
WARM_UP_S: Final = 2.0
MEASURE_S: Final = 10.0
SETTLE_WITHIN_S: Final = 30.0
EVERY_READ: Final = EVENT_JOURNAL + "\nstore_reads = true"
NS_PER_US: Final = 1_000
US_PER_MS: Final = 1_000


def run(readers: int = READERS, measure_s: float = MEASURE_S) -> dict[str, Any]:
    """Rates, costs and latencies."""
    full = FULL_SPEED_READS_PER_S * readers / READERS
    figures: dict[str, Any] = {"readers": readers, "load_average_before": os.getloadavg()[0]}
    for label, rate, probe, sink in (
        ("full_speed", full, False, EVENT_JOURNAL),
        ("half_speed", full / 2, True, EVENT_JOURNAL),
        ("every_read", full / 2, False, EVERY_READ),
    ):
        with (
            tempfile.TemporaryDirectory(prefix="tagwharf-bench-") as scratch,
            Plant(Path(scratch), readers=readers, probe=probe, sink=sink) as plant,
        ):
            figures["broker"] = plant.broker.description
            made = _measure(plant, rate, measure_s, probe=probe)
        figures |= {f"{name}_{label}": value for name, value in made.items()}
    figures["goal"] = (
        "70,000 reads/s, nothing lost, read_to_store_p99_ms < 500, read_to_alarm_p99_ms < 150, "
        "on two cores shared with the simulator"
    )
    return figures


def _measure(plant: Plant, rate: float, measure_s: float, *, probe: bool) -> dict[str, Any]:
    plant.rate(
        ARRIVING_READS_PER_S_OF_EACH * plant.readers
    )  # 12,800 arrivals, each an event of its own, are no part of the rate that is meant
    time.sleep(ARRIVE_S)
    plant.rate(rate)
    time.sleep(WARM_UP_S)
    before, latency = plant.sample(), plant.latency()
    figures: dict[str, Any] = {"offered_reads_per_s": round(rate)}
    if probe:
        alarms_ms = sorted(asyncio.run(_alarms_ms(plant.broker, measure_s)))
        for percent in (50, 99):
            at = max(0, math.ceil(len(alarms_ms) * percent / 100) - 1)
            figures[f"read_to_alarm_p{percent}_ms"] = round(alarms_ms[at], 1) if alarms_ms else None
        figures["alarms"] = len(alarms_ms)
    else:
        time.sleep(measure_s)
    done = plant.sample().since(before)
    to_store_ms = plant.latency().since_ms(latency)
    backlog = plant.queued()
    took_s, reads = plant.settle(SETTLE_WITHIN_S)
    plant.stop()
    daemons = done.cpu_s["edge"] + done.cpu_s["rules"] + done.cpu_s["broker"]
    whole_life_ms = plant.rules_ledger()["latency_ms"]
    return figures | {
        "judged_reads_per_s": done.judged / done.at_s,
        "backlog_s": backlog / rate,
        "settled_after_s": took_s,
        "reads_all_accounted_for": reads,
        "reads_per_cpu_s_edge": done.heard / done.cpu_s["edge"],
        "reads_per_cpu_s_rules": done.judged / done.cpu_s["rules"],
        "reads_per_cpu_s_edge_broker_rules": done.judged / daemons,
        "cores_edge_broker_rules": daemons / done.at_s,
        "cores_simulator": done.cpu_s["farm"] / done.at_s,
        "read_to_store_p50_ms": to_store_ms(50),
        "read_to_store_p99_ms": to_store_ms(99),
        "read_to_store_whole_life_p99_ms": whole_life_ms["p99"],
    }


async def _alarms_ms(broker: BrokerInUse, seconds: float) -> list[float]:
    """How old the read was when its alarm came, for each alarm raised in this time."""
    decoder = msgspec.json.Decoder(Alarm)
    settings = Mqtt(host=broker.host, port=broker.port)
    found: list[float] = []
    async with session(settings, client_id="bench-alarms", topics=(Topics(SITE).alarm("+"),)) as link:
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(left_s):
                    message = await link.receive()
            except TimeoutError:
                break
            now_us = time.time_ns() // NS_PER_US
            if not message.retained:
                found.append((now_us - decoder.decode(message.payload).at_us) / US_PER_MS)
    return found
