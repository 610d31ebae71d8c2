"""The plant of the soak: that of the benchmarks, with bounds of its own, and what its processes use while it runs."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from benchmarks.plant import DROPPED, HEARD, JUDGED, QUEUED, Plant
from benchmarks.processes import Process, memory_mib, metrics, running_broker, wait_for
from benchmarks.site import GATEWAY, PROBE, Site
from gateway.contract.ledger import EdgeLedger, decode_edge_ledger
from tests.support.servers import free_port

OTHER_GATEWAY: Final = "edge-2"
OTHER_PROBE: Final = "probe-2"
SAMPLE_EVERY_S: Final = 1.0
ANSWERS_WITHIN_S: Final = 120.0
EDGE_READY_WITHIN_S: Final = 300.0
"""It reads its journal before it begins."""


class Sampled(NamedTuple):
    """What a process used at one moment."""

    at_s: float
    pid: int
    rss_mib: float
    handles: int


class Sampler:
    """Looks once a second at processes, each by its name, whatever process has that name then."""

    def __init__(self, pids: Callable[[], dict[str, int]], directories: dict[str, Path] | None = None) -> None:
        self.samples: dict[str, list[Sampled]] = {}
        self.bytes_most: dict[str, int] = {}
        self._pids = pids
        self._directories = directories or {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def most_mib(self, name: str) -> float:
        """The most memory that a process of this name ever had."""
        return max((sample.rss_mib for sample in self.samples.get(name, ())), default=0.0)

    def _run(self) -> None:
        while not self._stop.wait(SAMPLE_EVERY_S):
            for name, pid in self._pids().items():
                with suppress(FileNotFoundError, ProcessLookupError, RuntimeError):  # it ends just now
                    handles = len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208  # names alone are needed
                    sample = Sampled(time.monotonic(), pid, memory_mib(pid), handles)
                    self.samples.setdefault(name, []).append(sample)
            for name, directory in self._directories.items():
                self.bytes_most[name] = max(self.bytes_most.get(name, 0), size_bytes(directory))


def size_bytes(directory: Path) -> int:
    """What the files of a directory take."""
    total = 0
    for path in directory.rglob("*") if directory.is_dir() else ():
        with suppress(FileNotFoundError):  # a segment may be deleted just now
            total += path.stat().st_size if path.is_file() else 0
    return total


class Wharf(Plant):
    """The plant of the benchmarks, in which reads may be shed; its edge daemon is started by `start_edge`."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.broker = stack.enter_context(running_broker(self.directory / "broker"))
            ports = stack.enter_context(self.farm).hear()
            probe_port = ports.pop() if self._probe else None
            self._site = replace(self._site, broker_port=self.broker.port, reader_ports=ports, probe_port=probe_port)
            self._site.write(self.directory)
            stack.callback(self.rules.kill)
            self.start_rules()
            stack.callback(self.edge.kill)
            self._stack = stack.pop_all()
        return self

    def start_edge(self, within_s: float = EDGE_READY_WITHIN_S) -> None:
        """Start the edge daemon, and wait until all readers are online and it knows of the rules daemon."""
        self.edge.start()
        wait_for("the edge daemon with all readers online", self._online, within_s, every_s=0.25)

    @property
    def state(self) -> Path:
        """The state directory of the edge and of the rules daemon."""
        return self.directory / "state"

    def counts(self) -> dict[str, float]:
        """The edge's account of tag reads now: heard, judged, queued, dropped; and how often the sender went back."""
        found: dict[str, float] = {}

        def answers() -> bool:
            found.update(metrics(self._site.edge_port) if self.edge.pid else {})
            return HEARD in found

        wait_for("the edge daemon's figures", answers, ANSWERS_WITHIN_S)  # it is busier here than anywhere
        dropped = sum(value for name, value in found.items() if name.startswith(DROPPED))
        account = {"heard": found[HEARD], "judged": found[JUDGED], "queued": found[QUEUED], "dropped": dropped}
        return account | {"rewinds": found["tagwharf_rewinds_total"]}

    def pids(self) -> dict[str, int]:
        """The daemons that run."""
        both = (self.edge, self.rules)
        return {p.name: p.child.pid for p in both if p.child is not None and p.child.poll() is None}

    def empty(self, within_s: float) -> None:
        """Let no more reads come, and everything arrive.

        Raises:
            RuntimeError: it takes longer.
        """
        self.rate(0)
        wait_for("the queue to be empty", lambda: self.counts()["queued"] == 0, within_s)
        settled = 0

        def quiet() -> bool:
            nonlocal settled
            counts, sent = self.counts(), self.farm_counts()
            is_quiet = counts["queued"] == 0 and sent["sent"] == sent["made"] - sent["dropped"] <= counts["heard"]
            settled = settled + 1 if is_quiet else 0
            return settled >= 5

        wait_for("the last reads", quiet, within_s)
        wait_for("the store to have everything", lambda: self._outbox() == 0, within_s)

    def farm_counts(self) -> dict[str, float]:
        """What the simulated readers made, sent and dropped."""
        return self._farm_counts()

    def end(self) -> tuple[EdgeLedger, dict[str, Any]]:
        """Stop the daemons in the direction of the data; their last ledgers.

        Raises:
            RuntimeError: one failed.
        """
        self.edge.stop()
        self.rules.stop()
        return decode_edge_ledger((self.state / "ledger.json").read_bytes()), self.rules_ledger()


class OtherGateway:
    """A second gateway of the same site, with one reader and a probe: its live data share the rules daemon."""

    def __init__(self, directory: Path, broker_port: int) -> None:
        directory.mkdir(parents=True)
        self.farm = Process("farm", directory, ["benchmarks.farm", "--readers", "1", "--probe"], talks=True)
        self.edge = Process("edge", directory, ["gateway.edge", "--config", str(directory / "site.toml")])
        self._directory = directory
        self._broker_port = broker_port
        self._edge_port = free_port()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            port, probe_port = stack.enter_context(self.farm).hear()
            site = Site(broker_port=self._broker_port, reader_ports=[port], probe_port=probe_port)
            text = site.write(self._directory).read_text()
            for own, other in ((GATEWAY, OTHER_GATEWAY), (PROBE, OTHER_PROBE), ("reader-1", "reader-901")):
                text = text.replace(f'"{own}"', f'"{other}"')
            text = text.replace("point-1-", "point-901-").replace("edge_port = 0", f"edge_port = {self._edge_port}")
            (self._directory / "site.toml").write_text(text)
            stack.enter_context(self.edge)
            wait_for("the other gateway", self._online, every_s=0.25)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _online(self) -> bool:
        found = metrics(self._edge_port) if self.edge.pid else {}
        return sum(value for name, value in found.items() if name.startswith("tagwharf_device_up")) == 2

    def rate(self, reads_per_s: float) -> None:
        """Let its tags be read so often; its probe reads a new one every 50 ms, unless it is 0."""
        self.farm.tell(f"rate {reads_per_s}")
