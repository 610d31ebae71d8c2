"""What a simulated meter keeps: snapshots, load records and events, each in a bounded number."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from readers.codecs.dlt645_events import KINDS, RECORDS, EventKind, EventRecord
from readers.codecs.dlt645_records import DAILY_FREEZES, MOST_FREEZES, FreezeKind
from simulator.meters.dlt645_accounts import EXPORT, IMPORT, Totals

BILLING_PERIODS: Final = 12
_KEPT: Final = {
    FreezeKind.PERIODIC: 12,
    FreezeKind.ORDERED: 3,
    FreezeKind.HOURLY: MOST_FREEZES,
    FreezeKind.DAILY: DAILY_FREEZES,
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The registers at a moment of the meter's clock; `powers` are P and Q, total and phases."""

    shown_us: int
    totals: Totals
    powers: tuple[Decimal | None, ...] = ()

    def shortened(self) -> Snapshot:
        """What an hourly snapshot keeps: the two active energies."""
        kept = {key: self.totals.energies[key] for key in ((IMPORT, 0), (EXPORT, 0))}
        return Snapshot(self.shown_us, Totals(kept, {}))


@dataclass(slots=True)
class Log:
    """How often something happened, and the latest times of it."""

    count: int = 0
    records: deque[EventRecord] = field(default_factory=lambda: deque(maxlen=RECORDS))


class History:
    """Begins empty; `profile_records` bounds the load records."""

    def __init__(self, profile_records: int) -> None:
        self.billing: deque[Totals] = deque(maxlen=BILLING_PERIODS)
        self.profile: deque[tuple[int, bytes]] = deque(maxlen=profile_records)
        self._snapshots: Mapping[FreezeKind, deque[Snapshot]] = {kind: deque(maxlen=n) for kind, n in _KEPT.items()}
        self._logs = {name: Log() for name in KINDS}

    def freeze(self, kind: FreezeKind, snapshot: Snapshot) -> None:
        """Keep a snapshot as the latest of its kind."""
        kept = snapshot.shortened() if kind is FreezeKind.HOURLY else snapshot
        self._snapshots[kind].appendleft(kept)

    def frozen(self, kind: FreezeKind, back: int) -> Snapshot | None:
        """The latest snapshot (1) or an earlier one; None when there are not so many."""
        kept = self._snapshots[kind]
        return kept[back - 1] if 1 <= back <= len(kept) else None

    def happened(self, record: EventRecord) -> None:
        """Count an event and keep its record as the latest."""
        log = self._logs[record.kind.name]
        log.count += 1
        log.records.appendleft(record)

    def count_of(self, kind: EventKind) -> int:
        """How often it happened."""
        return self._logs[kind.name].count

    def record_of(self, kind: EventKind, back: int) -> EventRecord | None:
        """The latest record (1) or an earlier one; None when it has not happened so often."""
        records = self._logs[kind.name].records
        return records[back - 1] if 1 <= back <= len(records) else None

    def clear_events(self) -> None:
        """Forget all events."""
        self._logs = {name: Log() for name in KINDS}

    def load_records(self, count: int, since_us: int | None) -> bytes:
        """The earliest records, or those from a time on."""
        found = [raw for at_us, raw in self.profile if since_us is None or at_us >= since_us]
        return b"".join(found[:count])

    def latest_load_record(self) -> bytes:
        """The latest record, or none."""
        return self.profile[-1][1] if self.profile else b""
