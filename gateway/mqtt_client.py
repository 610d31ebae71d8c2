"""aiomqtt with its gaps closed: a bounded queue, sockets that are closed, and TLS that is always verified."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from typing import Any, Final, NamedTuple

import aiomqtt
import paho.mqtt.client as paho

from gateway.config.models import Tls
from readers.errors import ConfigError

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
            self._connected.set_exception(aiomqtt.MqttError("the broker closed the connection without an answer"))

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


class _NamedContext(ssl.SSLContext):
    """Expects the certificate of another name than the host's, which paho would not let us say."""

    server_name: str | None = None

    def wrap_socket(self, sock: socket.socket, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        if self.server_name is not None:
            kwargs["server_hostname"] = self.server_name
        wrapped = super().wrap_socket(sock, *args, **kwargs)
        try:
            wrapped.settimeout(HANDSHAKE_WITHIN_S)
            wrapped.do_handshake()  # paho's own handshake after this one has nothing to do, and nothing to leave open
        except OSError:
            wrapped.close()
            raise
        return wrapped


def tls_context(settings: Tls) -> ssl.SSLContext:
    """TLS 1.2 or newer to the broker; its certificate and name are verified, always.

    Raises:
        ConfigError: a file cannot be read, or a pinned certificate is asked for.
    """
    if settings.fingerprint_sha256:
        raise ConfigError(
            "mqtt.tls.fingerprint_sha256: only readers can be pinned; give the authority of the broker as ca_file"
        )
    context = _NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.server_name = settings.server_name
    try:
        if settings.ca_file:
            context.load_verify_locations(settings.ca_file)
        else:
            context.load_default_certs()
        if settings.certificate_file:
            context.load_cert_chain(settings.certificate_file, settings.key_file)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(str(f) for f in (settings.ca_file, settings.certificate_file, settings.key_file) if f)
        raise ConfigError(f"mqtt.tls: cannot load {files}: {error}") from error
    return context
