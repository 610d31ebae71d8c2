"""A whole plant in which everybody proves himself, under the generated access list: it works, and goes on through the
renewal of every certificate, with nothing lost; a certificate that ends soon is an alarm until it is renewed.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gateway.broker_acl import access_list
from gateway.config.load import load_site
from gateway.config.models import Mqtt, Tls
from gateway.contract.events import Alarm, decode_alarm
from gateway.mqtt import session
from simulator.llrp.identities import IDENTITIES
from simulator.llrp.reader import SimulatedReader
from simulator.server import DeviceServer, server_tls
from tests.support.field import CountingRadio
from tests.support.pki import DAY, HERE, Authority, now
from tests.support.plant import SITE, Plant
from tests.support.secure_broker import SecureBroker, secure_mosquitto
from tests.support.servers import Server, ServerError, program
from tests.support.watch import Watch, wait_until

WITHIN_S: Final = 60.0
RENEWED_WITHIN_S: Final = 40.0
READS_PER_S: Final = 100.0
IDENTITY: Final = IDENTITIES["impinj"]
SITE_FILE: Final = """
[site]
name = "{site}"
gateway = "edge-1"
state_dir = "${{STATE_DIR}}"

[mqtt]
host = "127.0.0.1"
port = {port}

[mqtt.tls]
ca_file = "{folder}/ca.pem"
certificate_file = "mqtt.pem"
key_file = "mqtt.key"

[health]
edge_port = 0
rules_port = 0

[[reader]]
name = "counter"
driver = "llrp"
port = "tls://127.0.0.1:{reader_port}"
read_points = {{ 1 = "counter" }}
settings = {{ profile = "gate", antennas = [1], identity = "{identity}" }}

[reader.tls]
ca_file = "{folder}/ca.pem"
certificate_file = "{folder}/us.pem"
key_file = "{folder}/us.key"

[[sink]]
kind = "journal"
name = "events"
store_reads = true
"""


def installed() -> bool:
    try:
        program("mosquitto")
    except ServerError:
        return False
    return True


pytestmark = pytest.mark.skipif(not installed(), reason="mosquitto is not installed")


@contextmanager
def reader(authority: Authority, radio: CountingRadio) -> Iterator[int]:
    """An LLRP reader that asks for certificates, in a thread of its own."""
    folder = authority.directory
    context = server_tls(authority.issue("reader", HERE), folder / "reader.key", authority.file)
    twin = SimulatedReader(IDENTITY, radio)
    loop, ready, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    server = DeviceServer(twin.serve, tls=context)

    async def main() -> None:
        async with server:
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
    thread.start()
    try:
        assert ready.wait(WITHIN_S)
        yield server.port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(WITHIN_S)
        loop.close()
    assert not server.failures


class Alarms:
    """All states of all alarms, as somebody hears them whom no list binds."""

    def __init__(self, port: int) -> None:
        self.heard: list[Alarm] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe(f"tagwharf/1/{SITE}/alarms/+", qos=1)
        self._client.on_message = lambda _client, _data, message: self._take(bytes(message.payload))
        self._client.connect(HERE, port)
        self._client.loop_start()

    def _take(self, payload: bytes) -> None:
        if payload:
            self.heard.append(decode_alarm(payload))

    def states(self, subject: str) -> list[tuple[str, str]]:
        told = [(each.state, each.severity) for each in self.heard if each.subject == subject]
        return [each for at, each in enumerate(told) if each not in told[:at]]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Listener(Server):
    """The open port of a broker, for bystanders."""

    def __init__(self, broker: SecureBroker) -> None:
        super().__init__(broker.directory, "mosquitto", lambda _: [])
        self.port = broker.open_port


def hand_over(authority: Authority, directory: Path, user: str, *, days: int = 90) -> None:
    """Put a new certificate where the daemon of this user finds its credentials."""
    directory.mkdir(exist_ok=True)
    authority.issue(user, begins=now() - 90 * DAY, ends=now() + days * DAY)
    for suffix in ("pem", "key"):  # the pair is wrong for a moment, as it is when somebody copies two files
        beside = directory / f"mqtt.{suffix}.new"
        beside.write_bytes((authority.directory / f"{user}.{suffix}").read_bytes())
        beside.replace(directory / f"mqtt.{suffix}")
        time.sleep(0.2)


def connections(broker: SecureBroker, user: str) -> int:
    """How often a daemon of that user has connected, without its trials."""
    lines = (broker.directory / "log").read_text(errors="replace").splitlines()
    return sum("New client connected" in line and f"u'{user}'" in line and "-trial" not in line for line in lines)


def test_all_is_stored_once_though_every_certificate_is_renewed_on_the_way(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki", "ca")
    radio = CountingRadio(READS_PER_S)
    authority.issue("us")
    credentials = {user: tmp_path / user for user in ("edge-1", "rules")}
    hand_over(authority, credentials["edge-1"], "edge-1", days=5)
    hand_over(authority, credentials["rules"], "rules")
    values = {"site": SITE, "folder": authority.directory, "identity": IDENTITY.reader_id.hex()}
    access = tmp_path / "for-the-list.toml"
    access.write_text(
        SITE_FILE.format(port=1, reader_port=1, **values).replace('"mqtt.', f'"{authority.directory}/us.')
    )
    with (
        reader(authority, radio) as reader_port,
        secure_mosquitto(
            tmp_path / "broker", authority, access=access_list([load_site(access)]), extra="log_type debug"
        ) as broker,
    ):
        asyncio.run(say_what_is_forbidden(broker, authority))
        text = SITE_FILE.format(port=broker.port, reader_port=reader_port, **values)
        plant = Plant(tmp_path / "plant", broker, text, {})
        plant.edge.environment = {"CREDENTIALS_DIRECTORY": str(credentials["edge-1"])}
        plant.rules.environment = {"CREDENTIALS_DIRECTORY": str(credentials["rules"])}
        alarms = Alarms(broker.open_port)
        try:
            with Watch(Listener(broker), SITE) as watch, plant:
                run(plant, watch, alarms, radio, authority, credentials, broker)
        finally:
            alarms.close()


async def say_what_is_forbidden(broker: SecureBroker, authority: Authority) -> None:
    """So that it is known how the broker tells of it."""
    folder = authority.directory
    tls = Tls(ca_file=authority.file, certificate_file=folder / "us.pem", key_file=folder / "us.key")
    async with session(Mqtt(host=HERE, port=broker.port, tls=tls), client_id="stranger") as link:
        await link.publish(f"tagwharf/1/{SITE}/ack/edge-1", b"{}")


def run(
    plant: Plant,
    watch: Watch,
    alarms: Alarms,
    radio: CountingRadio,
    authority: Authority,
    credentials: dict[str, Path],
    broker: SecureBroker,
) -> None:
    def said() -> str:
        return plant.edge.log() + plant.rules.log() + broker.log

    wait_until(lambda: watch.states().get("counter") == "online", WITHIN_S, said)
    started_us = time.time_ns() // 1_000
    radio.begin(started_us, started_us + 3_600_000_000)
    subject = "edge-1/mqtt.certificate_file"
    wait_until(lambda: alarms.states(subject) == [("raised", "critical")], WITHIN_S, said)
    before = {user: connections(broker, user) for user in credentials}
    for user, directory in credentials.items():
        hand_over(authority, directory, user)
    for user in credentials:
        wait_until(lambda user=user: connections(broker, user) > before[user], RENEWED_WITHIN_S, said)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    wait_until(lambda: ("cleared", "critical") in alarms.states(subject), WITHIN_S, said)
    after = len(plant.evidence.counted(radio))
    wait_until(lambda: len(plant.evidence.counted(radio)) > after + READS_PER_S, WITHIN_S, said)
    radio.until_us = time.time_ns() // 1_000
    time.sleep(1.0)  # what the reader still collects
    plant.stop()
    numbers = plant.evidence.counted(radio)
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    (reads, _), (stored, _) = plant.evidence.journalled(), plant.evidence.stored()
    assert reads
    assert reads == stored
    plant.assert_unhurt()
    assert not watch.faults
    others = {each.rule for each in alarms.heard} - {"certificate_expiring"}
    assert others == set(), msgspec.json.encode(alarms.heard)
    assert alarms.states(subject) == [("raised", "critical"), ("cleared", "critical")]
    for process in (plant.edge, plant.rules):
        assert "broker_lost" not in process.whole_log()
    denied = [line for line in (broker.directory / "log").read_text(errors="replace").splitlines() if "Denied" in line]
    assert denied
    assert all("stranger" in line for line in denied), denied
