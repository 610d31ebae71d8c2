"""The driver reads a meter that somebody else wrote: the server of the PyPI package dlt645, in a venv of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from readers.driver import Port
from readers.meters.dlt645.driver import DRIVER, Dlt645Settings
from readers.observations import Condition, DeviceInfo, Observation, Reading, Readings, Rejected, Watching
from readers.ports.open import open_port
from readers.quantities import Phase, Quantity
from simulator.pty import PtyPort

PACKAGE = "dlt645==3.2.0"
ADDRESS = "202611230645"
METER = Path(__file__).parent / "peers" / "dlt645_meter.py"
VALUES: dict[str, Any] = {
    "00010000": 1234.56,
    "00010100": 34.56,
    "00010200": 200.0,
    "00010300": 400.0,
    "00010400": 600.0,
    "00020000": 0.26,
    "02010100": 230.3,
    "02010200": 229.8,
    "02010300": 231.4,
    "02020100": 12.345,
    "02020200": -1.5,
    "02020300": 0.001,
    "02030000": -7.1234,
    "02030100": 2.5,
    "02030200": 0.0001,
    "02030300": 79.9999,
    "02060000": 0.995,
    "02060100": -0.5,
    "02060200": 0.999,
    "02060300": 0.0,
    "02800002": 49.98,
    "02800004": 3.25,
    "01010000": [12.3456, "2026-11-02T10:15:00"],
}
UTC_OF_10_15_IN_CHINA_US = 1_793_585_700_000_000


def expected() -> dict[tuple[Quantity, Phase | None, int | None], Decimal]:
    q, a, b, c = Quantity, Phase.A, Phase.B, Phase.C
    texts = {
        (q.ACTIVE_ENERGY_IMPORT, None, None): "1234560",
        (q.ACTIVE_ENERGY_IMPORT, None, 1): "34560",
        (q.ACTIVE_ENERGY_IMPORT, None, 2): "200000",
        (q.ACTIVE_ENERGY_IMPORT, None, 3): "400000",
        (q.ACTIVE_ENERGY_IMPORT, None, 4): "600000",
        (q.ACTIVE_ENERGY_EXPORT, None, None): "260",
        (q.VOLTAGE, a, None): "230.3",
        (q.VOLTAGE, b, None): "229.8",
        (q.VOLTAGE, c, None): "231.4",
        (q.CURRENT, a, None): "12.345",
        (q.CURRENT, b, None): "-1.500",
        (q.CURRENT, c, None): "0.001",
        (q.ACTIVE_POWER, None, None): "-7123.4",
        (q.ACTIVE_POWER, a, None): "2500.0",
        (q.ACTIVE_POWER, b, None): "0.1",
        (q.ACTIVE_POWER, c, None): "79999.9",
        (q.POWER_FACTOR, None, None): "0.995",
        (q.POWER_FACTOR, a, None): "-0.500",
        (q.POWER_FACTOR, b, None): "0.999",
        (q.POWER_FACTOR, c, None): "0.000",
        (q.FREQUENCY, None, None): "49.98",
        (q.ACTIVE_DEMAND, None, None): "3250.0",
        (q.ACTIVE_DEMAND_MAX, None, None): "12345.6",
    }
    return {key: Decimal(text) for key, text in texts.items()}


@pytest.fixture(scope="session")
def peer_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a venv with the package; made once under TAGWHARF_PEERS, or for this run."""
    kept = os.environ.get("TAGWHARF_PEERS")
    folder = (Path(kept) if kept else tmp_path_factory.mktemp("peers")) / "dlt645"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    there = subprocess.run([python, "-c", "import dlt645"], check=False, capture_output=True).returncode == 0
    if not there:
        subprocess.run([python, "-m", "pip", "install", "--quiet", PACKAGE], check=True)
    return python


@contextlib.contextmanager
def foreign_meter(python: Path, where: str) -> Iterator[int]:
    """Serve the meter; the number of its TCP port where it has one."""
    command = [str(python), str(METER), where, ADDRESS, json.dumps(VALUES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = ""
        while not line.startswith("ready"):
            line = process.stdout.readline()
            assert line, "the peer ended before it was ready"
        try:
            yield int(line.split()[1]) if where == "tcp" else 0
        finally:
            process.kill()


async def read_once(port: Port, settings: dict[str, Any], enough: int) -> list[Observation]:
    """What the driver reports until it has read `enough` values."""
    heard: list[Observation] = []
    full = asyncio.Event()

    def report(observation: Observation) -> None:
        heard.append(observation)
        if sum(len(o) for o in heard if isinstance(o, Readings)) >= enough:
            full.set()

    talk = asyncio.create_task(DRIVER.make(Dlt645Settings.model_validate(settings)).run(port, report))
    async with asyncio.timeout(60):
        await asyncio.wait([talk, asyncio.create_task(full.wait())], return_when=asyncio.FIRST_COMPLETED)
    if talk.done():
        talk.result()
    talk.cancel()
    await asyncio.gather(talk, return_exceptions=True)
    await port.close()
    return heard


def readings(heard: list[Observation]) -> list[Reading]:
    return [reading for o in heard if isinstance(o, Readings) for reading in o.readings]


READ = ["energy", "energy_export", "voltage", "current", "power", "power_factor", "frequency", "demand", "max_demand"]


@contextlib.asynccontextmanager
async def bridged_lines() -> AsyncIterator[tuple[str, str]]:
    """Two serial lines, their far ends tied together."""
    left, right = PtyPort.open(), PtyPort.open()

    async def carry(source: PtyPort, sink: PtyPort) -> None:
        while True:
            data = await source.receive(1.0)
            if data:
                await sink.send(data)

    carriers = [asyncio.create_task(carry(left, right)), asyncio.create_task(carry(right, left))]
    try:
        yield left.path, right.path
    finally:
        for carrier in carriers:
            carrier.cancel()
        await asyncio.gather(*carriers, return_exceptions=True)
        await left.close()
        await right.close()


def test_every_value_of_a_foreign_meter_is_read_exactly_over_tcp(peer_python: Path) -> None:
    async def scene(tcp_port: int) -> list[Observation]:
        port = await open_port(f"socket://127.0.0.1:{tcp_port}", DRIVER)
        settings = {"meters": [{"name": "foreign", "address": ADDRESS}], "read": READ}
        return await read_once(port, settings, len(expected()))

    with foreign_meter(peer_python, "tcp") as tcp_port:
        heard = asyncio.run(scene(tcp_port))
    found = {(r.quantity, r.phase, r.tariff): r.value for r in readings(heard)}
    assert found == expected()
    assert Watching(source="foreign") in heard
    assert not [o for o in heard if isinstance(o, Rejected | Condition)]
    demands = [r for r in readings(heard) if r.quantity is Quantity.ACTIVE_DEMAND_MAX]
    assert [r.meter_time_us for r in demands] == [UTC_OF_10_15_IN_CHINA_US]


def test_every_value_of_a_foreign_meter_is_read_exactly_over_a_serial_line(peer_python: Path) -> None:
    async def scene() -> list[Observation]:
        async with bridged_lines() as (ours, theirs):
            with foreign_meter(peer_python, theirs):
                port = await open_port(ours, DRIVER)
                settings = {"meters": [{"name": "foreign", "address": ADDRESS}], "read": READ}
                return await read_once(port, settings, len(expected()))

    heard = asyncio.run(scene())
    assert {(r.quantity, r.phase, r.tariff): r.value for r in readings(heard)} == expected()


def test_a_foreign_meter_alone_on_its_line_tells_its_address(peer_python: Path) -> None:
    async def scene(tcp_port: int) -> list[Observation]:
        port = await open_port(f"socket://127.0.0.1:{tcp_port}", DRIVER)
        return await read_once(port, {"meters": [{"name": "foreign"}], "read": ["energy_export"]}, 1)

    with foreign_meter(peer_python, "tcp") as tcp_port:
        heard = asyncio.run(scene(tcp_port))
    assert DeviceInfo(serial=ADDRESS, source="foreign") in heard
    assert [r.value for r in readings(heard)] == [Decimal(260)]
