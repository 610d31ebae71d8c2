"""What the benchmarks run and watch: processes on chosen cores, their processor time and memory, and a broker."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.support.broker import Broker
from tests.support.servers import ServerError, mosquitto, program

STOP_WITHIN_S: Final = 60.0
READY_WITHIN_S: Final = 60.0
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
KIB_PER_MIB: Final = 1024
WINDOW: Final = "max_inflight_messages 500"  # as in systemd/mosquitto.conf


def cores() -> list[int]:
    """The cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


def cpu_s(pid: int) -> float:
    """Processor time that a process has used, all its threads, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def memory_mib(pid: int, what: str = "VmRSS") -> float:
    """Memory of a process: `VmRSS` now, `VmHWM` at most so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) / KIB_PER_MIB
    raise RuntimeError(f"/proc/{pid}/status has no {what}")


@dataclass(slots=True)
class Process:
    """One Python module of ours as a process. What it says goes to `NAME.log`, or with `talks` to `hear`."""

    name: str
    directory: Path
    arguments: Sequence[str]
    core: int | None = None
    talks: bool = False
    child: subprocess.Popen[str] | None = field(default=None, init=False)

    def start(self) -> Self:
        """Start it, on its core if it has one."""
        with (self.directory / f"{self.name}.log").open("ab") as log:
            self.child = subprocess.Popen(
                [sys.executable, "-m", *self.arguments],
                stdin=subprocess.PIPE if self.talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if self.talks else log,
                stderr=log,
                text=True,
            )
        if self.core is not None:
            pin(self.child.pid, self.core)
        return self

    @property
    def pid(self) -> int:
        """Its process id, while it runs.

        Raises:
            RuntimeError: it has ended; the message holds the end of its log.
        """
        if self.child is None or self.child.poll() is not None:
            raise RuntimeError(f"{self.name} is not running; it said:\n{self.log()}")
        return self.child.pid

    def tell(self, line: str) -> None:
        """Write a line to it."""
        assert self.child is not None
        assert self.child.stdin is not None
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()

    def hear(self) -> Any:
        """The next line that it says, as JSON; waits for it."""
        assert self.child is not None
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended without an answer; it said:\n{self.log()}")
        return json.loads(line)

    def stop(self) -> None:
        """End it as systemd does.

        Raises:
            RuntimeError: it failed, or did not end in time.
        """
        assert self.child is not None
        self.child.terminate()
        try:
            status = self.child.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"{self.name} did not end within {STOP_WITHIN_S:g} s; it said:\n{self.log()}") from None
        if status != 0:
            raise RuntimeError(f"{self.name} ended with status {status}; it said:\n{self.log()}")

    def kill(self) -> None:
        """End it, if it still runs."""
        if self.child is not None:
            self.child.kill()
            self.child.wait()
            for pipe in (self.child.stdin, self.child.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):  # a line that it did not live to read
                        pipe.close()

    def log(self) -> str:
        """The end of what it said."""
        return (self.directory / f"{self.name}.log").read_text(errors="replace")[-3000:]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def pin(pid: int, core: int) -> None:
    """Keep all threads of a process, and those it will make, on one of our cores, counted from 0."""
    chosen = cores()[core % len(cores())]
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):  # a thread may end meanwhile
            os.sched_setaffinity(int(thread.name), {chosen})


@dataclass(frozen=True, slots=True)
class BrokerInUse:
    """The broker of a run; `description` names it in the figures."""

    host: str
    port: int
    pid: int
    description: str


@contextlib.contextmanager
def running_broker(directory: Path, core: int | None = None) -> Iterator[BrokerInUse]:
    """Mosquitto where it is installed, the embedded broker otherwise; on `core`, if one is given."""
    directory.mkdir(parents=True, exist_ok=True)
    try:
        path = program("mosquitto")
    except ServerError:
        with Broker(directory, mqtt_extra="max_ack_pending: 4000", extra="max_payload: 4MB") as embedded:
            description = "nats-server of the wheel (mosquitto is not installed)"
            broker = BrokerInUse("127.0.0.1", embedded.port, embedded.pid, description)
            if core is not None:
                pin(broker.pid, core)
            yield broker
        return
    told = subprocess.run([path, "-h"], check=False, capture_output=True, text=True).stdout.split("\n")[0]
    with mosquitto(directory, extra=WINDOW) as server:
        if core is not None:
            pin(server.pid, core)
        yield BrokerInUse(server.host, server.port, server.pid, told.replace(" version", ""))


def metrics(port: int) -> dict[str, float]:
    """What a daemon shows Prometheus, `name{labels}` to value; nothing while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    except OSError:
        return {}
    pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def wait_for(what: str, done: Callable[[], bool], within_s: float = READY_WITHIN_S, every_s: float = 0.1) -> None:
    """Wait until `done()` is true.

    Raises:
        RuntimeError: it is not, in that time.
    """
    until_s = time.monotonic() + within_s
    while not done():
        if time.monotonic() > until_s:
            raise RuntimeError(f"waited {within_s:g} s in vain for {what}")
        time.sleep(every_s)
