"""What the rules daemon shows Prometheus, read from the pipeline when somebody asks: the hot path counts no labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.health import PREFIX
from rules.daemon.pipeline import Pipeline

LATENCY_EDGES_S: Final = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600)
_US_PER_S: Final = 1_000_000


class RulesCollector(Collector):
    """The pipeline's numbers; `engine_counters` adds those of the engine."""

    def __init__(self, pipeline: Pipeline, engine_counters: Callable[[], Mapping[str, int]]) -> None:
        self._pipeline = pipeline
        self._engine_counters = engine_counters

    def collect(self) -> Iterator[Metric]:
        """Called by prometheus-client for each scrape."""
        yield from self._flow()
        yield from self._sinks()
        yield self._latency()
        engine = CounterMetricFamily(f"{PREFIX}engine", "Counts of the engine", labels=["what"])
        for name, count in sorted(self._engine_counters().items()):
            engine.add_metric([name], count)
        yield engine

    def _flow(self) -> Iterator[Metric]:
        pipeline = self._pipeline
        judged = CounterMetricFamily(f"{PREFIX}judged", "Items judged durably in the epoch", labels=["gateway", "kind"])
        watermark = GaugeMetricFamily(f"{PREFIX}watermark", "Judged durably up to this sequence", labels=["gateway"])
        held = GaugeMetricFamily(f"{PREFIX}held_batches", "Batches that wait behind a gap", labels=["gateway"])
        skipped = CounterMetricFamily(f"{PREFIX}skipped_batches", "Batches that the edge gave up", labels=["gateway"])
        wrong = CounterMetricFamily(
            f"{PREFIX}ordinals_wrong", "Batches whose sender counted otherwise", labels=["gateway"]
        )
        for flow in pipeline.intake.living():
            for kind, count in flow.judged_durably.items():
                judged.add_metric([flow.gateway, kind], count)
            watermark.add_metric([flow.gateway], flow.watermark)
            held.add_metric([flow.gateway], len(flow.held))
            skipped.add_metric([flow.gateway], flow.skipped)
            wrong.add_metric([flow.gateway], flow.ordinals_wrong)
        yield from (judged, watermark, held, skipped, wrong)
        yield _labelled("refused_batches", "Batches that no flow may take", "reason", pipeline.intake.refused)
        yield _labelled("malformed_payloads", "Payloads that were no batch and no resume", "kind", pipeline.malformed)
        yield CounterMetricFamily(
            f"{PREFIX}not_judged_batches", "Batches that tripped a defect of the engine", value=pipeline.not_judged
        )
        yield CounterMetricFamily(f"{PREFIX}commits", "Commits of the rules database", value=pipeline.commits)
        counts = pipeline.totals.counts
        for name in ("duplicates", "gaps", "messages_shed"):
            yield CounterMetricFamily(PREFIX + name, f"See the ledger: {name}", value=counts.get(name, 0))
        events = {n.removeprefix("events."): count for n, count in counts.items() if n.startswith("events.")}
        yield _labelled("events", "Events made", "type", events)

    def _sinks(self) -> Iterator[Metric]:
        pipeline = self._pipeline
        points = GaugeMetricFamily(
            f"{PREFIX}points", "Points of each sink: made = stored + refused + queued", labels=["sink", "state"]
        )
        for sink, account in pipeline.totals.points.items():
            for state in ("made", "stored", "refused", "queued"):
                points.add_metric([sink, state], getattr(account, state))
        yield points
        queued = GaugeMetricFamily(f"{PREFIX}outbox_bytes", "Bytes that wait for a sink", labels=["sink"])
        for sink, size in pipeline.totals.queued_bytes.items():
            queued.add_metric([sink], size)
        yield queued
        failures = CounterMetricFamily(f"{PREFIX}sink_failures", "Writes that failed", labels=["sink"])
        down = GaugeMetricFamily(f"{PREFIX}sink_down", "1 while a sink takes nothing", labels=["sink"])
        for sink, delivery in pipeline.deliveries.items():
            failures.add_metric([sink], delivery.failures)
            down.add_metric([sink], delivery.trouble is not None)
        yield from (failures, down)

    def _latency(self) -> Metric:
        histogram = self._pipeline.histogram
        family = HistogramMetricFamily(
            f"{PREFIX}store_latency_seconds", "From the socket to the committed store, by batch"
        )
        at_most = histogram.cumulative([round(edge * _US_PER_S) for edge in LATENCY_EDGES_S])
        buckets: list[tuple[str, float]] = [
            (f"{edge:g}", count) for edge, count in zip(LATENCY_EDGES_S, at_most, strict=True)
        ]
        family.add_metric([], [*buckets, ("+Inf", histogram.n)], sum_value=histogram.total_us / _US_PER_S)
        return family


def _labelled(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(PREFIX + name, text, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family
