"""TCP and TLS ports."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, cast

from readers.errors import ConfigError, LinkError
from readers.ports.base import HoldingPort

CONNECT_WITHIN_S: Final = 5.0
SEND_WITHIN_S: Final = 5.0
HELD_BYTES: Final = 1 << 20  # beyond this the socket is not read until the driver has caught up
KEEPALIVE_IDLE_S: Final = 15  # the kernel's own probes: a second line behind the drivers' deadlines
KEEPALIVE_INTERVAL_S: Final = 5
KEEPALIVE_PROBES: Final = 3
UNACKNOWLEDGED_MS: Final = 30_000  # keepalive probes rest while sent bytes wait for an answer: this covers that case


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How a device proves itself, and how this gateway does.

    Attributes:
        ca_file: PEM of the authority that signed the device's certificate; None for the system's.
        fingerprint_sha256: hex of the one right certificate, instead of an authority.
        certificate_file, key_file: PEM files of this gateway, where the device asks for them.
        server_name: the name in the device's certificate, where it is not the host name.
    """

    ca_file: Path | None = None
    fingerprint_sha256: str | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    server_name: str | None = None


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
        self._take(data)
        if len(self._buffer) > HELD_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        if not self._closed:
            self._end(f"the device closed the link{f': {exc}' if exc else ''}", exc)
        self._writable.set()

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
            raise LinkError(f"{description}: cannot connect: {error}") from error
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


def certificate_fault(certificate: bytes, wanted: str) -> str | None:
    """What is wrong with a certificate in DER when the one with this SHA-256 in hex is pinned; None when nothing is."""
    found = hashlib.sha256(certificate).hexdigest()
    if found == wanted.replace(":", "").lower():
        return None
    return (
        f"certificate has SHA-256 {found}, but {wanted} is pinned; "
        "make sure that it is the right device before you change the pin"
    )


def tls_context(settings: TlsSettings) -> ssl.SSLContext:
    """TLS 1.2 or newer, verified by authority and name, or by a pinned certificate.

    Raises:
        ConfigError: a file cannot be read or is no PEM.
    """
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.certificate_file:
            context.load_cert_chain(settings.certificate_file, settings.key_file)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(str(f) for f in (settings.ca_file, settings.certificate_file, settings.key_file) if f)
        raise ConfigError(f"tls: cannot load {files}: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.fingerprint_sha256:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the one right certificate is compared after the handshake instead
    return context


async def open_tcp(host: str, port: int, tls: TlsSettings | None = None) -> TcpPort:
    """Connect to a device; see `TcpPort.open`."""
    bare = host.removeprefix("[").removesuffix("]")  # an IPv6 address in brackets, as URLs write it
    return await TcpPort.open(bare, port, tls)
