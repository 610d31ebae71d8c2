"""Serves twins on TCP: each connection becomes a `Port` and is handed to the twin's coroutine.

A twin cannot tell this from a port in memory, so what a unit test runs in virtual time, a demo runs on a socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Self

from readers.driver import Port
from readers.errors import ConfigError, LinkError
from readers.ports.tcp import TcpPort

LOOPBACK: Final = "127.0.0.1"
STUCK_S: Final = 900.0  # a device's own TCP stack gives up an unacknowledged segment after about 15 minutes
CLOSE_WITHIN_S: Final = 5.0

Serve = Callable[[Port], Awaitable[None]]


class DevicePort(TcpPort):
    """The device's end of a connection. A device waits for a client that takes nothing until its own TCP gives up."""

    send_within_s = STUCK_S
    unacknowledged_ms = None

    def __init__(self, description: str, accepted: Callable[[DevicePort], None]) -> None:
        super().__init__(description)
        self._accepted = accepted

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        super().connection_made(transport)
        self._accepted(self)


class DeviceServer:
    """A listening socket in front of one twin: `async with DeviceServer(twin.serve) as server: ... server.port`.

    Port 0 lets the system choose; `port` is the real one once it listens.

    Attributes:
        failures: what left the twin's coroutine and is no LinkError, in order: bugs, for tests to look at.
    """

    def __init__(self, serve: Serve, *, host: str = LOOPBACK, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.host = host
        self.port = port
        self.failures: list[BaseException] = []
        self._serve = serve
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: the address cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._make, self.host, self.port, ssl=self._tls)
        except OSError as error:
            where = f"{self.host}:{self.port}"
            raise ConfigError(f"cannot listen on {where}: {error}; choose another address or port 0") from error
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._tasks)

    async def close(self) -> None:
        """Stop listening, end every connection and wait for the twin to finish with each."""
        if self._server is None:
            return
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_WITHIN_S)
        await self._server.wait_closed()
        self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    def _make(self) -> DevicePort:
        scheme = "tls" if self._tls else "tcp"
        return DevicePort(f"{scheme}://{self.host}:{self.port} (device)", self._accept)

    def _accept(self, port: DevicePort) -> None:
        task = asyncio.get_running_loop().create_task(self._run(port))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def _run(self, port: DevicePort) -> None:
        try:
            with contextlib.suppress(LinkError):  # the client is gone; the next connection starts afresh
                await self._serve(port)
        finally:
            await port.close()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self.failures.append(failure)


def server_tls(certificate_file: Path, key_file: Path, client_ca_file: Path | None = None) -> ssl.SSLContext:
    """TLS 1.2 or newer for a device; with `client_ca_file` it demands a client certificate of that authority.

    Raises:
        ConfigError: a file cannot be read or is no PEM.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate_file, key_file)
        if client_ca_file is not None:
            context.load_verify_locations(client_ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(str(file) for file in (certificate_file, key_file, client_ca_file) if file)
        raise ConfigError(f"tls: cannot load {files}: {error}") from error
    return context
