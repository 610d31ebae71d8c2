"""A DLMS/COSEM client that somebody else wrote, gurux-dlms, reads our twin; in a venv and a process of its own.

The driver is tested against the twin, and shares with it only the two framings; that the twin is right, the peer says:
both framings, no security, a password, and HLS-GMAC with all APDUs ciphered; the object list, every register with its
scaler, lists, blocks, the profile by range, and a call of a method.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from simulator.meters.dlms import Framing, serve
from simulator.server import DeviceServer
from tests.readers.meters.dlms.scenes import meter
from tests.support.servers import UNPACKED

PEER = Path(__file__).parent / "peers" / "gurux_dlms" / "client.py"
PYTHON = UNPACKED / "gurux_dlms" / "bin" / "python"
REGISTERS = {
    "1.0.1.8.0.255": ("1234560", 30),
    "1.0.1.8.1.255": ("34560", 30),
    "1.0.2.8.0.255": ("260", 30),
    "1.0.32.7.0.255": ("230.3", 35),
    "1.0.51.7.0.255": ("-1.5", 33),
    "1.0.53.7.0.255": ("-0.5", 255),
    "1.0.16.7.0.255": ("2155.3", 27),
    "1.0.14.7.0.255": ("49.98", 44),
}
QUARTER = timedelta(minutes=15)

pytestmark = pytest.mark.skipif(
    not PYTHON.exists() and not os.environ.get("CI"), reason="run tests/system/peers/gurux_dlms/install.sh first"
)


def read_by_the_peer(framing: Framing, authentication: str) -> tuple[dict[str, Any], list[int]]:
    """What the peer found, and the orders that our meter got."""

    async def main() -> tuple[dict[str, Any], list[int]]:
        device = meter(physical=17 if framing is Framing.HDLC else None)
        async with DeviceServer(lambda port: serve(port, [device], framing)) as server:
            peer = await asyncio.create_subprocess_exec(
                PYTHON, PEER, str(server.port), framing, authentication, stdout=asyncio.subprocess.PIPE
            )
            async with asyncio.timeout(60):
                said, _ = await peer.communicate()
            assert not server.failures
            assert peer.returncode == 0
        return json.loads(said.splitlines()[-1]), device.orders

    return asyncio.run(main())


@pytest.mark.parametrize("authentication", ["none", "low", "gmac"])
@pytest.mark.parametrize("framing", Framing)
def test_a_foreign_client_reads_the_twin_exactly(framing: Framing, authentication: str) -> None:
    found, orders = read_by_the_peer(framing, authentication)
    assert len(found["objects"]) == 31
    for name, (value, unit) in REGISTERS.items():
        told, _, told_unit = found[name]
        assert (round(Decimal(told), 6), told_unit) == (Decimal(value), unit), name
    assert found["1.0.72.7.0.255"][0] is None
    assert found["1.0.1.6.0.255"][0] == found["1.0.1.4.0.255"][0] == "3250.0"
    assert bytes.fromhex(found["name"]) == b"TWG1000000001"
    clock = datetime.fromisoformat(found["clock"])
    assert abs(clock - datetime.now(clock.tzinfo)) < timedelta(seconds=60)
    assert found["relay"] == [True, 1, 4]
    times = [datetime.fromisoformat(row[0]) for row in found["rows"]]
    assert len(times) == 8
    assert all(later - sooner == QUARTER for sooner, later in itertools.pairwise(times))
    assert {tuple(row[1:]) for row in found["rows"]} == {(0, 123456, 26)}
    assert found["list"] == [123456, 4998]
    if authentication != "none":
        assert (found["after"], orders) == (0, [1])
