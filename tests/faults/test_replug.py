"""A serial adapter that is pulled out and comes back under another name: found by its stable name, without haste."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.contract.batches import ReadBatch
from simulator.rfid import m100
from tests.support.evidence import Evidence
from tests.support.field import CountingRadio
from tests.support.plant import SITE, Process
from tests.support.seeds import chosen_seed
from tests.support.servers import Server, mosquitto
from tests.support.watch import Watch
from tests.support.wires import SerialWire, Weather, stable_names

READS_WITHIN_S: Final = 30.0
AWAY_S: Final = 5.0
"""Long enough that growing waits alone would find it too late."""
FOUND_WITHIN_S: Final = 5.0
BUSY_S: Final = 2.0
"""What a machine with other work may add."""
MOST_CPU: Final = 0.02
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
TABLES: Final = """
[site]
name = "{site}"
state_dir = "{directory}/state"
[mqtt]
port = {broker}
[health]
edge_port = 0
[[reader]]
name = "counter"
driver = "m100"
port = "{port}"
read_points = {{ 1 = "counter" }}
"""


def cpu_s(pid: int) -> float:
    """What a process has used."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / TICKS_PER_S


def leads_to(link: str) -> Path:
    return Path(link).readlink()


async def until(met: Callable[[], object], within_s: float, edge: Process) -> float:
    began_s = time.monotonic()
    while not met():
        assert time.monotonic() - began_s < within_s, edge.log()
        await asyncio.sleep(0.02)
    return time.monotonic() - began_s


async def pulled_and_back(names: Path, broker: Server, directory: Path) -> CountingRadio:
    radio = CountingRadio(50.0)
    radio.begin(time.time_ns() // 1000, 1 << 60)
    weather = Weather(random.Random(chosen_seed()))
    wire = SerialWire(names, "usb-reader", lambda port: m100.serve(port, radio), weather, echo=False)
    config = directory / "site.toml"
    config.write_text(TABLES.format(site=SITE, directory=directory, broker=broker.port, port=wire.url))
    edge = Process("edge", ["gateway.edge", "--config", str(config)], directory)
    with Watch(broker, SITE) as watch:

        def reached(state: str, after_s: float) -> float | None:
            return watch.reached("counter", state, after_s)

        await wire.plug()
        terminal = leads_to(wire.url)
        edge.start()
        try:
            assert edge.child is not None
            await until(lambda: reached("online", 0.0), READS_WITHIN_S, edge)
            await asyncio.sleep(1.0)
            pulled_s = time.monotonic()
            await wire.unplug()
            await until(lambda: reached("offline", pulled_s), READS_WITHIN_S, edge)
            began_s, used_s = time.monotonic(), cpu_s(edge.child.pid)
            await asyncio.sleep(AWAY_S)
            part = (cpu_s(edge.child.pid) - used_s) / (time.monotonic() - began_s)
            back_s = time.monotonic()
            await wire.plug()
            assert leads_to(wire.url) != terminal
            took_s = await until(lambda: reached("online", back_s), FOUND_WITHIN_S + BUSY_S, edge)
            print(f"{part:.1%} of a processor while it was away, found after {took_s:.1f} s")  # noqa: T201  # the measurements
            assert part < MOST_CPU
            await asyncio.sleep(1.0)
            assert edge.stop() == 0, edge.log()
        finally:
            if edge.alive:
                edge.kill()
            await wire.unplug()
    assert not wire.failures, wire.failures
    return radio


def test_an_adapter_that_comes_back_under_another_name(tmp_path: Path) -> None:
    with stable_names() as names, mosquitto(tmp_path / "broker") as broker:
        radio = asyncio.run(pulled_and_back(names, broker, tmp_path))
    batches = [batch for batch in Evidence(tmp_path / "state").batches() if isinstance(batch, ReadBatch)]
    numbers = [radio.number(read.epc) for batch in batches for read in batch.reads]
    assert None not in numbers  # no part of a frame became a read
    assert len(numbers) == len(set(numbers))
