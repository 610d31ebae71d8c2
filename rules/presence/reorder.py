"""The lateness buffer: reads wait in slices of time until no earlier one is expected, merged by tag and read point.

A slice of 50 ms is released when the gateway's clock has passed its end by `lateness_s`. Within a slice only sums,
minima and maxima are kept, in whole numbers, so the order in which reads arrive and how they are cut into batches
make no difference. A read for a slice that is gone is late: it is counted, and judged with the next slice by its
own time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.contract.batches import ReadBatch, TagRead
from rules.state import Table

SLICE_US: Final = 50_000
FUTURE_US: Final = 1_000_000
"""A read from further ahead than this comes from a wrong reader clock; its time becomes that of its arrival."""
SPAN_US: Final = 30_000_000
"""A row of a reader that was alone for a while covers all that time; of a longer one only the end counts."""

LEAST_DBM: Final = -120.0
MOST_DBM: Final = 0.0
UNKNOWN_DBM: Final = -65.0
"""The strength assumed of a read whose reader does not say: in the middle of what gates hear."""
MOST_COUNT: Final = 65_535
"""Air reads in one row at most: the width of LLRP's TagSeenCount."""
MOST_POINTS: Final = 4096
"""Read points of one gateway: 64 readers of 64 antennas. Reads at further ones are counted, and judged by no place."""
_MOST_CACHED: Final = 4096


class Cell(msgspec.Struct, array_like=True, gc=False):
    """Reads of one tag at one read point in one slice.

    Attributes:
        reads: air reads; power: their summed power in 10⁻¹² mW.
        strongest_dbm: None where the reader does not say.
        first_us, last_us: when the tag was first and last seen.
        sequence_from, sequence_to: batches that brought them.
        pc_bits, tid: of the first of them, where the reader says so.
    """

    reads: int
    power: int
    strongest_dbm: float | None
    first_us: int
    last_us: int
    sequence_from: int
    sequence_to: int
    pc_bits: int | None = None
    tid: str | None = None


class Source(msgspec.Struct, array_like=True):
    """The device and antenna port of a read point."""

    device: str
    antenna_port: int


Cells = dict[str, dict[str, Cell]]
"""By read point, then by EPC."""


class Slice(msgspec.Struct, array_like=True):
    """What was heard in one slice.

    Attributes:
        cells: strong enough to count; weak: below the floor of every place that this read point belongs to.
        late: read point, EPC and reads of slices that are gone.
    """

    cells: Cells = {}
    weak: Cells = {}
    late: list[tuple[str, str, Cell]] = []


class Reorder:
    """The buffer of one gateway."""

    def __init__(
        self, table: Table[Slice], lateness_us: int, floors_dbm: Mapping[str, float], sources: dict[str, Source]
    ) -> None:
        """Take over `table`, which may hold slices of a snapshot; weaker reads than the floor are kept apart.

        The device and antenna port of a read point that is not in `sources` are learnt from its reads.
        """
        self._sources = sources
        self._table = table
        self._lateness_us = lateness_us
        self._floors_dbm = floors_dbm
        self._slices = {int(key): row for key, row in table.rows.items()}
        self._powers: dict[float | None, int] = {None: _power(UNKNOWN_DBM)}
        self.late_reads = 0
        self.future_reads = 0
        self.points_refused = 0

    def due(self, clock_us: int) -> int:
        """The last slice that may be judged at this time."""
        return (clock_us - self._lateness_us) // SLICE_US - 1

    def waiting(self) -> int | None:
        """The earliest slice that holds something."""
        return min(self._slices, default=None)

    def take(self, index: int) -> Slice | None:
        """Release a slice; None when nothing was heard in it."""
        row = self._slices.pop(index, None)
        if row is not None:
            self._table.drop(str(index))
        return row

    def set_back(self, by_slices: int) -> None:
        """The gateway's clock was set back: what waits moves with it."""
        by_us = by_slices * SLICE_US
        slices, self._slices = self._slices, {}
        for index in slices:
            self._table.drop(str(index))
        for index, row in slices.items():
            late = [cell for _, _, cell in row.late]
            for cell in (
                *late,
                *(c for cells in (row.cells, row.weak) for tags in cells.values() for c in tags.values()),
            ):
                cell.first_us -= by_us
                cell.last_us -= by_us
            self._slices[index - by_slices] = row
            self._table.put(str(index - by_slices), row)

    def insert(self, batch: ReadBatch, judged: int, clock_us: int) -> None:
        """Take the reads of a batch; slices up to `judged` are gone, or about to go."""
        slices, floors, powers = self._slices, self._floors_dbm, self._powers
        sequence = batch.sequence
        latest = (clock_us + FUTURE_US) // SLICE_US
        at, row = -1, None
        for read in batch.reads:
            seen_us = read.seen_at_us
            index = seen_us // SLICE_US
            if index != at or row is None:
                if index <= judged or index > latest:
                    self._odd(read, batch, judged, clock_us)
                    continue
                at = index
                row = slices.get(index) or self._open(index)
                self._table.dirty.add(str(index))
            rssi_dbm = read.rssi_dbm
            power = powers.get(rssi_dbm)
            if power is None:
                power = self._learn(rssi_dbm)
            point = read.read_point
            cells = row.cells
            if floors and rssi_dbm is not None and rssi_dbm < floors.get(point, LEAST_DBM):
                cells = row.weak
            here = cells.get(point)
            if here is None:
                if point not in self._sources and not self._learn_point(read, batch):
                    continue
                here = cells[point] = {}
            cell = here.get(read.epc)
            count = read.count
            first_us = read.first_seen_at_us
            if count != 1:
                count = min(max(count, 1), MOST_COUNT)
                power *= count
            if first_us is None or not 0 <= seen_us - first_us <= SPAN_US:
                first_us = seen_us
            if cell is None:
                here[read.epc] = Cell(
                    count, power, rssi_dbm, first_us, seen_us, sequence, sequence, read.pc_bits, read.tid
                )
                continue
            cell.reads += count
            cell.power += power
            if rssi_dbm is not None and (cell.strongest_dbm is None or rssi_dbm > cell.strongest_dbm):
                cell.strongest_dbm = rssi_dbm
            cell.first_us = min(cell.first_us, first_us)
            cell.last_us = max(cell.last_us, seen_us)
            cell.sequence_to = sequence

    def _open(self, index: int) -> Slice:
        row = self._slices[index] = Slice({}, {}, [])
        self._table.put(str(index), row)
        return row

    def _odd(self, read: TagRead, batch: ReadBatch, judged: int, clock_us: int) -> None:
        """Take a read that came too late, or from the future."""
        if read.read_point not in self._sources and not self._learn_point(read, batch):
            return
        index = max(judged + 1, clock_us // SLICE_US)
        seen_us = read.seen_at_us
        if seen_us > clock_us:
            self.future_reads += 1
            seen_us = clock_us
        else:
            self.late_reads += 1
            index = judged + 1
        count = min(max(read.count, 1), MOST_COUNT)
        # A reader that was alone for a while sends one row for all reads of a tag: late, but it says since when.
        first_us = read.first_seen_at_us
        if first_us is None or seen_us != read.seen_at_us or not 0 <= seen_us - first_us <= SPAN_US:
            first_us = seen_us
        cell = Cell(
            count,
            self._learn(read.rssi_dbm) * count,
            read.rssi_dbm,
            first_us,
            seen_us,
            batch.sequence,
            batch.sequence,
            read.pc_bits,
            read.tid,
        )
        row = self._slices.get(index) or self._open(index)
        floor_dbm = self._floors_dbm.get(read.read_point, LEAST_DBM)
        if read.rssi_dbm is not None and read.rssi_dbm < floor_dbm:
            merge(row.weak.setdefault(read.read_point, {}), read.epc, cell)
        else:
            row.late.append((read.read_point, read.epc, cell))
        self._table.dirty.add(str(index))

    def _learn_point(self, read: TagRead, batch: ReadBatch) -> bool:
        """Whether there is room for a read point that the site file does not name."""
        if len(self._sources) >= MOST_POINTS:
            self.points_refused += 1
            return False
        self._sources[read.read_point] = Source(batch.device, read.antenna_port)
        return True

    def _learn(self, rssi_dbm: float | None) -> int:
        power = self._powers.get(rssi_dbm)
        if power is None:
            if len(self._powers) >= _MOST_CACHED:
                self._powers.clear()
                self._powers[None] = _power(UNKNOWN_DBM)
            power = self._powers[rssi_dbm] = _power(rssi_dbm or 0.0)
        return power


def merge(cells: dict[str, Cell], epc: str, cell: Cell) -> None:
    """Add a cell to those of a read point."""
    old = cells.get(epc)
    if old is None:
        cells[epc] = cell
        return
    old.reads += cell.reads
    old.power += cell.power
    if cell.strongest_dbm is not None and (old.strongest_dbm is None or cell.strongest_dbm > old.strongest_dbm):
        old.strongest_dbm = cell.strongest_dbm
    old.first_us = min(old.first_us, cell.first_us)
    old.last_us = max(old.last_us, cell.last_us)
    old.sequence_from = min(old.sequence_from, cell.sequence_from)
    old.sequence_to = max(old.sequence_to, cell.sequence_to)
    old.pc_bits = cell.pc_bits if old.pc_bits is None else old.pc_bits
    old.tid = old.tid or cell.tid


def _power(rssi_dbm: float) -> int:
    return round(10 ** ((min(max(rssi_dbm, LEAST_DBM), MOST_DBM) - LEAST_DBM) / 10))
