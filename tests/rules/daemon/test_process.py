from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gateway.contract.batches import CardBatch, CardRead, ReadBatch, Signal, SignalBatch
from gateway.contract.events import decode_alarm
from gateway.contract.flow import decode_rules_status
from gateway.contract.ledger import Account, EdgeLedger, decode_rules_ledger
from gateway.event_history import EventHistory
from gateway.mqtt import session
from readers.tagdata.cards import CardIdentity
from rules.daemon.process import EX_CONFIG, EX_SOFTWARE
from tests.rules.edge import TOPICS, Edge, listening, until
from tests.rules.rules_daemon import TAGS, Daemon, epc, traffic
from tests.rules.things.registries import IDENTITIES, KEY
from tests.support.broker import Broker, running_broker
from tests.support.card_readers import CANARY, leaks
from tests.support.http_store import HttpStore, served


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


PLATFORM = """
[rules]
platform_every_s = 0.3
[[sink]]
kind = "journal"
name = "events"
[[sink]]
kind = "influxdb"
name = "main"
url = "{url}"
bucket = "port"
org = "port"
[[rule]]
name = "at-the-gate"
shape = "match"
on = "read"
when = "e.read_point == 'gate-1-out'"
"""


def test_the_daemon_tells_the_store_how_the_platform_does(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "influx-main").write_text("s3cret")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    batches = traffic(10)
    heard = sum(len(batch.reads) for batch in batches if isinstance(batch, ReadBatch))
    account = Account(heard=heard + 3, journalled=heard, judged=heard, dropped={"journal_full": 3})
    of_edge = EdgeLedger(
        gateway="edge-1", epoch=1, at_us=1, next_sequence=2, watermark=1, tag_reads=account, readings=Account(),
        signals=Account(),
    )  # fmt: skip

    async def drive(daemon: Daemon, store: HttpStore) -> None:
        async with session(broker.settings, client_id="test-edge-ledger") as edge:
            await edge.publish(TOPICS.ledger("edge-1"), msgspec.json.encode(of_edge), retain=True)
            daemon.start()
            await until(lambda: daemon.get("/readyz")[0] == 200)
            await asyncio.wait_for(Edge(broker.settings, batches).run(), 20)
            wanted = {"ledger", "dropped", "sink", "latency", "rule_time"}
            await until(lambda: wanted <= {key[0] for key in list(store.rows)})
            await asyncio.to_thread(time.sleep, 0.8)
            assert await asyncio.to_thread(daemon.end, signal.SIGTERM) == 0

    with served(HttpStore()) as store, Daemon(tmp_path, broker.port, PLATFORM.format(url=store.url)) as daemon:
        asyncio.run(drive(daemon, store))
        rows = store.all_rows()
    (told,) = {tuple(row.fields.items()) for row in rows if row.measurement == "ledger"}
    assert dict(told)["balanced"] is True
    assert {(row.tags["reason"], row.fields["items"]) for row in rows if row.measurement == "dropped"} == {
        ("journal_full", 3)
    }
    of_rule = [row.fields for row in rows if row.measurement == "rule_time" and row.tags["rule"] == "at-the-gate"]
    assert sum(int(fields["events"]) for fields in of_rule) == heard
    assert sum(float(fields["busy_ms"]) for fields in of_rule) > 0
    assert {row.tags["sink"] for row in rows if row.measurement == "sink"} == {"events", "main"}
    assert sum(int(row.fields["batches"]) for row in rows if row.measurement == "latency") > 0
    points = decode_rules_ledger((daemon.state / "ledger-rules.json").read_bytes()).points
    assert points["main"].made > points["events"].made  # the journal has no tables for these, and counts none
    assert (points["main"].refused, points["events"].refused) == (0, 0)


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


def presented(sequence: int, *cards: str) -> CardBatch:
    now_us = time.time_ns() // 1_000
    rows = [CardRead(card, "nfca", "door-1", 1, now_us) for card in cards]
    head = {"gateway": "edge-1", "epoch": 1, "sequence": sequence, "ordinal": sequence - 1, "device": "door"}
    return CardBatch(**head, received_at_us=now_us, cards=rows)  # type: ignore[arg-type]  # mixed values


def replace(path: Path, text: str) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.replace(path)


def test_cards_are_named_by_a_list_that_may_change_and_their_numbers_stay_away(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "card-key").write_bytes(KEY)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    card = IDENTITIES.name(CardIdentity.from_text(CANARY))
    listed = tmp_path / "assets.csv"

    async def drive(daemon: Daemon) -> None:
        async with listening(broker.settings, f"{TOPICS.root}/events/+", f"{TOPICS.root}/alarms/+") as heard:

            def alarms() -> list[str]:
                return [decode_alarm(payload).state for payloads in heard.values() for payload, _ in payloads
                        if payload.startswith(b"{") and b"registry_refused" in payload]  # fmt: skip

            replace(listed, f"card,name,kind\n{CANARY},Kim,person\n")
            daemon.start()
            await until(lambda: daemon.get("/readyz")[0] == 200)
            await asyncio.wait_for(Edge(broker.settings, [presented(1, card)]).run(), 20)
            replace(listed, f"card,name,kind\n{CANARY},Kim,person\n{CANARY},Jo,person\n")
            await until(lambda: alarms() == ["raised"])
            replace(listed, f"card,name,kind\n{CANARY},Kim Lee,person\n")
            await until(lambda: alarms() == ["raised", "cleared"])
            await asyncio.wait_for(Edge(broker.settings, [presented(1, card), presented(2, card)]).run(), 20)
            await until(lambda: len(heard.get("events/card_presented", [])) == 2)
            assert await asyncio.to_thread(daemon.end, signal.SIGTERM) == 0
            assert leaks(b"".join(payload for payloads in heard.values() for payload, _ in payloads)) == []

    with Daemon(tmp_path, broker.port) as daemon:
        asyncio.run(drive(daemon))
    events = EventHistory(daemon.state / "events").where(card)
    assert [(event.name, event.fields["result"]) for event in events] == [("Kim", "known"), ("Kim Lee", "known")]
    assert len({event.fields["registry"] for event in events}) == 2
    assert "registry_loaded" in daemon.log
    assert leaks(daemon.log.encode()) == []
    kept = [path.read_bytes() for path in daemon.state.rglob("*") if path.is_file()]
    assert leaks(b"".join(kept)) == []
    assert list(daemon.state.glob("things-*")) == []
    assert decode_rules_ledger((daemon.state / "ledger-rules.json").read_bytes()).judged == {"edge-1": {"cards": 2}}


def test_a_list_with_card_numbers_needs_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    daemon = Daemon(tmp_path, 1)
    (tmp_path / "assets.csv").write_text(f"card,name\n{CANARY},Kim\n")
    status, said = refused(daemon.config)
    assert status == EX_CONFIG
    assert "LoadCredential=card-key" in said
    assert leaks(said.encode()) == []


TABLE = """
[[table]]
name = "slots"
file = "slots.csv"
key = "truck"
columns = { bay = "int" }
[[rule]]
name = "told"
shape = "match"
on = "signal"
when = "e.slot_found"
emit = "told"
lookup = { slot = { table = "slots", key = "value" } }
"""


def shown(sequence: int) -> SignalBatch:
    head = {"gateway": "edge-1", "epoch": 1, "sequence": sequence, "ordinal": sequence - 1, "device": "camera"}
    signals = [Signal("plate", "HH-AB 1")]
    return SignalBatch(**head, received_at_us=time.time_ns() // 1_000, signals=signals)  # type: ignore[arg-type]  # mixed values


def test_a_look_up_table_may_change_and_events_tell_its_version(tmp_path: Path, broker: Broker) -> None:
    listed = tmp_path / "slots.csv"
    texts = ["truck,bay\nHH-AB 1,3\n", "truck,bay\nHH-AB 1,4\n"]

    async def drive(daemon: Daemon) -> None:
        async with listening(broker.settings, f"{TOPICS.root}/events/+", f"{TOPICS.root}/alarms/+") as heard:

            def alarms() -> list[str]:
                return [decode_alarm(payload).state for payloads in heard.values() for payload, _ in payloads
                        if payload.startswith(b"{") and b"table_refused" in payload]  # fmt: skip

            replace(listed, texts[0])
            daemon.start()
            await until(lambda: daemon.get("/readyz")[0] == 200)
            await asyncio.wait_for(Edge(broker.settings, [shown(1)]).run(), 20)
            replace(listed, "truck,bay\nHH-AB 1,x\n")
            await until(lambda: alarms() == ["raised"])
            replace(listed, texts[1])
            await until(lambda: alarms() == ["raised", "cleared"])
            await asyncio.wait_for(Edge(broker.settings, [shown(1), shown(2)]).run(), 20)
            await until(lambda: len(heard.get("events/told", [])) == 2)
            assert await asyncio.to_thread(daemon.end, signal.SIGTERM) == 0

    with Daemon(tmp_path, broker.port, TABLE) as daemon:
        asyncio.run(drive(daemon))
    events = sorted(EventHistory(daemon.state / "events").recent_events(types=["told"]), key=lambda event: event.at_us)
    assert [(event.fields["slot_bay"], event.fields["slot_version"]) for event in events] == [
        (bay, hashlib.blake2b(text.encode(), digest_size=6).hexdigest())
        for bay, text in zip((3, 4), texts, strict=True)
    ]
    assert "table_loaded" in daemon.log
    assert list(daemon.state.glob("table.*")) == []


def test_a_wrong_look_up_table_is_refused_with_exit_78(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, 1, TABLE)
    (tmp_path / "slots.csv").write_text("truck,bay\nHH-AB 1,x\n")
    status, said = refused(daemon.config)
    assert status == EX_CONFIG
    assert "table[slots].file" in said
    assert "line 2: bay = 'x': must be a whole number of 64 bits" in said
