"""A meter that somebody else wrote: the server of the PyPI package dlt698, in a venv of its own, read by the driver."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from readers.meters.dlt698.driver import DRIVER
from readers.meters.dlt698.settings import Dlt698Settings
from readers.observations import Condition, DeviceInfo, Observation, Readings, Rejected, Signal, Signals, Watching
from readers.ports.open import open_port
from readers.quantities import Phase, Quality, Quantity

HERE = Path(__file__).parent / "peers" / "dlt698"
SERVERS = Path(os.environ.get("TAGWHARF_TEST_SERVERS", "/usr/local/lib/tagwharf-test-servers"))
ADDRESS = "202611230698"
CHINA = timedelta(hours=8)
READ = [
    "energy",
    "energy_export",
    "voltage",
    "current",
    "power",
    "reactive_power",
    "apparent_power",
    "power_factor",
    "frequency",
    "temperature",
    "demand",
    "max_demand",
    "status",
]
Key = tuple[Quantity, Phase | None, int | None]


def expected() -> dict[Key, Decimal]:
    q, a, b, c = Quantity, Phase.A, Phase.B, Phase.C
    texts: dict[Key, str] = {
        (q.ACTIVE_ENERGY_IMPORT, None, None): "1234560",
        (q.ACTIVE_ENERGY_IMPORT, None, 1): "34560",
        (q.ACTIVE_ENERGY_IMPORT, None, 2): "200000",
        (q.ACTIVE_ENERGY_IMPORT, None, 3): "400000",
        (q.ACTIVE_ENERGY_IMPORT, None, 4): "600000",
        (q.ACTIVE_ENERGY_EXPORT, None, None): "260",
        (q.ACTIVE_ENERGY_EXPORT, None, 1): "0",
        (q.ACTIVE_ENERGY_EXPORT, None, 2): "0",
        (q.ACTIVE_ENERGY_EXPORT, None, 3): "260",
        (q.ACTIVE_ENERGY_EXPORT, None, 4): "0",
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
        (q.REACTIVE_POWER, None, None): "100.0",
        (q.REACTIVE_POWER, a, None): "-0.1",
        (q.REACTIVE_POWER, b, None): "0.0",
        (q.REACTIVE_POWER, c, None): "100.1",
        (q.APPARENT_POWER, None, None): "8000.0",
        (q.APPARENT_POWER, a, None): "0.1",
        (q.APPARENT_POWER, b, None): "0.2",
        (q.APPARENT_POWER, c, None): "0.3",
        (q.POWER_FACTOR, None, None): "0.995",
        (q.POWER_FACTOR, a, None): "-0.500",
        (q.POWER_FACTOR, b, None): "0.999",
        (q.POWER_FACTOR, c, None): "0.000",
        (q.FREQUENCY, None, None): "49.98",
        (q.TEMPERATURE, None, None): "-5.7",
        (q.ACTIVE_DEMAND, None, None): "3250.0",
        (q.ACTIVE_DEMAND_MAX, None, None): "12345.6",
        (q.ACTIVE_DEMAND_MAX, None, 1): "12345.5",
        (q.ACTIVE_DEMAND_MAX, None, 2): "12345.4",
        (q.ACTIVE_DEMAND_MAX, None, 3): "12345.3",
        (q.ACTIVE_DEMAND_MAX, None, 4): "12345.2",
    }
    return {key: Decimal(text) for key, text in texts.items()}


@pytest.fixture(scope="session")
def peer_python() -> Path:
    """The interpreter of the peer's venv."""
    python = SERVERS / "dlt698" / "bin" / "python"
    if not python.exists():
        if os.environ.get("CI"):
            pytest.fail("the dlt698 peer is not installed; run tests/system/peers/dlt698/install.sh")
        pytest.skip("the dlt698 peer is not installed; run tests/system/peers/dlt698/install.sh")
    return python


@contextlib.contextmanager
def foreign_meter(python: Path, apdu_bytes: int, day: str) -> Iterator[int]:
    """Serve the meter; the number of its TCP port."""
    command = [str(python), str(HERE / "meter.py"), ADDRESS, str(apdu_bytes), day]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready"), "the peer ended before it was ready"
        try:
            yield int(line.split()[1])
        finally:
            process.kill()


def read(number: int, settings: Mapping[str, Any], enough: int) -> list[Observation]:
    """What the driver reports until it has read so many values."""

    async def scene() -> list[Observation]:
        heard: list[Observation] = []
        full = asyncio.Event()

        def report(observation: Observation) -> None:
            heard.append(observation)
            if sum(len(o) for o in heard if isinstance(o, Readings)) >= enough:
                full.set()

        port = await open_port(f"tcp://127.0.0.1:{number}", DRIVER)
        running = asyncio.create_task(DRIVER.make(Dlt698Settings.model_validate(settings)).run(port, report))
        async with asyncio.timeout(60):
            await asyncio.wait([running, asyncio.create_task(full.wait())], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await port.close()
        return heard

    return asyncio.run(scene())


@pytest.mark.parametrize("apdu_bytes", [2048, 128])
def test_every_value_of_a_foreign_meter_is_read_exactly(peer_python: Path, apdu_bytes: int) -> None:
    settings = {"meters": [{"name": "foreign", "address": ADDRESS}], "read": READ, "backfill_days": 0}
    with foreign_meter(peer_python, apdu_bytes, "2026-01-01") as number:
        heard = read(number, settings, len(expected()))
    found = {(r.quantity, r.phase, r.tariff): r.value for o in heard if isinstance(o, Readings) for r in o.readings}
    assert found == expected()
    assert Watching(source="foreign") in heard
    assert DeviceInfo(serial=ADDRESS, source="foreign") in heard
    signals = [signal for o in heard if isinstance(o, Signals) for signal in o.signals]
    assert Signal("relay_closed", value=False) in signals  # it was sent as bits 4 and 6 of word 3, by the rule of A-XDR
    assert not [o for o in heard if isinstance(o, Rejected | Condition)]


@pytest.mark.parametrize("apdu_bytes", [2048, 128])
def test_daily_freezes_of_a_foreign_meter_fill_a_gap_in_blocks_too(peer_python: Path, apdu_bytes: int) -> None:
    now = datetime.now(UTC) + CHINA
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC) - CHINA
    settings = {
        "meters": [{"name": "foreign", "address": ADDRESS}],
        "read": ["energy", "energy_export"],
        "backfill_days": 10,
    }
    with foreign_meter(peer_python, apdu_bytes, f"{now:%Y-%m-%d}") as number:
        heard = read(number, settings, 10 + 10 * 10)
    found: dict[Quantity, dict[int | None, Decimal | None]] = {}
    for observation in heard:
        for r in observation.readings if isinstance(observation, Readings) else ():
            if r.quality is Quality.BACKFILLED and r.tariff is None:
                found.setdefault(r.quantity, {})[r.meter_time_us] = r.value
    days = [round((midnight - timedelta(days=back)).timestamp()) * 1_000_000 for back in range(10)]
    assert found[Quantity.ACTIVE_ENERGY_IMPORT] == {day: Decimal(10_190 - 10 * back) for back, day in enumerate(days)}
    assert found[Quantity.ACTIVE_ENERGY_EXPORT] == {day: Decimal(190 - 10 * back) for back, day in enumerate(days)}
    assert not [o for o in heard if isinstance(o, Rejected)]
