"""Known secrets in all credentials of a plant at work: they stand in its credentials, and in no other byte of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gateway.console.access.passwords import make_hash
from simulator.scenario_file import site_template
from tests.faults.test_store_away import sinks
from tests.gateway.console.access.served import Visitor
from tests.support import plant
from tests.support.influx_v2_face import influx_v2_face
from tests.support.seeds import chosen_seed
from tests.support.servers import Server, free_port, influxd, mosquitto
from tests.support.store_ladder import BUCKET, ORG
from tests.support.watch import wait_until

STEM: Final = "cAnArY"
SECRETS: Final = {
    "mqtt-password": f"{STEM}-mqtt-5e1f0a97",
    "influx-main": f"{STEM}-influx-90bd3c44",
    "reader-password": f"{STEM}-reader-7c2e11f8",
    "control-anna": f"{STEM}-control-0123456789abcdef0123456789abcdef",
    "card-key": f"{STEM}-card-13579bdf02468ace13579bdf02468ace",
}
PASSWORD: Final = f"{STEM}-console-44aa"
WITHIN_S: Final = 60.0
PAGES: Final = (
    "/", "/gate", "/alarms", "/devices", "/rules", "/control", "/audit", "/ledger", "/api/me", "/api/devices/known",
    "/api/site", "/api/shell", "/api/none", "/static/shell.js",
)  # fmt: skip


def tables(store_url: str, broker_port: int, console_port: int) -> str:
    return f"""{sinks(store_url)}
[[reader]]
name = "door"
driver = "ascii_line"
port = "socket://127.0.0.1:1"
settings = {{ format = "rdm6300" }}

[[reader]]
name = "cloud"
driver = "impinj_iot"
port = "mqtt://127.0.0.1:{broker_port}/iot"
login = {{ user = "reader" }}

[[control.person]]
name = "anna"
key_credential = "control-anna"
roles = ["operator"]

[console]
port = {console_port}

[[console.user]]
name = "eve"
role = "engineer"
person = "anna"
password_credential = "console-eve"
"""


def handed_over(directory: Path) -> Path:
    directory.mkdir()
    for name, secret in SECRETS.items():
        (directory / name).write_text(f"{secret}\n")
    (directory / "console-eve").write_text(make_hash(PASSWORD))
    return directory


def passwords(directory: Path) -> Path:
    path = directory / "passwords"
    made = f"gate:{SECRETS['mqtt-password']}\nreader:{SECRETS['reader-password']}\n"
    path.write_text(made)
    subprocess.run(["mosquitto_passwd", "-U", str(path)], check=True, capture_output=True)
    path.chmod(0o644)
    return path


def leaks(data: bytes, *more: bytes) -> list[bytes]:
    """The secrets in some bytes, as they are and as other forms of text have them."""
    known = [STEM.encode(), STEM.encode().hex().encode(), STEM.encode("utf-16-le"), *more]
    return [each for each in known if each in data]


@contextmanager
def all_messages(broker: Server) -> Iterator[list[bytes]]:
    heard: list[bytes] = []

    def take(_client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        heard.append(message.topic.encode() + b" " + message.payload)

    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="listener")
    client.on_connect = lambda client, *_: client.subscribe([("#", 1), ("$SYS/#", 1)])
    client.on_message = take
    client.connect(broker.host, broker.port)
    client.loop_start()
    try:
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


def page(port: int, path: str) -> bytes:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return bytes(error.read())


def answers(port: int) -> bool:
    try:
        return bool(page(port, "/"))
    except OSError:
        return False


def processes(pids: list[int]) -> bytes:
    return b"\n".join(Path(f"/proc/{pid}/{name}").read_bytes() for pid in pids for name in ("cmdline", "environ"))


def test_no_secret_leaves_its_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_user = site_template("port_gate").replace("[mqtt]\n", '[mqtt]\nuser = "gate"\n')
    assert 'user = "gate"' in with_user
    monkeypatch.setattr(plant, "site_template", lambda _: with_user)
    credentials = handed_over(tmp_path / "credentials")
    the_hash = (credentials / "console-eve").read_bytes().strip()
    environment = {"CREDENTIALS_DIRECTORY": str(credentials)}
    edge_port, rules_port, console_port = free_port(), free_port(), free_port()
    (tmp_path / "auth").mkdir()
    with (
        mosquitto(tmp_path / "broker", extra=f"password_file {passwords(tmp_path / 'auth')}") as broker,
        all_messages(broker) as messages,
        influxd(tmp_path / "influx") as influx,
        influx_v2_face(influx, token=SECRETS["influx-main"], org=ORG, buckets={BUCKET}) as store,
    ):
        influx.create_database(BUCKET)
        with plant.scene(
            tmp_path,
            broker,
            chosen_seed(),
            sinks=tables(store.url, broker.port, console_port),
            edge_port=edge_port,
            rules_port=rules_port,
            environment=environment,
        ) as site:
            log = tmp_path / "plant" / "console.log"
            command = [sys.executable, "-m", "gateway.console", "--config", str(site.plant.site_file)]
            with log.open("wb") as out:
                console = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **environment})
            try:
                site.wait_online(["counter"])
                site.begin(4.0)
                wait_until(partial(answers, console_port), WITHIN_S, log.read_text)
                visitor = Visitor(console_port).come()
                assert visitor.log_in("eve", f"{PASSWORD}-wrong").status == 401
                assert visitor.log_in("eve", PASSWORD).status == 200
                shown = b"".join(visitor.ask("GET", path).raw for path in PAGES)
                shown += b"".join(page(console_port, path) for path in PAGES)
                for port in (edge_port, rules_port):
                    shown += b"".join(page(port, path) for path in ("/metrics", "/healthz", "/readyz", "/x"))
                assert b"tagwharf_" in shown
                wait_until(lambda: bool(influx.query(BUCKET, "SHOW MEASUREMENTS")), WITHIN_S, "nothing is stored")
                # The store goes, and comes back: what is told of failures has no secret either.
                influx.pause()
                time.sleep(4.0)
                influx.resume()
                broker.restart()
                site.wait_online(["counter"])
                assert site.edge.child is not None
                assert site.rules.child is not None
                told = processes([site.edge.child.pid, site.rules.child.pid, console.pid])
                assert b"gateway.edge" in told
            finally:
                console.terminate()
                console.wait(20)
            assert leaks(told, the_hash) == []
            assert leaks(shown, the_hash) == []
        assert messages
        for message in messages:
            assert leaks(message, the_hash) == [], message[:200]
        looked_at = 0
        for path in sorted(tmp_path.rglob("*")):
            if not path.is_file() or credentials in path.parents or path.name == "passwords":
                continue
            looked_at += 1
            assert leaks(path.read_bytes(), the_hash) == [], path
        assert looked_at > 8, "logs, journals, states and the store"
    assert leaks((credentials / "influx-main").read_bytes()), "the search can find"
