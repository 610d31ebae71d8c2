"""Somebody else's client of R2000 readers reads our simulated one: the PyPI package pyImpinj, in its own venv."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from readers.codecs.a0_band import CustomBand, RegionCode, TableBand
from simulator.device import Sighting, TagMemory
from simulator.pty import PtyPort
from simulator.rfid.a0 import Module, serve
from tests.support.servers import UNPACKED

PYTHON = UNPACKED / "a0" / "bin" / "python"
CLIENT = Path(__file__).parent / "peers" / "a0" / "client.py"
EPC = bytes.fromhex("E200301666130121155074EF")
OTHER = bytes.fromhex("A01301890430A00A018900FF")
TID = bytes.fromhex("E2806890200050010123")

pytestmark = pytest.mark.skipif(
    not PYTHON.exists() and not os.environ.get("CI"), reason="run tests/system/peers/a0/install.sh first"
)


class Shelf:
    """Tags that lie before every antenna, and answer once in each pass."""

    def __init__(self, *epcs: bytes) -> None:
        self.tags = {epc: TagMemory(bytearray(b"\x00\x00\x30\x00" + epc), TID, bytearray(16)) for epc in epcs}

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        assert until_us > start_us
        return [Sighting(start_us, antenna_port, epc, -50.0 - n) for n, epc in enumerate(self.tags)]

    def memory(self, epc: bytes) -> TagMemory | None:
        return self.tags.get(epc)


def converse(shelf: Shelf, module: Module, *steps: list[Any]) -> list[Any]:
    """What the client makes of our reader, in steps."""

    async def scene() -> list[Any]:
        device = PtyPort.open()
        twin = asyncio.create_task(serve(device, shelf, module))
        try:
            command = [str(PYTHON), str(CLIENT), device.path, json.dumps(steps)]
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr
            found: list[Any] = json.loads(done.stdout)
            return found
        finally:
            twin.cancel()
            await asyncio.gather(twin, return_exceptions=True)
            await device.close()

    return asyncio.run(scene())


def tags(found: Sequence[dict[str, Any]]) -> set[tuple[str, int, int, float]]:
    return {(one["epc"], one["antenna"], one["rssi"], one["frequency"]) for one in found if one["type"] == "TAG"}


def test_the_client_learns_who_we_are_and_sets_us() -> None:
    module = Module(identifier=b"R2000-TWIN-1", celsius=-3)
    steps: list[list[Any]] = [
        ["identifier"],
        ["temperature"],
        ["set_rf_power", 21, 22, 23, 24],
        ["get_rf_power"],
        ["set_rf_power", 30, 30, 30, 30],
        ["set_work_antenna", 2],
        ["get_work_antenna"],
        ["set_ant_connection_detector", 5],
        ["get_ant_connection_detector"],
    ]
    done = [True, "SUCCESS"]
    assert converse(Shelf(), module, *steps) == [
        b"R2000-TWIN-1".hex(), -3, done, "15161718", done, done, "02", done, "05",
    ]  # fmt: skip
    assert module.powers_dbm == [30] * 4


def test_the_client_sets_our_band_as_it_understands_bands() -> None:
    module = Module()
    regions: list[list[Any]] = [["set_frequency_region", 865.0, 868.0, 2], ["get_frequency_region"]]
    own: list[list[Any]] = [["set_frequency_region_user", 920_625, 2, 16], ["get_frequency_region"]]
    assert converse(Shelf(), module, *regions)[1] == {"Region": "ETSI", "StartFreq": 865.0, "EndFreq": 868.0}
    assert str(module.band) == str(TableBand(RegionCode.ETSI, 0, 6))
    found = converse(Shelf(), module, *own)[1]
    assert found == {"Region": "USER", "FreqSpace": 2, "Quantity": 16, "StartFreq": 920_625}
    assert str(module.band) == str(CustomBand(920_625, 200, 16))


@pytest.mark.parametrize(
    ("step", "antennas", "reads"),
    [
        (["rt_inventory", 1], {1}, 2),
        (["rt_inventory", 3], {1}, 6),
        (["session_inventory"], {1}, 2),
        (["fast_switch_ant_inventory", {"A": 0, "Aloop": 1, "B": 2, "Bloop": 2, "Repeat": 1}], {1, 3}, 6),
    ],
    ids=str,
)
def test_the_client_reads_our_tags_in_every_kind_of_inventory(step: list[Any], antennas: set[int], reads: int) -> None:
    [found] = converse(Shelf(EPC, OTHER), Module(), step)
    assert tags(found) == {
        (epc.hex().upper(), antenna, rssi, 902.0) for epc, rssi in ((EPC, -50), (OTHER, -51)) for antenna in antennas
    }
    assert sum(one["type"] == "TAG" for one in found) == reads
    assert found[-1]["total_read"] == reads


def test_the_client_understands_our_empty_rounds_and_missing_antennas() -> None:
    empty, fast = converse(
        Shelf(),
        Module(unplugged={2}),
        ["rt_inventory", 1],
        ["fast_switch_ant_inventory", {"A": 0, "B": 1, "Repeat": 1}],
    )
    assert empty == [{"type": "DONE", "total_read": 0, "duration": 0}]
    assert fast[0] == {"type": "ERROR", "logs": "Antenna-2 disconnect."}
    assert fast[1]["type"] == "DONE"
    [missing] = converse(Shelf(), Module(unplugged={1}), ["rt_inventory", 1])
    assert missing == [{"type": "ERROR", "logs": "Antenna miss error."}]


def test_the_client_reads_and_writes_the_memory_of_our_tags() -> None:
    shelf = Shelf(EPC, OTHER)
    epc = EPC.hex().upper()
    found = converse(
        shelf,
        Module(),
        ["read", epc, {"bank": "TID", "address": 0, "size": 5}],
        ["write", epc, "1234ABCD", {"bank": "USER", "address": 2}],
        ["read", epc, {"bank": "USER", "address": 1, "size": 3}],
        ["read", "00" * 12, {"bank": "TID", "address": 0, "size": 2}],
    )
    assert found == [TID.hex().upper(), epc, "00001234ABCD", ""]
    assert shelf.tags[EPC].user == bytes.fromhex("000000001234ABCD0000000000000000")
    assert shelf.tags[OTHER].user == bytes(16)
