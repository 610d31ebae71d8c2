"""Who does not prove himself gets nothing: broker, store and readers over TLS, in each way that it can be wrong."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Literal

import pytest

from gateway.config.models import InfluxSink, Mqtt, Tls
from gateway.mqtt import BrokerError, session
from readers.errors import LinkError
from readers.ports.open import TlsSettings, open_port
from readers.registry import driver
from rules.outputs import Parcel, SinkTroubleError
from rules.sinks.influxdb import InfluxDbSink
from simulator.llrp.identities import IDENTITIES
from simulator.llrp.reader import SimulatedReader
from simulator.server import DeviceServer
from tests.support.field import CountingRadio
from tests.support.pki import DAY, HERE, Authority, now
from tests.support.secure_broker import secure_mosquitto
from tests.support.servers import ServerError, free_port, program

Peer = Literal["broker", "store_v1", "store_v2", "llrp", "mqtt_reader"]
PEERS: Final[tuple[Peer, ...]] = ("broker", "store_v1", "store_v2", "llrp", "mqtt_reader")
WITHIN_S: Final = 20.0


def installed() -> bool:
    try:
        program("mosquitto")
    except ServerError:
        return False
    return True


pytestmark = pytest.mark.skipif(not installed(), reason="mosquitto is not installed")


@dataclass(frozen=True, slots=True)
class Keys:
    """Two authorities, and what they have issued."""

    right: Authority
    wrong: Authority
    revoked: Path

    def tls(self, *, us: str | None = "us", ca: Authority | None = None, pin: str | None = None) -> Tls:
        folder = self.wrong.directory if us == "foreign" else self.right.directory
        return Tls(
            ca_file=None if pin else (ca or self.right).file,
            certificate_file=folder / f"{us}.pem" if us else None,
            key_file=folder / f"{us}.key" if us else None,
            fingerprint_sha256=pin,
        )


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    right, wrong = Authority(tmp_path_factory.mktemp("right")), Authority(tmp_path_factory.mktemp("wrong"))
    right.issue("broker", HERE)
    right.issue("us")
    right.issue("expired", HERE, begins=now() - 9 * DAY, ends=now() - DAY)
    right.issue("early", HERE, begins=now() + DAY, ends=now() + 9 * DAY)
    right.issue("elsewhere", "elsewhere.test")
    wrong.issue("foreign")
    return Keys(right, wrong, right.revoke(right.issue("stolen")))


def context_of(keys: Keys, certificate: str) -> ssl.SSLContext:
    """A server that asks for certificates and knows the revoked ones."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    folder = keys.right.directory
    context.load_cert_chain(folder / f"{certificate}.pem", folder / f"{certificate}.key")
    context.load_verify_locations(keys.right.file)
    context.load_verify_locations(keys.revoked)
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    return context


class Store(ThreadingHTTPServer):
    """A store that takes everything, over https. Its threads do one connection each, as OpenSSL would have it."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__((HERE, 0), Take)
        self._context = context
        self.numbers: list[str] = []

    def finish_request(self, request: Any, client_address: Any) -> None:
        """As of its base, over TLS; who is refused can read why before the connection ends."""
        request.settimeout(WITHIN_S)
        number = os.dup(request.fileno())
        with socket.socket(fileno=number) as kept:
            try:
                secured = self._context.wrap_socket(request, server_side=True)
            except OSError:
                kept.settimeout(2.0)
                with contextlib.suppress(OSError):
                    kept.shutdown(socket.SHUT_WR)
                    while kept.recv(4096):
                        pass
                return
        self.numbers.append(str((secured.getpeercert() or {})["serialNumber"]))
        with secured:
            super().finish_request(secured, client_address)


class Take(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:  # as its base has it
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def store(context: ssl.SSLContext) -> Iterator[Store]:
    with Store(context) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(WITHIN_S)


@contextmanager
def old_server(keys: Keys) -> Iterator[int]:
    """The openssl command as a server of TLS 1.1 and nothing else."""
    folder, port = keys.right.directory, free_port()
    files = ["-cert", str(folder / "broker.pem"), "-key", str(folder / "broker.key")]
    command = ["openssl", "s_server", "-accept", f"{HERE}:{port}", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0", *files]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        try:
            assert child.stdout is not None
            while (line := child.stdout.readline()) and "ACCEPT" not in line:
                pass
            yield port
        finally:
            child.kill()


async def talk(peer: Peer, port: int, tls: Tls, shown: Callable[[bytes], None] | None = None) -> None:
    """Connect as the product does, and hear or say one thing.

    Raises:
        BrokerError, SinkTroubleError, LinkError: it is refused, by one side or the other.
    """
    async with asyncio.timeout(WITHIN_S):
        if peer == "broker":
            async with session(Mqtt(host=HERE, port=port, tls=tls), client_id="us") as link:
                await link.publish("t", b"x")
        elif peer in ("store_v1", "store_v2"):
            api = {"api": peer[-2:], "kind": "influxdb", "name": "store", "url": f"https://{HERE}:{port}", "tls": tls}
            sink = InfluxDbSink(InfluxSink.model_validate(api), site="port", secret="token", shown=shown)  # of a test
            try:
                assert await sink.write([Parcel("events", b"a b=1 1", 1, 1)]) == []
            finally:
                await sink.close()
        else:
            await listen(peer, port, TlsSettings(**dict(tls), shown=shown))


def sink_to(peer: Peer, port: int, tls: Tls, shown: Callable[[bytes], None] | None = None) -> InfluxDbSink:
    api = {"api": peer[-2:], "kind": "influxdb", "name": "store", "url": f"https://{HERE}:{port}", "tls": tls}
    return InfluxDbSink(InfluxSink.model_validate(api), site="port", secret="token", shown=shown)  # of a test


async def listen(peer: Peer, port: int, tls: TlsSettings) -> None:
    url, name = (
        (f"tls://{HERE}:{port}", "llrp")
        if peer == "llrp"
        else (f"mqtts://{HERE}:{port}/readers/dock-1/#", "zebra_iotc")
    )
    link = await open_port(url, driver(name), tls=tls)
    try:
        if peer == "llrp":
            assert await link.receive(WITHIN_S)  # its first event
    finally:
        await link.close()


def attempt(peer: Peer, keys: Keys, directory: Path, certificate: str, tls: Tls, **more: Any) -> None:
    """One attempt at a peer that shows this certificate."""
    if peer in ("broker", "mqtt_reader"):
        revoked = f"crlfile {keys.revoked}"
        with secure_mosquitto(directory, keys.right, certificate=certificate, extra=revoked) as broker:
            asyncio.run(talk(peer, broker.port, tls, **more))
        return

    async def main() -> None:
        context = context_of(keys, certificate)
        if peer == "llrp":
            reader = SimulatedReader(IDENTITIES["impinj"], CountingRadio(10.0))
            async with DeviceServer(reader.serve, tls=context) as server:
                await talk(peer, server.port, tls, **more)
        else:
            with store(context) as server:
                await talk(peer, server.server_address[1], tls, **more)

    asyncio.run(main())


@pytest.mark.parametrize("peer", PEERS)
def test_who_proves_himself_is_let_in(tmp_path: Path, keys: Keys, peer: Peer) -> None:
    shown: list[bytes] = []
    attempt(peer, keys, tmp_path, "broker", keys.tls(), shown=shown.append)
    if peer != "broker":  # it is shown by `stay_connected`
        assert shown == [der(keys, "broker")]
        attempt(peer, keys, tmp_path, "elsewhere", keys.tls(pin=pin(keys, "elsewhere")))
    named = keys.tls().model_copy(update={"server_name": "elsewhere.test"})
    attempt(peer, keys, tmp_path, "elsewhere", named)


def der(keys: Keys, name: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert((keys.right.directory / f"{name}.pem").read_text())


def pin(keys: Keys, name: str) -> str:
    return hashlib.sha256(der(keys, name)).hexdigest()


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize(
    ("certificate", "message"),
    [
        ("wrong authority", "give that authority as ca_file"),
        ("expired", "its certificate has expired: renew it there"),
        ("early", "not valid yet: look at the clocks of both sides"),
        ("elsewhere", "server_name"),
        ("another than pinned", "(?s)is pinned.*(fingerprint|right device)"),
    ],
)
def test_who_does_not_prove_himself_to_us_gets_nothing(
    tmp_path: Path, keys: Keys, peer: Peer, certificate: str, message: str
) -> None:
    tls, shows = keys.tls(), certificate
    if certificate == "wrong authority":
        tls, shows = keys.tls(ca=keys.wrong), "broker"
    elif certificate == "another than pinned":
        if peer == "broker":
            pytest.skip("the broker cannot be pinned: the site file refuses that")
        tls, shows = keys.tls(pin=pin(keys, "us")), "broker"
    with pytest.raises((BrokerError, SinkTroubleError, LinkError), match=message) as caught:
        attempt(peer, keys, tmp_path, shows, tls)
    assert_stopped(caught.value)


def assert_stopped(error: BaseException) -> None:
    """A sink that meets this raises an alarm: no retry will help."""
    if isinstance(error, SinkTroubleError):
        assert error.stopped


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize(
    ("us", "message"),
    [
        (None, "set certificate_file and key_file"),
        ("foreign", "an authority that it does not know|BAD_CERTIFICATE|for clients"),
        ("stolen", "revoked"),
        ("expired", "has expired for it: renew certificate_file"),
        ("early", "refuses our certificate"),
    ],
)
def test_to_whom_we_do_not_prove_ourselves_says_so(
    tmp_path: Path, keys: Keys, peer: Peer, us: str | None, message: str
) -> None:
    if peer == "llrp":  # asyncio as a server says nothing of its reason, and neither do many devices
        message = "it may want another certificate of ours, see certificate_file"
    with pytest.raises((BrokerError, SinkTroubleError, LinkError), match=message) as caught:
        attempt(peer, keys, tmp_path, "broker", keys.tls(us=us))
    assert_stopped(caught.value)


@pytest.mark.parametrize("peer", PEERS)
def test_nobody_is_spoken_to_in_tls_1_1(keys: Keys, peer: Peer) -> None:
    with old_server(keys) as port:
        with pytest.raises((BrokerError, SinkTroubleError, LinkError), match=r"TLS 1\.1 or older only"):
            asyncio.run(talk(peer, port, keys.tls()))
        assert_speaks_1_1(port)


def assert_speaks_1_1(port: int) -> None:
    """The peer of the test is one: else its refusal would prove nothing."""
    command = ["openssl", "s_client", "-connect", f"{HERE}:{port}", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]
    said = subprocess.run(command, input=b"", capture_output=True, check=False, timeout=WITHIN_S).stdout
    assert b"TLSv1.1" in said


def test_no_setting_turns_verification_off() -> None:
    assert set(Tls.model_fields) == {"ca_file", "certificate_file", "key_file", "fingerprint_sha256", "server_name"}
    for wrong in ({"insecure": True}, {"verify": False}, {"insecure_skip_verify": True}):
        with pytest.raises(ValueError, match="Extra inputs"):
            Tls.model_validate(wrong)


@pytest.mark.parametrize("peer", ["store_v1", "store_v2"])
def test_a_renewed_certificate_is_shown_with_the_next_request(
    keys: Keys, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.renewal.LOOK_EVERY_S", 0.0)
    keys.right.issue("renewed")

    async def main(server: Store) -> None:
        sink = sink_to(peer, server.server_address[1], keys.tls(us="renewed"))
        parcels = [Parcel("events", b"a b=1 1", 1, 1)]
        try:
            for _ in range(2):
                assert await sink.write(parcels) == []
            assert len(server.numbers) == 1  # one connection is enough
            keys.right.issue("renewed")
            assert await sink.write(parcels) == []
            (keys.right.directory / "renewed.key").write_text("nonsense")
            assert await sink.write(parcels) == []  # what was right before is still in use
        finally:
            await sink.close()
        assert len({*server.numbers}) == len(server.numbers) == 2

    with store(context_of(keys, "broker")) as server:
        asyncio.run(main(server))
