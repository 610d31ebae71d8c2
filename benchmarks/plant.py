"""A whole site under load: a farm of simulated readers, the edge daemon, a broker, the rules daemon; all processes."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

from benchmarks.processes import BrokerInUse, Process, cpu_s, memory_mib, metrics, running_broker, wait_for
from benchmarks.site import EVENT_JOURNAL, Site
from tests.support.servers import free_port

HEARD: Final = 'tagwharf_heard_items_total{kind="reads"}'
JUDGED: Final = 'tagwharf_judged_items_total{kind="reads"}'
QUEUED: Final = 'tagwharf_queued_items{kind="reads"}'
DROPPED: Final = 'tagwharf_dropped_items_total{kind="reads"'
POINTS: Final = "tagwharf_points{"
ARRIVE_WITHIN_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Counters of one moment; processor time in seconds, memory is not among them."""

    at_s: float
    heard: float
    judged: float
    batches: float
    cpu_s: dict[str, float]

    def since(self, before: Sample) -> Sample:
        """What was added since then."""
        spent = {name: value - before.cpu_s[name] for name, value in self.cpu_s.items() if name in before.cpu_s}
        return Sample(
            self.at_s - before.at_s,
            self.heard - before.heard,
            self.judged - before.judged,
            self.batches - before.batches,
            spent,
        )


@dataclass(frozen=True, slots=True)
class Latency:
    """Batches at or below each edge, by the histogram of /metrics; edges in seconds."""

    counts: dict[float, float]

    def since_ms(self, before: Latency) -> Callable[[float], float]:
        """Percentiles of what was added since then, in milliseconds; straight lines within a bucket."""
        edges = sorted(self.counts)
        added = [self.counts[edge] - before.counts[edge] for edge in edges]

        def percentile_ms(percent: float) -> float:
            wanted = added[-1] * percent / 100
            at = next(index for index, count in enumerate(added) if count >= wanted)
            if math.isinf(edges[at]) or not added[-1]:
                return math.inf if added[-1] else math.nan
            low_s, below = (edges[at - 1], added[at - 1]) if at else (0.0, 0.0)
            share = (wanted - below) / (added[at] - below) if added[at] > below else 1.0
            return 1_000 * (low_s + share * (edges[at] - low_s))

        return percentile_ms


class Plant:
    """`with Plant(directory, readers=64) as plant: plant.rate(70_400)`.

    Args:
        every_n: reads in a report.
        rules: whether a rules daemon runs; without one the broker's acknowledgement releases the journal.
        rules_later: it is to be started by `start_rules`, and the edge waits for it.
        probe: one more reader, each read of which raises an alarm.
        edge_core: the edge daemon alone gets this core, and the others get the other one.
    """

    def __init__(
        self,
        directory: Path,
        *,
        readers: int,
        every_n: int = 50,
        rules: bool = True,
        rules_later: bool = False,
        probe: bool = False,
        edge_core: int | None = None,
        sink: str = EVENT_JOURNAL,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.readers = readers + probe
        self._site = Site(
            broker_port=0,
            every_n=every_n,
            acknowledge="rules" if rules else "broker",
            sink=sink,
            edge_port=free_port(),
            rules_port=free_port(),
        )
        self._probe = probe
        other_core = None if edge_core is None else edge_core + 1
        arguments = ["benchmarks.farm", "--readers", str(readers), *(["--probe"] if probe else [])]
        config = ("--config", str(directory / "site.toml"))
        self.farm = Process("farm", directory, arguments, other_core, talks=True)
        self.edge = Process("edge", directory, ["gateway.edge", *config], edge_core)
        self.rules = Process("rules", directory, ["rules", "run", *config], other_core)
        self.has_rules = rules and not rules_later
        self._other_core = other_core
        self._stack = ExitStack()
        self.broker: BrokerInUse

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.broker = stack.enter_context(running_broker(self.directory / "broker", self._other_core))
            ports = stack.enter_context(self.farm).hear()
            probe_port = ports.pop() if self._probe else None
            self._site = replace(self._site, broker_port=self.broker.port, reader_ports=ports, probe_port=probe_port)
            self._site.write(self.directory)
            stack.callback(self.rules.kill)
            if self.has_rules:
                self.start_rules()
            stack.enter_context(self.edge)
            wait_for("the edge daemon with all readers online", self._online, every_s=0.25)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start_rules(self) -> None:
        """Start the rules daemon and wait until it is ready to judge."""
        self.rules.start()
        self.has_rules = True
        wait_for("the rules daemon", lambda: self.rules.pid > 0 and bool(metrics(self._site.rules_port)))

    def _online(self) -> bool:
        found = metrics(self._site.edge_port) if self.edge.pid else {}  # `pid` says it when the daemon has ended
        up = sum(value for name, value in found.items() if name.startswith("tagwharf_device_up"))
        return up == self.readers and found.get("tagwharf_rules_up" if self.has_rules else "tagwharf_broker_up") == 1

    def rate(self, reads_per_s: float) -> None:
        """Let the tags be read so often from now on."""
        self.farm.tell(f"rate {reads_per_s}")

    def sample(self) -> Sample:
        """The counters now."""
        found = metrics(self._site.edge_port)
        at_s = time.monotonic()
        spent = {"edge": cpu_s(self.edge.pid), "broker": cpu_s(self.broker.pid), "farm": cpu_s(self.farm.pid)}
        if self.has_rules:
            spent["rules"] = cpu_s(self.rules.pid)
        return Sample(at_s, found[HEARD], found[JUDGED], found["tagwharf_published_batches_total"], spent)

    def measure(self, seconds: float) -> Sample:
        """What is done in this time."""
        before = self.sample()
        time.sleep(seconds)
        return self.sample().since(before)

    def latency(self) -> Latency:
        """From the socket to the committed store, of each batch so far."""
        prefix = 'tagwharf_store_latency_seconds_bucket{le="'
        found = metrics(self._site.rules_port)
        return Latency(
            {float(name[len(prefix) : -2]): count for name, count in found.items() if name.startswith(prefix)}
        )

    def queued(self) -> float:
        """Reads between the driver and the watermark."""
        return metrics(self._site.edge_port)[QUEUED]

    def settle(self, within_s: float) -> tuple[float, int]:
        """Empty the field and let everything arrive, in the store too.

        Returns how long it took until the last read was judged, and how many reads there were.

        Raises:
            RuntimeError: it took longer, or not every read that the readers sent was heard and judged.
        """
        self.rate(0)
        began_s = time.monotonic()
        wait_for("the queue to be empty", lambda: self.queued() == 0, within_s, every_s=0.05)
        took_s = time.monotonic() - began_s
        counts = self._farm_counts()
        until_s = time.monotonic() + ARRIVE_WITHIN_S
        while counts["sent"] < counts["made"] - counts["dropped"] and time.monotonic() < until_s:
            time.sleep(0.05)
            counts = self._farm_counts()
        wait_for("the last reads", lambda: self.queued() == 0, within_s, every_s=0.05)
        found = metrics(self._site.edge_port)
        dropped = sum(value for name, value in found.items() if name.startswith(DROPPED))
        if dropped or counts["dropped"] or not counts["sent"] == found[HEARD] == found[JUDGED]:
            raise RuntimeError(f"reads were lost: the readers {counts}, heard {found[HEARD]}, judged {found[JUDGED]}")
        if self.has_rules:
            wait_for("the store to have everything", lambda: self._outbox() == 0, within_s)
        return took_s, int(counts["sent"])

    def _outbox(self) -> float:
        found = metrics(self._site.rules_port)
        return sum(value for name, value in found.items() if name.startswith(POINTS) and 'state="queued"' in name)

    def _farm_counts(self) -> dict[str, float]:
        self.farm.tell("count")
        counts: dict[str, float] = self.farm.hear()
        return counts

    def rules_ledger(self) -> dict[str, Any]:
        """The rules daemon's last ledger, at most a second old while it runs."""
        ledger: dict[str, Any] = json.loads((self.directory / "state" / "ledger-rules.json").read_text())
        return ledger

    def stop(self) -> None:
        """End the daemons in the direction of the data.

        Raises:
            RuntimeError: one failed, or a ledger does not come out.
        """
        self.edge.stop()
        edge = json.loads((self.directory / "state" / "ledger.json").read_text())["tag_reads"]
        queued = edge["waiting"] + edge["unjudged"]
        if edge["heard"] != edge["judged"] + sum(edge["dropped"].values()) + queued or queued:
            raise RuntimeError(f"the edge's ledger does not come out: {edge}")
        if self.has_rules:
            self.rules.stop()
            points = self.rules_ledger()["points"]
            if any(p["made"] != p["stored"] or p["refused"] or p["queued"] for p in points.values()):
                raise RuntimeError(f"the rules daemon's ledger does not come out: {points}")

    def memory_mib(self, what: str = "VmRSS") -> dict[str, float]:
        """Memory of the daemons."""
        running = {"edge": self.edge} | ({"rules": self.rules} if self.has_rules else {})
        return {name: memory_mib(process.pid, what) for name, process in running.items()}
