"""A radio for load tests: a fixed rate of reads, written from a template, for next to no CPU.

The records of one batch are packed by one struct: constant bytes between the times, and only the times are new. So 64
readers at 1,100 reads a second fit into one process beside what they load.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from simulator.device import Sighting
from simulator.llrp.reports import Content, Row, Source, records

_US_PER_S: Final = 1_000_000
_MARK: Final = 0x5A5A_1234_5678_A5A5  # no EPC or constant of a template holds it
_MARK_BYTES: Final = _MARK.to_bytes(8, "big")
_RSSI_STEPS: Final = 40
_WEAKEST_DBM: Final = -75.0
_MOST_TEMPLATES: Final = 256
_ONE_BY_ONE_BLOCK: Final = 10  # reads written together when each is a report by itself: 10 ms late at 1,100 a second


class LoadRadio:
    """The same tags over and over, evenly spread in time.

    Args:
        reads_per_s: over all antennas of the reader.
        tags: how many different EPCs; they begin with `prefix`, 12 bytes in all.
        batch: reads in a report when the ROSpec sets no N of its own.

    Attributes:
        made: reads so far.
    """

    def __init__(self, reads_per_s: float, *, tags: int = 200, prefix: bytes = b"\x30\x74", batch: int = 50) -> None:
        if reads_per_s <= 0 or tags <= 0 or batch <= 0:
            raise ValueError(f"reads_per_s {reads_per_s}, tags {tags}, batch {batch}: all must be above 0")
        self._gap_us = _US_PER_S / reads_per_s
        self._batch = batch
        self._epcs = [prefix + index.to_bytes(12 - len(prefix), "big") for index in range(tags)]
        self._rssi = [_WEAKEST_DBM + index % _RSSI_STEPS for index in range(tags)]
        self._templates: dict[tuple[Content, Source, int, int, int], Template] = {}
        self.made = 0

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        """See `simulator.device.Radio`."""
        first, last = self._numbers(start_us, until_us)
        self.made += last - first
        epcs, rssi, tags, gap_us = self._epcs, self._rssi, len(self._epcs), self._gap_us
        return [
            Sighting(round(number * gap_us), antenna_port, epcs[number % tags], rssi[number % tags])
            for number in range(first, last)
        ]

    def records(
        self, content: Content, source: Source, every_n: int, antenna_port: int, start_us: int, until_us: int
    ) -> list[tuple[bytes, int]]:
        """See `simulator.llrp.inventory.BulkRadio`. Reports come when they are full: the last reads may stay unsaid."""
        first, last = self._numbers(start_us, until_us)
        size = _ONE_BY_ONE_BLOCK if every_n == 1 else every_n or self._batch
        reports = []
        for block in range(first // size, last // size):  # the blocks that became complete meanwhile
            number = block * size
            template = self._template(content, source, antenna_port, number % len(self._epcs), size)
            written = template.write(number, self._gap_us)
            if every_n == 1:
                step = len(written) // size
                reports += [(written[at : at + step], 1) for at in range(0, len(written), step)]
            else:
                reports.append((written, size))
        self.made += sum(reads for _, reads in reports)
        return reports

    def _numbers(self, start_us: int, until_us: int) -> tuple[int, int]:
        """The running numbers of the reads within a time; every moment has its own, whoever asks."""
        return -int(-start_us // self._gap_us), -int(-until_us // self._gap_us)

    def _template(self, content: Content, source: Source, antenna_port: int, phase: int, count: int) -> Template:
        key = (content, source, antenna_port, phase, count)
        template = self._templates.get(key)
        if template is None:
            if len(self._templates) >= _MOST_TEMPLATES:
                self._templates.clear()
            tags = len(self._epcs)
            chosen = [(phase + place) % tags for place in range(count)]
            rows = [Row(self._epcs[tag], antenna_port, self._rssi[tag], 1, _MARK, _MARK, 1, b"", 0.0) for tag in chosen]
            times = int(content.first_seen) + int(content.last_seen)
            template = self._templates[key] = Template(records(content, source, rows), times)
        return template


class Template:
    """Records whose times are still to be filled in."""

    def __init__(self, templates: list[bytes], times_per_record: int) -> None:
        constants: list[bytes] = b"".join(templates).split(_MARK_BYTES)
        self._times = times_per_record
        self._count = len(templates)
        self._record = struct.Struct(">" + "Q".join(f"{len(part)}s" for part in constants))
        self._arguments: list[bytes | int] = []
        for part in constants:
            self._arguments += (part, 0)
        self._arguments.pop()

    def write(self, number: int, gap_us: float) -> bytes:
        """The records, the first of them being read `number`."""
        arguments, step = self._arguments, 2 * self._times
        if step:
            times = [round(each * gap_us) for each in range(number, number + self._count)]
            for offset in range(1, step, 2):
                arguments[offset::step] = times
        return self._record.pack(*arguments)
