"""Which batches may be judged next: those of each gateway's epoch in order of sequence, each once.

    NEXT         sequence = expected                          judged now, and whatever was held behind it
    DUPLICATE    sequence < expected                          counted, thrown away: judged before
    AHEAD        sequence > expected                          held for a while, within bounds: something is missing

A gap that stands is asked for (`Ack.resend_from`) after a moment of patience, because a broker may let topics overtake
each other, and then again ever more rarely. Pure: time is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.contract.batches import Batch, item_count, kind_of
from gateway.contract.flow import Ack, Resume
from gateway.contract.topics import NAME

AHEAD_BATCHES: Final = 1_000
AHEAD_ITEMS: Final = 50_000  # some 16 MiB of decoded reads
PATIENCE_S: Final = 0.2
ASK_FIRST_S: Final = 1.0
ASK_MOST_S: Final = 30.0
QUIET_S: Final = 3.0  # a living edge ticks every second: silence may mean that the end of a window was lost
GATEWAYS_MOST: Final = 256
EPOCHS_KEPT: Final = 2  # the living one, and the one before it while its last batches trickle in
NUMBER_MOST: Final = 1 << 53  # what JSON carries exactly, and SQLite keeps


class FlowRow(NamedTuple):
    """A flow as it is kept on disk. `ordinals`: the next expected ordinal by kind, absent where a gap hid it."""

    gateway: str
    epoch: int
    watermark: int
    judged: Mapping[str, int]
    ordinals: Mapping[str, int]


class Flow:
    """The batches of one epoch of one gateway.

    Attributes:
        expected: the sequence that may be judged next.
        watermark: judged and durable up to here; set by the runner after a commit.
        judged: items judged, durable or not, by kind.
        gap_since_s: since when a batch is missing; None while none is.
    """

    def __init__(self, gateway: str, epoch: int, *, now_s: float) -> None:
        self.gateway = gateway
        self.epoch = epoch
        self.expected = 1
        self.watermark = 0
        self.judged: dict[str, int] = {}
        self.judged_durably: Mapping[str, int] = {}
        self.ordinals: dict[str, int] = dict.fromkeys(_KINDS, 0)
        self.gap_since_s: float | None = None
        self.duplicates = 0
        self.gaps = 0
        self.skipped = 0
        self.ordinals_wrong = 0
        self.held: dict[int, Batch] = {}
        self._held_items = 0
        self._heard_s = now_s
        self._ask_at_s = now_s + QUIET_S
        self._ask_every_s = ASK_FIRST_S

    @classmethod
    def restored(cls, row: FlowRow, *, now_s: float) -> Flow:
        """The flow as it was committed."""
        flow = cls(row.gateway, row.epoch, now_s=now_s)
        flow.expected = row.watermark + 1
        flow.watermark = row.watermark
        flow.judged = dict(row.judged)
        flow.judged_durably = dict(row.judged)
        flow.ordinals = dict(row.ordinals)
        return flow

    def row(self) -> FlowRow:
        """The flow as it must be kept, together with what the engine made of it."""
        return FlowRow(self.gateway, self.epoch, self.expected - 1, dict(self.judged), dict(self.ordinals))

    def committed(self, row: FlowRow) -> None:
        """`row` is on the disk."""
        self.watermark = row.watermark
        self.judged_durably = row.judged

    def take(self, batch: Batch, now_s: float) -> list[Batch]:
        """The batches that may be judged now, in order, because `batch` came."""
        self._heard_s = now_s
        sequence = batch.sequence
        if sequence < self.expected or sequence in self.held:
            self.duplicates += 1
            return []
        if sequence > self.expected:
            self._hold(batch, now_s)
            return []
        self._advance(batch)
        return [batch, *self._release(now_s)]

    def resume(self, from_sequence: int, now_s: float) -> list[Batch]:
        """The edge declares that nothing before `from_sequence` will come; returns what may be judged now."""
        self._heard_s = now_s
        if from_sequence <= self.expected:
            return []
        self.skipped += from_sequence - self.expected
        # What the edge gave up stands in its ledger as dropped: judging a late copy of it would count it twice.
        for sequence in [held for held in self.held if held < from_sequence]:
            self._held_items -= item_count(self.held.pop(sequence))
        self.expected = from_sequence
        self.ordinals = {}
        self.gap_since_s = None
        return self._release(now_s)

    def asks(self, now_s: float) -> bool:
        """Whether it is time to ask for `expected` once more; True starts the next wait."""
        gap = self.gap_since_s is not None and now_s - self.gap_since_s >= PATIENCE_S
        quiet = now_s - self._heard_s >= QUIET_S
        if not (gap or quiet):
            self._ask_every_s = ASK_FIRST_S
            self._ask_at_s = now_s
            return False
        if now_s < self._ask_at_s:
            return False
        self._ask_at_s = now_s + self._ask_every_s
        self._ask_every_s = min(2 * self._ask_every_s, ASK_MOST_S)
        return True

    def ack(self, session: str, *, resend: bool = False) -> Ack:
        """What the edge is told. `resend`: ask for everything from `expected` on."""
        return Ack(
            gateway=self.gateway,
            epoch=self.epoch,
            session=session,
            sequence=self.watermark,
            received=self.expected - 1,
            resend_from=self.expected if resend else None,
            judged=dict(self.judged_durably),
        )

    def _hold(self, batch: Batch, now_s: float) -> None:
        if self.gap_since_s is None:
            self.gap_since_s = now_s
            self.gaps += 1
        items = item_count(batch)
        if len(self.held) < AHEAD_BATCHES and self._held_items + items <= AHEAD_ITEMS:
            self.held[batch.sequence] = batch
            self._held_items += items

    def _advance(self, batch: Batch) -> None:
        self.expected += 1
        kind, items = kind_of(batch), item_count(batch)
        if not items:
            return
        if self.ordinals.get(kind, batch.ordinal) != batch.ordinal:
            self.ordinals_wrong += 1  # the sender's own count differs: a defect on one of the two sides
        self.ordinals[kind] = batch.ordinal + items
        self.judged[kind] = self.judged.get(kind, 0) + items

    def _release(self, now_s: float) -> list[Batch]:
        ready = []
        while (batch := self.held.pop(self.expected, None)) is not None:
            self._held_items -= item_count(batch)
            self._advance(batch)
            ready.append(batch)
        if not self.held:
            self.gap_since_s = None
        elif ready:
            self.gap_since_s = now_s  # another gap, further on
        return ready


class Intake:
    """The flows of all gateways.

    `refused` counts batches and resumes that no flow may take, by reason.
    """

    def __init__(self) -> None:
        self.flows: dict[tuple[str, int], Flow] = {}
        self.refused: dict[str, int] = {}
        self._newest: dict[str, int] = {}

    def restore(self, row: FlowRow, now_s: float) -> None:
        """Take up a flow where a commit left it."""
        self._add(Flow.restored(row, now_s=now_s))

    def take(self, batch: Batch, now_s: float) -> tuple[Flow, list[Batch]] | None:
        """The flow of this batch and what may be judged now; None when the batch is refused."""
        numbers = (batch.sequence, batch.epoch)
        if min(numbers) < 1 or max(*numbers, batch.ordinal, abs(batch.received_at_us)) > NUMBER_MOST:
            # A gateway's last will is a status without a place in its journal.
            self._refuse("unsequenced" if batch.sequence == 0 else "out_of_range")
            return None
        flow = self._flow(batch.gateway, batch.epoch, now_s)
        return None if flow is None else (flow, flow.take(batch, now_s))

    def resume(self, resume: Resume, now_s: float) -> tuple[Flow, list[Batch]] | None:
        """The flow that resumes and what may be judged now; None when it is refused."""
        if not (0 < resume.from_sequence <= NUMBER_MOST and 0 < resume.epoch <= NUMBER_MOST):
            self._refuse("out_of_range")
            return None
        flow = self._flow(resume.gateway, resume.epoch, now_s)
        return None if flow is None else (flow, flow.resume(resume.from_sequence, now_s))

    def living(self) -> list[Flow]:
        """The newest epoch of each gateway."""
        return [self.flows[item] for item in self._newest.items()]

    def forgotten(self) -> list[tuple[str, int]]:
        """Drop epochs that are long over, and name them."""
        over = []
        for gateway in self._newest:
            epochs = sorted(epoch for name, epoch in self.flows if name == gateway)
            over += [(gateway, epoch) for epoch in epochs[:-EPOCHS_KEPT]]
        for key in over:
            del self.flows[key]
        return over

    def _flow(self, gateway: str, epoch: int, now_s: float) -> Flow | None:
        flow = self.flows.get((gateway, epoch))
        if flow is not None:
            return flow
        if not NAME.fullmatch(gateway):
            self._refuse("bad_gateway_name")
            return None
        newest = self._newest.get(gateway)
        if newest is not None and epoch < newest:
            self._refuse("old_epoch")
            return None
        if newest is None and len(self._newest) >= GATEWAYS_MOST:
            self._refuse("too_many_gateways")
            return None
        return self._add(Flow(gateway, epoch, now_s=now_s))

    def _add(self, flow: Flow) -> Flow:
        self.flows[flow.gateway, flow.epoch] = flow
        self._newest[flow.gateway] = max(flow.epoch, self._newest.get(flow.gateway, 0))
        return flow

    def _refuse(self, reason: str) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1


_KINDS: Final = ("reads", "readings", "signals")
