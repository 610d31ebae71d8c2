"""An edge daemon whose event loop is blocked, while its other threads run, is not told alive to systemd."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from pathlib import Path
from typing import Final

import pytest

from gateway.config.load import load_site
from gateway.edge.daemon import Edge
from gateway.systemd import FEEDS_PER_LIMIT
from tests.support.servers import free_port

LIMIT_S: Final = 1.5
BLOCKED_S: Final = 4.0
BACK_WITHIN_S: Final = 20.0
PINGS: Final = 3
SITE: Final = """
[site]
name = "quay"
state_dir = "{directory}/state"
[mqtt]
port = {broker}
[health]
edge_port = 0
[[reader]]
name = "gate"
driver = "m100"
port = "tcp://127.0.0.1:{reader}"
"""


class Systemd:
    """Listens as systemd does, in a thread of its own, and notes when it was told that the service lives."""

    def __init__(self, path: Path) -> None:
        self.pings_s: list[float] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(0.1)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while not self._ended.is_set():
            try:
                told = self._socket.recv(4096)
            except TimeoutError:
                continue
            if b"WATCHDOG=1" in told.splitlines():
                self.pings_s.append(time.monotonic())

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()


async def pinged(systemd: Systemd, times: int) -> None:
    """Until it was told so often from now on."""
    wanted = len(systemd.pings_s) + times
    async with asyncio.timeout(BACK_WITHIN_S):
        while len(systemd.pings_s) < wanted:
            await asyncio.sleep(0.02)


def test_a_blocked_loop_starves_the_watchdog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "site.toml"
    config.write_text(SITE.format(directory=tmp_path, broker=free_port(), reader=free_port()))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", str(int(LIMIT_S * 1_000_000)))
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    systemd = Systemd(tmp_path / "notify")

    async def main() -> tuple[float, float]:
        edge, stop = Edge(load_site(config), tmp_path / "state"), asyncio.Event()
        running = asyncio.create_task(edge.run(stop))
        try:
            await pinged(systemd, PINGS)
            journalled = edge.journal.last
            began_s = time.monotonic()
            time.sleep(BLOCKED_S)  # noqa: ASYNC251  # it is what the test is about
            ended_s = time.monotonic()
            await pinged(systemd, PINGS)
            async with asyncio.timeout(BACK_WITHIN_S):
                while edge.journal.last <= journalled:
                    await asyncio.sleep(0.02)
        finally:
            stop.set()
            await running
        return began_s, ended_s

    try:
        began_s, ended_s = asyncio.run(main())
    finally:
        systemd.close()
    # What was sent right before the loop was blocked may be taken a moment later.
    late_s = LIMIT_S / FEEDS_PER_LIMIT
    assert not [at_s for at_s in systemd.pings_s if began_s + late_s < at_s < ended_s]
    assert ended_s - began_s - late_s > LIMIT_S  # systemd would have ended it
