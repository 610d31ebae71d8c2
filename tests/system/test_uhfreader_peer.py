"""Somebody else's clients read our simulated readers: chafon-rfid and uhfreader18 of PyPI, in a venv of their own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from simulator.device import Sighting
from simulator.pty import PtyPort
from simulator.rfid.uhfreader import RR18_WORK_MODE, Reader, rr18, serve
from simulator.server import DeviceServer
from tests.support.servers import UNPACKED

PYTHON = UNPACKED / "uhfreader" / "bin" / "python"
CLIENT = Path(__file__).parent / "peers" / "uhfreader" / "client.py"
EPCS = ["3039606303C74380001A0559", "49440000000000000A000334", "00323038", "0501EE2113000103010CFFFF"]

pytestmark = pytest.mark.skipif(
    not PYTHON.exists() and not os.environ.get("CI"), reason="run tests/system/peers/uhfreader/install.sh first"
)


class Shelf:
    """All tags, every time, on each antenna."""

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        assert start_us <= until_us
        return [Sighting(start_us, antenna_port, bytes.fromhex(epc), -60.0 - n) for n, epc in enumerate(EPCS)]


async def _client(*arguments: str) -> dict[str, Any]:
    command = [str(PYTHON), str(CLIENT), *arguments]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def over_tcp(reader: Reader, what: str, *more: str) -> dict[str, Any]:
    """What a client says of our reader behind a device server."""

    async def scene() -> dict[str, Any]:
        async with DeviceServer(partial(_serve, reader)) as server:
            return await _client(what, str(server.port), *more)

    return asyncio.run(scene())


async def _serve(reader: Reader, port: Any) -> None:
    await serve(port, Shelf(), reader)


def over_a_line(reader: Reader, what: str, *more: str) -> dict[str, Any]:
    """The same on a serial line."""

    async def scene() -> dict[str, Any]:
        device = PtyPort.open()
        twin = asyncio.create_task(serve(device, Shelf(), reader))
        try:
            return await _client(what, device.path, *more)
        finally:
            twin.cancel()
            await asyncio.gather(twin, return_exceptions=True)
            await device.close()

    return asyncio.run(scene())


@pytest.mark.parametrize("antenna", [1, 3])
def test_a_client_reads_our_288(antenna: int) -> None:
    found = over_tcp(Reader(), "inventory_288", str(antenna))
    assert found["tags"] == [[epc, antenna, 110 - n] for n, epc in enumerate(EPCS)]
    assert found["statuses"] == [3, 3, 3, 3, 1]


def test_a_client_reads_several_tags_in_a_frame_on_a_line() -> None:
    found = over_a_line(Reader(tags_per_frame=3), "inventory_288", "2")
    assert [tag[0] for tag in found["tags"]] == EPCS
    assert found["statuses"] == [3, 3, 1]


def test_a_client_reads_our_first_model() -> None:
    found = over_tcp(rr18(), "inventory_18")
    assert found["tags"] == [[epc, 1, None] for epc in EPCS]


def test_a_client_learns_who_our_readers_are() -> None:
    assert over_a_line(Reader(address=5), "info") == {
        "type": "UHFReader288MP",
        "version": [2, 20],
        "band": "US",
        "mhz": [902.75, 927.25],
        "power": 30,
        "scan_time": 20,
    }
    assert over_tcp(rr18(), "info")["type"] == "UHFReader18"


def test_another_client_sets_our_first_model() -> None:
    reader = rr18(3)
    reader.max_power_dbm = 26
    found = over_tcp(reader, "settings")
    assert found == {
        "address": [3, 9],
        "model": "ReaderType.UHFREADER18",
        "version": "1.35",
        "band": "FreqBand.CHINESE_2",
        "points": [0, 19],
        "power": 21,
        "scan_time": 7,
        "modes": ["WorkMode.ANSWER", "WorkMode.TRIGGER_LOW"],
        "kept": [2, 6, 3, True],
        "refused": "Set power failed: Parameter Error",
    }
    assert reader.work_mode == RR18_WORK_MODE[:4] + bytes([2, 2, 4, 2, 6, 3]) + RR18_WORK_MODE[10:]


def test_another_client_follows_a_reader_that_reports_by_itself() -> None:
    found = over_tcp(Reader(read_mode=1, ports=1), "listen")
    assert found["errors"] == []
    assert len(found["frames"]) > 40
    seen = {data for name, status, data in found["frames"] if (name, status) == ("TAG_REPORT", 0)}
    assert seen == {f"01{len(epc) // 2:02X}{epc}{110 - n:02X}" for n, epc in enumerate(EPCS)}
