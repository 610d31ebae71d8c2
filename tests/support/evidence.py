"""What lies on the disk of a site: the edge journal, the event journal, the ledgers; and whether they agree."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from gateway.contract.batches import Batch, ReadBatch, ReadingBatch, decode
from gateway.contract.ledger import EdgeLedger, RulesLedger, decode_edge_ledger, decode_rules_ledger
from gateway.demo.truth import compare
from gateway.edge.segment import paths
from gateway.event_history import EventHistory
from tests.support.field import CountingRadio

GATEWAY = "edge-1"


class Evidence:
    """The state directory of a site with one gateway and an event journal called `events`."""

    def __init__(self, state: Path) -> None:
        self.state = state

    def behind(self) -> int:
        """Batches in the edge journal that the rules have not judged durably."""
        return self.last() - self.watermark()

    def last(self) -> int:
        """The last sequence in the edge journal."""
        newest = paths(self.state / "journal")[-1]
        with closing(_open(newest)) as db:
            state: int | None = db.execute("SELECT value ->> '$.next_sequence' FROM state").fetchone()[0]
            return int(state or 1) - 1

    def watermark(self) -> int:
        """The sequence up to which the rules have judged durably."""
        try:
            with closing(_open(self.state / "rules.db")) as db:
                row = db.execute("SELECT max(watermark) FROM flows WHERE gateway = ?", (GATEWAY,)).fetchone()
        except sqlite3.OperationalError:  # it is being made
            return 0
        return int(row[0] or 0)

    def batches(self) -> Iterator[Batch]:
        """The edge journal in order, each batch under its own sequence."""
        for path in paths(self.state / "journal"):
            with closing(_open(path)) as db:
                for sequence, payload in db.execute("SELECT sequence, payload FROM batch ORDER BY sequence"):
                    batch = decode(payload)
                    assert batch.sequence == sequence
                    yield batch

    def journalled(self) -> tuple[Counter[Any], Counter[Any]]:
        """Reads and readings that the edge journal acknowledged."""
        reads: Counter[Any] = Counter()
        readings: Counter[Any] = Counter()
        for batch in self.batches():
            place = (batch.epoch, batch.sequence)
            if isinstance(batch, ReadBatch):
                for item, read in enumerate(batch.reads):
                    what = (read.epc, read.antenna_port, read.read_point, read.seen_at_us, read.rssi_dbm, read.count)
                    reads[(*place, item, batch.device, *what)] += 1
            elif isinstance(batch, ReadingBatch):
                for reading in batch.readings:
                    value = None if reading.value is None else str(reading.value)
                    tariff = str(reading.tariff or "")
                    series = (batch.device, reading.quantity, reading.unit, reading.phase or "", tariff)
                    readings[(*series, value, reading.obis, reading.quality)] += 1
        return reads, readings

    def stored(self) -> tuple[Counter[Any], Counter[Any]]:
        """Reads and readings that the event journal holds."""
        reads: Counter[Any] = Counter()
        readings: Counter[Any] = Counter()
        for db in self._days():
            reads.update(
                db.execute(
                    "SELECT epoch, sequence, item, device, epc, antenna_port, read_point, seen_at_us, rssi_dbm, count"
                    " FROM tag_reads WHERE gateway = ?",
                    (GATEWAY,),
                )
            )
            readings.update(
                db.execute("SELECT meter, quantity, unit, phase, tariff, exact, obis, quality FROM readings")
            )
        return reads, readings

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What all days of the event journal answer."""
        return [row for db in self._days() for row in db.execute(query)]

    def _days(self) -> Iterator[sqlite3.Connection]:
        for path in sorted((self.state / "events").glob("events-*.db")):
            with closing(_open(path)) as db:
                yield db

    def counted(self, radio: CountingRadio, device: str = "counter") -> list[int]:
        """Numbers of a counting reader's tags in the journal, sorted; each must be what the radio sent."""
        numbers = []
        for batch in self.batches():
            if isinstance(batch, ReadBatch) and batch.device == device:
                for read in batch.reads:
                    number = radio.number(read.epc)
                    assert number is not None, f"an EPC that nobody has: {read}"
                    numbers.append(number)
                    sent = radio.read(number)
                    assert read.seen_at_us - batch.clock_offset_us == sent.at_us, (read, sent)
                    assert (read.rssi_dbm, read.count, read.antenna_port) == (sent.rssi_dbm, 1, 1), (read, sent)
        return sorted(numbers)

    def compare(self, crossings: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        """Passages of the truth against those of the event journal."""
        events = EventHistory(self.state / "events").recent_events(100_000, ("passage",))
        return compare(events, {"passages": crossings})

    def ledgers(self) -> tuple[EdgeLedger, RulesLedger]:
        """The ledgers that the daemons left."""
        edge = decode_edge_ledger((self.state / "ledger.json").read_bytes())
        rules = decode_rules_ledger((self.state / "ledger-rules.json").read_bytes())
        return edge, rules

    # What must hold

    def assert_exactly_once(self, *, refused_reads: bool = False) -> None:
        """I0: what the journal acknowledged is what the store holds, nothing more and nothing less.

        `refused_reads`: reads at impossible times may be missing, exactly as many as the store counts as refused.
        """
        (reads, readings), (stored_reads, stored_readings) = self.journalled(), self.stored()
        assert reads
        assert readings
        missing = (reads - stored_reads).total()
        refused = sum(points.refused for points in self.ledgers()[1].points.values()) if refused_reads else 0
        assert missing == refused, difference(reads, stored_reads)
        assert stored_reads <= reads, difference(reads, stored_reads)
        assert stored_readings == readings, difference(readings, stored_readings)
        # An event that took effect twice would be counted twice and stored once, for its id is the key.
        made = sum(self.ledgers()[1].events.values())
        assert sum(count for (count,) in self.rows("SELECT count(*) FROM events")) == made

    def assert_ledgers_agree(self, *, refused_reads: bool = False) -> None:
        """After the end: nothing is on its way, and edge, rules and stores count alike."""
        edge, rules = self.ledgers()
        reads, readings = self.journalled()
        for account, kind, rows in ((edge.tag_reads, "reads", reads), (edge.readings, "readings", readings)):
            assert account.balanced, edge
            assert account.waiting == 0, edge
            # The edge does not wait for the last acknowledgements: the rules know better what was judged.
            assert account.judged + account.unjudged == account.journalled == rows.total(), (edge, rows.total())
            assert rules.judged[GATEWAY].get(kind, 0) == account.journalled, (edge, rules)
            assert account.heard == account.journalled + sum(account.dropped.values()), edge
        for sink, points in rules.points.items():
            assert points.balanced, (sink, rules)
            assert points.queued == 0, (sink, rules)
            assert points.refused == 0 or refused_reads, (sink, rules)


def difference(expected: Counter[Any], found: Counter[Any]) -> str:
    """Where two counts differ."""
    missing, extra = expected - found, found - expected
    return (
        f"{missing.total()} missing, {extra.total()} too many of {expected.total()};"
        f" first missing {next(iter(missing), None)}, first too many {next(iter(extra), None)}"
    )


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
