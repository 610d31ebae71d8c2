"""The platform measures itself: every few seconds, points of ledgers, sinks, latency and rules, in its own words.

They rest on no batch, are no part of the state, and no replay makes them. They go the way of all points: with the next
commit through the outbox to the stores.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Final

from gateway.contract.ledger import EdgeLedger, PointAccount
from rules.daemon.edge_ledgers import EdgeLedgers
from rules.daemon.pipeline import NS_PER_US, Pipeline
from rules.daemon.rule_times import RuleTimes
from rules.outputs import Outputs, Point

READ_TO_STORE: Final = "read_to_store"
_NS_PER_MS: Final = 1_000_000
_US_PER_MS: Final = 1_000


def _now_us() -> int:
    return time.time_ns() // NS_PER_US


class PlatformPoints:
    """Makes the points of one interval after the other; `every_s` long, or for ever when it is 0.

    Attributes:
        ledgers: where what comes from the broker is put in.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        times: RuleTimes,
        ledgers: EdgeLedgers,
        *,
        site: str,
        every_s: float,
        now_us: Callable[[], int] = _now_us,
    ) -> None:
        self.ledgers = ledgers
        self._pipeline = pipeline
        self._times = times
        self._site = ("site", site)
        self._every_s = every_s
        self._now_us = now_us
        self._measured = pipeline.histogram.copy()
        self._told_at = -1

    async def run(self) -> None:
        """Make points until cancelled."""
        while self._every_s:
            await asyncio.sleep(self._every_s)
            self.tell()

    def tell(self) -> None:
        """Let out the points of the interval that ends; not before those of the last are on their way to the disk."""
        commits = self._pipeline.commits
        if commits == self._told_at:
            return  # the disk is full, or slow: the interval goes on, and memory does not fill up
        now_us = self._now_us()
        at_ns = now_us * NS_PER_US
        points = [*self._ledgers(at_ns), *self._sinks(at_ns), *self._latency(at_ns), *self._rules(at_ns)]
        if points:
            self._told_at = commits
            self._pipeline.tell(Outputs(now_us, points=points))

    def _ledgers(self, at_ns: int) -> Iterator[Point]:
        for ledger in self.ledgers.take_fresh():
            for kind, account in ledger.accounts.items():
                tags = (self._site, ("gateway", ledger.gateway), ("kind", kind))
                if account.heard or account.dropped or account.journalled or account.judged or account.queued:
                    yield _ledger_point(ledger, kind, tags, at_ns)
                for reason, items in self.ledgers.dropped(account).items():
                    yield Point("dropped", (*tags, ("reason", reason)), (("items", items),), at_ns)

    def _sinks(self, at_ns: int) -> Iterator[Point]:
        """Those of the site file; and those that are gone from it, while points wait for them."""
        totals, deliveries = self._pipeline.totals, self._pipeline.deliveries
        for sink in sorted({*totals.points, *deliveries}):
            account = totals.points.get(sink) or PointAccount()
            delivery = deliveries.get(sink)
            if delivery is None and not account.queued:
                continue
            fields = (
                ("made", account.made),
                ("stored", account.stored),
                ("refused", account.refused),
                ("queued", account.queued),
                ("queued_bytes", totals.queued_bytes.get(sink, 0)),
                ("is_down", delivery is None or delivery.trouble is not None),
            )
            yield Point("sink", (self._site, ("sink", sink)), fields, at_ns)

    def _latency(self, at_ns: int) -> Iterator[Point]:
        whole = self._pipeline.histogram
        interval, self._measured = whole.since(self._measured), whole.copy()
        if interval.n:
            fields = (
                ("p50_ms", round(interval.percentile_us(50) / _US_PER_MS, 3)),
                ("p99_ms", round(interval.percentile_us(99) / _US_PER_MS, 3)),
                ("batches", interval.n),
            )
            yield Point("latency", (self._site, ("path", READ_TO_STORE)), fields, at_ns)

    def _rules(self, at_ns: int) -> Iterator[Point]:
        for each in self._times.take():
            fields = (
                ("busy_ms", round(each.busy_ns / _NS_PER_MS, 3)),
                ("items", each.items),
                ("events", each.events),
                ("alarms", each.alarms),
            )
            yield Point("rule_time", (self._site, ("rule", each.rule)), fields, at_ns)


def _ledger_point(ledger: EdgeLedger, kind: str, tags: tuple[tuple[str, str], ...], at_ns: int) -> Point:
    account = ledger.accounts[kind]
    fields = (
        ("epoch", ledger.epoch),
        ("heard", account.heard),
        ("journalled", account.journalled),
        ("judged", account.judged),
        ("dropped", sum(account.dropped.values())),
        ("waiting", account.waiting),
        ("unjudged", account.unjudged),
        ("balanced", account.balanced),
    )
    return Point("ledger", tags, fields, at_ns)
