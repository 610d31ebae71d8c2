"""The hand-over between an edge daemon and the rules daemon: what was judged, and what will be sent.

The edge sends its journal in order of sequence. The rules daemon answers with an `Ack`: how far it has judged durably,
how far it has received, and whether it misses something. After any break the edge sends a `Resume` and then everything
from there. Both are idempotent, so both may be repeated or lost.
"""

from __future__ import annotations

from typing import Final

import msgspec


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """From the rules daemon, retained on `ack/{gateway}`.

    Attributes:
        session: changes when the rules daemon starts; the edge then goes back to `sequence`.
        sequence: the watermark: judged, and safe on the rules daemon's disk, up to here; the edge may forget it.
        received: received without a gap up to here, but not yet durable.
        resend_from: set when the rules daemon asks for a gap to be filled: the edge goes back to it.
        judged: items judged durably in this epoch, by kind.
    """

    gateway: str
    epoch: int
    session: str
    sequence: int
    received: int
    resend_from: int | None = None
    judged: dict[str, int] = {}


class Resume(msgspec.Struct, frozen=True, kw_only=True):
    """From the edge, on `resume/{gateway}`: the next batch sent is `from_sequence`; nothing before it will come.

    A `from_sequence` beyond what the rules daemon expects means that the journal shed those rows; they stand in the
    edge's ledger as dropped.
    """

    gateway: str
    epoch: int
    from_sequence: int


class RulesStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Retained on `rules/status`; its last will says `online=False`."""

    session: str
    online: bool


_ack: Final = msgspec.json.Decoder(Ack)
_resume: Final = msgspec.json.Decoder(Resume)
_rules_status: Final = msgspec.json.Decoder(RulesStatus)


def decode_ack(payload: bytes) -> Ack:
    """Read an `Ack`; raises msgspec.ValidationError or msgspec.DecodeError."""
    return _ack.decode(payload)


def decode_resume(payload: bytes) -> Resume:
    """Read a `Resume`; raises msgspec.ValidationError or msgspec.DecodeError."""
    return _resume.decode(payload)


def decode_rules_status(payload: bytes) -> RulesStatus:
    """Read a `RulesStatus`; raises msgspec.ValidationError or msgspec.DecodeError."""
    return _rules_status.decode(payload)
