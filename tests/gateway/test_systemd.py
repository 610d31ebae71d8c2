import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import systemd


@pytest.fixture
def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(0)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield sock


def heard(sock: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(sock.recv(4096).decode())
        except BlockingIOError:
            return found


def test_ready_status_and_stopping(listener: socket.socket) -> None:
    systemd.ready("2 readers")
    systemd.status("all\nWATCHDOG=trigger")
    systemd.stopping()
    assert heard(listener) == [
        "READY=1\nSTATUS=2 readers",
        "STATUS=all\N{REPLACEMENT CHARACTER}WATCHDOG=trigger",
        "STOPPING=1\nSTATUS=stopping",
    ]


def test_an_abstract_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"tagwharf-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        assert systemd.notify("READY=1")
        assert sock.recv(100) == b"READY=1"


def test_nothing_happens_outside_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not systemd.notify("READY=1")


def test_a_socket_that_is_gone_is_no_reason_to_die(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "none"))
    assert not systemd.notify("READY=1")


@pytest.mark.parametrize(
    ("limit", "pid", "expected"),
    [("3000000", None, 3.0), ("3000000", "self", 3.0), ("3000000", "1", None), ("0", None, None), ("x", None, None)],
)
def test_watchdog_limit(limit: str, pid: str | None, expected: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", limit)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    if pid is not None:
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if pid == "self" else pid)
    assert systemd.watchdog_limit_s() == expected


def test_a_stalled_pipeline_starves_the_watchdog(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "60000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    stalled: list[str] = []

    async def main() -> None:
        feeding = asyncio.create_task(systemd.feed_watchdog(lambda: stalled))
        await asyncio.sleep(0.1)
        assert heard(listener).count("WATCHDOG=1") >= 2
        stalled.append("journal")
        await asyncio.sleep(0.05)
        heard(listener)
        await asyncio.sleep(0.1)
        assert heard(listener) == []
        stalled.clear()
        await asyncio.sleep(0.1)
        assert "WATCHDOG=1" in heard(listener)
        feeding.cancel()

    asyncio.run(main())


def test_an_unwatched_service_feeds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    asyncio.run(asyncio.wait_for(systemd.feed_watchdog(list), 1))
