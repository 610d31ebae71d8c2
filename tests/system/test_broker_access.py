"""The generated access list with a real Mosquitto: what each user may say and hear, of every topic there is."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Final

import aiomqtt
import pytest

from gateway.broker_acl import access_list
from gateway.config.models import SiteFile
from tests.support.pki import HERE, Authority
from tests.support.secure_broker import SecureBroker, secure_mosquitto
from tests.support.servers import ServerError, program

WITHIN_S: Final = 20.0
FENCE: Final = "fence"
ROOT: Final = "tagwharf/1/hamburg"
EDGE_1: Final = (
    *(f"gate-3/{kind}" for kind in ("reads", "cards", "readings", "signals", "status")),
    *(f"meter-7/{kind}" for kind in ("reads", "cards", "readings", "signals", "status")),
    "edge-1/status",
    "edge-1/tick",
    "resume/edge-1",
    "ledger/edge-1",
)
EDGE_2: Final = ("gate-4/reads", "gate-4/status", "edge-2/status", "edge-2/tick", "resume/edge-2", "ledger/edge-2")
RULES: Final = (
    "ack/edge-1",
    "ack/edge-2",
    "events/arrived",
    "alarms/0123",
    "order-outcome/0123",
    "rules/status",
    "ledger/rules",
)
ORDERS: Final = ("gate-3/command", "order/0123")
OUTCOMES: Final = ("gate-3/outcome", "order-outcome/0123")
ELSEWHERE: Final = (
    "gate-4/command",
    "gate-4/outcome",
    "gate-3/other",
    "gate-3/reads/deeper",
    "gate-3",
    "ledger/edge-1/deeper",
)
SITE: Final = tuple(
    f"{ROOT}/{each}" for each in dict.fromkeys((*EDGE_1, *EDGE_2, *RULES, *ORDERS, *OUTCOMES, *ELSEWHERE))
)
UNIVERSE: Final = (
    *SITE,
    "tagwharf/1/kiel/gate-3/reads",
    "tagwharf/2/hamburg/gate-3/reads",
    "tagwharf/1/hamburg",
    "readers/dock-1/data",
    "readers/dock-2/data",
    "other",
    "/tagwharf/1/hamburg/gate-3/reads",
)
TELEMETRY: Final = (
    *(each for each in (*EDGE_1, *EDGE_2) if not each.startswith(("resume", "ledger"))),
    "rules/status",
)
LEDGERS: Final = ("ledger/edge-1", "ledger/edge-2", "ledger/rules")
LISTEN: Final = ("events/arrived", "alarms/0123")

MAY_WRITE: Final[dict[str, tuple[str, ...]]] = {
    "edge-1": (*EDGE_1, "gate-3/outcome"),
    "edge-2": EDGE_2,
    "rules": RULES,
    "console": (),
    "operators": ORDERS,
    "exporter": (),
    "dock-1": (),
    "listener": (),
}
MAY_READ: Final[dict[str, tuple[str, ...]]] = {
    "edge-1": ("ack/edge-1", "rules/status", "gate-3/command"),
    "edge-2": ("ack/edge-2", "rules/status"),
    "rules": (*TELEMETRY, *LEDGERS, "resume/edge-1", "resume/edge-2", "order/0123"),
    "console": (*TELEMETRY, *LEDGERS, *LISTEN),
    "operators": (*OUTCOMES, *LEDGERS, "alarms/0123", "rules/status"),
    "exporter": (*LISTEN, "rules/status"),
    "dock-1": (),
    "listener": (),
}
BEYOND_WRITE: Final = {"dock-1": {"readers/dock-1/data"}}
BEYOND_READ: Final = {"listener": {"readers/dock-1/data"}}
FILTERS: Final = ("#", "+/#", "/#", "+/+/+/+/+", f"{ROOT}/#", f"{ROOT}/+/+", f"{ROOT}/+/command", "$SYS/#", "readers/#")
USERS: Final = tuple(MAY_WRITE)


def installed() -> bool:
    try:
        program("mosquitto")
    except ServerError:
        return False
    return True


pytestmark = pytest.mark.skipif(not installed(), reason="mosquitto is not installed")


def sites() -> list[SiteFile]:
    gate = {"name": "gate-3", "driver": "llrp", "port": "tcp://10.0.0.5"}
    meters = {"meters": [{"name": "meter-7", "address": "000000000007"}]}
    line = {"name": "line-1", "driver": "dlt645", "port": "socket://10.0.0.6:4001", "settings": meters}
    dock = {
        "name": "dock-1",
        "driver": "zebra_iotc",
        "port": f"mqtts://{HERE}/readers/dock-1/#",
        "login": {"user": "listener"},
    }
    point = {"device": "gate-3", "point": "barrier", "actions": ["pulse"], "roles": ["guard"]}
    anna = {"name": "anna", "key_credential": "control-anna", "roles": ["guard"]}
    first = {
        "site": {"name": "hamburg", "gateway": "edge-1"},
        "reader": [gate, line, dock],
        "control": {"enabled": True, "person": [anna], "point": [point]},
    }
    other = {"name": "gate-4", "driver": "llrp", "port": "tcp://10.0.0.7"}
    second = {"site": {"name": "hamburg", "gateway": "edge-2"}, "reader": [other]}
    return [SiteFile.model_validate(each) for each in (first, second)]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("authority"))
    for user in (*USERS, "stranger"):
        made.issue(user)
    return made


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SecureBroker]:
    with secure_mosquitto(tmp_path_factory.mktemp("broker"), authority, access=access_list(sites())) as running:
        yield running


def client(broker: SecureBroker, authority: Authority, user: str) -> aiomqtt.Client:
    context = ssl.create_default_context(cafile=authority.file)
    context.load_cert_chain(authority.directory / f"{user}.pem", authority.directory / f"{user}.key")
    return aiomqtt.Client(HERE, broker.port, tls_context=context, protocol=aiomqtt.ProtocolVersion.V311)


def anybody(broker: SecureBroker) -> aiomqtt.Client:
    """Somebody whom no list binds: he sees, and says, everything."""
    return aiomqtt.Client(HERE, broker.open_port)


class Heard:
    """Everything that a client receives."""

    def __init__(self) -> None:
        self.messages: list[aiomqtt.Message] = []
        self.came = asyncio.Event()

    @asynccontextmanager
    async def of(self, listening: aiomqtt.Client):  # type: ignore[no-untyped-def]  # noqa: ANN201  # a context manager of nothing
        task = asyncio.create_task(self._collect(listening))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _collect(self, listening: aiomqtt.Client) -> None:
        async for message in listening.messages:
            self.messages.append(message)
            self.came.set()

    async def until(self, topic: str) -> set[str]:
        """Wait for a message on this topic; the topics of all before it."""
        async with asyncio.timeout(WITHIN_S):
            while not any(str(each.topic) == topic for each in self.messages):
                self.came.clear()
                await self.came.wait()
        return {str(each.topic) for each in self.messages} - {topic}


@pytest.mark.parametrize("user", [*USERS, "stranger"])
@pytest.mark.parametrize("is_retained", [False, True])
def test_what_a_user_may_say(broker: SecureBroker, authority: Authority, user: str, is_retained: bool) -> None:  # noqa: FBT001  # of a parametrization
    allowed = {f"{ROOT}/{each}" for each in MAY_WRITE.get(user, ())} | BEYOND_WRITE.get(user, set())
    forbidden = {*UNIVERSE, "$SYS/broker/version"} - allowed
    assert len(forbidden) >= 12

    async def go() -> set[str]:
        async with anybody(broker) as watching, client(broker, authority, user) as saying:
            await watching.subscribe([("#", 1), ("$SYS/broker/version", 1)])
            heard = Heard()
            async with heard.of(watching):
                for topic in (*UNIVERSE, "$SYS/broker/version"):
                    await saying.publish(topic, f"said by {user}", qos=1, retain=is_retained)
                await watching.publish(FENCE, b"", qos=1)  # what was acknowledged before it was judged before it
                await heard.until(FENCE)
                return {str(each.topic) for each in heard.messages if each.payload == f"said by {user}".encode()}

    try:
        assert asyncio.run(go()) == allowed
    finally:
        asyncio.run(clean(broker))


async def clean(broker: SecureBroker) -> None:
    """Let nothing be retained."""
    async with anybody(broker) as cleaning:
        for topic in UNIVERSE:
            await cleaning.publish(topic, b"", qos=1, retain=True)


@pytest.mark.parametrize("user", [*USERS, "stranger"])
def test_what_a_user_may_delete_of_what_is_retained(broker: SecureBroker, authority: Authority, user: str) -> None:
    allowed = {f"{ROOT}/{each}" for each in MAY_WRITE.get(user, ())} | BEYOND_WRITE.get(user, set())

    async def go() -> set[str]:
        async with anybody(broker) as setting:
            for topic in UNIVERSE:
                await setting.publish(topic, b"kept", qos=1, retain=True)
        async with client(broker, authority, user) as deleting:
            for topic in UNIVERSE:
                await deleting.publish(topic, b"", qos=1, retain=True)
        async with anybody(broker) as looking:
            heard = Heard()
            async with heard.of(looking):
                await looking.subscribe("#", qos=1)
                await looking.publish(FENCE, b"", qos=1)
                return {*UNIVERSE} - await heard.until(FENCE)

    try:
        assert asyncio.run(go()) == allowed
    finally:
        asyncio.run(clean(broker))


@pytest.mark.parametrize("user", [*USERS, "stranger"])
@pytest.mark.parametrize("is_wild", [False, True])
def test_what_a_user_may_hear(broker: SecureBroker, authority: Authority, user: str, is_wild: bool) -> None:  # noqa: FBT001  # of a parametrization
    """By the names of all topics, and by wildcards; live, retained, and of the broker itself."""
    allowed = {f"{ROOT}/{each}" for each in MAY_READ.get(user, ())} | BEYOND_READ.get(user, set())
    assert len({*UNIVERSE} - allowed) >= 12

    async def go() -> set[str]:
        async with anybody(broker) as saying, client(broker, authority, user) as listening:
            for topic in UNIVERSE[::2]:
                await saying.publish(topic, b"retained", qos=1, retain=True)
            heard = Heard()
            async with heard.of(listening):
                for topic in FILTERS if is_wild else UNIVERSE:
                    await listening.subscribe(topic, qos=1)
                for topic in UNIVERSE:
                    await saying.publish(topic, b"live", qos=1)
                await listening.subscribe(FENCE, qos=1)  # its answer comes behind all that came before it
                while len(listening.messages):
                    await asyncio.sleep(0)
                await asyncio.sleep(0)
                return {str(each.topic) for each in heard.messages}

    try:
        assert asyncio.run(go()) == allowed
    finally:
        asyncio.run(clean(broker))


def test_the_list_has_a_user_for_everybody_and_no_more() -> None:
    users = {line.removeprefix("user ") for line in access_list(sites()).splitlines() if line.startswith("user ")}
    assert users == set(USERS)
