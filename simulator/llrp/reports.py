"""RO_ACCESS_REPORT as a reader builds it: which fields, how reads of one tag add up, and the bytes, in bulk.

This is the hot path of the twin: reads travel in columns, one precompiled struct writes one read with all its
parameters, and `map` feeds it, so that 64 readers at 1,100 reads a second stay a small share of one core.

Source: LLRP 1.0.1 sections 13.2.1 (ROReportSpec), 13.2.3 (accumulation), 16.2.7.3 (TagReportData); LLRP 1.1 section
14.2.1 (triggers by time);
Impinj's LTK definitions 1.18 for phase, peak RSSI, Doppler and serialized TID.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache
from itertools import groupby, repeat
from typing import Any, Final, NamedTuple

from simulator.device import Sighting
from simulator.llrp.codec import HEADER, Node
from simulator.llrp.shapes import CUSTOM, IMPINJ, MOTOROLA

RO_ACCESS_REPORT: Final = 61
MOST_READS_PER_MESSAGE: Final = 1_000  # keeps a report with every field below the largest message
MOST_ROWS_HELD: Final = 50_000  # bounds a reader that nobody asks for reports; several times the tags of any yard
_TAG_REPORT_DATA: Final = 240
_EPC_DATA: Final = 241
_EPC_96: Final = 13
_EPC_96_BYTES: Final = 12
_COUNT_MAX: Final = 0xFFFF
_PHASE_STEPS: Final = 4096  # ImpinjRFPhaseAngle: a full turn
_FINE_PHASE_STEPS: Final = 65_536  # MotoTagPhase: a full turn, from -half to half
_NO_DOPPLER: Final = 0  # the simulated radio knows no Doppler shift
_DBM_MIN, _DBM_MAX = -128, 127


class Trigger(IntEnum):
    """ROReportTrigger: what makes the reader send what it has gathered."""

    NONE = 0
    N_TAGS_OR_END_OF_AISPEC = 1
    N_TAGS_OR_END_OF_ROSPEC = 2
    N_SECONDS_OR_END_OF_AISPEC = 3  # this one and the rest: LLRP 1.1
    N_SECONDS_OR_END_OF_ROSPEC = 4
    N_MILLISECONDS_OR_END_OF_AISPEC = 5
    N_MILLISECONDS_OR_END_OF_ROSPEC = 6


AT_END_OF_AISPEC: Final = frozenset(
    {Trigger.N_TAGS_OR_END_OF_AISPEC, Trigger.N_SECONDS_OR_END_OF_AISPEC, Trigger.N_MILLISECONDS_OR_END_OF_AISPEC}
)
_BY_TAGS: Final = frozenset({Trigger.N_TAGS_OR_END_OF_AISPEC, Trigger.N_TAGS_OR_END_OF_ROSPEC})
_BY_TIME_US: Final = {
    Trigger.N_SECONDS_OR_END_OF_AISPEC: 1_000_000,
    Trigger.N_SECONDS_OR_END_OF_ROSPEC: 1_000_000,
    Trigger.N_MILLISECONDS_OR_END_OF_AISPEC: 1_000,
    Trigger.N_MILLISECONDS_OR_END_OF_ROSPEC: 1_000,
}


@dataclass(frozen=True, slots=True)
class Content:
    """What a TagReportData holds besides the EPC, in the order of the wire. Times are UTC unless `uptime`."""

    rospec_id: bool = False
    spec_index: bool = False
    inventory_spec_id: bool = False
    antenna: bool = False
    rssi: bool = False
    channel: bool = False
    first_seen: bool = False
    last_seen: bool = False
    count: bool = False
    pc: bool = False
    crc: bool = False
    accessspec_id: bool = False
    impinj_tid: bool = False
    impinj_phase: bool = False
    impinj_rssi: bool = False
    impinj_doppler: bool = False
    motorola_phase: bool = False
    uptime: bool = False

    @classmethod
    def of(cls, report_spec: Node, *, uptime: bool) -> Content:
        """Read it from a ROReportSpec."""
        selector = report_spec.need("TagReportContentSelector")
        memory = selector.one("C1G2EPCMemorySelector")
        impinj = report_spec.one("ImpinjTagReportContentSelector")
        motorola = report_spec.one("MotoTagReportContentSelector")

        def vendor(parameter: str, mode: str) -> bool:
            found = impinj.one(parameter) if impinj else None
            return bool(found and found.number(mode))

        return cls(
            rospec_id=bool(selector.number("EnableROSpecID")),
            spec_index=bool(selector.number("EnableSpecIndex")),
            inventory_spec_id=bool(selector.number("EnableInventoryParameterSpecID")),
            antenna=bool(selector.number("EnableAntennaID")),
            rssi=bool(selector.number("EnablePeakRSSI")),
            channel=bool(selector.number("EnableChannelIndex")),
            first_seen=bool(selector.number("EnableFirstSeenTimestamp")),
            last_seen=bool(selector.number("EnableLastSeenTimestamp")),
            count=bool(selector.number("EnableTagSeenCount")),
            pc=bool(memory and memory.number("EnablePCBits")),
            crc=bool(memory and memory.number("EnableCRC")),
            accessspec_id=bool(selector.number("EnableAccessSpecID")),
            impinj_tid=vendor("ImpinjEnableSerializedTID", "SerializedTIDMode"),
            impinj_phase=vendor("ImpinjEnableRFPhaseAngle", "RFPhaseAngleMode"),
            impinj_rssi=vendor("ImpinjEnablePeakRSSI", "PeakRSSIMode"),
            impinj_doppler=vendor("ImpinjEnableRFDopplerFrequency", "RFDopplerFrequencyMode"),
            motorola_phase=bool(motorola and motorola.number("EnablePhase")),
            uptime=uptime,
        )


Done = Iterable[tuple[int, bytes]]
"""What was done to each tag: (AccessSpecID, results as parameters)."""


class Source(NamedTuple):
    """Where reads come from, for the fields that name it."""

    rospec_id: int
    spec_index: int
    inventory_spec_id: int


class Row(NamedTuple):
    """One TagReportData before it is bytes; times on the reader's clock."""

    epc: bytes
    antenna_port: int
    rssi_dbm: float
    channel_index: int
    first_us: int
    last_us: int
    reads: int
    tid: bytes
    phase_deg: float
    accessspec_id: int = 0
    results: bytes = b""


@dataclass(frozen=True, slots=True)
class Layout:
    """How one TagReportData of a given content and EPC length is written.

    Attributes:
        record: the struct of the whole parameter.
        plan: one entry per value: a number that never changes, or the name of a column.
    """

    record: struct.Struct
    plan: tuple[int | str, ...] = field(repr=False)


@cache
def layout(content: Content, epc_bytes: int, tid_bytes: int, result_bytes: int = 0) -> Layout:
    """The layout for reads whose EPC, TID and results of operations have these lengths."""
    codes: list[str] = []
    plan: list[int | str] = []

    def add(code: str, *values: int | str) -> None:
        codes.append(code)
        plan.extend(values)

    def tv(enabled: bool, number: int, code: str, column: int | str) -> None:  # noqa: FBT001  # a row of the table below
        if enabled:
            add("B" + code, 0x80 | number, column)

    def custom(enabled: bool, vendor: int, subtype: int, code: str, *columns: int | str) -> None:  # noqa: FBT001  # likewise
        if enabled:
            length = struct.calcsize(">HHII" + code)
            add("HHII" + code, CUSTOM, length, vendor, subtype, *columns)

    if epc_bytes == _EPC_96_BYTES:
        add("B12s", 0x80 | _EPC_96, "epc")
    else:
        add(f"HHH{epc_bytes}s", _EPC_DATA, 6 + epc_bytes, 8 * epc_bytes, "epc")
    first, last = (3, 5) if content.uptime else (2, 4)
    tv(content.rospec_id, 9, "I", "rospec_id")
    tv(content.spec_index, 14, "H", "spec_index")
    tv(content.inventory_spec_id, 10, "H", "inventory_spec_id")
    tv(content.antenna, 1, "H", "antenna")
    tv(content.rssi, 6, "b", "rssi")
    tv(content.channel, 7, "H", "channel")
    tv(content.first_seen, first, "Q", "first")
    tv(content.last_seen, last, "Q", "last")
    tv(content.count, 8, "H", "count")
    tv(content.pc, 12, "H", pc_bits(epc_bytes))
    tv(content.crc, 11, "H", "crc")
    tv(content.accessspec_id, 16, "I", "accessspec_id")
    if result_bytes:
        add(f"{result_bytes}s", "results")
    custom(content.impinj_tid and tid_bytes > 0, IMPINJ, 55, f"H{tid_bytes}s", tid_bytes // 2, "tid")
    custom(content.impinj_phase, IMPINJ, 56, "H", "phase")
    custom(content.impinj_rssi, IMPINJ, 57, "h", "rssi_centi")
    custom(content.impinj_doppler, IMPINJ, 68, "h", _NO_DOPPLER)
    custom(content.motorola_phase, MOTOROLA, 709, "h", "signed_phase")
    length = struct.calcsize(">HH" + "".join(codes))
    return Layout(struct.Struct(">HH" + "".join(codes)), (_TAG_REPORT_DATA, length, *plan))


def _lengths(row: Sequence[Any]) -> tuple[int, int, int]:
    return len(row[0]), len(row[7]), len(row[10])


def records(content: Content, source: Source, rows: Sequence[Sequence[Any]]) -> list[bytes]:
    """The TagReportData of each row, as bytes, in order."""
    written: list[bytes] = []
    for lengths, group in groupby(rows, _lengths):
        found = layout(content, *lengths)
        columns = _columns(content, source, list(group))
        arguments = [columns[step] if isinstance(step, str) else repeat(step) for step in found.plan]
        written.extend(map(found.record.pack, *arguments))
    return written


def message(record_bytes: bytes, message_id: int, version: int) -> bytes:
    """A RO_ACCESS_REPORT around records."""
    return HEADER.pack(version << 10 | RO_ACCESS_REPORT, HEADER.size + len(record_bytes), message_id) + record_bytes


def _columns(content: Content, source: Source, rows: list[Sequence[Any]]) -> dict[str, Iterable[Any]]:
    epcs, antennas, rssi, channels, first, last, counts, tids, phases, specs, results = zip(*rows, strict=True)
    columns: dict[str, Iterable[Any]] = {
        "epc": epcs,
        "antenna": antennas,
        "channel": channels,
        "first": first,
        "last": last,
        "tid": tids,
        "accessspec_id": specs,
        "results": results,
        "rospec_id": repeat(source.rospec_id),
        "spec_index": repeat(source.spec_index),
        "inventory_spec_id": repeat(source.inventory_spec_id),
    }
    if content.rssi:
        columns["rssi"] = [max(_DBM_MIN, min(_DBM_MAX, round(value))) for value in rssi]
    if content.count:
        columns["count"] = [min(value, _COUNT_MAX) for value in counts]
    if content.crc:
        columns["crc"] = [gen2_crc(pc_bits(len(epc)).to_bytes(2, "big") + epc) for epc in epcs]
    if content.impinj_phase:
        columns["phase"] = [round(value / 360 * _PHASE_STEPS) % _PHASE_STEPS for value in phases]
    if content.motorola_phase:
        turns = [round(value / 360 * _FINE_PHASE_STEPS) % _FINE_PHASE_STEPS for value in phases]
        columns["signed_phase"] = [turn - _FINE_PHASE_STEPS * (turn >= _FINE_PHASE_STEPS // 2) for turn in turns]
    if content.impinj_rssi:
        columns["rssi_centi"] = [max(-0x8000, min(0x7FFF, round(value * 100))) for value in rssi]
    return columns


def pc_bits(epc_bytes: int) -> int:
    """The protocol control word of a tag with nothing special: the number of EPC words in its top five bits."""
    return (epc_bytes + 1) // 2 << 11


def gen2_crc(data: bytes) -> int:
    """CRC-16 as Gen2 tags send it: polynomial 0x1021, preset 0xFFFF, complemented (EPC UHF Gen2, annex F)."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021) if crc & 0x8000 else crc << 1
        crc &= 0xFFFF
    return crc ^ 0xFFFF


class Collector:
    """Gathers the reads of one ROSpec by its ROReportSpec and says when a report is due.

    Reads add up as section 13.2.3 allows: one row per EPC, and per antenna where antennas are reported; first and last
    time, highest RSSI, number of reads. The channel and phase of a row are those of its first read, which the standard
    leaves to the reader. At most 50,000 rows are held; beyond, the oldest are lost and counted in `lost_reads`.

    Attributes:
        every_n: how many rows make a report; 0 for no such number.
        period_us: after what time a report is due whatever it holds; None for none.
    """

    def __init__(self, content: Content, trigger: Trigger, n: int) -> None:
        self.content = content
        self.trigger = trigger
        self.every_n = n if trigger in _BY_TAGS else 0
        self.period_us = n * _BY_TIME_US[trigger] if n and trigger in _BY_TIME_US else None
        self._rows: dict[tuple[bytes, int, tuple[int, bytes]], list[Any]] = {}
        self._source = Source(0, 0, 0)
        self.lost_reads = 0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def reads(self) -> int:
        """Air reads gathered and not yet reported."""
        return sum(row[6] for row in self._rows.values())

    def add(
        self, sightings: Sequence[Sighting], source: Source, clock_offset_us: int, done: Done | None = None
    ) -> list[tuple[bytes, int]]:
        """Take reads; returns the reports that became due, as (records, number of air reads).

        `done` is what was done to the tag of each sighting; reads with different results do not add up.
        """
        done = done or repeat((0, b""))
        due: list[tuple[bytes, int]] = []
        if source != self._source:
            due += self.flush() if self._source_matters(source) else []
            self._source = source
        if self.every_n == 1:
            rows = [
                Row(epc, port, rssi, channel, at + clock_offset_us, at + clock_offset_us, 1, tid, phase, *work)
                for (at, port, epc, rssi, tid, phase, channel, _, _), work in zip(sightings, done, strict=False)
            ]
            return due + [(record, 1) for record in records(self.content, source, rows)]
        by_antenna = self.content.antenna
        rows_by_key, every_n = self._rows, self.every_n
        for (at, port, epc, rssi, tid, phase, channel, _, _), work in zip(sightings, done, strict=False):
            key = (epc, port if by_antenna else 0, work)
            row = rows_by_key.get(key)
            if row is None:
                at_reader = at + clock_offset_us
                rows_by_key[key] = [epc, port, rssi, channel, at_reader, at_reader, 1, tid, phase, *work]
                if len(rows_by_key) == every_n:
                    due += self.flush()
            else:
                row[5] = at + clock_offset_us
                row[6] += 1
                row[2] = max(row[2], rssi)
        while len(rows_by_key) > MOST_ROWS_HELD:
            self.lost_reads += rows_by_key.pop(next(iter(rows_by_key)))[6]
        return due

    def flush(self) -> list[tuple[bytes, int]]:
        """Everything gathered, as reports of at most 1,000 rows; empty when there is nothing."""
        rows = list(self._rows.values())
        self._rows.clear()
        reports = []
        for start in range(0, len(rows), MOST_READS_PER_MESSAGE):
            part = rows[start : start + MOST_READS_PER_MESSAGE]
            reports.append((b"".join(records(self.content, self._source, part)), sum(row[6] for row in part)))
        return reports

    def _source_matters(self, source: Source) -> bool:
        """Rows with different values of an enabled field may not add up."""
        old, new, content = self._source, source, self.content
        return (
            (content.rospec_id and old.rospec_id != new.rospec_id)
            or (content.spec_index and old.spec_index != new.spec_index)
            or (content.inventory_spec_id and old.inventory_spec_id != new.inventory_spec_id)
        )
