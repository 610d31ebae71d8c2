"""TCP and TLS ports."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Final, Self, cast

from readers.errors import LinkError
from readers.ports.base import HoldingPort
from readers.ports.tls import TlsSettings, certificate_fault, tls_context
from readers.ports.tls_faults import advised

__all__ = ["TcpPort", "TlsSettings", "certificate_fault", "open_tcp", "tls_context"]

CONNECT_WITHIN_S: Final = 5.0
SEND_WITHIN_S: Final = 5.0
HELD_BYTES: Final = 1 << 20  # beyond this the socket is not read until the driver has caught up
KEEPALIVE_IDLE_S: Final = 15  # the kernel's own probes: a second line behind the drivers' deadlines
KEEPALIVE_INTERVAL_S: Final = 5
KEEPALIVE_PROBES: Final = 3
UNACKNOWLEDGED_MS: Final = 30_000  # keepalive probes rest while sent bytes wait for an answer: this covers that case


class TcpPort(HoldingPort, asyncio.Protocol):
    """A TCP connection with bounded memory. Made by `open_tcp`.

    Attributes:
        send_within_s: the other side must take what is sent within this time.
        unacknowledged_ms: how long its TCP may leave it unacknowledged; None for the system's quarter of an hour.
    """

    send_within_s = SEND_WITHIN_S
    unacknowledged_ms: int | None = UNACKNOWLEDGED_MS

    def __init__(self, description: str) -> None:
        super().__init__(description)
        self._writable = asyncio.Event()
        self._writable.set()
        self._paused = False
        self._heard = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without being derived from it
        sock: socket.socket | None = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
            if self.unacknowledged_ms is not None:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self.unacknowledged_ms)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self._heard = True
        self._take(data)
        if len(self._buffer) > HELD_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        if not self._closed:
            why = f": {exc}" if exc else ""
            self._end(f"the device closed the link{why}{advised(exc) if exc else ''}{self._unproven()}", exc)
        self._writable.set()

    def _unproven(self) -> str:
        """A device that does not take our certificate closes a TLS 1.3 link after the handshake, often mutely."""
        if self._heard or self.peer_certificate() is None:
            return ""
        return "; it said nothing after the handshake: it may want another certificate of ours, see certificate_file"

    def pause_writing(self) -> None:
        """Called by asyncio."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Called by asyncio."""
        self._writable.set()

    async def send(self, data: bytes) -> None:
        """Write all of `data`.

        Raises:
            LinkError: the link is closed, or the other side took nothing for 5 s.
        """
        if self._closed or self._transport is None:
            raise self._over()
        self._transport.write(data)
        try:
            async with asyncio.timeout(self.send_within_s):
                await self._writable.wait()
        except TimeoutError as error:
            raise LinkError(
                f"{self.description}: nothing was taken for {self.send_within_s:g} s; "
                "the other side hangs or the network is cut"
            ) from error
        if self._closed:  # it broke while these bytes waited for room
            raise self._over()

    def _drained(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    async def close(self) -> None:
        """Close the link at once; what was not yet sent is dropped."""
        if self._transport is not None:
            self._transport.abort()
        self._end("")

    def peer_certificate(self) -> bytes | None:
        """The device's certificate in DER, on a TLS link."""
        tls: ssl.SSLObject | None = self._transport.get_extra_info("ssl_object") if self._transport else None
        return tls.getpeercert(binary_form=True) if tls else None

    @classmethod
    async def open(cls, host: str, port: int, tls: TlsSettings | None = None) -> Self:
        """Connect within 5 s.

        Raises:
            LinkError: refused, unreachable, too slow, or the device's certificate is not the right one.
            ConfigError: a certificate file cannot be read.
        """
        description = f"{'tls' if tls else 'tcp'}://{host}:{port}"
        context = tls_context(tls) if tls else None
        name = (tls.server_name or host) if tls and not tls.fingerprint_sha256 else ("" if tls else None)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                _, link = await loop.create_connection(
                    lambda: cls(description), host, port, ssl=context, server_hostname=name
                )
        except TimeoutError as error:
            raise LinkError(
                f"{description}: no answer within {CONNECT_WITHIN_S:g} s; check address, power and network"
            ) from error
        except OSError as error:  # ssl.SSLError and socket.gaierror are OSErrors too
            raise LinkError(f"{description}: cannot connect: {error}{advised(error)}") from error
        if tls and tls.fingerprint_sha256:
            await link.require_certificate(tls.fingerprint_sha256)
        return link

    async def require_certificate(self, wanted: str) -> None:
        """Close the link unless the device showed the certificate with this SHA-256 in hex.

        Raises:
            LinkError: it showed another one.
        """
        if wrong := certificate_fault(self.peer_certificate() or b"", wanted):
            await self.close()
            raise LinkError(f"{self.description}: the device's {wrong}")


async def open_tcp(host: str, port: int, tls: TlsSettings | None = None) -> TcpPort:
    """Connect to a device; see `TcpPort.open`."""
    bare = host.removeprefix("[").removesuffix("]")  # an IPv6 address in brackets, as URLs write it
    return await TcpPort.open(bare, port, tls)
