"""A topic of an MQTT broker as a port that is only listened to, for readers that publish what they read.

Each message comes as one JSON text sequence record (RFC 7464): 0x1E, the payload with line breaks made blanks, 0x0A.
A message that cannot come so leaves a record of 0x1A and the reason in its place. MQTT 3.1.1, QoS 1, a clean session,
no TLS and no password. Retained messages are old ones and are left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from typing import Any, Final, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from readers.errors import LinkError
from readers.ports.base import HoldingPort

SCHEME: Final = "mqtt"
DEFAULT_PORT: Final = 1883
OPEN_WITHIN_S: Final = 10.0
KEEPALIVE_S: Final = 15
MOST_PAYLOAD_BYTES: Final = 255 << 10  # what the codecs of such readers hold of one record
HELD_BYTES: Final = 4 << 20
MOST_TOPIC_BYTES: Final = 65_535
_START: Final = b"\x1e"
_DROPPED: Final = b"\x1a"
_END: Final = b"\n"
_BREAKS: Final = bytes.maketrans(b"\r\n", b"  ")  # JSON has them between its signs only, where a blank is the same
_QOS: Final = 1


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

    `dropped` counts messages by reason: `control_character` (0x1E inside), `too_long`, `overflow`.
    """

    def __init__(self, host: str, port: int, topic: str) -> None:
        shown = f"[{host}]" if ":" in host else host
        super().__init__(f"{SCHEME}://{shown}:{port}/{topic}")
        self.dropped: Counter[str] = Counter()
        self._address = (host, port)
        self._topic = topic
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._lock = threading.Lock()
        self._held_bytes = 0  # of the buffer, and of what is on its way from the thread to the loop
        self._is_overflowing = False
        self._client = paho.Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        self._client.connect_timeout = OPEN_WITHIN_S
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
        """Disconnect; the thread of the library has ended when this returns."""
        if not self._closed:
            self._end("the port is closed")
        await asyncio.to_thread(self._stop)

    @classmethod
    async def open(cls, host: str, port: int, topic: str) -> Self:
        """Connect and subscribe.

        Raises:
            LinkError: the broker cannot be reached, does not answer within 10 s, or refuses.
        """
        made = cls(host, port, topic)
        try:
            async with asyncio.timeout(OPEN_WITHIN_S):
                await asyncio.to_thread(made._client.connect, host, port, KEEPALIVE_S)
                made._client.loop_start()
                await made._ready
        except BaseException as error:
            made._ready.cancel()
            await asyncio.shield(made.close())
            if isinstance(error, TimeoutError):
                raise LinkError(f"{made.description}: no answer from the broker within {OPEN_WITHIN_S:g} s") from error
            if isinstance(error, OSError | ValueError):
                raise LinkError(f"{made.description}: {error}; check that the broker runs and listens there") from error
            raise
        return made

    def _stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: paho.Client, _: Any, __: Any, reason: ReasonCode, ___: Any) -> None:
        if reason.is_failure:
            self._tell(self._refused, f"the broker refuses the connection: {reason}")
            return
        client.subscribe(self._topic, _QOS)  # when it cannot be sent, the connection is lost, which is told

    def _subscribed(self, _: Any, __: Any, ___: int, reasons: list[ReasonCode], ____: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._tell(self._refused, "the broker refuses the subscription; check its access list")
        else:
            self._tell(self._subscription_stands)

    def _disconnected(self, _: Any, __: Any, ___: Any, reason: ReasonCode, ____: Any) -> None:
        self._tell(self._refused, f"the connection to the broker is lost: {reason}")

    def _came(self, _: Any, __: Any, message: paho.MQTTMessage) -> None:
        if message.retain:
            return
        payload = message.payload
        if len(payload) > MOST_PAYLOAD_BYTES:
            record = self._drop("too_long")
        elif _START in payload:
            record = self._drop("control_character")
        else:
            record = _START + payload.translate(_BREAKS) + _END
        with self._lock:
            if self._held_bytes + len(record) > HELD_BYTES:
                self.dropped["overflow"] += 1
                if self._is_overflowing:
                    return
                self._is_overflowing = True  # said once, where the first is missing
                record = _START + _DROPPED + b"overflow" + _END
            self._held_bytes += len(record)
        self._tell(self._take, record)

    def _drop(self, reason: str) -> bytes:
        self.dropped[reason] += 1
        return _START + _DROPPED + reason.encode() + _END

    async def receive(self, within_s: float) -> bytes:
        """Records that have come, or b"" after `within_s` seconds.

        Raises:
            LinkError: the broker is lost, and everything that came before has been returned.
        """
        data = await super().receive(within_s)
        with self._lock:
            self._held_bytes -= len(data)
            if data:
                self._is_overflowing = False
        return data

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


async def open_mqtt(host: str, port: int, topic: str) -> MqttPort:
    """Subscribe to a topic, which may hold wildcards.

    Raises:
        LinkError: the broker cannot be reached now, or refuses.
    """
    return await MqttPort.open(host, port, topic)
