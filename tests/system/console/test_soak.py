"""A console on which much happens for long: neither the page nor the server grows. `TAGWHARF_SOAK_S` says how long."""

import asyncio
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.sync_api import CDPSession, Page, expect

from gateway.console.parts.events import EVENTS_KEPT
from gateway.console.parts.reads import READS_KEPT
from gateway.contract import batches
from gateway.contract.events import Alarm, Event, Evidence
from gateway.mqtt import Session, session
from tests.gateway.console.access.served import hash_of_password
from tests.support.broker import Broker, running_broker
from tests.support.hostile_site import site_file
from tests.system.console.lone_console import lone_console

SOAK_S = float(os.environ.get("TAGWHARF_SOAK_S", "45"))
PER_S = 200
"""Reads, and beside them the other kinds."""
TICK_S = 0.05
BATCH = batches.MOST_ITEMS
PAGE_MS = 700
HEAP_MORE, NODES_MORE, LISTENERS_MORE = 2_000_000, 300, 60
RSS_MORE_BYTES, RSS_LATER_BYTES = 24 << 20, 12 << 20
"""What may come on top after the warm-up: another number of rows is shown, an allocator keeps an arena more.
The console itself comes to rest after some minutes, when all that it keeps is full: its second half counts."""
PAGES = ("gate", "alarms", "reads", "devices", "meters", "machines", "rules", "ledger")
EVIDENCE = Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=1)


@dataclass(frozen=True, slots=True)
class Size:
    """What a page and the console hold. Everything of the page is counted after a collection of garbage."""

    heap_bytes: int
    nodes: int
    listeners: int
    rss_bytes: int


class Feed:
    """What a site says: reads, readings, states, events, and alarms that come and go."""

    def __init__(self) -> None:
        self._number = 0

    async def tick(self, ours: Session, reads: int) -> None:
        """Send some of each; subjects and devices are a hundred, EPCs are ever new."""
        self._number += 1
        n, now_us = self._number, time.time_ns() // 1_000
        one = n % 100
        common: dict[str, Any] = {"gateway": "edge-1", "received_at_us": now_us}
        found = [batches.TagRead(f"3034{n * BATCH + k:020X}", 1, "outer", now_us, rssi_dbm=-60.0) for k in range(reads)]
        await self._send(ours, "gate/reads", batches.encode(batches.ReadBatch(**common, device="gate", reads=found)))
        reading = batches.Reading("active_power", "1-0:1.7.0", Decimal(n), "W")
        made = batches.ReadingBatch(**common, device="mains", readings=[reading])
        await self._send(ours, "mains/readings", batches.encode(made))
        status = batches.StatusBatch(
            **common, device=f"device-{one}", state="online", reason="r", since_us=now_us, heard=n
        )
        await self._send(ours, f"device-{one}/status", batches.encode(status))
        kind = ("arrived", "departed", "passage")[n % 3]
        zone = "lane-1" if kind == "passage" else "yard"
        event = Event(
            id=f"{n:020x}", type=kind, at_us=now_us, subject=f"{one:024X}", zone=zone, direction="in", evidence=EVIDENCE
        )
        await self._send(ours, f"events/{kind}", msgspec.json.encode(event))
        alarm = Alarm(
            id=f"{one:020x}", rule="r", severity="warning", subject="gate",
            state="raised" if n // 100 % 2 else "cleared", since_us=now_us, at_us=now_us,
            message=f"alarm {n}", evidence=EVIDENCE,
        )  # fmt: skip
        await self._send(ours, f"alarms/{one:020x}", msgspec.json.encode(alarm))

    @staticmethod
    async def _send(ours: Session, topic: str, payload: bytes) -> None:
        await ours.send(f"tagwharf/1/site/{topic}", payload)


@contextmanager
def fed(broker: Broker) -> Iterator[threading.Event]:
    """All of that until the body ends; the event is set once what the console keeps is full."""
    is_over, is_full = threading.Event(), threading.Event()

    async def send() -> None:
        feed = Feed()
        async with session(broker.settings, client_id="soak") as ours:
            for n in range(max(READS_KEPT // BATCH, EVENTS_KEPT) + 1):
                await feed.tick(ours, BATCH if n <= READS_KEPT // BATCH else 1)
            is_full.set()
            due_s = time.monotonic()
            while not is_over.is_set():
                await feed.tick(ours, round(PER_S * TICK_S))
                due_s += TICK_S
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))

    feeding = threading.Thread(target=lambda: asyncio.run(send()))
    feeding.start()
    try:
        yield is_full
    finally:
        is_over.set()
        feeding.join()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path / "broker") as running:
        yield running


def console_pid(directory: Path) -> int:
    """The process whose command line names this site file."""
    wanted = str(directory / "site.toml").encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if wanted in path.read_bytes().split(b"\0"):
                return int(path.parent.name)
        except (FileNotFoundError, ProcessLookupError):
            continue
    raise AssertionError("the console does not run")


def rss_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def size_of(page: Page, devtools: CDPSession, pid: int) -> Size:
    """On the page of live reads."""
    page.locator("#menu a[href='/reads']").click()
    expect(page.locator("tbody tr:not([hidden])")).to_have_count(60)
    for _ in range(2):
        devtools.send("HeapProfiler.collectGarbage")
        page.wait_for_timeout(200)
    heap = devtools.send("Runtime.getHeapUsage")
    counted = devtools.send("Memory.getDOMCounters")
    return Size(int(heap["usedSize"]), counted["nodes"], counted["jsEventListeners"], rss_bytes(pid))


def walk(page: Page) -> None:
    """Each page in turn, as the menu opens them."""
    for name in PAGES:
        page.locator(f"#menu a[href='/{name}']").click()
        expect(page.locator(f"#page .page.{name} h1")).to_be_visible()
        page.wait_for_timeout(PAGE_MS)


def test_neither_pages_nor_the_console_grow(
    page: Page, broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "console-eve").write_text(hash_of_password())
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with lone_console(tmp_path, broker, site_file()) as url, fed(broker) as is_full:
        assert is_full.wait(60)
        pid = console_pid(tmp_path)
        devtools = page.context.new_cdp_session(page)
        page.goto(f"{url}/reads")
        for _ in range(2):
            walk(page)
        sizes = [size_of(page, devtools, pid)]
        began_s = time.monotonic()
        while time.monotonic() - began_s < SOAK_S:
            page.wait_for_timeout(SOAK_S / 8 * 1000)
            rate = re.search(r"(\d+)", page.locator("#f-rate").inner_text())
            assert rate is not None
            assert int(rate[1]) >= PER_S / 2
            sizes.append(size_of(page, devtools, pid))
            walk(page)
            sizes.append(size_of(page, devtools, pid))
        expect(page.locator("#link")).to_have_text("live")
        page.close()  # before its console
    print(*sizes, sep="\n")  # noqa: T201 - shown with -s
    first, last = sizes[0], sizes[-1]
    least_later = min(sizes[-3:], key=lambda size: size.heap_bytes)
    assert least_later.heap_bytes <= first.heap_bytes + HEAP_MORE, sizes
    assert last.nodes <= first.nodes + NODES_MORE, sizes
    assert last.listeners <= first.listeners + LISTENERS_MORE, sizes
    assert last.rss_bytes <= first.rss_bytes + RSS_MORE_BYTES, sizes
    assert last.rss_bytes <= sizes[len(sizes) // 2].rss_bytes + RSS_LATER_BYTES, sizes
