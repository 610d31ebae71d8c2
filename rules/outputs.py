"""What one step of the engine makes, and what a store must do with it.

The engine is pure; the runner commits its outputs together with its state and the watermark, then delivers them. So a
sink sees everything at least once and must write idempotently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple, Protocol

from gateway.contract.batches import ReadBatch
from gateway.contract.events import Alarm, Event


class Point(NamedTuple):
    """One row of a measurement, with the tags and fields that `gateway.contract.measurements` lists for it.

    Attributes:
        at_ns: nanoseconds since 1970; distinct for points that would otherwise share series and time.
    """

    measurement: str
    tags: tuple[tuple[str, str], ...]
    fields: tuple[tuple[str, str | int | float | bool | Decimal], ...]
    at_ns: int


@dataclass(slots=True)
class Outputs:
    """What one batch led to.

    Attributes:
        caused_at_us: when that batch reached the gateway's host, where latency starts.
        answers: further messages for the broker, never retained: topic and payload.
    """

    caused_at_us: int
    events: list[Event] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    reads: ReadBatch | None = None
    answers: list[tuple[str, bytes]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.events or self.alarms or self.points or self.reads or self.answers)


class Parcel(NamedTuple):
    """Points of one sink, encoded, as they wait in the outbox.

    Attributes:
        kind: `events` or `reads`: when the outbox is full, reads go first.
    """

    kind: str
    body: bytes
    points: int
    caused_at_us: int


class Refusal(NamedTuple):
    """One point that a store will never take, for the quarantine."""

    body: bytes
    reason: str


class SinkTroubleError(Exception):
    """A store did not take a parcel now; it stays in the outbox.

    Attributes:
        retry_after_s: not before this time, if the store said so.
        stopped: no retry will help before a person acts (wrong token, unknown bucket): an alarm.
    """

    def __init__(self, reason: str, *, retry_after_s: float | None = None, stopped: bool = False) -> None:
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.stopped = stopped
        super().__init__(reason)


class Sink(Protocol):
    """A store. `encode` is called inside the step that makes the points, `write` later, perhaps in another life."""

    name: str

    def encode(self, outputs: Sequence[Outputs]) -> list[Parcel]:
        """Encode what these outputs make of points for this store; pure and quick."""

    async def write(self, parcels: Sequence[Parcel]) -> list[Refusal]:
        """Write the parcels durably and idempotently, and return the points that the store refuses for ever.

        Raises:
            SinkTroubleError: none, or not all, of them are stored; all will be given again.
        """

    async def close(self) -> None:
        """Let go of files and connections."""
