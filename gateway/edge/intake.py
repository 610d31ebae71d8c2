"""Where observations enter the gateway: they are counted, normalised, gathered for milliseconds, and journalled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from gateway.config.models import IdentityStyle
from gateway.contract.batches import ITEM_KINDS, MOST_ITEMS, Batch, TickBatch, carried
from gateway.edge.journal import Journal
from gateway.edge.normalise import Normaliser
from gateway.edge.watched import DeviceState, Watched
from gateway.health import Health
from gateway.identity import Identities, is_random, redacted
from gateway.logs import get_log
from readers.driver import Kind, Report
from readers.observations import (
    CardReads,
    Condition,
    DeviceInfo,
    InForce,
    Observation,
    Readings,
    Rejected,
    Signals,
    TagReads,
    Watching,
)

GATHER_LEAST_S: Final = 0.02
GATHER_MOST_S: Final = 0.05
GATHER_PER_READER_S: Final = 0.0005  # more readers, fewer flushes: the cost of a message is shared by more reads
REASONS_MOST: Final = 64  # of rejection, per kind; a driver has a fixed set
TICK_S: Final = 1.0
SETTLED_S: Final = 0.02
"""Timers of the loop come up to a millisecond early, and clocks are trimmed: a tick too early would be one in vain."""
_NS_PER_US: Final = 1_000
_LOST: Final = {Kind.RFID: "reads", Kind.CARD: "cards", Kind.METER: "readings", Kind.MACHINE: "signals"}
"""What a frame held that was thrown away."""


def now_us() -> int:
    """The host's UTC time."""
    return time.time_ns() // _NS_PER_US


Told = DeviceInfo | InForce | Watching | Condition


class Intake:
    """Takes the observations of all readers.

    Args:
        identities: how cards are named; None where nobody said so, and no card is taken.

    Attributes:
        heard: items reported by the drivers since the epoch began, by kind.
    """

    def __init__(
        self,
        gateway: str,
        journal: Journal,
        health: Health,
        clock: Callable[[], int] = now_us,
        *,
        identities: Identities | None = None,
        settle_s: float | None = None,
    ) -> None:
        self._gateway = gateway
        self._journal = journal
        self._now_us = clock
        self._loop = asyncio.get_running_loop()
        self.heard = {kind: journal.state.heard.get(kind, 0) for kind in ITEM_KINDS}
        self._normalisers: list[Normaliser] = []
        self._readers: list[Watched] = []
        self._flush_due: asyncio.TimerHandle | None = None
        self._gather_s = GATHER_LEAST_S
        self._later: set[DeviceState] = set()
        self._settle_s = settle_s
        self._ripe_s: float | None = None
        self._last_ripe_s = 0.0
        self._card_came = asyncio.Event()
        self._identities = identities if identities is not None and identities.can_name else None
        self._tells_numbers = identities is not None and identities.style is IdentityStyle.RAW
        self._typed = health.counter(
            "keypad_entries_dropped_total", "What was typed along with cards: neither kept nor told", ("reader",)
        )
        self._rejected = health.counter(
            "rejected_total", "Frames and reports that were thrown away, by reason", ("reader", "reason")
        )

    @property
    def devices(self) -> list[DeviceState]:
        """All devices of all readers."""
        return [device for reader in self._readers for device in reader.devices.values()]

    @property
    def watched(self) -> list[str]:
        """All that is watched now, sorted."""
        return sorted({name for reader in self._readers for name in reader.watched})

    def gathered(self, kind: str) -> int:
        """Items that wait for the next flush."""
        return sum(normaliser.gathered for normaliser in self._normalisers) if kind == "reads" else 0

    def hides_numbers(self, kind: Kind) -> bool:
        """Whether texts of such a reader may hold what this site does not tell: the numbers of cards."""
        return kind is Kind.CARD and not self._tells_numbers

    def reader(
        self, name: str, driver: str, kind: Kind, read_points: Mapping[int, str], sources: Sequence[str]
    ) -> tuple[Watched, Report]:
        """Take in one more reader: its devices, and the function that its driver reports to."""
        normaliser = Normaliser(self._gateway, name, read_points)

        def tell(device: DeviceState, urgent: bool) -> None:  # noqa: FBT001  # called in one place
            if not urgent:
                self._later.add(device)
                return
            self._flush_reads(normaliser)  # what was read before the change stands before it
            self._tell(device)

        watched = Watched(name, driver, kind, sources, normaliser.read_point, tell, self._now_us())
        self._normalisers.append(normaliser)
        self._readers.append(watched)
        self._gather_s = min(GATHER_MOST_S, GATHER_LEAST_S + GATHER_PER_READER_S * len(self._readers))
        line = watched.devices[name]
        reasons: set[str] = set()

        def reject(observed: Rejected) -> None:
            reason = observed.reason if observed.reason in reasons or len(reasons) < REASONS_MOST else "other"
            reasons.add(reason)
            self._rejected.labels(name, reason).inc(observed.count)
            if observed.reads_lost:
                lost = _LOST[kind]
                self.heard[lost] += observed.reads_lost
                self._journal.lose(lost, f"rejected_{reason}", observed.reads_lost)

        def report(observed: Observation) -> None:
            if isinstance(observed, TagReads):
                if not normaliser.take(observed):
                    self._flush_reads(normaliser)
                    normaliser.take(observed)
                count = len(observed.epc)
                self.heard["reads"] += count
                line.heard += count
                if not line.proven:
                    watched.heard(None, 0, self._now_us())
                if observed.clock_offset_us:
                    line.clock_offset_us = carried(observed.clock_offset_us)
                if normaliser.gathered >= MOST_ITEMS:
                    self._flush_reads(normaliser)
                elif self._flush_due is None:
                    self._flush_due = self._loop.call_later(self._gather_s, self.flush)
            elif isinstance(observed, CardReads | Readings | Signals):
                self._take(normaliser, observed)
                source = None if isinstance(observed, CardReads) else observed.source
                watched.heard(source, len(observed), self._now_us())
            elif isinstance(observed, Rejected):
                reject(observed)
            else:
                watched.observe(self._shown(kind, observed), self._now_us())

        return watched, report

    def flush(self) -> None:
        """Journal what was gathered."""
        if self._flush_due is not None:
            self._flush_due.cancel()
            self._flush_due = None
        for normaliser in self._normalisers:
            if normaliser.gathered:
                self._flush_reads(normaliser)

    def tick(self) -> None:
        """Journal that time passes, and the details that could wait."""
        self.flush()
        for device in list(self._later):
            self._tell(device)
        self._later.clear()
        self._journal.append(
            TickBatch(gateway=self._gateway, device=self._gateway, received_at_us=self._now_us(), watched=self.watched)
        )

    def tell_all(self) -> None:
        """Journal the status of every device anew, for a broker that may have forgotten it."""
        self.flush()
        for device in self.devices:
            self._journal.append(device.batch(self._gateway, self._now_us()))
        self._later.clear()

    async def tick_forever(self, beat: Callable[[], None]) -> None:
        """Tick every second, and `settle_s` after a card, for somebody waits; after a standstill once, not for each."""
        due_s = self._loop.time()
        while True:
            beat()
            self.tick()
            now_s = self._loop.time()
            if now_s >= due_s:
                due_s = max(due_s + TICK_S, now_s)
            if self._ripe_s is not None and self._ripe_s <= now_s:
                self._ripe_s = self._last_ripe_s if self._last_ripe_s > now_s else None
            await self._until(due_s)

    async def _until(self, due_s: float) -> None:
        """Wait until then, or until the rules can judge a card that came."""
        while True:
            wake_s = due_s if self._ripe_s is None else min(due_s, self._ripe_s)
            self._card_came.clear()
            try:
                async with asyncio.timeout_at(wake_s):
                    await self._card_came.wait()
            except TimeoutError:
                return

    def _ripen(self) -> None:
        """A card came: the rules judge it when the clock of this gateway is `settle_s` past it."""
        if self._settle_s is None:
            return
        self._last_ripe_s = self._loop.time() + self._settle_s + SETTLED_S
        if self._ripe_s is None:
            self._ripe_s = self._last_ripe_s
            self._card_came.set()

    def _flush_reads(self, normaliser: Normaliser) -> None:
        if normaliser.gathered:
            heard, normaliser.heard = normaliser.heard, 0
            self._journal.append(*normaliser.flush(), heard={"reads": heard})

    def _take(self, normaliser: Normaliser, observed: CardReads | Readings | Signals) -> None:
        if isinstance(observed, Readings):
            self._journal_now("readings", len(observed), normaliser.readings(observed))
        elif isinstance(observed, Signals):
            self._journal_now("signals", len(observed), normaliser.signals(observed))
        else:
            self._cards(normaliser, observed)

    def _cards(self, normaliser: Normaliser, observed: CardReads) -> None:
        """Journal the cards that have a name; the others are counted as dropped."""
        self._typed.labels(normaliser.reader).inc(sum(card.keys is not None for card in observed.cards))
        if self._identities is None:
            self._lose_cards("no_card_key", len(observed))
            return
        kept = [card for card in observed.cards if not is_random(card.identity)]
        self._lose_cards("random_number", len(observed) - len(kept))
        batches = normaliser.cards(CardReads(observed.received_at_us, kept), self._identities)
        self._journal_now("cards", len(kept), batches)
        if kept:
            self._ripen()

    def _shown(self, kind: Kind, observed: Told) -> Told:
        """What may be told of it."""
        if isinstance(observed, Condition) and self.hides_numbers(kind):
            return replace(observed, key=redacted(observed.key), detail=redacted(observed.detail))
        return observed

    def _lose_cards(self, reason: str, count: int) -> None:
        if count:
            self.heard["cards"] += count
            self._journal.lose("cards", reason, count)

    def _journal_now(self, kind: str, count: int, batches: list[Batch]) -> None:
        self.heard[kind] += count
        self._journal.append(*batches, heard={kind: count})

    def _tell(self, device: DeviceState) -> None:
        self._later.discard(device)
        batch = device.batch(self._gateway, self._now_us())
        self._journal.append(batch)
        get_log().info(
            "device_status_changed",
            device=device.device,
            driver=device.driver,
            state=batch.state,
            reason=batch.reason,
            detail=batch.detail,
            watched=len(batch.watched),
        )
