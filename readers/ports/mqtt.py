"""A topic of an MQTT broker as a port that is only listened to, for readers that publish what they read.

Each message comes as one JSON text sequence record (RFC 7464): 0x1E, the payload with line breaks made blanks, 0x0A.
Messages that cannot come so leave a record of 0x1A, the reason and their number in their place. MQTT 3.1.1, QoS 1, a
clean session; TLS and a user where the site file names them. Retained messages are old ones and are left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections import Counter
from typing import Any, Final, Self

import paho.mqtt.client as paho
from paho.mqtt.reasoncodes import ReasonCode

from readers.credentials import credential
from readers.errors import LinkError
from readers.ports.base import HoldingPort
from readers.ports.mqtt_client import BrokerClient, Login
from readers.ports.tcp import TlsSettings

SCHEMES: Final = {"mqtt": 1883, "mqtts": 8883}
"""Without and with TLS, each with its usual port number."""
OPEN_WITHIN_S: Final = 10.0
GOODBYE_WITHIN_S: Final = 1.0
KEEPALIVE_S: Final = 15
MOST_PAYLOAD_BYTES: Final = 255 << 10  # what the codecs of such readers hold of one record
HELD_BYTES: Final = 4 << 20
MOST_TOPIC_BYTES: Final = 65_535
_START: Final = b"\x1e"
_DROPPED: Final = b"\x1a"
_END: Final = b"\n"
_BREAKS: Final = bytes.maketrans(b"\r\n", b"  ")  # JSON has them between its signs only, where a blank is the same
_QOS: Final = 1
_UNSAID: Final = "Unspecified error"  # what the library says of a connection that was closed
_CLOSED: Final = "the broker has closed it"
_UNKNOWN_USER: Final = frozenset({"Bad user name or password", "Not authorized"})


def topic_fault(topic: str) -> str | None:
    """What is wrong with a topic to subscribe to; None when nothing is."""
    if not topic:
        return "names no topic"
    if len(topic.encode("utf-8", "replace")) > MOST_TOPIC_BYTES or "\x00" in topic:
        return "has a topic that is too long or holds a NUL"
    *levels, last = topic.split("/")
    if any("#" in level for level in levels) or ("#" in last and last != "#"):
        return "has # in its topic elsewhere than as the last level"
    if any("+" in level and level != "+" for level in [*levels, last]):
        return "has + in its topic as a part of a level"
    return None


class MqttPort(HoldingPort):
    """One subscription. Made by `open_mqtt`, inside a running loop; the library reads in a thread of its own.

    `dropped` counts messages by reason: `control_character` (0x1E inside), `too_long`, `overflow`, `retained`.
    """

    def __init__(self, host: str, port: int, topic: str, tls: TlsSettings | None, login: Login | None) -> None:
        """Raises ConfigError when the password or a certificate file cannot be read."""
        shown = f"[{host}]" if ":" in host else host
        super().__init__(f"{'mqtts' if tls else 'mqtt'}://{shown}:{port}/{topic}")
        self.dropped: Counter[str] = Counter()
        self._address = (host, port)
        self._topic = topic
        self._login = login
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._advice_unanswered = (
            "; if it speaks TLS on this port, write mqtts://"
            if tls is None
            else ("" if tls.certificate_file else "; if it asks for a certificate, name ours in [reader.tls]")
        )
        self._thread_ended = asyncio.Event()
        self._lock = threading.Lock()
        self._held_bytes = 0  # of the buffer, and of what is on its way from the thread to the loop
        self._overflowed = 0  # messages since the buffer was emptied
        self._client = BrokerClient(host, tls, self._over_in_thread)
        if login is not None:
            self._client.username_pw_set(login.user, credential(login.password_credential))
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._subscribed
        self._client.on_disconnect = self._disconnected
        self._client.on_message = self._came

    async def send(self, data: bytes) -> None:
        """Nothing can be sent.

        Raises:
            LinkError: always.
        """
        del data
        raise LinkError(f"{self.description}: listen only; this port publishes nothing")

    async def close(self) -> None:
        """Disconnect; the thread of the library has ended when this returns, or will within seconds."""
        if not self._closed:
            self._end("the port is closed")
        if not self._client.is_running:
            return
        has_ended = self._client.disconnect() is paho.MQTT_ERR_SUCCESS and await self._ends()
        if not has_ended:
            self._client.cut()  # nobody takes our goodbye
            has_ended = await self._ends()
        if has_ended:
            self._client.release()

    async def _ends(self) -> bool:
        try:
            async with asyncio.timeout(GOODBYE_WITHIN_S):
                await self._thread_ended.wait()
        except TimeoutError:
            return False
        return True

    @classmethod
    async def open(
        cls, host: str, port: int, topic: str, tls: TlsSettings | None = None, login: Login | None = None
    ) -> Self:
        """Connect and subscribe.

        Raises:
            LinkError: the broker cannot be reached, does not answer within 10 s, shows a wrong certificate, or refuses.
                Its list of users can be put right without us, so that it is asked again.
            ConfigError: the password or a certificate file cannot be read.
        """
        made = cls(host, port, topic, tls, login)
        try:
            async with asyncio.timeout(OPEN_WITHIN_S):
                made._client.begin(await _connected_socket(host, port), host, port, KEEPALIVE_S)
                await made._ready
        except BaseException as error:
            made._ready.cancel()
            await asyncio.shield(made.close())
            if isinstance(error, TimeoutError):
                raise LinkError(f"{made.description}: no answer from the broker within {OPEN_WITHIN_S:g} s") from error
            if isinstance(error, OSError):
                raise LinkError(f"{made.description}: {error}; check that the broker runs and listens there") from error
            raise
        return made

    def _connected(self, client: paho.Client, _: Any, __: Any, reason: ReasonCode, ___: Any) -> None:
        if reason.is_failure:
            self._tell(self._refused, f"the broker refuses the connection: {reason}{self._advice(reason)}")
            return
        client.subscribe(self._topic, _QOS)  # when it cannot be sent, the connection is lost, which is told

    def _advice(self, reason: ReasonCode) -> str:
        if str(reason) not in _UNKNOWN_USER:
            return ""
        if self._login is None:
            return "; name a user in [reader.login]"
        return (
            f"; check the user {self._login.user!r} of [reader.login], the credential "
            f"{self._login.password_credential!r}, and the broker's list of users"
        )

    def _subscribed(self, _: Any, __: Any, ___: int, reasons: list[ReasonCode], ____: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._tell(self._refused, "the broker refuses the subscription; check its access list")
        else:
            self._tell(self._subscription_stands)

    def _disconnected(self, _: Any, __: Any, ___: Any, reason: ReasonCode, ____: Any) -> None:
        cause = self._client.fault or (_CLOSED if str(reason) == _UNSAID else str(reason))
        advice = "" if self._ready.done() else self._advice_unanswered
        self._tell(self._refused, f"the connection to the broker is lost: {cause}{advice}")

    def _over_in_thread(self, cause: str) -> None:
        self._tell(self._refused, cause)
        self._tell(self._thread_ended.set)

    def _came(self, _: Any, __: Any, message: paho.MQTTMessage) -> None:
        payload = message.payload
        if message.retain:
            record = self._drop("retained")
        elif len(payload) > MOST_PAYLOAD_BYTES:
            record = self._drop("too_long")
        elif _START in payload:
            record = self._drop("control_character")
        else:
            record = _START + payload.translate(_BREAKS) + _END
        with self._lock:
            if self._held_bytes + len(record) > HELD_BYTES:
                self.dropped["overflow"] += 1
                self._overflowed += 1
                return
            self._held_bytes += len(record)
        self._tell(self._take, record)

    def _drop(self, reason: str) -> bytes:
        self.dropped[reason] += 1
        return _record_of(reason, 1)

    async def receive(self, within_s: float) -> bytes:
        """Records that have come, or b"" after `within_s` seconds.

        Raises:
            LinkError: the broker is lost, and everything that came before has been returned.
        """
        data = await super().receive(within_s)
        with self._lock:
            self._held_bytes -= len(data)
            overflowed, self._overflowed = self._overflowed, 0
        return data + _record_of("overflow", overflowed) if overflowed else data

    def _tell(self, what: Any, *arguments: Any) -> None:
        """From the library's thread to the loop, which may have been closed since."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(what, *arguments)

    def _subscription_stands(self) -> None:
        if not self._ready.done():
            self._ready.set_result(None)

    def _refused(self, cause: str) -> None:
        if not self._ready.done():
            self._ready.set_exception(LinkError(f"{self.description}: {cause}"))
        if not self._closed:
            self._end(cause)


def _record_of(reason: str, count: int) -> bytes:
    return _START + _DROPPED + f"{reason} {count}".encode() + _END


async def _connected_socket(host: str, port: int) -> socket.socket:
    """A TCP connection that nobody reads yet.

    Raises:
        OSError: nobody listens at any address of the host.
    """
    loop = asyncio.get_running_loop()
    fault: OSError = OSError(f"no address of {host} is known")
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        made = socket.socket(family, kind, protocol)
        try:
            made.setblocking(False)  # noqa: FBT003 - its one argument
            await loop.sock_connect(made, address)
        except OSError as error:
            made.close()
            fault = error
        except BaseException:
            made.close()
            raise
        else:
            return made
    raise fault


async def open_mqtt(
    host: str, port: int, topic: str, tls: TlsSettings | None = None, login: Login | None = None
) -> MqttPort:
    """Subscribe to a topic, which may hold wildcards.

    Raises:
        LinkError: the broker cannot be reached now, or refuses. ConfigError: a password or certificate is missing.
    """
    return await MqttPort.open(host, port, topic, tls, login)
