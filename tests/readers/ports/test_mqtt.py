from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from readers.errors import ConfigError, LinkError
from readers.ports.mqtt import HELD_BYTES, MOST_PAYLOAD_BYTES, MqttPort, open_mqtt, topic_fault
from readers.ports.mqtt_client import MOST_PACKET_BYTES, Login
from readers.ports.tcp import TlsSettings
from tests.support.certificates import authority

SUBACK = b"\x90\x03\x00\x01"
CLEAN_SESSION = 0x02
Scene = Callable[[MqttPort], Awaitable[None]]


def publish(payload: bytes, topic: bytes = b"t", flags: int = 0) -> bytes:
    body = len(topic).to_bytes(2) + topic + payload
    return bytes([0x30 | flags]) + size_of(len(body)) + body


def size_of(size: int) -> bytes:
    head = b""
    while size >= 128:
        head += bytes([size % 128 | 0x80])
        size //= 128
    return head + bytes([size])


async def packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The kind and the body of the client's next packet; its packets here are shorter than 128 bytes."""
    head = await reader.readexactly(2)
    return head[0] >> 4, await reader.readexactly(head[1])


def broker(
    said: bytes,
    scene: Scene,
    *,
    connack: int = 0,
    suback: int = 1,
    ends: bool = False,
    context: ssl.SSLContext | None = None,
    tls: TlsSettings | None = None,
    login: Login | None = None,
    host: str = "127.0.0.1",
) -> list[bytes]:
    """Run the scene with a port at a broker that says so when it has been subscribed to; the packets of the client."""
    heard: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for answer in (bytes([0x20, 2, 0, connack]), SUBACK + bytes([suback]) + said):
                heard.append((await packet(reader))[1])
                writer.write(answer)
            await writer.drain()
            while not ends:
                heard.append(bytes([(await packet(reader))[0]]))
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            writer.close()

    async def main() -> None:
        async with await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context) as server:
            port = await open_mqtt(host, server.sockets[0].getsockname()[1], "t", tls, login)
            try:
                await scene(port)
            finally:
                await port.close()
                assert port._client._sockpairR is None, "nothing is left to the collector"
                await port.close()  # harmless
            for _ in range(200):
                if ends or heard[-1] == b"\x0e":
                    break
                await asyncio.sleep(0.01)

    asyncio.run(main())
    return heard


async def all_of(port: MqttPort, size: int) -> bytes:
    data = b""
    async with asyncio.timeout(10):
        while len(data) < size:
            data += await port.receive(1.0)
    return data


def test_each_message_is_a_record() -> None:
    async def scene(port: MqttPort) -> None:
        wanted = b'\x1e\x1aretained 1\n\x1e{"a":1}\n\x1e{  "b": 2}\n'
        assert await all_of(port, len(wanted)) == wanted
        assert await port.receive(0.01) == b""
        assert port.baud is None
        assert port.description.startswith("mqtt://127.0.0.1:")
        assert port.dropped == {"retained": 1}

    old = publish(b"old", flags=1)
    broker(SUBACK + b"\x01" + old + publish(b'{"a":1}') + publish(b'{\r\n"b": 2}'), scene)


def test_what_cannot_be_a_record_is_dropped_and_counted() -> None:
    async def scene(port: MqttPort) -> None:
        wanted = b"\x1e\x1acontrol_character 1\n\x1e\x1atoo_long 1\n\x1e{}\n"
        assert await all_of(port, len(wanted)) == wanted
        assert port.dropped == {"control_character": 1, "too_long": 1}

    broker(publish(b"a\x1eb") + publish(b"x" * (MOST_PAYLOAD_BYTES + 1)) + publish(b"{}"), scene)


def test_what_nobody_takes_is_bounded() -> None:
    count = HELD_BYTES // MOST_PAYLOAD_BYTES + 5

    async def scene(port: MqttPort) -> None:
        async with asyncio.timeout(20):
            while port.dropped["overflow"] < 5:
                await asyncio.sleep(0.01)
        data = await port.receive(1.0)
        assert HELD_BYTES - MOST_PAYLOAD_BYTES < len(data) <= HELD_BYTES + 20
        assert data.count(b"\x1a") == 1
        assert data.endswith(b"\x1e\x1aoverflow 5\n")
        assert await port.receive(0.0) == b""

    broker(publish(b"x" * MOST_PAYLOAD_BYTES) * count, scene)


def test_a_lost_broker_is_a_link_error_after_the_last_message() -> None:
    async def scene(port: MqttPort) -> None:
        assert await all_of(port, 4) == b"\x1e{}\n"
        with pytest.raises(LinkError, match="the connection to the broker is lost"):
            await port.receive(10.0)

    broker(publish(b"{}"), scene, ends=True)


def test_nothing_can_be_sent() -> None:
    async def scene(port: MqttPort) -> None:
        with pytest.raises(LinkError, match="listen only"):
            await port.send(b"x")

    broker(b"", scene)


async def never(port: MqttPort) -> None:
    raise AssertionError(port)


async def nothing(port: MqttPort) -> None:
    del port


def test_the_session_is_clean_and_the_goodbye_is_said() -> None:
    connect, subscribe, *rest = broker(b"", nothing)
    assert connect[:7] == b"\x00\x04MQTT\x04"
    assert connect[7] == CLEAN_SESSION
    assert connect[12:20] == b"tagwharf"
    assert len(connect[12:]) == 22
    assert subscribe[2:] == b"\x00\x01t\x01"
    assert rest[-1] == b"\x0e"


def test_a_user_shows_the_password_of_the_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(ConfigError, match="reader-password"):
        broker(b"", never, login=Login("gate"))
    (tmp_path / "reader-password").write_text("secret\n")
    connect = broker(b"", nothing, login=Login("gate"))[0]
    assert connect[7] == CLEAN_SESSION | 0xC0
    assert connect.endswith(b"\x00\x04gate\x00\x06secret")
    with pytest.raises(LinkError, match=r"user 'gate' of \[reader.login\], the credential 'reader-password'") as caught:
        broker(b"", never, connack=4, login=Login("gate"))
    assert "secret" not in str(caught.value)


def test_refusals_are_link_errors() -> None:
    with pytest.raises(LinkError, match=r"refuses the connection: Not authorized; name a user in \[reader.login\]"):
        broker(b"", never, connack=5)
    with pytest.raises(LinkError, match=r"refuses the connection: Server unavailable$"):
        broker(b"", never, connack=3)
    with pytest.raises(LinkError, match="refuses the subscription"):
        broker(b"", never, suback=0x80)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return authority(tmp_path_factory.mktemp("keys"), broker="IP:127.0.0.1,DNS:broker.test", gateway="DNS:gateway")


def at_broker(keys: Path, *, asks: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(keys / "broker.pem", keys / "broker.key")
    if asks:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(keys / "ca.pem")
    return context


def fingerprint(certificate: Path) -> str:
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    return hashlib.sha256(der).hexdigest()


def test_tls_by_an_authority_by_another_name_or_by_a_pin(keys: Path) -> None:
    async def scene(port: MqttPort) -> None:
        assert await all_of(port, 4) == b"\x1e{}\n"
        assert port.description.startswith("mqtts://")

    ways = (
        TlsSettings(ca_file=keys / "ca.pem"),
        TlsSettings(ca_file=keys / "ca.pem", server_name="broker.test"),
        TlsSettings(fingerprint_sha256=fingerprint(keys / "broker.pem")),
    )
    for tls in ways:
        broker(publish(b"{}"), scene, context=at_broker(keys), tls=tls)


def test_a_certificate_of_ours_is_shown_where_it_is_asked_for(keys: Path) -> None:
    ours = TlsSettings(ca_file=keys / "ca.pem", certificate_file=keys / "gateway.pem", key_file=keys / "gateway.key")
    broker(b"", nothing, context=at_broker(keys, asks=True), tls=ours)
    with pytest.raises(LinkError, match="if it asks for a certificate, name ours"):
        broker(b"", never, context=at_broker(keys, asks=True), tls=TlsSettings(ca_file=keys / "ca.pem"))


@pytest.mark.parametrize(
    ("tls", "message"),
    [
        (TlsSettings(), r"not accepted: .*check ca_file and server_name in \[reader.tls\]"),
        (TlsSettings(server_name="other.test"), "the broker's certificate is not accepted"),
        (TlsSettings(fingerprint_sha256="00" * 32), "the broker's certificate has SHA-256 .*, but 0000"),
    ],
)
def test_a_wrong_certificate_is_a_link_error_before_the_password_is_shown(
    keys: Path, tls: TlsSettings, message: str
) -> None:
    with pytest.raises(LinkError, match=message):
        broker(b"", never, context=at_broker(keys), tls=tls)


def test_a_broker_without_tls_is_told_from_one_with_it(keys: Path) -> None:
    with pytest.raises(LinkError, match=r"TLS with the broker failed: .*check that it speaks TLS on this port"):
        broker(b"", never, tls=TlsSettings(ca_file=keys / "ca.pem"))
    with pytest.raises(
        LinkError, match="lost: the broker has closed it; if it speaks TLS on this port, write mqtts://"
    ):
        broker(b"", never, context=at_broker(keys))
    with pytest.raises(ConfigError, match="tls: cannot load"):
        broker(b"", never, tls=TlsSettings(ca_file=keys / "none.pem"))
    with pytest.raises(ConfigError, match="can be no name in a certificate"):
        broker(b"", never, tls=TlsSettings(server_name="x" * 64))


def test_a_message_that_would_fill_the_memory_ends_the_link() -> None:
    async def scene(port: MqttPort) -> None:
        with pytest.raises(LinkError, match="lost: a message of 16 MiB, at most 4 are read; see who sends it"):
            await port.receive(10.0)

    assert MOST_PACKET_BYTES == 4 << 20
    broker(b"\x30" + size_of(16 << 20) + b"\x00\x01t", scene, ends=True)


def test_nobody_there_is_a_link_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as server:
            number = server.sockets[0].getsockname()[1]
            with pytest.raises(LinkError, match="connection to the broker is lost"):
                await open_mqtt("127.0.0.1", number, "t")
        with pytest.raises(LinkError, match="check that the broker runs"):
            await open_mqtt("127.0.0.1", number, "t")

        async def knows_none(*_: object, **__: object) -> list[object]:
            return []

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", knows_none)
        with pytest.raises(LinkError, match="no address of nobody is known"):
            await open_mqtt("nobody", number, "t")

    asyncio.run(main())


@pytest.mark.parametrize("tls", [None, TlsSettings()])
def test_a_broker_that_says_nothing_is_given_up_and_leaves_no_thread(
    monkeypatch: pytest.MonkeyPatch, tls: TlsSettings | None
) -> None:
    monkeypatch.setattr("readers.ports.mqtt.OPEN_WITHIN_S", 0.2)
    before = threading.active_count()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
            with pytest.raises(LinkError, match=r"no answer from the broker within 0\.2 s"):
                await open_mqtt("127.0.0.1", server.sockets[0].getsockname()[1], "t", tls)
            await asyncio.sleep(0.05)

    asyncio.run(main())
    assert threading.active_count() == before


def test_a_broker_that_hangs_does_not_hold_up_the_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its window is full, so that the goodbye stays with us."""
    monkeypatch.setattr("readers.ports.mqtt.GOODBYE_WITHIN_S", 0.1)
    before = threading.active_count()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(0)
            opening = asyncio.create_task(open_mqtt("127.0.0.1", server.getsockname()[1], "t"))
            theirs, _ = await loop.sock_accept(server)
            with theirs:
                theirs.settimeout(0)
                await loop.sock_sendall(theirs, b"\x20\x02\x00\x00" + SUBACK + b"\x01")
                port = await opening
                monkeypatch.setattr(port._client, "disconnect", lambda: paho.MQTT_ERR_SUCCESS)  # but it is not taken
                async with asyncio.timeout(5):
                    await port.close()
        await asyncio.sleep(0.05)

    asyncio.run(main())
    assert threading.active_count() == before


def test_an_open_that_is_cancelled_while_it_connects_leaves_no_socket() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
            address = server.getsockname()
            full = [socket.create_connection(address)]  # from now on a connection waits
            full += [socket.socket() for _ in range(2)]
            for each in full[1:]:
                each.settimeout(0)
                each.connect_ex(address)
            opening = asyncio.create_task(open_mqtt(address[0], address[1], "t"))
            await asyncio.sleep(0.1)
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening
            for each in full:
                each.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("topic", "fault"),
    [
        ("a/b", None),
        ("#", None),
        ("a/+/c/#", None),
        ("", "names no topic"),
        ("a\x00", "too long or holds a NUL"),
        ("a" * 65_536, "too long or holds a NUL"),
        ("a/#/b", "# in its topic"),
        ("a/b#", "# in its topic"),
        ("a/b+/c", "+ in its topic"),
    ],
)
def test_topics_are_checked(topic: str, fault: str | None) -> None:
    said = topic_fault(topic)
    assert (said is None) == (fault is None)
    assert fault is None or fault in (said or "")
