"""From observations to batches: antenna ports become read points, device times become host times, columns become rows.

The hot path of the product: what is done for each read is done by `map` over whole columns. Pure: no clock, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import repeat
from typing import Final, TypeVar

from gateway.contract.batches import (
    MOST_ITEMS,
    NUMBER_MOST,
    Batch,
    CardBatch,
    CardRead,
    ReadBatch,
    Reading,
    ReadingBatch,
    Signal,
    SignalBatch,
    TagRead,
    carried,
)
from gateway.identity import Identities
from readers.observations import CardReads, Readings, Signals, TagReads

HEX_KEPT: Final = 100_000  # distinct tags whose text is remembered: about 20 MB at 96 bits
OFFSET_STEP_US: Final = 1_000  # a clock offset that moved less is within the jitter of any network
T = TypeVar("T")


class _Hex(dict[bytes, str]):
    """Upper-case hex of what was seen before: a tag is read many times."""

    def __missing__(self, key: bytes) -> str:
        if len(self) >= HEX_KEPT:
            self.clear()
        text = self[key] = key.hex().upper()
        return text


class _Points(dict[int, str]):
    """Read points by antenna port; a port without a name is called after its reader."""

    def __init__(self, reader: str, named: Mapping[int, str]) -> None:
        super().__init__(named)
        self._reader = reader

    def __missing__(self, port: int) -> str:
        name = self[port] = f"{self._reader}-{port}"
        return name


_hex: Final = _Hex()


class Normaliser:
    """The observations of one reader in the terms of the site.

    Reads gather until `flush`, so that a reader that reports one tag at a time makes no more messages than another;
    cards, readings and signals are batches at once.

    Attributes:
        heard: reads taken since the last flush, counted as the driver reported them.
    """

    def __init__(self, gateway: str, reader: str, read_points: Mapping[int, str]) -> None:
        self._gateway = gateway
        self.reader = self._reader = reader
        self._points = _Points(reader, read_points)
        self._reads: list[TagRead] = []
        self._received_at_us = 0
        self._offset_us = 0
        self.heard = 0

    @property
    def gathered(self) -> int:
        """Reads that wait for `flush`."""
        return len(self._reads)

    def read_point(self, antenna_port: int) -> str:
        """Where that antenna looks."""
        return self._points[antenna_port]

    def take(self, observed: TagReads) -> bool:
        """Gather the reads of one report; False, and nothing done, when its clock has moved: then `flush` first.

        Raises:
            ValueError: the columns differ in length, which is a fault of the driver.
        """
        offset_us = observed.clock_offset_us
        if not self._reads:
            self._received_at_us = observed.received_at_us
            self._offset_us = offset_us
        elif abs(offset_us - self._offset_us) > OFFSET_STEP_US:
            return False
        before = len(self._reads)
        self._reads += _rows(observed, self._points, self._offset_us)
        if len(self._reads) - before != len(observed.epc):
            del self._reads[before:]
            raise ValueError(
                f"reader {self._reader}: the columns of a report of {len(observed.epc)} reads are too short"
            )
        self.heard += len(observed.epc)
        return True

    def flush(self) -> list[Batch]:
        """The gathered reads as batches; `heard` is for the caller to take and set to 0."""
        reads, self._reads = self._reads, []
        return [
            ReadBatch(
                gateway=self._gateway,
                device=self._reader,
                received_at_us=self._received_at_us,
                reads=part,
                clock_offset_us=carried(self._offset_us),
            )
            for part in _parts(reads)
        ]

    def cards(self, observed: CardReads, identities: Identities) -> list[Batch]:
        """Cards presented together as batches, by the names of the site; what was typed along with them stays behind.

        Raises:
            ConfigError: the key to name them is missing.
        """
        rows = [
            CardRead(
                card=identities.name(card.identity),
                technology=card.identity.technology.value,
                read_point=self._points[card.antenna_port],
                antenna_port=card.antenna_port,
                seen_at_us=observed.received_at_us,
                part=card.identity.part.value,
            )
            for card in observed.cards
        ]
        return [
            CardBatch(gateway=self._gateway, device=self._reader, received_at_us=observed.received_at_us, cards=part)
            for part in _parts(rows)
        ]

    def readings(self, observed: Readings) -> list[Batch]:
        """The readings of one answer as batches."""
        rows = [
            Reading(
                quantity=reading.quantity.value,
                obis=str(reading.obis),
                value=reading.value,
                unit=reading.quantity.unit,
                phase=reading.phase.value if reading.phase else None,
                tariff=reading.tariff,
                quality=reading.quality.value,
                meter_time_us=reading.meter_time_us,
            )
            for reading in observed.readings
        ]
        return [
            ReadingBatch(
                gateway=self._gateway,
                device=observed.source or self._reader,
                received_at_us=observed.received_at_us,
                readings=part,
            )
            for part in _parts(rows)
        ]

    def signals(self, observed: Signals) -> list[Batch]:
        """Signals heard together as batches."""
        rows = [
            Signal(
                name=signal.name,
                value=str(signal.value) if isinstance(signal.value, Decimal) else signal.value,
                unit=signal.unit,
            )
            for signal in observed.signals
        ]
        return [
            SignalBatch(
                gateway=self._gateway,
                device=observed.source or self._reader,
                received_at_us=observed.received_at_us,
                signals=part,
            )
            for part in _parts(rows)
        ]


def _parts(rows: list[T]) -> list[list[T]]:
    if len(rows) <= MOST_ITEMS:
        return [rows] if rows else []
    return [rows[start : start + MOST_ITEMS] for start in range(0, len(rows), MOST_ITEMS)]


def _rows(observed: TagReads, points: _Points, offset_us: int) -> list[TagRead]:
    """The reads as rows; positional, in the order of `TagRead`'s fields."""
    epcs = observed.epc
    ports = observed.antenna_port
    common = (
        map(_hex.__getitem__, epcs),
        ports,
        map(points.__getitem__, ports),
        _times(observed.last_seen_us, offset_us, observed.received_at_us),
        observed.rssi_dbm or repeat(None),
        observed.count or repeat(1),
        _times(observed.first_seen_us, offset_us, None),
    )
    further = (observed.pc_bits, observed.tid, observed.user_memory, observed.phase_deg, observed.doppler_hz)
    if observed.channel_index is None and further == (None,) * len(further):
        return list(map(TagRead, *common))
    return list(
        map(
            TagRead,
            *common,
            observed.pc_bits or repeat(None),
            _texts(observed.tid),
            _texts(observed.user_memory),
            observed.phase_deg or repeat(None),
            observed.doppler_hz or repeat(None),
            observed.channel_index or repeat(None),
        )
    )


def _times(column: Sequence[int | None] | None, offset_us: int, otherwise: int | None) -> Iterable[int | None]:
    if column is None:
        return repeat(otherwise)
    if None in column or not _are_times(column, offset_us):  # type: ignore[arg-type]  # no None, as was just seen
        shifted = [None if seen is None else seen + offset_us for seen in column]
        return [otherwise if seen is None or abs(seen) > NUMBER_MOST else seen for seen in shifted]
    return map(offset_us.__add__, column)  # type: ignore[arg-type]  # no None, as was just seen


def _are_times(column: Sequence[int], offset_us: int) -> bool:
    """A reader's clock may hold 64 bits of anything; what JSON does not carry is no time."""
    return not column or -NUMBER_MOST <= min(column) + offset_us <= max(column) + offset_us <= NUMBER_MOST


def _texts(column: Sequence[bytes | None] | None) -> Iterable[str | None]:
    if column is None:
        return repeat(None)
    return [None if value is None else value.hex().upper() for value in column]
