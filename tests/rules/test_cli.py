from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.contract.batches import ReadBatch
from gateway.contract.flow import decode_rules_status
from gateway.contract.ledger import decode_rules_ledger
from gateway.event_history import EventHistory
from rules.cli import EX_CONFIG, EX_SOFTWARE
from tests.rules.daemon import TAGS, Daemon, epc, traffic
from tests.rules.edge import TOPICS, Edge, listening, until
from tests.support.broker import Broker, running_broker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path / "broker") as running:
        yield running


def test_the_daemon_judges_stores_tells_its_health_and_ends_well(tmp_path: Path, broker: Broker) -> None:
    batches = traffic(20)

    async def drive(daemon: Daemon) -> None:
        async with listening(broker.settings, TOPICS.rules_status()) as heard:
            daemon.start()
            await until(lambda: daemon.get("/readyz")[0] == 200)
            await asyncio.wait_for(Edge(broker.settings, batches).run(), 20)
            status, metrics = await asyncio.to_thread(daemon.get, "/metrics")
            assert status == 200
            assert f'tagwharf_watermark{{gateway="edge-1"}} {float(len(batches))}' in metrics
            assert 'tagwharf_points{sink="events",state="made"}' in metrics
            assert 'tagwharf_store_latency_seconds_bucket{le="+Inf"}' in metrics
            assert daemon.get("/healthz") == (200, '{"alive": true, "stalled": []}\n')
            assert await asyncio.to_thread(daemon.end, signal.SIGTERM) == 0
            await until(lambda: not decode_rules_status(heard["rules/status"][-1][0]).online)

    with Daemon(tmp_path, broker.port) as daemon:
        asyncio.run(drive(daemon))
    ledger = decode_rules_ledger((daemon.state / "ledger-rules.json").read_bytes())
    heard = sum(len(batch.reads) for batch in batches if isinstance(batch, ReadBatch))
    assert ledger.judged == {"edge-1": {"reads": heard}}
    account = ledger.points["events"]
    assert account.balanced
    assert (account.refused, account.queued) == (0, 0)
    arrived = EventHistory(daemon.state / "events").recent_events(types=["arrived"])
    assert sorted(event.subject for event in arrived) == sorted(epc(n) for n in range(TAGS))
    assert [event.subject for event in EventHistory(daemon.state / "events").where("CSQU3054383")] == [epc(0)]


def refused(config: Path) -> tuple[int, str]:
    """Exit status and the last line of a daemon that cannot start."""
    ended = subprocess.run(
        [sys.executable, "-m", "rules", "run", "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        env={k: v for k, v in os.environ.items() if k != "STATE_DIRECTORY"},
    )
    return ended.returncode, ended.stdout


def test_a_wrong_site_file_is_refused_with_exit_78(tmp_path: Path) -> None:
    config = tmp_path / "site.toml"
    config.write_text('[site]\nname = "Port!"\n')
    status, said = refused(config)
    assert status == EX_CONFIG
    assert "site.name" in said


def test_a_wrong_assets_file_is_refused_with_exit_78(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, 1)
    (tmp_path / "assets.csv").write_text("epc,name\nXYZ,a\n")
    status, said = refused(daemon.config)
    assert status == EX_CONFIG
    assert "line 2" in said


def test_a_taken_health_port_ends_the_daemon(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, 1)
    with socket.create_server(("127.0.0.1", daemon.health)):
        status, said = refused(daemon.config)
    assert status == EX_SOFTWARE
    assert "address already in use" in said


def test_a_database_of_a_newer_version_ends_the_daemon(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, 1)
    daemon.state.mkdir()
    with contextlib.closing(sqlite3.connect(daemon.state / "rules.db")) as connection:
        connection.execute("PRAGMA user_version = 9")
    status, said = refused(daemon.config)
    assert status == EX_CONFIG
    assert "run the newer program" in json.loads(said.splitlines()[-1])["fault"]


def lives_once(daemon: Daemon) -> dict[str, int]:
    """The events that the ledger counts after one life that heard nothing."""

    async def live() -> None:
        daemon.start()
        await until(lambda: daemon.get("/readyz")[0] == 200)
        assert await asyncio.to_thread(daemon.end, signal.SIGTERM) == 0

    asyncio.run(live())
    return decode_rules_ledger((daemon.state / "ledger-rules.json").read_bytes()).events


def test_what_was_lost_with_the_database_is_told_as_an_event(tmp_path: Path, broker: Broker) -> None:
    with Daemon(tmp_path, broker.port) as daemon:
        assert lives_once(daemon) == {}
        with contextlib.closing(sqlite3.connect(daemon.state / "rules.db")) as connection, connection:
            connection.execute("INSERT INTO state VALUES ('zone/edge-1/3034', x'c1')")
        assert lives_once(daemon) == {"state_lost": 1}
        assert lives_once(daemon) == {"state_lost": 1}  # told once, and then the entry is gone
        (daemon.state / "rules.db").write_bytes(b"no database" * 1_000)
        for suffix in ("-wal", "-shm"):
            (daemon.state / f"rules.db{suffix}").unlink(missing_ok=True)
        assert lives_once(daemon) == {"state_lost": 1}
    (first, second) = EventHistory(daemon.state / "events").recent_events(types=["state_lost"])
    assert first.fields == {"reason": "the database was damaged and is kept as rules.db.damaged-1"}
    assert second.fields == {"reason": "1 entries of the state could not be read"}
