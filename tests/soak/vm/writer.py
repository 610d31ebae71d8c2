"""Runs in the guest: the product's own journals write on the data disk, and the serial line tells what is committed.

    R                      ready; the machine's state may be kept here
    < go MODE              the host's word; the disk is looked for and mounted now
    G                      gone on
    H LAST EVENTS          opened: the last sequence of the edge journal, the events in the event journal
    E LAST HEARD WATERMARK the edge journal has committed so far
    J EVENTS               the event journal has committed so many events
    K SIGNAL KILLS         the kernel has ended the writer for want of memory; another begins
    X WORDS                something is wrong

MODE is `full`; `off`: SQLite then syncs nothing, which must lose rows; or `starved`: the writer has a limit of memory,
as MemoryMax= of a unit sets it, and grows until it is killed, several times.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
import tty
from pathlib import Path
from typing import Any, Final

from gateway.config.models import Journal as Settings
from gateway.edge.journal import Journal
from gateway.event_history import EventHistory
from gateway.event_journal import EventJournal
from gateway.health import Health
from tests.soak.vm.rows import GATEWAY, KEEP_DAYS, SEGMENT_BYTES, STARVED_TIMES, batch_of, event_rows

DATA: Final = Path("/data")
LINE: Final = "/dev/ttyS0"
DISK: Final = Path("/dev/vda")
BUSYBOX: Final = "/bin/busybox"
MOST_EVENTS: Final = 1_000_000
CGROUPS: Final = Path("/tmp/cgroups")
MEMORY_MOST_BYTES: Final = 48 << 20
HOARD_AFTER_S: Final = 1.0


class Careless(sqlite3.Connection):
    """A connection that never syncs, whatever it is told."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        spelt = sql.replace(" ", "").lower()
        return super().execute("PRAGMA synchronous=OFF" if "synchronous=full" in spelt else sql, *parameters)


class Telegraph:
    """The serial line; a line of it is written at once."""

    def __init__(self) -> None:
        self._handle = os.open(LINE, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._handle)

    def say(self, *words: object) -> None:
        """Send one line."""
        os.write(self._handle, (" ".join(map(str, words)) + "\n").encode())

    def hear(self) -> list[str]:
        """Wait for one line."""
        heard = b""
        while not heard.endswith(b"\n"):
            heard += os.read(self._handle, 1)
        return heard.decode().split()


def write_events(telegraph: Telegraph, journal: EventJournal, first: int) -> None:
    """Append to the event journal for ever."""
    number = first
    while True:
        most = number + 1 + number % 7
        batches = [event_rows(each, time.time_ns() // 1_000) for each in range(number, most)]
        refused = journal.append(batches)
        if refused:
            telegraph.say("X", "refused", refused[0])
        number = most
        telegraph.say("J", number)
        time.sleep(0.01)


async def write_reads(telegraph: Telegraph, journal: Journal) -> None:
    """Append to the edge journal for ever, and let most of it be judged."""
    told = journal.last

    def committed() -> None:
        nonlocal told
        if journal.last > told:
            told = journal.last
            telegraph.say("E", journal.last, journal.state.heard["reads"], journal.watermark)
            journal.release(max(0, journal.last - 20), "broker", None)

    journal.on_commit = committed
    journal.start()
    sequence = journal.last
    while not journal.failed.done():
        for _ in range(4):
            sequence += 1
            batch = batch_of(sequence, time.time_ns() // 1_000)
            journal.append(batch, heard={"reads": len(batch.reads)})
        await asyncio.sleep(0.02)
    await journal.failed


async def write(telegraph: Telegraph) -> None:
    """Open both journals, say what they hold, and write."""
    health = Health("edge")
    journal = Journal(DATA / "edge", GATEWAY, Settings(commit_every_s=0.01), health, segment_bytes=SEGMENT_BYTES)
    events = EventJournal(DATA / "events", keep_days=KEEP_DAYS)
    there = len(EventHistory(DATA / "events").recent_events(MOST_EVENTS))
    telegraph.say("H", journal.last, there)
    if health.degraded:
        telegraph.say("X", health.degraded)
    threading.Thread(target=write_events, args=(telegraph, events, there), daemon=True).start()
    await write_reads(telegraph, journal)


def serve(telegraph: Telegraph) -> None:
    """Write until the end of this process."""
    try:
        asyncio.run(write(telegraph))
    except Exception:  # noqa: BLE001  # whatever it is, the host must hear of it
        telegraph.say("X", traceback.format_exc().replace("\n", " | "))


def hoard() -> None:
    """Take memory until there is no more."""
    time.sleep(HOARD_AFTER_S)
    held = []
    while True:
        held.append(b"\1" * (1 << 20))
        time.sleep(0.01)


def starve(telegraph: Telegraph) -> None:
    """Let writers run into their limit of memory, one after the other."""
    CGROUPS.mkdir()
    subprocess.run([BUSYBOX, "mount", "-t", "cgroup2", "none", CGROUPS], check=True)
    (CGROUPS / "cgroup.subtree_control").write_text("+memory")
    limited = CGROUPS / "limited"
    limited.mkdir()
    (limited / "memory.max").write_text(str(MEMORY_MOST_BYTES))
    for _ in range(STARVED_TIMES):
        child = os.fork()
        if child == 0:
            (limited / "cgroup.procs").write_text(str(os.getpid()))
            threading.Thread(target=hoard, daemon=True).start()
            serve(telegraph)
            os._exit(1)
        _, status = os.waitpid(child, 0)
        events = dict(line.split() for line in (limited / "memory.events").read_text().splitlines())
        telegraph.say("K", os.WTERMSIG(status), events["oom_kill"])


def main() -> None:
    """Say that all is loaded, and begin when the host says so."""
    telegraph = Telegraph()
    telegraph.say("R")
    _, mode = telegraph.hear()
    telegraph.say("G")
    if mode == "off":
        careless = functools.partial(sqlite3.connect, factory=Careless)
        setattr(sqlite3, "connect", careless)  # noqa: B010  # the control lames the real writers from outside
    for module in os.environ["LATE_MODULES"].split():
        subprocess.run([BUSYBOX, "insmod", f"/modules/{module}.ko"], check=True)
    while not DISK.exists():
        time.sleep(0.01)
    subprocess.run([BUSYBOX, "mount", "-t", "ext4", DISK, DATA], check=True)
    if mode == "starved":
        starve(telegraph)
    serve(telegraph)
    sys.stdout.flush()
    time.sleep(1_000_000)


if __name__ == "__main__":
    main()
