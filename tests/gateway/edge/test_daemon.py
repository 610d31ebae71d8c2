import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from gateway.config.load import load_site
from gateway.config.models import Mqtt
from gateway.contract.batches import decode, item_count
from gateway.contract.flow import RulesStatus
from gateway.contract.ledger import decode_edge_ledger
from gateway.edge.daemon import EX_CONFIG, EX_TEMPFAIL, Edge, run
from gateway.edge.intake import now_us
from gateway.mqtt import session
from readers.driver import Report
from readers.errors import ConfigError, FrameError
from readers.observations import Watching
from tests.support.broker import Broker, free_port
from tests.support.card_readers import CANARY, PIN, card_reads, install, leaks, logged

ENDS_WITHIN_S = 20.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as running:
        yield running


def site(directory: Path, broker_port: int, health_port: int, reader_port: int) -> Path:
    path = directory / "site.toml"
    path.write_text(
        f"""
[site]
name = "quay"
state_dir = "{directory}/state"
[mqtt]
port = {broker_port}
[health]
edge_port = {health_port}
[[reader]]
name = "gate"
driver = "m100"
port = "tcp://127.0.0.1:{reader_port}"
"""
    )
    return path


def start(config: Path) -> subprocess.Popen[str]:
    environment = {
        k: v for k, v in os.environ.items() if k not in ("STATE_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_USEC")
    }
    command = [sys.executable, "-m", "gateway.edge", "--config", str(config)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def fetch(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ENDS_WITHIN_S
    while not what():
        assert time.monotonic() < deadline, "it did not come in time"
        time.sleep(0.05)


def end(daemon: subprocess.Popen[str]) -> str:
    daemon.send_signal(signal.SIGTERM)
    output, _ = daemon.communicate(timeout=ENDS_WITHIN_S)
    assert daemon.returncode == 0, output
    return output


def test_a_life_of_the_daemon(broker: Broker, tmp_path: Path) -> None:
    port = free_port()
    config = site(tmp_path, broker.port, port, free_port())
    daemon = start(config)
    try:
        wait_for(lambda: "tagwharf_broker_up 1.0" in fetch(port, "/metrics")[1])
        assert fetch(port, "/healthz")[0] == 200
        assert fetch(port, "/readyz")[0] == 200
        assert 'tagwharf_device_up{device="gate",driver="m100"} 0.0' in fetch(port, "/metrics")[1]

        second = start(config)
        output, _ = second.communicate(timeout=ENDS_WITHIN_S)
        assert second.returncode == EX_TEMPFAIL
        assert f"process id {daemon.pid}" in output
    finally:
        output = end(daemon)
    events = [json.loads(line)["event"] for line in output.splitlines()]
    assert {"edge_started", "broker_connected", "device_status_changed", "edge_stopped"} <= set(events)
    ledger = decode_edge_ledger((tmp_path / "state" / "ledger.json").read_bytes())
    assert ledger.tag_reads.balanced
    assert ledger.next_sequence > 2


def test_without_a_broker_it_is_ready_and_degraded(tmp_path: Path) -> None:
    port = free_port()
    daemon = start(site(tmp_path, free_port(), port, free_port()))
    try:
        wait_for(lambda: '"broker"' in fetch(port, "/readyz")[1])
        status, body = fetch(port, "/readyz")
        assert status == 200
        assert "refused" in json.loads(body)["degraded"]["broker"] or "not connected" in body
    finally:
        end(daemon)


def test_a_wrong_site_file_is_refused_line_by_line(tmp_path: Path) -> None:
    config = site(tmp_path, 1883, 0, 1)
    config.write_text(config.read_text().replace("m100", "m1oo") + "\n[mqttt]\n")
    daemon = start(config)
    output, _ = daemon.communicate(timeout=ENDS_WITHIN_S)
    assert daemon.returncode == EX_CONFIG
    lines = [json.loads(line) for line in output.splitlines()]
    assert all(line["event"] == "site_file_refused" for line in lines)
    assert "m1oo" in output


def test_a_missing_credential_is_refused(tmp_path: Path) -> None:
    config = site(tmp_path, 1883, 0, 1)
    config.write_text(config.read_text().replace("[mqtt]", '[mqtt]\nuser = "edge"'))
    daemon = start(config)
    output, _ = daemon.communicate(timeout=ENDS_WITHIN_S)
    assert daemon.returncode == EX_CONFIG, output
    assert "mqtt-password" in output


def test_a_state_directory_that_cannot_be_made(tmp_path: Path) -> None:
    config = site(tmp_path, 1883, 0, 1)
    (tmp_path / "state").write_text("a file")
    daemon = start(config)
    output, _ = daemon.communicate(timeout=ENDS_WITHIN_S)
    assert daemon.returncode == EX_CONFIG, output
    assert "site.state_dir" in output


def card_site(directory: Path, broker_port: int, reader_port: int) -> Path:
    path = site(directory, broker_port, 0, reader_port)
    path.write_text(path.read_text().replace("m100", "scripted_card"))
    return path


def test_card_readers_without_a_key_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def silence(report: Report) -> None:
        del report

    install(monkeypatch, silence)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(ConfigError, match="LoadCredential=card-key"):
        asyncio.run(run(card_site(tmp_path, 1883, 1)))
    assert not (tmp_path / "state/journal").exists()


def test_no_card_number_leaves_the_edge(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[int] = []

    async def act(report: Report) -> None:
        report(Watching(frozenset({1})))
        report(card_reads(CANARY, "wiegand~last24:F0AD9B", at_us=now_us(), keys=PIN))
        rounds.append(1)
        if len(rounds) == 1:
            raise FrameError("parity", "of '04CA7A12F0AD9B'", bytes.fromhex("04CA7A12F0AD9B"))
        await asyncio.get_running_loop().create_future()

    install(monkeypatch, act)
    (tmp_path / "card-key").write_text("0123456789abcdef")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setattr("gateway.edge.supervisor.BACKOFF_FIRST_S", 0.02)
    heard: dict[str, list[bytes]] = {}

    async def listen() -> None:
        async with session(Mqtt(port=broker.port), client_id="listener", topics=("tagwharf/1/quay/#",)) as link:
            while sum(item_count(decode(payload)) for payload in heard.get("gate/cards", [])) < 4:
                message = await link.receive()
                heard.setdefault(message.topic.removeprefix("tagwharf/1/quay/"), []).append(message.payload)

    async def main() -> None:
        stop = asyncio.Event()
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        config = card_site(tmp_path, broker.port, server.sockets[0].getsockname()[1])
        rules = RulesStatus(session="test", online=True)
        async with session(Mqtt(port=broker.port), client_id="judge") as judge:
            await judge.send("tagwharf/1/quay/rules/status", msgspec.json.encode(rules), retain=True)
            running = asyncio.create_task(Edge(load_site(config), tmp_path / "state").run(stop))
            async with asyncio.timeout(ENDS_WITHIN_S):
                await listen()
            stop.set()
            await running
        server.close()

    with logged("edge") as said:
        asyncio.run(main())
    assert "frame_rejected" in said.getvalue()
    assert leaks(said.getvalue().encode()) == []
    assert b"nfca#" in heard["gate/cards"][0]
    assert leaks(b"".join(payload for payloads in heard.values() for payload in payloads)) == []
    kept = [path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert any(b"wiegand~last24#" in content for content in kept)
    assert leaks(b"".join(kept)) == []
