"""Our driver reads a reader that somebody else wrote: the server of the npm package llrpjs, with its work-arounds."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from readers.access import AccessError, AccessFault, Bank
from readers.observations import Condition, DeviceInfo, Observation, Rejected, TagReads, Watching
from readers.ports.tcp import open_tcp
from readers.rfid.llrp.driver import DRIVER
from readers.rfid.llrp.settings import LlrpSettings

PACKAGE = "llrpjs@1.0.1"
READER = Path(__file__).parent / "peers" / "llrpjs_reader.mjs"
NO_NODE = shutil.which("npm") is None and "CI" not in os.environ
TAGS: list[dict[str, Any]] = [
    {
        "epc": f"3074257BF7194E40000{index:05X}",
        "antenna": 1 + index % 2,
        "rssi": -40 - index,
        "channel": 1 + index % 4,
        "first_ms": 1_767_225_600_000 + index,
        "last_ms": 1_767_225_600_500 + 3 * index,
        "count": index + 1,
    }
    for index in range(40)
]


FIRST = bytes.fromhex(TAGS[0]["epc"])


@pytest.fixture(scope="session")
def llrpjs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package; made once under TAGWHARF_PEERS, or for this run."""
    kept = os.environ.get("TAGWHARF_PEERS")
    folder = (Path(kept) if kept else tmp_path_factory.mktemp("peers")) / "llrpjs"
    if not (folder / "node_modules" / "llrpjs").exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), PACKAGE]
        subprocess.run(command, check=True, capture_output=True)
    return folder


@contextmanager
def foreign_reader(folder: Path) -> Iterator[tuple[int, list[str]]]:
    """The reader's TCP port, and after the block what it was asked."""
    command = ["node", str(READER), str(folder), json.dumps(TAGS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = process.stdout.readline().split()
        assert ready[:1] == ["ready"], "the peer ended before it was ready"
        asked: list[str] = []
        try:
            yield int(ready[1]), asked
        finally:
            process.kill()
            asked += process.stdout.read().split()[1::2]


async def read(tcp_port: int, settings: LlrpSettings) -> list[Observation]:
    """What the driver reports until it has heard as many reads as there are tags."""
    heard: list[Observation] = []
    full = asyncio.Event()

    def report(observation: Observation) -> None:
        heard.append(observation)
        if sum(len(each) for each in heard if isinstance(each, TagReads)) >= len(TAGS):
            full.set()

    port = await open_tcp("127.0.0.1", tcp_port)
    talk = asyncio.create_task(DRIVER.make(settings).run(port, report))
    waiting = asyncio.create_task(full.wait())
    await asyncio.wait([talk, waiting], timeout=20, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if talk.done():
        talk.result()
    talk.cancel()
    await asyncio.gather(talk, waiting, return_exceptions=True)
    await port.close()
    return heard


@pytest.mark.skipif(NO_NODE, reason="npm is not installed")
def test_every_value_of_a_foreign_reader_is_heard_exactly(llrpjs: Path) -> None:
    with foreign_reader(llrpjs) as (tcp_port, asked):
        heard = asyncio.run(read(tcp_port, LlrpSettings(tx_power_dbm=20.0)))
    rows = [row for each in heard if isinstance(each, TagReads) for row in each.rows()]
    found = [
        {
            "epc": row.epc.hex().upper(),
            "antenna": row.antenna_port,
            "rssi": row.rssi_dbm,
            "channel": row.channel_index,
            "first_ms": (row.first_seen_us or 0) / 1000,
            "last_ms": (row.last_seen_us or 0) / 1000,
            "count": row.count,
        }
        for row in rows
    ]
    assert found == TAGS
    assert [each.firmware for each in heard if isinstance(each, DeviceInfo)] == ["llrpjs"]
    assert Watching(frozenset({1, 2})) in heard
    assert not [each for each in heard if isinstance(each, Rejected | Condition)]
    assert [name for name in asked if name.endswith("_ROSPEC")] == ["DELETE_ROSPEC", "ADD_ROSPEC", "ENABLE_ROSPEC"]
    assert asked[-1] == "CLOSE_CONNECTION"


async def work(tcp_port: int) -> dict[str, object]:
    """What a station does and learns on that reader."""
    port = await open_tcp("127.0.0.1", tcp_port)
    assert DRIVER.station is not None
    station = DRIVER.station(LlrpSettings(tx_power_dbm=20.0), port)
    await station.open()
    try:
        found: dict[str, object] = {
            "inventory": {read.epc.hex().upper(): read.rssi_dbm for read in await station.inventory(0.5)},
            "tid": await station.read(FIRST, Bank.TID, 0, 4),
        }
        await station.write(FIRST, Bank.USER, 1, b"\xca\xfe\xba\xbe")
        found["user"] = await station.read(FIRST, Bank.USER, 0, 4)
        for name, epc, words in (("other", FIRST[:-1] + b"\xff", 1), ("beyond", FIRST, 9)):
            try:
                await station.read(epc, Bank.TID, 0, words)
            except AccessError as error:
                found[name] = error.fault
        return found
    finally:
        await station.close()
        await port.close()


@pytest.mark.skipif(NO_NODE, reason="npm is not installed")
def test_a_tag_of_a_foreign_reader_is_read_and_written(llrpjs: Path) -> None:
    with foreign_reader(llrpjs) as (tcp_port, asked):
        found = asyncio.run(work(tcp_port))
    assert found == {
        "inventory": {tag["epc"]: tag["rssi"] for tag in TAGS[:3]},
        "tid": bytes.fromhex("E2801160200074D0"),
        "user": bytes.fromhex("0001 CAFE BABE 0004"),
        "other": AccessFault.NO_TAG,
        "beyond": AccessFault.OTHER,
    }
    assert asked.count("ADD_ACCESSSPEC") == 5
    assert asked[-1] == "CLOSE_CONNECTION"
