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

import pytest

from gateway.contract.ledger import decode_edge_ledger
from gateway.edge.daemon import EX_CONFIG, EX_TEMPFAIL
from tests.support.broker import Broker, free_port

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
