"""From the broker to the store: batches of 50 reads, every read a row, through the rules daemon or a Node-RED flow.

A feeder publishes a fixed number of batches as fast as it may. By the first of them, which do not count, all 12,800
tags arrive; then time runs until the store has the last read, and the store is asked how many it has. The rules daemon
judges presence, keeps its durable outbox on disk and acknowledges to the feeder as to an edge daemon; the flow parses,
builds lines and posts them, and keeps nothing.
Feeder, broker, pipeline and store share the machine. VictoriaMetrics is the store of the comparison, being quicker than
either; InfluxDB 1 shows what a store costs that is durable when it answers.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from benchmarks import node_red
from benchmarks.processes import Process, cpu_s, metrics, running_broker, wait_for
from benchmarks.site import Site
from tests.support.servers import Influx, ServerError, VictoriaMetrics, free_port, influxd, victoria_metrics

BATCHES: Final = 14_000
WARM_UP_BATCHES: Final = 1_024  # four reads of each tag
WARM_UP_READS: Final = WARM_UP_BATCHES * 50
WINDOW: Final = 500  # [mqtt] window_batches by default
FIELDS: Final = 4  # of each tag_read made here; VictoriaMetrics counts them one by one
WITHIN_S: Final = 60.0
SHOWN_WITHIN_S: Final = 10.0
DATABASE: Final = "bench"
_JUDGED: Final = 'tagwharf_judged_total{gateway="edge-1",kind="reads"}'
ABSENT: Final = "not measured: {} is not installed"


def run(batches: int = BATCHES) -> dict[str, Any]:
    """Events a second to each store, and the ratio to Node-RED."""
    figures: dict[str, Any] = {"reads_per_message": 50}
    ours = _with_store(figures, "victoria_metrics", lambda bench: _ours_to_victoria(bench, batches))
    program = node_red.installed()
    if program is None:
        figures["node_red"] = ABSENT.format("Node-RED, and not obtainable through npm,")
    else:
        figures["node_red"] = node_red.version(program)
        theirs = _with_store(figures, "node_red", lambda bench: _node_red_to_victoria(bench, batches, program))
        if ours and theirs:
            figures["ratio_to_node_red"] = ours / theirs
    _with_store(figures, "influxdb_1", lambda bench: _ours_to_influx(bench, batches * 3 // 8))
    figures["goal"] = "ratio_to_node_red >= 1.3"
    return figures


def _with_store(figures: dict[str, Any], name: str, measure: Callable[[_Bench], dict[str, Any]]) -> float | None:
    with ExitStack() as stack:
        bench = _Bench(stack)
        try:
            made = measure(bench)
        except ServerError as error:
            figures[f"events_per_s_{name}"] = f"not measured: {error}"
            return None
        figures["broker"] = bench.broker_description
    figures |= {f"{figure}_{name}": value for figure, value in made.items()}
    rate: float = made["events_per_s"]
    return rate


class _Bench:
    """A broker, and what else a run needs, until its stack is closed."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self.directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tagwharf-bench-")))
        broker = stack.enter_context(running_broker(self.directory / "broker"))
        self.broker_port = broker.port
        self.broker_description = broker.description

    def victoria(self) -> VictoriaMetrics:
        """A store."""
        return self.stack.enter_context(victoria_metrics(self.directory / "store"))

    def feeder(self, batches: int, window: int | None = None) -> tuple[Process, int]:
        """A feeder that is ready, and how many reads it has."""
        arguments = ["benchmarks.feeder", "--port", str(self.broker_port), "--batches", str(batches)]
        arguments += ["--warm-up", str(WARM_UP_BATCHES)]
        if window:
            arguments += ["--window", str(window)]
        feeder = self.stack.enter_context(Process("feeder", self.directory, arguments, talks=True))
        return feeder, feeder.hear()

    def rules(self, sink: str) -> tuple[Process, int]:
        """A rules daemon that is connected, and the port of its metrics."""
        port = free_port()
        config = Site(broker_port=self.broker_port, sink=sink, rules_port=port).write(self.directory)
        arguments = ["rules", "run", "--config", str(config)]
        rules = self.stack.enter_context(Process("rules", self.directory, arguments))
        wait_for("the rules daemon", lambda: rules.pid > 0 and bool(metrics(port)))
        wait_for("the rules daemon's ledger", (self.directory / "state" / "ledger-rules.json").exists)
        return rules, port


def _ours_to_victoria(bench: _Bench, batches: int) -> dict[str, Any]:
    store = bench.victoria()
    sink = f'[[sink]]\nkind = "influxdb"\nname = "store"\nurl = "{store.url}"\nstore_reads = true'
    return _ours(bench, sink, batches, lambda: _reads_in(store))


def _ours_to_influx(bench: _Bench, batches: int) -> dict[str, Any]:
    store = bench.stack.enter_context(influxd(bench.directory / "store"))
    store.create_database(DATABASE)
    sink = (
        f'[[sink]]\nkind = "influxdb"\nname = "store"\napi = "v1"\nurl = "{store.url}"\nbucket = "{DATABASE}"\n'
        "store_reads = true"
    )
    return _ours(bench, sink, batches, lambda: _rows_in(store))


def _ours(bench: _Bench, sink: str, batches: int, count: Callable[[], int]) -> dict[str, Any]:
    rules, port = bench.rules(sink)
    feeder, reads = bench.feeder(batches, WINDOW)

    def stored(total: int) -> bool:
        found = metrics(port)
        points = {state: found.get(_points(state), 0.0) for state in ("made", "stored", "refused")}
        settled = points["made"] == points["stored"] + points["refused"]
        return settled and found.get(_JUDGED, 0.0) == total

    took_s, spent_s = _timed(feeder, rules.pid, reads, stored)
    found = metrics(port)
    _require_all(count, reads, found[_points("refused")])
    return {"events": reads, "events_per_s": reads / took_s, "events_per_cpu_s": reads / spent_s}


def _node_red_to_victoria(bench: _Bench, batches: int, program: Path) -> dict[str, Any]:
    store = bench.victoria()
    url = f"{store.url}/write?db={DATABASE}&precision=ns"
    child = bench.stack.enter_context(node_red.running(program, bench.directory / "node-red", bench.broker_port, url))
    feeder, reads = bench.feeder(batches)
    took_s, spent_s = _timed(feeder, child, reads, lambda total: _inserted(store) >= total * FIELDS)
    _require_all(lambda: _reads_in(store), reads, 0)
    return {"events": reads, "events_per_s": reads / took_s, "events_per_cpu_s": reads / spent_s}


def _timed(feeder: Process, pid: int, reads: int, done: Callable[[int], bool]) -> tuple[float, float]:
    """Seconds until the store has everything, and processor time of the pipeline meanwhile."""
    feeder.tell("warm up")
    feeder.hear()
    wait_for("the first reads in the store", lambda: done(WARM_UP_READS), WITHIN_S)
    before_s, began_s = cpu_s(pid), time.monotonic()
    feeder.tell("go")
    wait_for("the last read in the store", lambda: done(reads + WARM_UP_READS), WITHIN_S)
    return time.monotonic() - began_s, cpu_s(pid) - before_s


def _require_all(count: Callable[[], int], reads: int, refused: float) -> None:
    """The store has every read; it may need a moment until its queries show them."""
    until_s = time.monotonic() + SHOWN_WITHIN_S
    while (found := count()) != reads + WARM_UP_READS:
        if time.monotonic() > until_s:
            expected = reads + WARM_UP_READS
            raise RuntimeError(f"{expected} reads were published; the store has {found}, {refused:g} were refused")
        time.sleep(0.5)


def _points(state: str) -> str:
    return f'tagwharf_points{{sink="store",state="{state}"}}'


def _inserted(store: VictoriaMetrics) -> float:
    lines = store.get("/metrics").decode().splitlines()
    return sum(
        float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith('vm_rows_inserted_total{type="influx"')
    )


def _reads_in(store: VictoriaMetrics) -> int:
    store.flush()
    # Without `nocache` it leaves out the last 30 seconds, which may not be complete on a cluster.
    answer = json.loads(store.get("/api/v1/query", nocache="1", query="sum(count_over_time(tag_read_count[1h]))"))
    found = answer["data"]["result"]
    return int(found[0]["value"][1]) if found else 0


def _rows_in(store: Influx) -> int:
    rows = store.query(DATABASE, "SELECT count(epc) FROM tag_read")
    return int(rows[0]["count"]) if rows else 0
