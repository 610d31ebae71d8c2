from __future__ import annotations

import asyncio
import io
import json
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from gateway.commissioning.walk import walk
from gateway.config.models import IdentityStyle, Reader
from gateway.identity import Identities
from readers.driver import Report
from readers.errors import LinkError
from readers.observations import Condition
from simulator.device import Sighting
from simulator.rfid.m100 import serve
from simulator.server import DeviceServer
from tests.support.broker import free_port
from tests.support.card_readers import CANARY, card_reads, install, leaks


class OneTag:
    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        return [Sighting(start_us, antenna_port, b"\x30\x75", -55.0)] if until_us > start_us else []


@contextmanager
def served() -> Iterator[int]:
    """A simulated reader in a thread of its own: a walk test keeps the main thread for itself."""
    ready, ports = threading.Event(), []

    async def go(stop: asyncio.Event) -> None:
        async with DeviceServer(lambda port: serve(port, OneTag())) as server:
            ports.append(server.port)
            ready.set()
            await stop.wait()

    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(go(stop)))
    thread.start()
    assert ready.wait(10)
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def gate(port: int) -> Reader:
    return Reader(name="gate", driver="m100", port=f"tcp://127.0.0.1:{port}", read_points={1: "gate-in"})


def test_a_walk_of_a_second(tmp_path: Path) -> None:
    screen, report = io.StringIO(), tmp_path / "walk.json"
    with served() as port:
        assert walk(gate(port), 1.0, None, report, Console(file=screen))
    assert "gate-in" in screen.getvalue()
    kept = json.loads(report.read_text())
    assert kept["antennas"][0]["reads"] > 0
    assert kept["device"]["model"]
    assert kept["trouble"] is None


def test_a_reader_that_is_away_is_trouble_and_the_report_says_so(tmp_path: Path) -> None:
    screen, report = io.StringIO(), tmp_path / "walk.md"
    assert not walk(gate(free_port()), 1.0, None, report, Console(file=screen, width=300))
    assert "ended early: " in screen.getvalue()
    assert "**Ended early:** " in report.read_text()


def test_a_report_that_cannot_be_kept_ends_the_walk_before_it_begins(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="absent"):
        walk(gate(1), None, None, tmp_path / "absent" / "walk.md", Console(file=io.StringIO()))


@pytest.mark.parametrize("identities", [None, Identities(IdentityStyle.RAW)])
def test_a_walk_before_a_card_reader_keeps_numbers_as_the_site_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, identities: Identities | None
) -> None:
    async def act(report: Report) -> None:
        report(card_reads(CANARY))
        report(Condition("unknown_card", active=True, detail=f"card {CANARY} is damaged"))
        await asyncio.sleep(0.5)
        raise LinkError(f"nothing came after {CANARY}")

    install(monkeypatch, act)
    screen, report = io.StringIO(), tmp_path / "walk.json"
    with served() as port:
        door = Reader(name="door", driver="scripted_card", port=f"tcp://127.0.0.1:{port}")
        assert not walk(door, 5.0, None, report, Console(file=screen, width=300), identities=identities)
    said = screen.getvalue() + report.read_text()
    assert "nothing came after" in said
    assert json.loads(report.read_text())["antennas"][0]["tags"] == 1
    assert (leaks(said.encode()) == []) == (identities is None)


def test_a_fault_of_a_card_driver_is_told_without_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(report: Report) -> None:
        del report
        raise ValueError(f"no such card: {CANARY}")

    install(monkeypatch, act)
    with served() as port:
        door = Reader(name="door", driver="scripted_card", port=f"tcp://127.0.0.1:{port}")
        with pytest.raises(RuntimeError, match="driver scripted_card has a fault") as raised:
            walk(door, 5.0, None, None, Console(file=io.StringIO()))
    assert leaks("".join(traceback.format_exception(raised.value)).encode()) == []
