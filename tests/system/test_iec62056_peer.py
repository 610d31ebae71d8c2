"""Somebody else's client reads our simulated meter out, and finds what our codec finds."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from readers.codecs.iec62056 import Data, DataSet
from readers.codecs.iec62056_values import said
from readers.driver import Port
from readers.meters.iec62056 import DRIVER, Iec62056Settings
from readers.observations import Observation, Readings
from readers.ports.open import open_port
from readers.quantities import Quantity
from simulator.meters.iec62056 import Meter, Style, serve
from simulator.server import DeviceServer
from tests.simulator.meters.loads import STATE, Steady
from tests.support.servers import UNPACKED

PYTHON = UNPACKED / "iec62056_21" / "bin" / "python"
CLIENT = Path(__file__).parent / "peers" / "iec62056_21" / "client.py"
ADDRESS = "70831205"

pytestmark = pytest.mark.skipif(
    not PYTHON.exists() and not os.environ.get("CI"), reason="run tests/system/peers/iec62056_21/install.sh first"
)


def read_by_the_peer(meter: Meter) -> dict[str, Any]:
    async def scene() -> dict[str, Any]:
        async def answer(port: Port) -> None:
            await serve(port, {ADDRESS: meter})

        async with DeviceServer(answer) as server:
            command = [str(PYTHON), str(CLIENT), str(server.port), ADDRESS]
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return asyncio.run(scene())


@pytest.mark.parametrize("style", Style)
def test_a_foreign_client_reads_our_meter_out(style: Style) -> None:
    # the client does not take parity off: its line does
    found = read_by_the_peer(Meter(Steady(), style=style, has_parity=False))
    assert (found["maker"], found["baud"]) == ("LGZ", "5")
    assert "ZMD4104407.B32" in found["model"]
    sets = [DataSet(name or "", (value if unit is None else f"{value}*{unit}",)) for name, value, unit in found["sets"]]
    readings = {(r.quantity, r.phase, r.tariff): r.value for r in said(Data((tuple(sets),)), 60).readings}
    assert readings[Quantity.ACTIVE_ENERGY_IMPORT, None, None] == STATE.active_energy_import_wh
    assert readings[Quantity.ACTIVE_ENERGY_IMPORT, None, 3] == 400_000
    assert readings[Quantity.FREQUENCY, None, None] == Decimal("49.9")


def test_our_driver_reads_the_same_meter_over_tcp() -> None:
    heard: list[Observation] = []

    async def scene() -> None:
        full = asyncio.Event()

        def report(observation: Observation) -> None:
            heard.append(observation)
            if isinstance(observation, Readings):
                full.set()

        async def answer(port: Port) -> None:
            await serve(port, {ADDRESS: Meter(Steady())})

        async with DeviceServer(answer) as server:
            port = await open_port(f"tcp://127.0.0.1:{server.port}", DRIVER)
            settings = Iec62056Settings.model_validate(
                {"meters": [{"name": "a", "address": ADDRESS}], "fixed_baud": 9600}
            )
            talk = asyncio.create_task(DRIVER.make(settings).run(port, report))
            async with asyncio.timeout(30):
                await full.wait()
            talk.cancel()
            await asyncio.gather(talk, return_exceptions=True)
            await port.close()

    asyncio.run(scene())
    (readings,) = [each for each in heard if isinstance(each, Readings)]
    assert readings.readings[0].value == STATE.active_energy_import_wh
