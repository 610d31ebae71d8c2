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

from gateway.contract.batches import ITEM_KINDS, NUMBER_MOST, Batch, UnreadableBatch, item_count, kind_of
from gateway.contract.flow import Ack, Resume
from gateway.contract.topics import NAME

AHEAD_BATCHES: Final = 1_000
AHEAD_ITEMS: Final = 50_000  # some 16 MiB of decoded reads
PATIENCE_S: Final = 0.2
ASK_FIRST_S: Final = 1.0
ASK_MOST_S: Final = 30.0
QUIET_S: Final = 3.0  # a living edge ticks every second: silence may mean that the end of a window was lost
GATEWAYS_MOST: Final = 256
EPOCH_OVER_S: Final = 60.0  # of silence: then an older epoch is believed, of a journal made after a clock was set back

Arrival = Batch | UnreadableBatch


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
        heard_s: when anything of it came last.
    """

    def __init__(self, gateway: str, epoch: int, *, now_s: float) -> None:
        self.gateway = gateway
        self.epoch = epoch
        self.expected = 1
        self.watermark = 0
        self.judged: dict[str, int] = {}
        self.judged_durably: Mapping[str, int] = {}
        self.ordinals: dict[str, int] = dict.fromkeys(ITEM_KINDS, 0)
        self.gap_since_s: float | None = None
        self.duplicates = 0
        self.gaps = 0
        self.skipped = 0
        self.ordinals_wrong = 0
        self.held: dict[int, Arrival] = {}
        self._held_items = 0
        self.heard_s = now_s
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

    def take(self, batch: Arrival, now_s: float) -> list[Arrival]:
        """The batches that may be judged now, in order, because `batch` came."""
        self.heard_s = now_s
        sequence = batch.sequence
        if sequence < self.expected or sequence in self.held:
            self.duplicates += 1
            return []
        if sequence > self.expected:
            self._hold(batch, now_s)
            return []
        self._advance(batch)
        return [batch, *self._release(now_s)]

    def resume(self, from_sequence: int, now_s: float) -> list[Arrival]:
        """The edge declares that nothing before `from_sequence` will come; returns what may be judged now."""
        self.heard_s = now_s
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
        quiet = now_s - self.heard_s >= QUIET_S
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

    def _hold(self, batch: Arrival, now_s: float) -> None:
        if self.gap_since_s is None:
            self.gap_since_s = now_s
            self.gaps += 1
        items = item_count(batch)
        if len(self.held) < AHEAD_BATCHES and self._held_items + items <= AHEAD_ITEMS:
            self.held[batch.sequence] = batch
            self._held_items += items

    def _advance(self, batch: Arrival) -> None:
        self.expected += 1
        kind, items = kind_of(batch), item_count(batch)
        if not items:
            return
        if self.ordinals.get(kind, batch.ordinal) != batch.ordinal:
            self.ordinals_wrong += 1  # the sender's own count differs: a defect on one of the two sides
        self.ordinals[kind] = batch.ordinal + items
        self.judged[kind] = self.judged.get(kind, 0) + items

    def _release(self, now_s: float) -> list[Arrival]:
        ready: list[Arrival] = []
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
        self._living: dict[str, Flow] = {}

    def restore(self, row: FlowRow, now_s: float) -> None:
        """Take up a flow where a commit left it."""
        flow = self.flows[row.gateway, row.epoch] = Flow.restored(row, now_s=now_s)
        living = self._living.get(row.gateway)
        if living is None or living.epoch < row.epoch:
            self._living[row.gateway] = flow

    def take(self, batch: Arrival, now_s: float) -> tuple[Flow, list[Arrival]] | None:
        """The flow of this batch and what may be judged now; None when the batch is refused."""
        numbers = (batch.sequence, batch.epoch)
        if min(numbers) < 1 or max(*numbers, batch.ordinal, abs(batch.received_at_us)) > NUMBER_MOST:
            self._refuse("unsequenced" if batch.sequence == 0 else "out_of_range")
            return None
        if not NAME.fullmatch(batch.device):
            self._refuse("bad_device_name")
            return None
        flow = self._flow(batch.gateway, batch.epoch, now_s)
        return None if flow is None else (flow, flow.take(batch, now_s))

    def resume(self, resume: Resume, now_s: float) -> tuple[Flow, list[Arrival]] | None:
        """The flow that resumes and what may be judged now; None when it is refused."""
        if not (0 < resume.from_sequence <= NUMBER_MOST and 0 < resume.epoch <= NUMBER_MOST):
            self._refuse("out_of_range")
            return None
        flow = self._flow(resume.gateway, resume.epoch, now_s)
        return None if flow is None else (flow, flow.resume(resume.from_sequence, now_s))

    def living(self) -> list[Flow]:
        """The epoch of each gateway that is believed: the newest, unless it is over."""
        return list(self._living.values())

    def knows(self, gateway: str) -> bool:
        """Whether this gateway has ever been heard."""
        return gateway in self._living

    def forgotten(self) -> list[tuple[str, int]]:
        """Drop epochs that are long over, and name them: all but the living, and the latest of the others."""
        over: list[tuple[str, int]] = []
        for living in self._living.values():
            others = [flow for flow in self.flows.values() if flow.gateway == living.gateway and flow is not living]
            others.sort(key=lambda flow: (flow.heard_s, flow.epoch))
            over += [(flow.gateway, flow.epoch) for flow in others[:-1]]
        for key in over:
            del self.flows[key]
        return over

    def _flow(self, gateway: str, epoch: int, now_s: float) -> Flow | None:
        living = self._living.get(gateway)
        if living is not None and living.epoch == epoch:
            return living
        if not NAME.fullmatch(gateway):
            self._refuse("bad_gateway_name")
            return None
        flow = self.flows.get((gateway, epoch))
        if living is None and len(self._living) >= GATEWAYS_MOST:
            self._refuse("too_many_gateways")
            return None
        if living is not None and epoch < living.epoch and now_s - living.heard_s < EPOCH_OVER_S:
            if flow is None:
                self._refuse("old_epoch")
            return flow
        if flow is None:
            flow = self.flows[gateway, epoch] = Flow(gateway, epoch, now_s=now_s)
        self._living[gateway] = flow
        return flow

    def _refuse(self, reason: str) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1
