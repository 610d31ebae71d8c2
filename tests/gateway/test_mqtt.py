import asyncio
import itertools
import random
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.config.models import Mqtt, Tls
from gateway.mqtt import BrokerError, Message, Session, Will, session, stay_connected
from readers.errors import ConfigError
from tests.support.broker import Broker, free_port
from tests.support.pki import HERE, Authority


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as running:
        yield running


def test_what_is_published_arrives_in_order(broker: Broker) -> None:
    async def main() -> None:
        acknowledged: list[int] = []
        async with session(broker.settings, client_id="a", topics=["t/#"], in_flight=50) as link:
            for index in range(500):
                await link.send(f"t/{index}", b"%d" % index, on_ack=lambda i=index: acknowledged.append(i))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                assert link.in_flight <= 50
            await link.drain()
            assert sorted(acknowledged) == list(range(500))
            got = [await link.receive() for _ in range(500)]
        assert got == [Message(f"t/{i}", b"%d" % i, retained=False) for i in range(500)]

    asyncio.run(main())


def test_a_retained_message_and_a_will_are_there_for_who_comes_later(broker: Broker) -> None:
    async def main() -> None:
        async with session(broker.settings, client_id="a", will=Will("w", b"gone")) as link:
            await link.publish("s", b"state", retain=True)
        async with session(broker.settings, client_id="b", topics=["s", "w"]) as link:
            assert await link.receive() == Message("s", b"state", retained=True)
            # A goodbye is no accident: the will was not published.
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(link.receive(), 0.3)

    asyncio.run(main())


def test_a_full_incoming_queue_drops_and_counts(broker: Broker) -> None:
    async def main() -> None:
        async with (
            session(broker.settings, client_id="slow", topics=["t"], incoming=10) as slow,
            session(broker.settings, client_id="fast") as fast,
        ):
            for index in range(30):
                await fast.publish("t", b"%d" % index)
            async with asyncio.timeout(5):
                while slow.dropped < 20:
                    await asyncio.sleep(0.01)
            assert [(await slow.receive()).payload for _ in range(10)] == [b"%d" % i for i in range(10)]
            assert slow.receive_now() is None

    asyncio.run(main())


def test_losing_the_broker_ends_the_session(broker: Broker) -> None:
    async def main() -> None:
        async with session(broker.settings, client_id="a", topics=["t"]) as link:
            await link.publish("t", b"1")
            broker.kill()
            assert isinstance(await asyncio.wait_for(link.lost(), 5), BrokerError)
            assert (await link.receive()).payload == b"1"
            with pytest.raises(BrokerError):
                await link.receive()
            with pytest.raises(BrokerError):
                await link.publish("t", b"2")
            with pytest.raises(BrokerError):
                await link.send("t", b"2")
            with pytest.raises(BrokerError):
                await link.drain()

    asyncio.run(main())


def test_staying_connected_through_a_restart_of_the_broker(broker: Broker) -> None:
    states: list[str | None] = []
    served: list[int] = []

    def restart() -> None:
        broker.kill()
        broker.start()

    async def work(link: Session) -> None:
        served.append(1)
        await link.publish("t", b"x")
        if len(served) == 1:
            await asyncio.to_thread(restart)
            await link.receive()

    async def main() -> None:
        async with asyncio.timeout(20):
            await stay_connected(broker.settings, work, client_id="a", changed=states.append, rng=random.Random(1))

    asyncio.run(main())
    assert len(served) == 2
    assert states[0] is None
    assert states[-1] is None
    assert any(isinstance(state, str) for state in states)


def test_a_bug_in_the_work_is_not_swallowed(broker: Broker) -> None:
    async def work(_: Session) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(stay_connected(broker.settings, work, client_id="a"))


def test_nobody_listens() -> None:
    async def main() -> None:
        async with session(Mqtt(port=free_port()), client_id="a"):
            pass

    with pytest.raises(BrokerError, match="refused"):
        asyncio.run(main())


def test_user_and_password_from_the_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "mqtt-password").write_text("right\n")
    extra = 'authorization { users: [ {user: "edge", password: "right"} ] }'

    async def enter(settings: Mqtt) -> None:
        async with session(settings, client_id="a", topics=["t"]) as link:
            await link.publish("t", b"x")

    with Broker(tmp_path / "broker", extra=extra) as broker:
        settings = broker.settings.model_copy(update={"user": "edge"})
        asyncio.run(enter(settings))
        (tmp_path / "mqtt-password").write_text("wrong\n")
        with pytest.raises(BrokerError, match=r"user 'edge'.*mqtt-password"):
            asyncio.run(enter(settings))
        (tmp_path / "mqtt-password").unlink()
        with pytest.raises(ConfigError, match="mqtt-password"):
            asyncio.run(enter(settings))


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a broker's certificate for 127.0.0.1 and broker.test, and a client's."""
    where = tmp_path_factory.mktemp("keys")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=where, check=True, capture_output=True)

    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    openssl(*new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca")
    for name, alternative in (("broker", "IP:127.0.0.1"), ("client", "DNS:edge-1"), ("named", "DNS:broker.test")):
        openssl(
            *(*new, "-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", f"{name}.key", "-out", f"{name}.pem"),
            *("-subj", f"/CN={name}", "-addext", f"subjectAltName={alternative}"),
        )
    return where


def tls_broker(directory: Path, keys: Path, name: str) -> Broker:
    files = f'cert_file: "{keys}/{name}.pem", key_file: "{keys}/{name}.key", ca_file: "{keys}/ca.pem"'
    return Broker(directory, mqtt_extra=f"tls {{ {files}, verify: true }}")


async def once(settings: Mqtt) -> None:
    async with session(settings, client_id="a", topics=["t"]) as link:
        await link.publish("t", b"x" * 100_000)
        assert len((await link.receive()).payload) == 100_000


def test_mutual_tls(tmp_path: Path, keys: Path) -> None:
    tls = Tls(ca_file=keys / "ca.pem", certificate_file=keys / "client.pem", key_file=keys / "client.key")
    with tls_broker(tmp_path / "broker", keys, "broker") as broker:
        asyncio.run(once(broker.settings.model_copy(update={"tls": tls})))
        for wrong in (Tls(ca_file=keys / "ca.pem"), Tls()):
            with pytest.raises(BrokerError):
                asyncio.run(once(broker.settings.model_copy(update={"tls": wrong})))


def test_the_name_in_the_certificate_is_checked(tmp_path: Path, keys: Path) -> None:
    tls = Tls(ca_file=keys / "ca.pem", certificate_file=keys / "client.pem", key_file=keys / "client.key")
    with tls_broker(tmp_path / "broker", keys, "named") as broker:
        with pytest.raises(BrokerError, match="certificate"):
            asyncio.run(once(broker.settings.model_copy(update={"tls": tls})))
        named = tls.model_copy(update={"server_name": "broker.test"})
        asyncio.run(once(broker.settings.model_copy(update={"tls": named})))


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not met():
            await asyncio.sleep(0.02)


class Troubles:
    def __init__(self) -> None:
        self.errors: list[str] = []

    def __call__(self, event: str, /, **fields: object) -> None:
        assert event == "certificate_refused"
        self.errors.append(str(fields["error"]))


def test_a_renewed_certificate_is_used_once_the_broker_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.mqtt.RENEWAL_EVERY_S", 0.05)
    monkeypatch.setattr("gateway.mqtt.RENEWAL_AGAIN_S", 0.05)
    authority, foreign = Authority(tmp_path / "keys"), Authority(tmp_path / "foreign")
    for name in ("broker", "us"):
        authority.issue(name, HERE)
    foreign.issue("us")
    files = {suffix: tmp_path / "keys" / f"us.{suffix}" for suffix in ("pem", "key")}
    tls = Tls(ca_file=authority.file, certificate_file=files["pem"], key_file=files["key"])
    states: list[str | None] = []
    shown: list[bytes] = []
    troubles = Troubles()
    sessions: list[Session] = []
    acknowledged: list[int] = []

    async def work(link: Session) -> None:
        sessions.append(link)
        for number in itertools.count():
            await link.send("t", b"%d" % number, on_ack=lambda: acknowledged.append(1))
            await asyncio.sleep(0.01)

    async def main(settings: Mqtt) -> None:
        running = asyncio.create_task(
            stay_connected(settings, work, client_id="a", changed=states.append, shown=shown.append, notice=troubles)
        )
        await until(lambda: len(acknowledged) > 5)
        for suffix, file in files.items():  # of an authority that the broker does not know
            file.write_bytes((foreign.directory / f"us.{suffix}").read_bytes())
        await until(lambda: any("the broker does not take it" in error for error in troubles.errors))
        seen = len(acknowledged)
        await until(lambda: len(acknowledged) > seen + 5)
        assert len(sessions) == 1
        authority.issue("us")
        await until(lambda: len(sessions) == 2)
        seen = len(acknowledged)
        await until(lambda: len(acknowledged) > seen + 5)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    with tls_broker(tmp_path / "broker", tmp_path / "keys", "broker") as broker:
        asyncio.run(main(broker.settings.model_copy(update={"tls": tls})))
    assert states == [None, None]  # nobody was told of a loss
    assert {*shown} == {ssl.PEM_cert_to_DER_cert((tmp_path / "keys" / "broker.pem").read_text())}


def test_after_a_loss_the_certificate_on_the_disk_is_used_and_a_wrong_one_ends_nothing(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path / "keys")
    for name in ("broker", "us"):
        authority.issue(name, HERE)
    key = tmp_path / "keys" / "us.key"
    tls = Tls(ca_file=authority.file, certificate_file=tmp_path / "keys" / "us.pem", key_file=key)
    troubles = Troubles()
    served: list[int] = []

    async def work(link: Session) -> None:
        served.append(1)
        await link.publish("t", b"x")
        if len(served) == 1:
            key.write_text("nonsense")
            link.end(BrokerError("lost"))
            await link.receive()

    with tls_broker(tmp_path / "broker", tmp_path / "keys", "broker") as broker:
        settings = broker.settings.model_copy(update={"tls": tls})
        asyncio.run(stay_connected(settings, work, client_id="a", notice=troubles, rng=random.Random(1)))
    assert len(served) == 2
    assert "they must be PEM" in troubles.errors[0]
