"""Documents for others, through kill -9 of the daemon between sending and knowing that it was taken."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.config.models import SiteFile
from gateway.contract.ledger import decode_rules_ledger
from gateway.event_history import EventHistory
from rules.daemon.process import EX_CONFIG, latency_sink
from tests.rules.edge import Edge, until
from tests.rules.rules_daemon import TAGS, Daemon, traffic
from tests.support.broker import Broker, running_broker
from tests.support.webhook_receiver import SECRET, Act, Receiver, Reply, received

SINKS = """
[[sink]]
kind = "journal"
name = "events"
[[sink]]
kind = "webhook"
name = "desk"
url = "{url}"
events = ["*"]
timeout_s = 30
[[sink]]
kind = "directory"
name = "exchange"
directory = "{directory}"
events = ["arrived"]
alarms = []
[[rule]]
name = "unlucky"
shape = "match"
on = "arrived"
when = 'e.subject.endsWith("3")'
alarm = {{ severity = "info", message = "number three is here" }}
"""
KILLS = 3


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path / "broker") as running:
        yield running


def test_killed_between_sending_and_settling_a_document_comes_twice_and_never_not(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "webhook-desk").write_text(SECRET)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    exchange = tmp_path / "exchange"
    exchange.mkdir()
    batches = traffic(20)
    hangs = [Reply(), Reply(), Reply(act=Act.HANG)] * KILLS  # taken, and then nobody is told

    async def drive(daemon: Daemon, receiver: Receiver) -> None:
        edge = asyncio.create_task(Edge(broker.settings, batches).run())
        for kill in range(KILLS):
            daemon.start()
            await until(lambda met=3 * (kill + 1): len(receiver.requests) == met, within_s=30)  # type: ignore[misc]  # a default binds the number
            await asyncio.to_thread(daemon.end, signal.SIGKILL)
        daemon.start()
        await asyncio.wait_for(edge, 60)
        await until(lambda: len(receiver.taken) >= TAGS, within_s=30)
        await asyncio.to_thread(daemon.end, signal.SIGTERM)

    with received(Receiver(hangs)) as receiver:
        sinks = SINKS.format(url=receiver.url, directory=exchange)
        with Daemon(tmp_path, broker.port, sinks) as daemon:
            asyncio.run(drive(daemon, receiver))

    events = EventHistory(daemon.state / "events").recent_events(1_000)
    alarms = [posted for posted in receiver.taken.values() if posted.json["type"].startswith("alarm.")]
    sent = {posted.json["data"]["id"] for posted in receiver.taken.values() if posted not in alarms}
    assert sent == {event.id for event in events}
    assert len([event for event in events if event.type == "arrived"]) == TAGS
    assert [posted.json["type"] for posted in alarms] == ["alarm.raised"]
    assert receiver.doubles >= KILLS
    assert all(posted.is_signed for posted in receiver.requests)
    again = [posted.json["data"]["id"] for posted in receiver.taken.values()]
    assert len(again) == len(receiver.taken)
    subjects = sorted(json.loads(path.read_bytes())["data"]["subject"] for path in exchange.iterdir())
    assert subjects == sorted(event.subject for event in events if event.type == "arrived")

    ledger = decode_rules_ledger((daemon.state / "ledger-rules.json").read_bytes())
    for name, made in (("desk", len(receiver.taken)), ("exchange", TAGS)):
        account = ledger.points[name]
        assert account.balanced
        assert (account.made, account.stored, account.refused, account.queued) == (made, made, 0, 0)


def test_a_webhook_without_its_key_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    sinks = SINKS.format(url="https://desk.example/in", directory=tmp_path)
    with Daemon(tmp_path, 1, sinks) as daemon:
        daemon.start()
        asyncio.run(until(lambda: not daemon.runs))
        assert daemon.end(signal.SIGTERM) == EX_CONFIG
    assert "credential 'webhook-desk': cannot read" in daemon.log


def test_what_ends_the_latency_is_a_store_and_no_message_to_others() -> None:
    journal = {"kind": "journal", "name": "events"}
    influx = {"kind": "influxdb", "name": "main", "url": "http://127.0.0.1:8086"}
    desk = {"kind": "webhook", "name": "desk", "url": "https://desk.example/in"}

    def chosen(*sinks: dict[str, str]) -> str | None:
        return latency_sink(SiteFile.model_validate({"site": {"name": "port"}, "sink": sinks}))

    assert chosen(desk, influx, journal) == "events"
    assert chosen(desk, influx) == "main"
    assert chosen(desk) is None
