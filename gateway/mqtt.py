"""MQTT 3.1.1 by aiomqtt: sessions, QoS 1 with many messages in flight, and a loop that stays connected.

What arrives is held in a bounded queue. When the reader of the queue is too slow, what no longer fits is dropped and
counted: the hand-over (`gateway.contract.flow`) sees the gap and has it sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, NamedTuple

import aiomqtt

from gateway.config.models import Mqtt
from gateway.credentials import credential
from gateway.logs import get_log
from gateway.mqtt_client import BrokerContext, Client, Incoming, Message, tls_context
from gateway.renewal import Notice, Renewal, warn
from readers.ports.tls import Shown
from readers.ports.tls_faults import advised

__all__ = ["BrokerError", "Message", "Session", "Will", "session", "stay_connected"]

KEEPALIVE_S: Final = 15
ANSWER_WITHIN_S: Final = 10.0  # CONNACK, SUBACK, PUBACK: a broker that needs longer is as good as gone
BACKOFF_FIRST_S: Final = 1.0
BACKOFF_MOST_S: Final = 30.0
GOOD_SPELL_S: Final = 60.0  # a session that lived so long shows that the trouble before it is over
RENEWAL_EVERY_S: Final = 5.0
RENEWAL_AGAIN_S: Final = 60.0  # from a certificate that the broker did not take to the next attempt with it
DRAIN_WITHIN_S: Final = 2.0
IN_FLIGHT: Final = 500
INCOMING_MOST: Final = 10_000
SUBSCRIPTION_REFUSED: Final = 128
PASSWORD: Final = "mqtt-password"  # noqa: S105  # the name of a credential, not the credential


class BrokerError(Exception):
    """The broker cannot be reached, refuses us, or fell silent."""


class RenewedError(BrokerError):
    """The session is ended by us, to begin anew with another certificate."""


class Will(NamedTuple):
    """What the broker publishes, retained, when we vanish."""

    topic: str
    payload: bytes


class Session:
    """One connection to the broker. Made by `session`.

    `dropped` counts messages that came while the incoming queue was full.
    """

    def __init__(self, client: aiomqtt.Client, incoming: Incoming, in_flight: int) -> None:
        self._client = client
        self._incoming = incoming
        self._free = asyncio.Semaphore(in_flight)
        self._sending: set[asyncio.Task[None]] = set()
        self._lost: asyncio.Future[BrokerError] = asyncio.get_running_loop().create_future()

    @property
    def dropped(self) -> int:
        """Messages that came while the incoming queue was full."""
        return self._incoming.dropped

    @property
    def in_flight(self) -> int:
        """Messages that the broker has not acknowledged yet."""
        return len(self._sending)

    async def send(
        self, topic: str, payload: bytes, *, retain: bool = False, on_ack: Callable[[], None] | None = None
    ) -> None:
        """Hand one message over, QoS 1, and return before it is acknowledged; messages keep their order.

        Waits while too many are in flight. `on_ack` is called when the broker has acknowledged it. A message that is
        not acknowledged in time ends the session.

        Raises:
            BrokerError: the session has ended.
        """
        await self._free.acquire()
        if self._lost.done():
            self._free.release()
            raise self._lost.result()
        task = asyncio.create_task(self._deliver(topic, payload, retain, on_ack))
        self._sending.add(task)
        task.add_done_callback(self._delivered)

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send one message, QoS 1, and wait until the broker has acknowledged it.

        Raises:
            BrokerError: the session ended before.
        """
        acknowledged = asyncio.Event()
        await self.send(topic, payload, retain=retain, on_ack=acknowledged.set)
        waiting = asyncio.ensure_future(acknowledged.wait())
        either: set[asyncio.Future[Any]] = {waiting, self._lost}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if not acknowledged.is_set():
            raise self._lost.result()

    async def drain(self) -> None:
        """Wait until nothing is in flight.

        Raises:
            BrokerError: the session ended before.
        """
        while self._sending and not self._lost.done():
            either: set[asyncio.Future[Any]] = {*self._sending, self._lost}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self._lost.done():
            raise self._lost.result()

    async def subscribe(self, *topics: str) -> None:
        """Subscribe with QoS 1.

        Raises:
            BrokerError: the broker refuses a topic, or the session has ended.
        """
        try:
            granted = await self._client.subscribe([(topic, 1) for topic in topics])
        except aiomqtt.MqttError as error:
            raise BrokerError(f"cannot subscribe to {', '.join(topics)}: {error}") from error
        # MQTT 3.1.1, 3.9.3: one code per topic; 128 is a refusal.
        codes: list[Any] = list(granted)  # numbers, or paho's objects around them
        for topic, code in zip(topics, codes, strict=False):
            if getattr(code, "value", code) >= SUBSCRIPTION_REFUSED:
                raise BrokerError(f"the broker refuses the subscription to {topic}; check its access list")

    async def receive(self) -> Message:
        """The next message.

        Raises:
            BrokerError: the session has ended and everything that came has been returned.
        """
        while not self._incoming.held:
            if self._lost.done():
                raise self._lost.result()
            self._incoming.arrived.clear()
            await self._incoming.arrived.wait()
        return self._incoming.take()

    def receive_now(self) -> Message | None:
        """The next message, if one has come."""
        return self._incoming.take() if self._incoming.held else None

    async def lost(self) -> BrokerError:
        """Wait for the end of the session and say why."""
        return await asyncio.shield(self._lost)

    def end(self, error: BrokerError) -> None:
        """Let the session end for this reason; the first reason stands."""
        if not self._lost.done():
            self._lost.set_result(error)
            self._incoming.arrived.set()

    def stop_sending(self) -> None:
        """Forget what is in flight."""
        for task in self._sending:
            task.cancel()

    async def _deliver(self, topic: str, payload: bytes, retain: bool, on_ack: Callable[[], None] | None) -> None:  # noqa: FBT001  # called in one place, above
        try:
            await self._client.publish(topic, payload, qos=1, retain=retain)
        except (aiomqtt.MqttError, ValueError) as error:  # ValueError: paho finds the topic or the size impossible
            self.end(BrokerError(f"publishing on {topic} failed: {error}"))
            return
        if on_ack is not None:
            on_ack()

    def _delivered(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._free.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            self.end(BrokerError(f"a message's acknowledgement could not be handled: {error!r}"))


@asynccontextmanager
async def session(
    settings: Mqtt,
    *,
    client_id: str,
    will: Will | None = None,
    topics: Sequence[str] = (),
    in_flight: int = IN_FLIGHT,
    incoming: int = INCOMING_MOST,
    tls: BrokerContext | None = None,
) -> AsyncIterator[Session]:
    """Connect, subscribe to `topics`, and disconnect at the end. `tls` is made of the settings when it is not given.

    Raises:
        BrokerError: no broker, a refusal, or no answer within 10 s. ConfigError: a credential or certificate
            is missing.
    """
    where = f"mqtt{'s' if settings.tls else ''}://{settings.host}:{settings.port}"
    made: list[Incoming] = []

    def queue(maxsize: int = 0) -> Incoming:
        made.append(Incoming(maxsize))
        return made[0]

    client = Client(
        settings.host,
        settings.port,
        username=settings.user,
        password=credential(PASSWORD) if settings.user is not None else None,
        identifier=client_id,
        protocol=aiomqtt.ProtocolVersion.V311,
        clean_session=True,
        will=aiomqtt.Will(will.topic, will.payload, qos=1, retain=True) if will else None,
        keepalive=KEEPALIVE_S,
        timeout=ANSWER_WITHIN_S,
        tls_context=tls or (tls_context(settings.tls) if settings.tls else None),
        max_inflight_messages=in_flight,
        max_queued_incoming_messages=incoming,
        queue_type=queue,  # type: ignore[arg-type]  # a maker of queues serves where the class is asked for
        # Without it every window of messages waits for the delayed acknowledgement of the one before, 40 ms.
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
    )
    client.pending_calls_threshold = in_flight + 1  # many in flight is our way of working, no warning
    try:
        await client.__aenter__()
    except aiomqtt.MqttError as error:
        client.abandon()
        raise BrokerError(f"{where}: {error}{advised(error) or _advice(error, settings)}") from error
    link = Session(client, made[0], in_flight)
    watch = asyncio.create_task(_watch(client, link, where))
    try:
        if topics:
            await link.subscribe(*topics)
        yield link
    finally:
        link.stop_sending()
        watch.cancel()
        link.end(BrokerError(f"{where}: the session was closed"))
        try:
            await client.__aexit__(None, None, None)
        except aiomqtt.MqttError as error:
            get_log().info("broker_left_without_goodbye", broker=where, error=error)
        client.abandon()


async def stay_connected(
    settings: Mqtt,
    work: Callable[[Session], Awaitable[None]],
    *,
    client_id: str,
    will: Will | None = None,
    topics: Sequence[str] = (),
    in_flight: int = IN_FLIGHT,
    incoming: int = INCOMING_MOST,
    changed: Callable[[str | None], None] = lambda reason: None,  # noqa: ARG005  # for who does not want to know
    rng: random.Random | None = None,
    shown: Shown | None = None,
    notice: Notice = warn,
) -> None:
    """Run `work` on a session, on the next one when that breaks, and so on, until `work` returns.

    `changed` hears None when connected, and the reason when not. Between attempts it waits 1 s, then twice as long up
    to 30 s, each time less a random part, so that a site does not return in step. `shown` is given the broker's
    certificate. New files of the certificate are tried beside the session that stands, and taken when the broker takes
    them: then the session begins anew at once.

    Raises:
        ConfigError: a credential or certificate is missing. Whatever `work` raises, except BrokerError.
    """
    loop = asyncio.get_running_loop()
    rng = rng or random.Random()  # noqa: S311  # spreads load, hides nothing
    backoff_s = BACKOFF_FIRST_S
    renewal: Renewal[BrokerContext] | None = None
    if settings.tls is not None:
        renewal = Renewal(partial(tls_context, settings.tls, shown), settings.tls, notice=notice)
    while True:
        began_s = loop.time()
        try:
            async with session(
                settings,
                client_id=client_id,
                will=will,
                topics=topics,
                in_flight=in_flight,
                incoming=incoming,
                tls=renewal.context if renewal else None,
            ) as link:
                changed(None)
                renewing = asyncio.create_task(_renew(renewal, settings, f"{client_id}-trial", link))
                try:
                    if await _run_until_lost(work, link):
                        return
                finally:
                    renewing.cancel()
        except RenewedError:
            continue
        except BrokerError as error:
            changed(str(error))
        if loop.time() - began_s >= GOOD_SPELL_S:
            backoff_s = BACKOFF_FIRST_S
        await asyncio.sleep(backoff_s * rng.uniform(0.5, 1.0))
        backoff_s = min(2 * backoff_s, BACKOFF_MOST_S)
        if renewal is not None:
            renewal.refresh(0)


async def _renew(renewal: Renewal[BrokerContext] | None, settings: Mqtt, trial_id: str, link: Session) -> None:
    """End the session once the broker takes a new certificate; what it does not take leaves the session as it is."""
    if renewal is None:
        return
    while True:
        await asyncio.sleep(RENEWAL_EVERY_S)
        made = renewal.candidate()
        if made is None:
            continue
        try:
            async with session(settings, client_id=trial_id, tls=made):
                pass
        except BrokerError as error:
            renewal.refuse(f"the broker does not take it: {error}")
            await asyncio.sleep(RENEWAL_AGAIN_S)
            renewal.look_again()
            continue
        renewal.adopt(made)
        with contextlib.suppress(TimeoutError, BrokerError):  # the hand-over brings again what is cut off
            async with asyncio.timeout(DRAIN_WITHIN_S):
                await link.drain()
        link.end(RenewedError("a new certificate is used from now on"))
        return


async def _run_until_lost(work: Callable[[Session], Awaitable[None]], link: Session) -> bool:
    """True when `work` returned; raises BrokerError when the session ended before."""
    working = asyncio.ensure_future(work(link))
    losing = asyncio.ensure_future(link.lost())
    try:
        await asyncio.wait({working, losing}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
            return True
        raise losing.result()
    finally:
        losing.cancel()
        working.cancel()
        await asyncio.wait({working})  # its clean-up belongs to this session


async def _watch(client: Client, link: Session, where: str) -> None:
    try:
        async for _ in client.messages:
            pass
    except Exception as error:  # noqa: BLE001  # aiomqtt passes on whatever broke its socket callbacks
        what = f": {fault}" if (fault := client.tls_fault) else ""
        link.end(BrokerError(f"{where}: the connection broke: {error.__cause__ or error}{what}"))
    else:
        link.end(BrokerError(f"{where}: the broker closed the connection"))


def _advice(error: aiomqtt.MqttError, settings: Mqtt) -> str:
    code = getattr(error, "rc", None)
    value = code if isinstance(code, int) else getattr(code, "value", None)
    if value in (4, 5, 134, 135):  # bad user name or password, not authorised; paho maps 3.1.1 codes to those of MQTT 5
        user = f"user {settings.user!r}" if settings.user else "a client without [mqtt] user"
        return f"; the broker does not let {user} in: check the user, the credential {PASSWORD} and the access list"
    return ""
