"""What gateways heard, read again: from their journals, while they run, or from a file of batches.

A recording is a state directory, the directory of one journal, or a file that holds the JSON of one batch in each
line, as they travel. Batches of one gateway come in their order; those of several by the time of their arrival.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from gateway.contract.batches import Batch, decode, encode
from gateway.edge import segment

CHUNK_ROWS: Final = 500
CHUNK_BYTES: Final = 1 << 20
LONGEST_LINE: Final = 16 << 20
_JOURNAL: Final = "journal"


class RecordingError(Exception):
    """There is no recording at a place."""


class Span(NamedTuple):
    """When the first and the last batch arrived, microseconds since 1970."""

    first_us: int
    last_us: int


class Recording:
    """One recording.

    Attributes:
        sources: the journals or the file that it consists of.
        damaged: what could not be read so far, a line each.

    Raises:
        RecordingError: nothing of that kind is there.
    """

    def __init__(self, path: Path) -> None:
        self.damaged: list[str] = []
        self.sources = [path] if path.is_file() else _journals(path)
        if not self.sources:
            raise RecordingError(
                f"{path}: holds no journal of a gateway; give a state directory, a journal, or a file of batches"
            )

    def span(self) -> Span | None:
        """From when to when it goes; None when it is empty."""
        firsts, lasts = [], []
        for source in self.sources:
            if source.is_file():
                times = [batch.received_at_us for batch in self._lines(source)]
            else:
                ends = [found for path in segment.paths(source) if (found := self._ends(path)) is not None]
                times = [at_us for pair in ends for at_us in pair]
            if times:
                firsts.append(min(times))
                lasts.append(max(times))
        return Span(min(firsts), max(lasts)) if firsts else None

    def batches(self, from_us: int, to_us: int) -> Iterator[Batch]:
        """What arrived in `[from_us, to_us)`."""
        streams = [_timed(self._of(source, from_us, to_us), number) for number, source in enumerate(self.sources)]
        for _, _, _, batch in heapq.merge(*streams, key=lambda each: each[:3]):
            yield batch

    def of_sequences(self, gateway: str, epoch: int, first: int, last: int) -> Iterator[Batch]:
        """The batches of a gateway that an evidence names, as far as they are still kept."""
        for source in self.sources:
            found = self._lines(source) if source.is_file() else self._rows(source, first, last)
            for batch in found:
                if (batch.gateway, batch.epoch) == (gateway, epoch) and first <= batch.sequence <= last:
                    yield batch

    def save(self, path: Path, from_us: int, to_us: int) -> int:
        """Write what arrived in `[from_us, to_us)` to a file of batches; returns how many they are.

        Raises:
            OSError: it cannot be written.
        """
        count = 0
        with path.open("wb") as file:
            for batch in self.batches(from_us, to_us):
                file.write(encode(batch) + b"\n")
                count += 1
        return count

    def _of(self, source: Path, from_us: int, to_us: int) -> Iterator[Batch]:
        if source.is_file():
            yield from (batch for batch in self._lines(source) if from_us <= batch.received_at_us < to_us)
            return
        for path in segment.paths(source):
            ends = self._ends(path)
            if ends is not None and ends[0] < to_us and ends[1] >= from_us:
                for batch in self._segment(path, 0, None):
                    if from_us <= batch.received_at_us < to_us:
                        yield batch

    def _rows(self, source: Path, first: int, last: int) -> Iterator[Batch]:
        paths = segment.paths(source)
        for path, following in zip(paths, [*paths[1:], None], strict=True):
            if segment.first_of(path) <= last and (following is None or segment.first_of(following) > first):
                yield from self._segment(path, first, last)

    def _ends(self, path: Path) -> tuple[int, int] | None:
        try:
            with segment.reading(path) as db:
                first_us, last_us = db.execute("SELECT min(at_us), max(at_us) FROM batch").fetchone()
        except (FileNotFoundError, segment.DamagedError) as error:
            self._damage(str(error))
            return None
        return None if first_us is None else (first_us, last_us)

    def _segment(self, path: Path, first: int, last: int | None) -> Iterator[Batch]:
        wanted = first
        while True:
            try:
                with segment.reading(path) as db:
                    rows = segment.read(db, wanted, CHUNK_ROWS, CHUNK_BYTES)
            except FileNotFoundError:
                return  # its age took it away just now
            except segment.DamagedError as error:
                self._damage(str(error))
                return
            for row in rows:
                if last is not None and row.sequence > last:
                    return
                batch = self._decoded(row.payload, f"{path.name} row {row.sequence}")
                if batch is not None:
                    yield batch
            if not rows:
                return
            wanted = rows[-1].sequence + 1

    def _lines(self, path: Path) -> Iterator[Batch]:
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), start=1):
                if line.strip():
                    batch = self._decoded(line, f"{path.name} line {number}")
                    if batch is not None:
                        yield batch

    def _decoded(self, payload: bytes, where: str) -> Batch | None:
        try:
            return decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:  # ValidationError is one
            self._damage(f"{where}: {error}")
            return None

    def _damage(self, line: str) -> None:
        if line not in self.damaged:
            self.damaged.append(line)


def _journals(path: Path) -> list[Path]:
    """The journals of a state directory: its own, and those that the units put beside it."""
    if segment.paths(path):
        return [path]
    roots = (path, path.with_name(f"{path.name}-edge"))
    found = [each for root in roots for each in (root / _JOURNAL, *sorted(root.glob(f"*/{_JOURNAL}")))]
    return [each for each in found if segment.paths(each)]


def _timed(batches: Iterable[Batch], number: int) -> Iterator[tuple[int, int, int, Batch]]:
    """With the latest arrival so far: a clock that was set back changes no order."""
    latest_us = 0
    for count, batch in enumerate(batches):
        latest_us = max(latest_us, batch.received_at_us)
        yield latest_us, number, count, batch
