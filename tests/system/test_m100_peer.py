"""Somebody else's client of R200 modules reads our simulated module: the PyPI package rfid-r200, in its own venv."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from readers.codecs.checksums import gen2_crc16
from readers.codecs.m100 import AA_DD
from simulator.pty import PtyPort
from simulator.rfid.m100 import Module, serve
from tests.support.m100_scenes import TID_96, tag
from tests.support.servers import UNPACKED
from tests.support.shelf import Shelf

PYTHON = UNPACKED / "m100" / "bin" / "python"
CLIENT = Path(__file__).parent / "peers" / "m100" / "client.py"
EPC = bytes.fromhex("30751FEB705C5904E3D50D70")
OTHER = bytes.fromhex("3074257BF7194E4000001A85")
AIR = b"\x30\x00" + EPC

pytestmark = pytest.mark.skipif(
    not PYTHON.exists() and not os.environ.get("CI"), reason="run tests/system/peers/m100/install.sh first"
)


def converse(shelf: Shelf, *steps: list[Any]) -> list[Any]:
    """What the client makes of our module, in steps."""

    async def scene() -> list[Any]:
        device = PtyPort.open()
        twin = asyncio.create_task(serve(device, shelf, Module(delimiters=AA_DD)))
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


def test_the_client_learns_who_we_are_and_sets_the_power() -> None:
    info, before, was_set, after, was_cut, cut = converse(
        Shelf(), ["hw_info"], ["get_power"], ["set_power", 15.5], ["get_power"], ["set_power", 30.0], ["get_power"]
    )
    assert info == "\x00M100 V1.00"  # the client leaves the number of the text before it
    assert (before, was_set, after, was_cut, cut) == (20.0, True, 15.5, True, 26.0)


def test_the_client_reads_our_tags_with_their_crc() -> None:
    [found] = converse(Shelf(tag(EPC), tag(OTHER)), ["read_tags"])
    assert found["error"] is None
    assert [(each["epc"], each["pc"], each["rssi"]) for each in found["tags"]] == [
        (EPC.hex(), 0x3000, 256 - 50),
        (OTHER.hex(), 0x3000, 256 - 51),
    ]
    assert found["tags"][0]["crc"] == gen2_crc16(AIR)


def test_the_client_is_told_of_empty_rounds() -> None:
    [found] = converse(Shelf(), ["read_tags"])
    assert found == {"tags": [], "error": "Error reading RFID: No tags detected"}


def test_the_client_chooses_a_tag_and_works_on_its_memory() -> None:
    shelf = Shelf(tag(OTHER), tag(EPC, user=bytes(8)), tag(OTHER[:8]))
    select, read, write, same, locked = converse(
        shelf,
        ["send", 0x0C, "01 00 00 00 20 60 00" + EPC.hex()],
        ["send", 0x39, "00 00 00 00 02 00 00 00 06"],
        ["send", 0x49, "00 00 00 00 03 00 01 00 02 BB 7E AA DD"],
        ["send", 0x39, "00 00 00 00 03 00 00 00 04"],
        ["send", 0x49, "00 00 00 00 02 00 00 00 01 00 00"],
    )
    who = "0e" + AIR.hex()
    assert select == [{"type": 1, "command": 0x0C, "ok": True, "parameters": "00"}]
    assert read == [{"type": 1, "command": 0x39, "ok": True, "parameters": who + TID_96.hex()}]
    assert write == [{"type": 1, "command": 0x49, "ok": True, "parameters": who + "00"}]
    assert same == [{"type": 1, "command": 0x39, "ok": True, "parameters": who + "0000bb7eaadd0000"}]
    assert locked == [{"type": 1, "command": 0xFF, "ok": True, "parameters": "b4" + who}]
    assert shelf.tags[1].user == bytes.fromhex("0000bb7eaadd0000")
