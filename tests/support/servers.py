"""Real servers for system and fault tests, each a process of the test's own: Mosquitto, InfluxDB 1.6, VictoriaMetrics.

`with mosquitto(directory) as broker:` starts one on a free loopback port, waits until it answers, and kills it at the
end. `kill()` is kill -9; `start()` brings the same data back on the same port. Nothing touches a system service.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

UNPACKED: Final = Path(os.environ.get("TAGWHARF_TEST_SERVERS", "/usr/local/lib/tagwharf-test-servers"))
READY_WITHIN_S: Final = 30.0
STOP_WITHIN_S: Final = 20.0
START_ATTEMPTS: Final = 5  # another process may take the port between our choosing it and the server's bind

# Below Linux's ephemeral range (32768 and up): while a server is down, no client's own port can land on its port, and
# a client that reconnects in a loop cannot connect to itself.
_PORTS: Final = range(20_000, 32_000)


class ServerError(Exception):
    """A server is not installed, did not start, or answered with an error."""


def free_port() -> int:
    """A loopback port nobody listens on."""
    for _ in range(200):
        port = random.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServerError(f"no free port in {_PORTS}")


def program(name: str) -> str:
    """The path of a server's program.

    Raises:
        ServerError: it is not installed.
    """
    unpacked = UNPACKED / name
    if unpacked.is_file():
        return str(unpacked)
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise ServerError(f"{name} is not installed; run tests/system/install_servers.sh as root")
    return found


class Server:
    """A process that can be killed and started again on the same port and data."""

    def __init__(self, directory: Path, name: str, command: Callable[[int], list[str]]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.name = name
        self.host = "127.0.0.1"
        self.port = 0
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The id of the running process."""
        if self._process is None or not self.running:
            raise ServerError(f"{self.name} is not running")
        return self._process.pid

    @property
    def log(self) -> str:
        """What the process said, the last 4,000 characters."""
        path = self.directory / "log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def start(self) -> None:
        """Start, and wait until it answers; the port stays the same from the first start on.

        Raises:
            ServerError: it ended, or did not answer in READY_WITHIN_S.
        """
        assert not self.running
        first = self.port == 0
        for attempt in range(START_ATTEMPTS):
            if first:
                self.port = free_port()
            with (self.directory / "log").open("ab") as log:
                self._process = subprocess.Popen(self._command(self.port), stdout=log, stderr=log, cwd=self.directory)
            if self._wait_ready():
                return
            ended = not self.running
            self.kill()
            if not ended:
                break
            time.sleep(0.1 * attempt)
        raise ServerError(
            f"{self.name} did not start on port {self.port} within {READY_WITHIN_S} s; it said:\n{self.log}"
        )

    def _wait_ready(self) -> bool:
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline and self.running:
            if self.ready():
                return self.running
            time.sleep(0.02)
        return False

    def ready(self) -> bool:
        """Whether it answers now."""
        try:
            with socket.create_connection((self.host, self.port), timeout=1):
                return True
        except OSError:
            return False

    def kill(self) -> None:
        """Kill -9; does nothing if it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """SIGTERM, and wait until it is gone."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_WITHIN_S)
        finally:
            self.kill()

    def restart(self) -> None:
        """Kill -9 and start again."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Freeze the process: it holds its connections and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """End `pause`."""
        os.kill(self.pid, signal.SIGCONT)


class HttpServer(Server):
    """A store that speaks HTTP."""

    health_path = "/health"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.host}:{self.port}"

    def ready(self) -> bool:
        """Whether its health page answers 2xx now."""
        try:
            with urllib.request.urlopen(self.url + self.health_path, timeout=2) as answer:
                return bool(200 <= answer.status < 300)
        except OSError:
            return False

    def get(self, path: str, **query: str) -> bytes:
        """GET.

        Raises:
            ServerError: the answer is not 2xx.
        """
        return self._ask(f"{self.url}{path}?{urllib.parse.urlencode(query)}", None)

    def post(self, path: str, body: bytes = b"", **query: str) -> bytes:
        """POST.

        Raises:
            ServerError: the answer is not 2xx.
        """
        return self._ask(f"{self.url}{path}?{urllib.parse.urlencode(query)}", body)

    def _ask(self, url: str, body: bytes | None) -> bytes:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=30) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise ServerError(f"{self.name}: {url}: {error.code} {error.read(500)!r}") from error


class Influx(HttpServer):
    """InfluxDB 1.6: `/write`, InfluxQL, nanoseconds, a fsynced write-ahead log."""

    health_path = "/ping"

    def create_database(self, name: str) -> None:
        """Make a database; nothing happens if it is there."""
        self.post("/query", urllib.parse.urlencode({"q": f'CREATE DATABASE "{name}"'}).encode())

    def query(self, database: str, influxql: str) -> list[dict[str, Any]]:
        """The rows of all series of one SELECT, tags of a GROUP BY included, `time` in nanoseconds."""
        answer = json.loads(self.get("/query", db=database, q=influxql, epoch="ns"))
        for result in answer["results"]:
            if "error" in result:
                raise ServerError(f"{influxql}: {result['error']}")
        return [
            {**series.get("tags", {}), **dict(zip(series["columns"], row, strict=True))}
            for result in answer["results"]
            for series in result.get("series", [])
            for row in series["values"]
        ]


class VictoriaMetrics(HttpServer):
    """VictoriaMetrics: `/api/v2/write` as it is; numbers only, milliseconds."""

    def flush(self) -> None:
        """Make what was written visible to `export`; that does not make it durable."""
        self.get("/internal/force_flush")

    def export(self, match: str) -> list[dict[str, Any]]:
        """Series with `metric`, `values` and `timestamps` (milliseconds), raw samples as they are kept."""
        lines = self.get("/api/v1/export", **{"match[]": match}).splitlines()
        return [json.loads(line) for line in lines]


S = TypeVar("S", bound=Server)


@contextmanager
def _running(server: S) -> Iterator[S]:
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextmanager
def mosquitto(directory: Path, *, persistence: bool = False, extra: str = "") -> Iterator[Server]:
    """A broker without passwords.

    Args:
        directory: configuration, data and log.
        persistence: keep retained messages and queues through kill -9, saved at each change.
        extra: further lines of mosquitto.conf.
    """
    binary = program("mosquitto")

    def command(port: int) -> list[str]:
        lines = [
            f"listener {port} 127.0.0.1",
            "allow_anonymous true",
            "set_tcp_nodelay true",  # with Nagle's algorithm a window of QoS 1 messages waits 40 ms for each answer
            "max_queued_messages 100000",
            f"persistence {str(persistence).lower()}",
            f"persistence_location {directory}/",
            "log_type error",
            "log_type warning",
            "log_type notice",
        ]
        if persistence:
            lines += ["autosave_on_changes true", "autosave_interval 1"]
        if os.geteuid() == 0:
            lines.append("user root")  # else it drops to a user that may not enter the test's directory
        (directory / "mosquitto.conf").write_text("\n".join([*lines, extra, ""]))
        return [binary, "-c", str(directory / "mosquitto.conf")]

    with _running(Server(directory, "mosquitto", command)) as server:
        yield server


@contextmanager
def influxd(directory: Path, *, max_body_bytes: int = 25_000_000) -> Iterator[Influx]:
    """InfluxDB 1.6.7 without passwords; `max_body_bytes` beyond which it answers 413."""
    binary = program("influxd")
    rpc_port = free_port()

    def command(port: int) -> list[str]:
        (directory / "influxdb.conf").write_text(
            f"""reporting-enabled = false
bind-address = "127.0.0.1:{rpc_port}"
[meta]
dir = "{directory}/meta"
[data]
dir = "{directory}/data"
wal-dir = "{directory}/wal"
wal-fsync-delay = "0s"
query-log-enabled = false
[monitor]
store-enabled = false
[subscriber]
enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
max-body-size = {max_body_bytes}
[logging]
level = "warn"
"""
        )
        return [binary, "run", "-config", str(directory / "influxdb.conf")]

    with _running(Influx(directory, "influxd", command)) as server:
        yield server


@contextmanager
def victoria_metrics(directory: Path, *flags: str) -> Iterator[VictoriaMetrics]:
    """VictoriaMetrics; `flags` are further command-line flags."""
    binary = program("victoria-metrics")

    def command(port: int) -> list[str]:
        return [
            binary,
            f"-storageDataPath={directory}/data",
            f"-httpListenAddr=127.0.0.1:{port}",
            "-retentionPeriod=100y",
            "-memory.allowedBytes=268435456",
            "-loggerLevel=WARN",
            *flags,
        ]

    with _running(VictoriaMetrics(directory, "victoria-metrics", command)) as server:
        yield server
