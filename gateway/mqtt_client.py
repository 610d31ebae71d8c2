"""aiomqtt with its gaps closed: a bounded queue, sockets that are closed, and TLS that is always verified."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from typing import Any, Final, NamedTuple, cast

import aiomqtt
import paho.mqtt.client as paho

from gateway.config.models import Tls
from readers.errors import ConfigError
from readers.ports.tls import ClientContext, ExaminedSocket, Shown, load_files
from readers.ports.tls_faults import advised

INCOMING_BYTES: Final = 64 << 20
HANDSHAKE_WITHIN_S: Final = 10.0


class Message(NamedTuple):
    """One message that came."""

    topic: str
    payload: bytes
    retained: bool


class Incoming(asyncio.Queue[aiomqtt.Message]):
    """Stands where aiomqtt puts messages, and keeps them itself: bounded by number and bytes, read without a task each.

    `get` never returns, so that iterating over aiomqtt's messages does nothing but wait for the end of the connection.
    """

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__()
        self._most = maxsize
        self.held: deque[Message] = deque()
        self.held_bytes = 0
        self.dropped = 0
        self.arrived = asyncio.Event()

    def put_nowait(self, item: aiomqtt.Message) -> None:
        """Called by aiomqtt."""
        payload = item.payload
        if len(self.held) >= self._most or self.held_bytes + len(payload) > INCOMING_BYTES:
            self.dropped += 1
            return
        self.held.append(Message(item.topic.value, payload, item.retain))
        self.held_bytes += len(payload)
        self.arrived.set()

    def take(self) -> Message:
        """The oldest message; there must be one."""
        message = self.held.popleft()
        self.held_bytes -= len(message.payload)
        return message


class Client(aiomqtt.Client):
    """aiomqtt 2.5.1 with three gaps closed.

    It leaves the socket open when a connection fails, waits for the whole time-out when the broker closes it before
    CONNACK, and registers the socket for writing in a later turn of the loop, when it may be closed and its number
    be another's already.
    """

    @property
    def tls_fault(self) -> str:
        """What went wrong within TLS, and what to do; empty when nothing did."""
        context = self._client._ssl_context  # noqa: SLF001  # the one that it was given
        return context.fault if isinstance(context, BrokerContext) else ""

    def abandon(self) -> None:
        """Close the socket, if it is still open."""
        sock: Any = self._client.socket()
        if sock is not None and sock.fileno() >= 0:
            self._loop.remove_reader(sock.fileno())
            self._loop.remove_writer(sock.fileno())
            sock.close()
        if self._misc_task is not None:
            self._misc_task.cancel()

    def _on_disconnect(self, client: paho.Client, *details: Any, **more: Any) -> None:
        super()._on_disconnect(client, *details, **more)
        if not self._connected.done():
            why = "the broker closed the connection without an answer"
            self._connected.set_exception(aiomqtt.MqttError(f"{why}: {self.tls_fault}" if self.tls_fault else why))

    def _on_socket_register_write(self, client: paho.Client, userdata: object, sock: Any) -> None:
        del userdata

        def write() -> None:
            try:
                client.loop_write()
            except Exception as error:  # noqa: BLE001  # whatever it is, the connection is broken
                if not self._disconnected.done():
                    self._disconnected.set_exception(error)

        def register() -> None:
            number = sock.fileno()
            if number >= 0 and client.socket() is sock:
                self._loop.add_writer(number, write)

        self._loop.call_soon_threadsafe(register)


class _BrokerSocket(ExaminedSocket):
    """Keeps what went wrong within TLS, which paho tells nobody."""

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """As of its base."""
        try:
            return super().recv(buflen, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError as error:  # with TLS 1.3 a broker refuses our certificate only now
            cast("BrokerContext", self.context).fault = f"{error}{advised(error)}"
            raise


class BrokerContext(ClientContext):
    """TLS to the broker.

    Attributes:
        fault: what went wrong last on a connection that stood, with what to do about it; empty when nothing did.
    """

    fault: str = ""

    def wrap_socket(self, sock: socket.socket, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """As of its base; paho says the host's name only, and leaves a socket open when the handshake fails."""
        self.fault = ""
        wrapped = super().wrap_socket(sock, *args, **kwargs)
        try:
            wrapped.settimeout(HANDSHAKE_WITHIN_S)
            wrapped.do_handshake()  # paho's own handshake after this one has nothing to do, and nothing to leave open
        except OSError:
            wrapped.close()
            raise
        return wrapped


def tls_context(settings: Tls, shown: Shown | None = None) -> BrokerContext:
    """TLS 1.2 or newer to the broker; its certificate and name are verified, always. `shown` is given its certificate.

    Raises:
        ConfigError: a file cannot be read, or a pinned certificate is asked for.
    """
    if settings.fingerprint_sha256:
        raise ConfigError(
            "mqtt.tls.fingerprint_sha256: only readers can be pinned; give the authority of the broker as ca_file"
        )
    context = BrokerContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _BrokerSocket
    context.server_name = settings.server_name
    context.shown = shown
    try:
        load_files(context, settings.ca_file, settings.certificate_file, settings.key_file)
    except ConfigError as error:
        raise ConfigError(f"mqtt.{error}") from error
    return context
