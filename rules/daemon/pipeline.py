"""From a batch to everything that it leads to: judged in order, committed together, then delivered.

    take ─► intake (order, once) ─► engine ─► pending ─► commit ─┬─► acks, events and alarms on MQTT
                                                                 └─► outbox ─► a delivery task per sink

Everything here but the engine's and the sinks' own work happens on the event loop; SQLite has threads.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, Protocol

from gateway.contract.batches import Batch, StatusBatch, UnreadableBatch, item_count
from gateway.contract.ledger import RulesLedger
from gateway.contract.topics import Topics
from gateway.health import Health
from gateway.logs import get_log
from rules.daemon.database import Commit, Settlement, Stored
from rules.daemon.database_file import is_full
from rules.daemon.intake import Arrival, Flow, Intake
from rules.daemon.latency import Histogram, ToStore
from rules.daemon.outbox import Delivery, Trouble
from rules.daemon.publication import Publication, messages_of
from rules.daemon.reception import Reception
from rules.daemon.threads import DatabaseThreads
from rules.orders import Orders
from rules.outputs import Outputs, Parcel, Sink
from rules.own_events import SINK_STOPPED, Gateways, OwnAlarms, not_judged, state_lost

UNCOMMITTED_BATCHES: Final = 2_000  # beyond either of them nothing more is taken until a commit is done
UNCOMMITTED_ITEMS: Final = 200_000  # some 64 MiB
IDLE_S: Final = 1.0
FULL_RETRY_S: Final = 1.0
COMMIT_STALLED_S: Final = 30.0
NS_PER_US: Final = 1_000


class Judge(Protocol):
    """The engine, as the pipeline sees it."""

    def step(self, batch: Batch, /) -> Outputs:
        """Judge one batch."""

    def changes(self) -> list[tuple[str, bytes | None]]:
        """State changed since the last call; None for what is gone."""

    def restore(self, entries: Iterable[tuple[str, bytes]], /) -> object:
        """Take up the state of the last commit."""


def _now_us() -> int:
    return time.time_ns() // NS_PER_US


class Pipeline:
    """One life of the rules daemon, without its broker.

    Attributes:
        session: changes with each life; edges go back to the watermark when they see a new one.
        committed: set after each commit; whoever waits clears it.
        alarms: those of the daemon itself.
    """

    def __init__(
        self,
        *,
        site: str,
        judge: Judge,
        sinks: Sequence[Sink],
        threads: DatabaseThreads,
        stored: Stored,
        health: Health,
        commit_every_s: float,
        latency_sink: str | None = None,
        orders: Orders | None = None,
        now_us: Callable[[], int] = _now_us,
        rng: random.Random | None = None,
    ) -> None:
        """`stored` is what the last life left, `latency_sink` the store whose `write` ends the latency."""
        self.session = secrets.token_hex(8)
        self.topics = Topics(site)
        self.intake = Intake()
        self.histogram = Histogram()
        self.totals = stored.totals
        self.not_judged = 0
        self.commits = 0
        self.committed = asyncio.Event()
        self.publication = Publication(threads.read_messages, stored.retained)
        self._judge = judge
        self._sinks = sinks
        self._threads = threads
        self._health = health
        self._log = get_log()
        self._now_us = now_us
        self._commit_every_s = commit_every_s
        self._latency_sink = latency_sink
        self.orders = orders
        self._to_store = ToStore(self.histogram)
        self._next_parcel = stored.next_parcel
        self._next_message = stored.next_message
        self._last_parcel = 0  # made for the latency sink
        self._outputs: list[Outputs] = []
        self._received_at_us: list[int] = []
        self._moved: dict[tuple[str, int], Flow] = {}
        self._settlements: list[Settlement] = []
        self._counted = {"duplicates": 0, "gaps": 0}
        self._uncommitted = self._uncommitted_items = 0
        self._work = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._committing = asyncio.Lock()
        self._ending = False
        self._beat: Callable[[], None] = lambda: None
        self.alarms = OwnAlarms(stored.retained, self.tell, now_us)
        self._gateways = Gateways(site, self.alarms, self.tell, now_us)
        self.reception = Reception(
            self.intake, health, ready=self._ready, gateway_says=self._gateway_says, lost_state=self.lost_state
        )
        rng = rng or random.Random()  # noqa: S311  # spreads load, hides nothing
        self.deliveries = {
            sink.name: Delivery(
                sink,
                read=threads.read_parcels,
                settle=self._settle,
                stored=partial(self._stored, sink.name),
                changed=partial(self._sink_changed, sink.name),
                rng=rng,
            )
            for sink in sinks
        }
        self._restore(stored)

    def take(self, payload: bytes, device: str | None = None) -> None:
        """Take one batch as it came from the broker; see `Reception.take`."""
        self.reception.take(payload, device)

    def resume(self, payload: bytes) -> None:
        """Take one `Resume`; see `Reception.resume`."""
        self.reception.resume(payload)

    def tell(self, outputs: Outputs) -> None:
        """Let out something that rests on no batch, with the next commit."""
        self._outputs.append(outputs)
        self._work.set()

    def lost_state(self, subject: str, reason: str) -> None:
        """Say, in the log and as an event, that what was known is gone."""
        self._health.trouble(self._log, "state_lost", level="error", subject=subject, reason=reason)
        now_us = self._now_us()
        self.tell(Outputs(now_us, events=[state_lost(subject, now_us, reason)]))

    async def room(self) -> None:
        """Wait until more may be taken."""
        await self._room.wait()

    async def run_commits(self) -> None:
        """Commit whenever something is new, at most every `commit_every_s`, until `finish`.

        Cancelled, it may leave a commit half way: then nothing may be committed after it in this life.

        Raises:
            sqlite3.Error: the database fails other than by a full disk: what it says from now on cannot be trusted.
        """
        beat = self._beat = self._health.progress.watch("commit", COMMIT_STALLED_S)
        loop = asyncio.get_running_loop()
        not_before_s = 0.0
        while not self._ending:
            beat()
            try:
                async with asyncio.timeout(IDLE_S):
                    await self._work.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(max(0.0, not_before_s - loop.time()))
            not_before_s = loop.time() + self._commit_every_s
            await self.commit()

    async def commit(self) -> None:
        """Commit what is new, then let it out."""
        async with self._committing:
            self._work.clear()
            commit, received_at_us = self._gather()
            await self._commit_durably(commit)
            self._let_out(commit, received_at_us)

    async def finish(self, within_s: float) -> None:
        """Commit, and deliver what can be delivered in the time; the deliveries still run."""
        self._ending = True
        await self.commit()
        self._health.progress.retire("commit")
        for delivery in self.deliveries.values():
            delivery.finish()
        until_s = asyncio.get_running_loop().time() + within_s
        while asyncio.get_running_loop().time() < until_s:
            if self._work.is_set():
                await self.commit()
            if all(self._is_idle(delivery) for delivery in self.deliveries.values()):
                break
            await asyncio.sleep(self._commit_every_s)
        await self.commit()

    def ledger(self) -> RulesLedger:
        """The ledger as of the last commit."""
        counts = self.totals.counts
        return RulesLedger(
            at_us=self._now_us(),
            session=self.session,
            judged={flow.gateway: dict(flow.judged_durably) for flow in self.intake.living()},
            events={
                name.removeprefix("events."): count for name, count in counts.items() if name.startswith("events.")
            },
            points=self.totals.points,
            latency_ms=self.histogram.summary_ms(),
            duplicates=counts.get("duplicates", 0),
            gaps=counts.get("gaps", 0),
        )

    def _restore(self, stored: Stored) -> None:
        self._judge.restore(stored.state)
        now_s = asyncio.get_running_loop().time()
        for row in stored.flows:
            self.intake.restore(row, now_s)

    def _ready(self, flow: Flow, ready: Sequence[Arrival]) -> None:
        """Judge these. None of them, and the watermark may move all the same: over what the edge gave up."""
        if not ready:
            if flow.expected - 1 > flow.watermark:
                self._note(flow)
            return
        for batch in ready:
            if isinstance(batch, UnreadableBatch):
                outputs = self._not_judged(batch, "unreadable", why=batch.why)
            else:
                outputs = self._judged(batch)
            if outputs:
                self._outputs.append(outputs)
            if items := item_count(batch):
                self._received_at_us.append(batch.received_at_us)
                self._uncommitted_items += items
        self._uncommitted += len(ready)
        if not self._has_room:
            self._room.clear()
        self._gateways.judged(flow.gateway, ready)
        self._note(flow)

    def _gateway_says(self, batch: StatusBatch) -> None:
        before = self._gateways.vanished
        self._gateways.says(batch)
        if self._gateways.vanished - before:
            self._health.trouble(
                self._log, "gateway_vanished", gateway=batch.gateway, advice="look for power and network"
            )

    @property
    def malformed(self) -> dict[str, int]:
        """Payloads that were no batch and no resume, by kind."""
        return self.reception.malformed

    @property
    def _has_room(self) -> bool:
        return self._uncommitted < UNCOMMITTED_BATCHES and self._uncommitted_items < UNCOMMITTED_ITEMS

    def _judged(self, batch: Batch) -> Outputs:
        try:
            return self._judge.step(batch)
        except Exception as error:  # noqa: BLE001  # one batch that trips a defect must not stop the site for ever
            return self._not_judged(batch, type(error).__name__, exc_info=error)

    def _note(self, flow: Flow) -> None:
        self._moved[flow.gateway, flow.epoch] = flow
        self._work.set()

    def _not_judged(self, batch: Arrival, reason: str, **more: object) -> Outputs:
        self.not_judged += 1
        self._health.degraded["engine"] = f"{self.not_judged} batches could not be judged; the log says why"
        self._health.trouble(
            self._log,
            "batch_not_judged",
            level="error",
            gateway=batch.gateway,
            epoch=batch.epoch,
            sequence=batch.sequence,
            device=batch.device,
            reason=reason,
            **more,
        )
        return Outputs(batch.received_at_us, events=[not_judged(batch, reason)])

    def _gather(self) -> tuple[Commit, list[int]]:
        outputs, self._outputs = self._outputs, []
        received_at_us, self._received_at_us = self._received_at_us, []
        moved, self._moved = self._moved, {}
        settlements, self._settlements = self._settlements, []
        self._uncommitted = self._uncommitted_items = 0
        parcels: list[tuple[int, str, Parcel]] = []
        for sink in self._sinks if outputs else ():
            for parcel in sink.encode(outputs):
                parcels.append((self._next_parcel, sink.name, parcel))
                if sink.name == self._latency_sink:
                    self._last_parcel = self._next_parcel
                self._next_parcel += 1
        commands = self.orders.messages(outputs) if self.orders is not None else ()
        messages = messages_of(outputs, self.topics, self._next_message, commands)
        self._next_message += len(messages)
        commit = Commit(
            at_us=self._now_us(),
            state=self._judge.changes(),
            flows=[flow.row() for flow in moved.values()],
            forgotten=self.intake.forgotten(),
            messages=messages,
            published=self.publication.acknowledged(),
            parcels=parcels,
            settlements=settlements,
            counts=self._increments(outputs),
        )
        return commit, received_at_us

    def _increments(self, outputs: Sequence[Outputs]) -> dict[str, int]:
        found: dict[str, int] = {}
        for output in outputs:
            for event in output.events:
                name = f"events.{event.type}"
                found[name] = found.get(name, 0) + 1
        for name, before in self._counted.items():
            now = sum(getattr(flow, name) for flow in self.intake.flows.values())
            if now != before:
                found[name] = max(0, now - before)  # less, when an old epoch was forgotten
                self._counted[name] = now
        return found

    async def _commit_durably(self, commit: Commit) -> None:
        while True:
            try:
                self.totals = await self._threads.commit(commit)
            except sqlite3.OperationalError as error:
                if not is_full(error):
                    raise
                if "disk" not in self._health.not_ready:
                    self._health.trouble(self._log, "commit_failed", level="error", error=error, retry_s=FULL_RETRY_S)
                self._health.not_ready["disk"] = "the disk is full: nothing is judged until there is space"
                self._beat()  # it is tried for as long as it takes: a restart would change nothing
                await asyncio.sleep(FULL_RETRY_S)
            else:
                self._health.not_ready.pop("disk", None)
                return

    def _let_out(self, commit: Commit, received_at_us: list[int]) -> None:
        self.commits += 1
        for row in commit.flows:
            flow = self.intake.flows.get((row.gateway, row.epoch))
            if flow is not None:
                flow.committed(row)
        self.publication.deleted(commit.published)
        if commit.messages:
            self.publication.wake(commit.messages)
        for delivery in self.deliveries.values():
            delivery.wake()
        self._to_store.committed(self._last_parcel, received_at_us, self._now_us())
        if self._has_room:
            self._room.set()
        self.committed.set()

    def _settle(self, settlement: Settlement) -> None:
        self._settlements.append(settlement)
        self._work.set()

    def _is_idle(self, delivery: Delivery) -> bool:
        if delivery.trouble is not None:
            return True
        account = self.totals.points.get(delivery.sink.name)
        return not self._work.is_set() and (account is None or account.queued == 0)

    def _stored(self, sink: str, parcel: int) -> None:
        if sink == self._latency_sink:
            self._to_store.stored(parcel, self._now_us())
        self.alarms.clear(SINK_STOPPED, sink, f"sink {sink!r} stores again")

    def _sink_changed(self, sink: str, trouble: Trouble | None) -> None:
        if trouble is None:
            self._health.degraded.pop(f"sink {sink}", None)
            self._log.info("sink_recovered", sink=sink)
            return
        self._health.degraded[f"sink {sink}"] = trouble.reason
        self._health.trouble(
            self._log,
            "sink_stopped" if trouble.stopped else "sink_failed",
            level="error" if trouble.stopped else "warning",
            sink=sink,
            reason=trouble.reason,
            retry_in_s=round(trouble.retry_in_s, 1),
        )
        if trouble.stopped:
            self.alarms.put(SINK_STOPPED, sink, f"sink {sink!r} takes nothing: {trouble.reason}")
