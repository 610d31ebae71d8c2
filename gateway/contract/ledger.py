"""The loss ledger: every read, card, reading and point is somewhere, and the sum proves it.

Edge, for each kind:    heard = judged + dropped(reasons) + queued, where queued = waiting in memory + journalled rows
                        above the watermark. The four are counted apart; `balanced` compares them.
Rules, for the points:  made = stored + refused + queued, for each sink.
"""

from __future__ import annotations

from typing import Final

import msgspec


class Account(msgspec.Struct, kw_only=True):
    """Items of one kind at one gateway, since its epoch began.

    Attributes:
        heard: reported by the drivers.
        journalled: committed to the journal.
        judged: judged durably by the rules, by their own count.
        dropped: never to be judged, by reason (`journal_full`, `journal_stalled` ...); a reason names its stage.
        waiting: in memory, not yet committed.
        unjudged: committed, above the watermark, still in the journal.
    """

    heard: int = 0
    journalled: int = 0
    judged: int = 0
    dropped: dict[str, int] = {}
    waiting: int = 0
    unjudged: int = 0

    @property
    def queued(self) -> int:
        """Items on their way."""
        return self.waiting + self.unjudged

    @property
    def balanced(self) -> bool:
        """Whether every item heard is accounted for."""
        return self.heard == self.judged + sum(self.dropped.values()) + self.queued


class EdgeLedger(msgspec.Struct, kw_only=True):
    """Retained on `ledger/{gateway}`, and kept in the edge's state directory."""

    gateway: str
    epoch: int
    at_us: int
    next_sequence: int
    watermark: int
    tag_reads: Account
    readings: Account
    signals: Account
    cards: Account = msgspec.field(default_factory=Account)

    @property
    def accounts(self) -> dict[str, Account]:
        """The account of each kind, by the kind's name in batches."""
        return {"reads": self.tag_reads, "cards": self.cards, "readings": self.readings, "signals": self.signals}


class PointAccount(msgspec.Struct, kw_only=True):
    """Points of one sink: `made = stored + refused + queued`."""

    made: int = 0
    stored: int = 0
    refused: int = 0
    queued: int = 0

    @property
    def balanced(self) -> bool:
        """Whether every point is accounted for."""
        return self.made == self.stored + self.refused + self.queued


class RulesLedger(msgspec.Struct, kw_only=True):
    """Retained on `ledger/rules`, and kept in the rules daemon's state directory.

    Attributes:
        judged: by gateway, then by kind.
        events: made, by type.
        latency_ms: from the socket to the committed store, since the daemon started; keys p50, p99, and the count n.
    """

    at_us: int
    session: str
    judged: dict[str, dict[str, int]]
    events: dict[str, int]
    points: dict[str, PointAccount]
    latency_ms: dict[str, float]
    duplicates: int = 0
    gaps: int = 0


_edge: Final = msgspec.json.Decoder(EdgeLedger)
_rules: Final = msgspec.json.Decoder(RulesLedger)


def decode_edge_ledger(payload: bytes) -> EdgeLedger:
    """Read an `EdgeLedger`; raises msgspec.ValidationError or msgspec.DecodeError."""
    return _edge.decode(payload)


def decode_rules_ledger(payload: bytes) -> RulesLedger:
    """Read a `RulesLedger`; raises msgspec.ValidationError or msgspec.DecodeError."""
    return _rules.decode(payload)
