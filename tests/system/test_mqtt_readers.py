"""Readers that publish at a real Mosquitto: events come through our port and driver, and a lost broker is noticed."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiomqtt
import pytest

from readers.codecs.iot_json import Event
from readers.codecs.iot_messages import encode_impinj, encode_zebra
from readers.errors import LinkError
from readers.observations import Observation, TagRead, TagReads, Watching
from readers.ports.mqtt import MqttPort
from readers.ports.open import Login, TlsSettings, open_port
from readers.registry import driver
from tests.support.certificates import authority
from tests.support.servers import Server, ServerError, mosquitto, program

WITHIN_S = 20.0
READ = TagRead(bytes.fromhex("300833B2DDD9014000000001"), 2, rssi_dbm=-50.0, last_seen_us=1_767_225_600_000_000)
EVENT = Event(READ.last_seen_us, read=READ)


def installed() -> bool:
    try:
        program("mosquitto")
    except ServerError:
        return False
    return True


pytestmark = pytest.mark.skipif(not installed(), reason="mosquitto is not installed")


async def heard_of(name: str, topic: str, payload: bytes, broker: Server) -> list[Observation]:
    spec = driver(name)
    port = await open_port(f"mqtt://127.0.0.1:{broker.port}/{topic}", spec)
    heard: list[Observation] = []
    running = asyncio.create_task(spec.make(spec.settings()).run(port, heard.append))
    try:
        async with aiomqtt.Client("127.0.0.1", broker.port) as reader:
            for number in range(100):
                await reader.publish(f"site/gate-1/{name}", payload, qos=number % 2)
            async with asyncio.timeout(WITHIN_S):
                while sum(len(o) for o in heard if isinstance(o, TagReads)) < 100:
                    await asyncio.sleep(0.01)
        await asyncio.to_thread(broker.restart)
        async with asyncio.timeout(WITHIN_S):
            with pytest.raises(LinkError, match="the connection to the broker is lost"):
                await running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await port.close()
    return heard


@pytest.mark.parametrize(
    ("name", "topic", "payload"),
    [
        ("impinj_iot", "site/gate-1/impinj_iot", encode_impinj(EVENT)),
        ("zebra_iotc", "site/+/#", b"[\n" + encode_zebra(EVENT) + b"\n]"),
    ],
)
def test_events_come_through_a_broker_until_it_is_lost(tmp_path: Path, name: str, topic: str, payload: bytes) -> None:
    with mosquitto(tmp_path) as broker:
        heard = asyncio.run(heard_of(name, topic, payload, broker))
    assert heard[0] == Watching(frozenset({2}))
    assert all(row == READ for o in heard if isinstance(o, TagReads) for row in o.rows())
    assert len([o for o in heard if not isinstance(o, TagReads)]) == 1


def test_a_port_connects_anew_to_a_broker_that_came_back_and_leaves_retained_messages_out(tmp_path: Path) -> None:
    async def scene(broker: Server) -> None:
        url = f"mqtt://127.0.0.1:{broker.port}/t"
        spec = driver("impinj_iot")
        await asyncio.to_thread(broker.kill)
        with pytest.raises(LinkError, match="check that the broker runs"):
            await open_port(url, spec)
        await asyncio.to_thread(broker.start)
        async with aiomqtt.Client("127.0.0.1", broker.port) as reader:
            await reader.publish("t", b"old", qos=1, retain=True)
            port = await open_port(url, spec)
            assert isinstance(port, MqttPort)
            await reader.publish("t", b"a\x1eb", qos=1)
            await reader.publish("t", b"new", qos=1)
            wanted, data = b"\x1e\x1aretained 1\n\x1e\x1acontrol_character 1\n\x1enew\n", b""
            async with asyncio.timeout(WITHIN_S):
                while len(data) < len(wanted):
                    data += await port.receive(1.0)
            assert data == wanted
            await port.close()
            with pytest.raises(LinkError):
                await port.receive(1.0)

    with mosquitto(tmp_path) as broker:
        asyncio.run(scene(broker))


PASSWORD = "right horse"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = {"broker": "IP:127.0.0.1,DNS:broker.test", "gateway": "DNS:gateway"}
    return authority(tmp_path_factory.mktemp("keys"), **names)


@contextmanager
def guarded(directory: Path, keys: Path) -> Iterator[Server]:
    """A broker that wants a certificate, a user and a password, and lets `gate` read below `gate/` only."""
    directory.mkdir()
    passwords, rights = directory / "passwords", directory / "rights"
    for user, new in (("gate", "-c"), ("reader", "")):
        options = ["-b", *([new] if new else []), str(passwords), user, PASSWORD]
        subprocess.run([program("mosquitto_passwd"), *options], check=True, capture_output=True)
    rights.write_text("user gate\ntopic read gate/#\nuser reader\ntopic write gate/#\n")
    rights.chmod(0o600)
    extra = [
        "allow_anonymous false",
        f"password_file {passwords}",
        f"acl_file {rights}",
        f"cafile {keys}/ca.pem",
        f"certfile {keys}/broker.pem",
        f"keyfile {keys}/broker.key",
        "require_certificate true",
    ]
    with mosquitto(directory, extra="\n".join(extra)) as broker:
        yield broker


def ours(keys: Path, **changed: str | None) -> TlsSettings:
    return TlsSettings(
        **{  # type: ignore[arg-type]  # by name
            "ca_file": keys / "ca.pem",
            "certificate_file": keys / "gateway.pem",
            "key_file": keys / "gateway.key",
            **changed,
        }
    )


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "reader-password").write_text(f"{PASSWORD}\n")
    return tmp_path


def test_events_come_through_a_broker_with_certificates_and_passwords(
    tmp_path: Path, keys: Path, credentials: Path
) -> None:
    assert credentials.is_dir()

    async def scene(broker: Server, tls: TlsSettings) -> None:
        spec = driver("zebra_iotc")
        url = f"mqtts://127.0.0.1:{broker.port}/gate/+"
        port = await open_port(url, spec, tls=tls, login=Login("gate"))
        heard: list[Observation] = []
        running = asyncio.create_task(spec.make(spec.settings()).run(port, heard.append))
        context = ssl.create_default_context(cafile=keys / "ca.pem")
        context.load_cert_chain(keys / "gateway.pem", keys / "gateway.key")
        account = {"username": "reader", "password": PASSWORD, "tls_context": context}
        try:
            async with aiomqtt.Client("127.0.0.1", broker.port, **account) as reader:  # type: ignore[arg-type]  # by name
                await reader.publish("gate/data", encode_zebra(EVENT), qos=1)
                async with asyncio.timeout(WITHIN_S):
                    while not any(isinstance(each, TagReads) for each in heard):
                        await asyncio.sleep(0.01)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await port.close()

    pin = hashlib.sha256(ssl.PEM_cert_to_DER_cert((keys / "broker.pem").read_text())).hexdigest()
    with guarded(tmp_path / "broker", keys) as broker:
        for changed in ({}, {"server_name": "broker.test"}, {"ca_file": None, "fingerprint_sha256": pin}):
            asyncio.run(scene(broker, ours(keys, **changed)))


@pytest.mark.parametrize(
    ("changed", "user", "password", "message"),
    [
        ({"certificate_file": None, "key_file": None}, "gate", PASSWORD, "lost: .*certificate"),
        ({"server_name": "other.test"}, "gate", PASSWORD, r"not accepted: .* in \[reader.tls\]"),
        ({"ca_file": None}, "gate", PASSWORD, "the broker's certificate is not accepted"),
        ({"fingerprint_sha256": "00" * 32}, "gate", PASSWORD, "the broker's certificate has SHA-256"),
        ({}, "gate", "wrong", r"user 'gate' of \[reader.login\], the credential 'reader-password'"),
        ({}, "nobody", PASSWORD, "refuses the connection: Not authorized; check the user 'nobody'"),
        ({}, None, PASSWORD, r"refuses the connection: Not authorized; name a user in \[reader.login\]"),
    ],
)
def test_what_is_wrong_with_us_is_told_with_what_to_do(
    tmp_path: Path,
    keys: Path,
    credentials: Path,
    changed: dict[str, str | None],
    user: str | None,
    password: str,
    message: str,
) -> None:
    (credentials / "reader-password").write_text(password)
    login, tls, spec = None if user is None else Login(user), ours(keys, **changed), driver("zebra_iotc")
    with guarded(tmp_path / "broker", keys) as broker, pytest.raises(LinkError, match=message) as caught:
        asyncio.run(open_port(f"mqtts://127.0.0.1:{broker.port}/gate/+", spec, tls=tls, login=login))
    assert password not in str(caught.value)


def test_a_reader_that_vanishes_is_told_by_its_last_will(tmp_path: Path) -> None:
    """As an R700 does that is set with a `willTopic`: the broker speaks for it, when it has not said goodbye."""

    async def scene(broker: Server) -> None:
        spec = driver("impinj_iot")
        texts = {"connected": "alive", "connection lost": "gone"}
        port = await open_port(f"mqtt://127.0.0.1:{broker.port}/gate/#", spec)
        made = spec.make(spec.settings.model_validate({"status_messages": texts}))
        heard: list[Observation] = []
        running = asyncio.create_task(made.run(port, heard.append))
        _, writer = await asyncio.open_connection("127.0.0.1", broker.port)
        writer.write(connect(will_topic=b"gate/status", will=b"connection lost"))
        for topic, payload in ((b"gate/status", b"connected"), (b"gate/events", encode_impinj(EVENT))):
            body = len(topic).to_bytes(2) + topic + payload
            writer.write(b"\x30" + bytes([len(body) % 128 | 0x80, len(body) // 128]) + body)
        await writer.drain()
        async with asyncio.timeout(WITHIN_S):
            while len(heard) < 2:
                await asyncio.sleep(0.01)
            writer.transport.abort()
            with pytest.raises(LinkError, match="the reader has left its broker"):
                await running
        await port.close()
        assert [type(each) for each in heard] == [Watching, TagReads, Watching]
        assert heard[-1] == Watching()

    with mosquitto(tmp_path) as broker:
        asyncio.run(scene(broker))


def connect(will_topic: bytes, will: bytes) -> bytes:
    """CONNECT of MQTT 3.1.1 with a clean session and a will of QoS 1."""
    body = b"\x00\x04MQTT\x04\x0e\x00\x3c"
    for field in (b"reader", will_topic, will):
        body += len(field).to_bytes(2) + field
    return b"\x10" + bytes([len(body)]) + body
