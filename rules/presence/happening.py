"""What presence concludes, before it becomes an event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gateway.contract.events import event_id


class Happening(NamedTuple):
    """Something that happened to a tag. The names are those of `Event` and its `Evidence`.

    Attributes:
        known_us: when it could be known, in event time.
    """

    type: str
    at_us: int
    epc: str
    zone: str
    from_zone: str | None
    read_point: str | None
    direction: str | None
    reads: int
    read_points: Sequence[str]
    strongest_dbm: float | None
    first_us: int
    last_us: int
    sequence_from: int
    sequence_to: int
    confidence: float
    is_late: bool
    dwell_s: float | None = None
    pc_bits: int | None = None
    tid: str | None = None
    known_us: int = 0

    def id(self, gateway: str) -> str:
        """The same for the same reads."""
        return event_id(self.type, gateway, self.epc, self.zone, self.at_us)
