"""Tag reports, decoded in columns: the hot path of the driver.

    RO_ACCESS_REPORT payload     TagReportData | TagReportData | ... | RFSurveyReportData | custom ...
    TagReportData (TLV 240)      0 0 F0 | L x 16 | EPC-96 or EPCData | AntennaID | PeakRSSI | ... | custom ...

A reader writes its reports by one pattern: the same parameters in the same order, with only the values changing. Such
a pattern is a `Layout`, learnt from the first record that shows it and kept. A run of records of one layout is
verified (every byte that is structure must be the layout's), then unpacked by one compiled format and turned into
columns at once. A record that fits no known layout is walked parameter by parameter, which makes a new layout.

Absent parameters: what is enabled and absent equals the last value received (LLRP 1.1, 14.2.3); this client enables
antenna, RSSI, channel, both times and the count, so those are filled in once they were heard on this connection.

Source: LLRP 1.0.1 sections 13.2.3 and 16.2.7.3; LLRP 1.1 sections 14.2.3 and 17.2.7.3; Impinj LLRP extensions for the
custom parameters 55 (serialized TID), 56 (RF phase angle), 57 (peak RSSI), 68 (Doppler frequency); Zebra's 709 (phase).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import Any, Final

from readers.errors import FrameError
from readers.observations import Rejected, TagReads
from readers.rfid.llrp.framing import CUSTOM, TLV, Span, spans
from readers.rfid.llrp.reader_time import LATEST_US, ReaderTime
from readers.rfid.llrp.vendors import (
    IMPINJ,
    IMPINJ_DOPPLER,
    IMPINJ_PEAK_RSSI,
    IMPINJ_PHASE,
    IMPINJ_SERIALIZED_TID,
    MOTOROLA,
    MOTOROLA_PHASE,
)

RO_ACCESS_REPORT: Final = 61
TAG_REPORT_DATA: Final = 240
EPC_DATA: Final = 241
EPC_96: Final = 13
RF_SURVEY_REPORT_DATA: Final = 242
READ_RESULT: Final = 349
# The operations whose results are columns. Other programs number theirs from 0 or 1, and what a reader kept of them may
# still come.
TID_OPSPEC: Final = 0x7A11
USER_OPSPEC: Final = 0x7A12

# Value formats of the parameters that become columns, by (type, vendor, subtype).
_COLUMNS: Final[dict[tuple[int, int, int], tuple[str, str]]] = {
    (1, 0, 0): ("antenna_port", "H"),
    (2, 0, 0): ("first_seen_us", "Q"),
    (3, 0, 0): ("first_seen_uptime_us", "Q"),
    (4, 0, 0): ("last_seen_us", "Q"),
    (5, 0, 0): ("last_seen_uptime_us", "Q"),
    (6, 0, 0): ("rssi_dbm", "b"),
    (7, 0, 0): ("channel_index", "H"),
    (8, 0, 0): ("count", "H"),
    (12, 0, 0): ("pc_bits", "H"),
    (EPC_96, 0, 0): ("epc", "12s"),
    (CUSTOM, IMPINJ, IMPINJ_PHASE): ("phase_4096th", "H"),
    (CUSTOM, IMPINJ, IMPINJ_PEAK_RSSI): ("rssi_100th_dbm", "h"),
    (CUSTOM, IMPINJ, IMPINJ_DOPPLER): ("doppler_16th_hz", "h"),
    (CUSTOM, MOTOROLA, MOTOROLA_PHASE): ("phase_65536th", "h"),
}
# Known and of no use here: ids of specs, CRC, XPC words, and results of operations, which a session does not ask for.
_IGNORED: Final = frozenset({9, 10, 11, 14, 15, 16, 17, 18, 19, 20, *range(350, 355), 360, 361, 362})
_SAME_AS_LAST: Final = ("antenna_port", "rssi_dbm", "channel_index", "first_seen_us", "last_seen_us", "count")
# Columns that are not yet what `TagReads` wants, and the column that each becomes.
_RAW: Final = {
    "first_seen_uptime_us": "first_seen_us",
    "last_seen_uptime_us": "last_seen_us",
    "rssi_100th_dbm": "rssi_dbm",
    "phase_4096th": "phase_deg",
    "phase_65536th": "phase_deg",
    "read_tid": "tid",
    "read_user_memory": "user_memory",
    "doppler_16th_hz": "doppler_hz",
}
_READS: Final = {TID_OPSPEC: "read_tid", USER_OPSPEC: "read_user_memory"}
_EPC_DATA_HEAD: Final = 2  # the EPC's length in bits
_TID_HEAD: Final = 2  # the number of its words
_READ_HEAD: Final = Struct(">BHH")  # result, OpSpec, number of words
_BITS: Final = 8
_WORD: Final = 2
_HEAD: Final = TLV.size
_MOST_LAYOUTS: Final = 256  # a reader shows one or two for each length of EPC; if more, all are forgotten
_MOST_OF_ONE_SIZE: Final = 16  # each is tried in turn
_TAG_HEAD: Final = TAG_REPORT_DATA.to_bytes(2)
_DEGREES: Final = 360 / 4096
_FINE_DEGREES: Final = 360 / 65536
_SAMPLE_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns of one or several layouts, and what is to be done with them.

    Attributes:
        names: in the order of their values.
        raw: whether some are not yet in the units of `TagReads`.
        absent: which of those that equal the last value when absent are absent.
    """

    names: tuple[str, ...]
    raw: bool
    absent: tuple[str, ...]


@lru_cache(maxsize=256)
def _shape(names: tuple[str, ...]) -> Shape:
    made = {_RAW.get(name, name) for name in names}
    return Shape(names, not _RAW.keys().isdisjoint(names), tuple(name for name in _SAME_AS_LAST if name not in made))


@dataclass(frozen=True, slots=True)
class Layout:
    """One pattern of TagReportData.

    Attributes:
        structure: offset and value of each byte that is structure; `mask` and `pattern` are the same as integers.
        unknown: parameters in each record that this decoder does not know.
    """

    size: int
    shape: Shape
    record: Struct
    structure: tuple[tuple[int, bytes], ...]
    mask: int
    pattern: int
    unknown: int

    def fits(self, block: bytes, rows: int) -> bool:
        """Whether all of `block` is `rows` records of this layout."""
        if rows == 1:
            return int.from_bytes(block) & self.mask == self.pattern
        size = self.size
        return all(block[offset::size] == value * rows for offset, value in self.structure)


def learn(record: bytes) -> Layout:
    """The layout of one whole TagReportData.

    Raises:
        FrameError: the record is damaged, or holds no EPC.
    """
    fields: dict[str, tuple[int, int, str]] = {}
    fixed = bytearray(len(record))
    fixed[:_HEAD] = b"\xff" * _HEAD
    unknown = 0
    for span in spans(record, _HEAD, len(record)):
        key = (span.type, span.vendor, span.subtype)
        name, code, start = "", "", span.value
        if column := _COLUMNS.get(key):
            name, code = column
            if span.end - start != Struct(">" + code).size:
                raise FrameError("length", f"{name} has {span.end - start} bytes", record)
        elif sized := _SIZED.get(key):
            name, head, size = sized(record, span)
            code, start = f"{size}s", start + head
        else:
            unknown += span.type not in _IGNORED
        fixed[span.start : start] = b"\xff" * (start - span.start)
        if name:
            fields[name] = (start, start + Struct(">" + code).size, code)
    if "epc" not in fields:
        raise FrameError("no_epc", "a tag report without an EPC", record)
    in_order = sorted(fields.items(), key=lambda field: field[1][0])
    form, position = ">", 0
    for _, (start, end, code) in in_order:
        form += f"{start - position}x{code}"
        position = end
    mask = int.from_bytes(fixed)
    return Layout(
        size=len(record),
        shape=_shape(tuple(name for name, _ in in_order)),
        record=Struct(f"{form}{len(record) - position}x"),
        structure=tuple((offset, record[offset : offset + 1]) for offset, is_fixed in enumerate(fixed) if is_fixed),
        mask=mask,
        pattern=int.from_bytes(record) & mask,
        unknown=unknown,
    )


def _epc(record: bytes, span: Span) -> tuple[str, int, int]:
    """EPCData: column, bytes before the value, and of the value."""
    room = span.end - span.value - _EPC_DATA_HEAD
    bits = int.from_bytes(record[span.value : span.value + _EPC_DATA_HEAD]) if room >= 0 else -1
    if (bits + _BITS - 1) // _BITS != room:
        raise FrameError("length", f"EPCData says {bits} bits and has room for {room} bytes", record)
    return "epc", _EPC_DATA_HEAD, room


def _serialized_tid(record: bytes, span: Span) -> tuple[str, int, int]:
    """ImpinjSerializedTID, likewise; parameters may follow inside it, such as the TID's parity."""
    room = span.end - span.value - _TID_HEAD
    words = int.from_bytes(record[span.value : span.value + _TID_HEAD]) if room >= 0 else -1
    if not 0 <= words * _WORD <= room:
        raise FrameError("length", f"a TID of {words} words has room for {room} bytes", record)
    return "read_tid", _TID_HEAD, words * _WORD


def _read_result(record: bytes, span: Span) -> tuple[str, int, int]:
    """C1G2ReadOpSpecResult, likewise. The column of a read that failed holds an empty value; others are of no use."""
    room = span.end - span.value - _READ_HEAD.size
    result, opspec_id, words = _READ_HEAD.unpack_from(record, span.value) if room >= 0 else (0, 0, 0)
    if opspec_id not in _READS:
        return "", _READ_HEAD.size if room >= 0 else 0, 0
    if words * _WORD > room:
        raise FrameError("length", f"a read of {words} words has room for {room} bytes", record)
    return _READS[opspec_id], _READ_HEAD.size, 0 if result else words * _WORD


_SIZED: Final[dict[tuple[int, int, int], Callable[[bytes, Span], tuple[str, int, int]]]] = {
    (EPC_DATA, 0, 0): _epc,
    (READ_RESULT, 0, 0): _read_result,
    (CUSTOM, IMPINJ, IMPINJ_SERIALIZED_TID): _serialized_tid,
}


class _Group:
    """Reads of one shape that follow each other, from one layout or several."""

    __slots__ = ("rows", "shape")

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.rows: list[tuple[Any, ...]] = []


class ReportDecoder:
    """Decodes the reports of one connection.

    Attributes:
        antenna_port: what a read without AntennaID is given before any was heard; 0 says that it is unknown.
        impossible_times: how many times lay in the future and were replaced by the arrival.
        unknown_parameters: how many parameters were skipped by their length because nothing is known of them.
    """

    def __init__(self, time: ReaderTime | None = None, antenna_port: int = 0) -> None:
        self.antenna_port = antenna_port
        self.unknown_parameters = 0
        self.impossible_times = 0
        self._time = time or ReaderTime()
        self._layouts: dict[int, list[Layout]] = {}
        self._layout_count = 0
        self._last: dict[str, Any] = {}

    def decode(self, payloads: Sequence[bytes], received_at_us: int) -> list[TagReads | Rejected]:
        """Everything that these RO_ACCESS_REPORTs say, in order; what is damaged comes out as `Rejected`."""
        groups: list[_Group] = []
        rejected: list[TagReads | Rejected] = []
        if payloads and not self._all_at_once(payloads, groups):
            for payload in payloads:
                self._one(payload, groups, rejected)
        return [self._reads(group, received_at_us) for group in groups] + rejected

    def _all_at_once(self, payloads: Sequence[bytes], groups: list[_Group]) -> bool:
        """Many small reports of one layout, as a reader sends them that reports each read: unpack them together."""
        first = payloads[0]
        size = int.from_bytes(first[2:_HEAD])
        layouts = self._layouts.get(size)
        if not layouts:
            return False
        if len(payloads) == 1:
            block = first
            rows, rest = divmod(len(block), size)
        else:
            block = b"".join(payloads)
            rows, rest = len(block) // size, sum(len(payload) % size for payload in payloads)
        if rest:
            return False
        for layout in layouts:
            if layout.fits(block, rows):
                self._rows_for(layout, rows, groups).extend(layout.record.iter_unpack(block))
                return True
        return False

    def _one(self, payload: bytes, groups: list[_Group], rejected: list[TagReads | Rejected]) -> None:
        """One report, record by record: for the first of a layout, and where layouts alternate."""
        position, end, known = 0, len(payload), self._layouts.get
        while position < end:
            # Only a record is looked up: other parameters may be two bytes long and seem to be of 64 KiB.
            is_tag = payload.startswith(_TAG_HEAD, position)
            size = int.from_bytes(payload[position + 2 : position + _HEAD]) if is_tag else 0
            record = payload[position : position + size]
            number = int.from_bytes(record)
            for layout in known(size, ()):
                if number & layout.mask == layout.pattern and len(record) == size:
                    self._rows_for(layout, 1, groups).append(layout.record.unpack(record))
                    position += size
                    break
            else:
                position = self._unknown(payload, position, groups, rejected)

    def _unknown(self, payload: bytes, position: int, groups: list[_Group], rejected: list[TagReads | Rejected]) -> int:
        """Take the parameter at `position`, which is no record of a known layout, and return where the next one is."""
        try:
            span = next(spans(payload, position, len(payload)))
        except FrameError as error:
            # The chain is broken: nothing after this place can be found. What stood before it is whole.
            rejected.append(_rejected(error, reads_lost=int(payload.startswith(_TAG_HEAD, position))))
            return len(payload)
        if span.type != TAG_REPORT_DATA:
            self.unknown_parameters += span.type != RF_SURVEY_REPORT_DATA
            return span.end
        record = payload[position : span.end]
        try:
            layout = learn(record)
        except FrameError as error:
            rejected.append(_rejected(error, reads_lost=1))
            return span.end
        if self._layout_count >= _MOST_LAYOUTS:
            self._layouts.clear()
            self._layout_count = 0
        same_size = self._layouts.setdefault(layout.size, [])
        if len(same_size) >= _MOST_OF_ONE_SIZE:
            same_size.clear()
        same_size.append(layout)
        self._layout_count += 1
        self._rows_for(layout, 1, groups).append(layout.record.unpack(record))
        return span.end

    def _rows_for(self, layout: Layout, rows: int, groups: list[_Group]) -> list[tuple[Any, ...]]:
        self.unknown_parameters += layout.unknown * rows
        if not groups or groups[-1].shape is not layout.shape:
            groups.append(_Group(layout.shape))
        return groups[-1].rows

    def _reads(self, group: _Group, received_at_us: int) -> TagReads | Rejected:
        shape = group.shape
        columns: dict[str, Any] = dict(zip(shape.names, zip(*group.rows)))  # noqa: B905 - one format, one length
        if shape.raw:
            self._to_units(columns, received_at_us)
        first, last = columns.get("first_seen_us"), columns.get("last_seen_us")
        newest = max(last or first or (0,))
        if newest > LATEST_US or (first and max(first) > LATEST_US):
            error = FrameError("range", f"a time above {LATEST_US} us")
            return _rejected(error, reads_lost=len(group.rows))
        kept = self._last
        kept.update(columns)
        for name in shape.absent:
            if name in kept:
                columns[name] = [kept[name][-1]] * len(columns["epc"])
        if "antenna_port" not in columns:
            columns["antenna_port"] = [self.antenna_port] * len(columns["epc"])
        offset_us = self._time.newest(newest, received_at_us) if newest else self._time.offset_us
        if newest > (latest_us := self._time.latest_us(received_at_us)):
            self._bring_back(columns, latest_us, received_at_us - offset_us)
        return TagReads(received_at_us, clock_offset_us=offset_us, **columns)

    def _bring_back(self, columns: dict[str, Any], latest_us: int, arrival_us: int) -> None:
        """Put the arrival in place of times that cannot be: damaged ones, or of a clock that has just been set."""
        for name in ("first_seen_us", "last_seen_us"):
            if (column := columns.get(name)) is not None:
                columns[name] = [arrival_us if time > latest_us else time for time in column]
                self.impossible_times += sum(time > latest_us for time in column)

    def _to_units(self, columns: dict[str, Any], received_at_us: int) -> None:
        first, last = columns.pop("first_seen_uptime_us", None), columns.pop("last_seen_uptime_us", None)
        if (first or last) and "first_seen_us" not in columns and "last_seen_us" not in columns:
            base = self._time.uptime_base_us(max(last or first), received_at_us)
            if first:
                columns["first_seen_us"] = [time + base for time in first]
            if last:
                columns["last_seen_us"] = [time + base for time in last]
        if "rssi_100th_dbm" in columns:
            columns["rssi_dbm"] = [value / 100 for value in columns.pop("rssi_100th_dbm")]
        if "phase_65536th" in columns:
            columns["phase_deg"] = [value % 65536 * _FINE_DEGREES for value in columns.pop("phase_65536th")]
        for raw in ("read_tid", "read_user_memory"):
            if raw in columns:
                columns[_RAW[raw]] = [value or None for value in columns.pop(raw)]
        if "phase_4096th" in columns:
            columns["phase_deg"] = [value * _DEGREES for value in columns.pop("phase_4096th")]
        if "doppler_16th_hz" in columns:
            columns["doppler_hz"] = [value / 16 for value in columns.pop("doppler_16th_hz")]


def decode(payload: bytes, received_at_us: int) -> list[TagReads | Rejected]:
    """Decode one RO_ACCESS_REPORT alone, without a reader's clock and without anything heard before."""
    return ReportDecoder().decode((payload,), received_at_us)


def _rejected(error: FrameError, reads_lost: int) -> Rejected:
    return Rejected(f"report_{error.reason}", 1, reads_lost, error.frame[:_SAMPLE_BYTES])
