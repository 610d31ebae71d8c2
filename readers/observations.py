"""Observations: what a device said, in the device's own terms. Drivers make them; the gateway turns them into events.

Tag reads travel in columns, one batch per report, because a port gate hears tens of thousands a second: a column is a
sequence with one entry per read, and None in place of a whole column means that the device does not say such a thing.
Times are microseconds since 1970-01-01 UTC, as LLRP counts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from readers.obis import ObisCode
from readers.quantities import Phase, Quality, Quantity
from readers.tagdata.cards import CardIdentity


@dataclass(frozen=True, slots=True)
class TagRead:
    """One tag read, as a row: for drivers that hear tags one at a time, and for tests.

    Attributes:
        epc: the EPC memory from word 2 on, without CRC and PC; may be empty, is never trusted.
        antenna_port: 1-based, as LLRP counts.
        rssi_dbm: received signal strength at the reader; for several reads in one row, the peak.
        first_seen_us, last_seen_us: the reader's own clock; None where the reader has none.
        count: how many air reads this row stands for.
        pc_bits: the protocol control word.
        tid, user_memory: memory banks read along with the EPC.
        phase_deg: 0 to 360; channel_index: 1-based entry of the hop table in force.
    """

    epc: bytes
    antenna_port: int = 1
    rssi_dbm: float | None = None
    first_seen_us: int | None = None
    last_seen_us: int | None = None
    count: int = 1
    pc_bits: int | None = None
    tid: bytes | None = None
    user_memory: bytes | None = None
    phase_deg: float | None = None
    doppler_hz: float | None = None
    channel_index: int | None = None


@dataclass(frozen=True, slots=True)
class TagReads:
    """One report of tag reads, in columns of equal length. Entries of optional columns may be None.

    Attributes:
        received_at_us: when the report reached this host.
        clock_offset_us: host time minus reader time, tracked by the driver; add it to `*_seen_us` to get host time.
    """

    received_at_us: int
    epc: Sequence[bytes]
    antenna_port: Sequence[int]
    rssi_dbm: Sequence[float | None] | None = None
    first_seen_us: Sequence[int | None] | None = None
    last_seen_us: Sequence[int | None] | None = None
    count: Sequence[int] | None = None
    pc_bits: Sequence[int | None] | None = None
    tid: Sequence[bytes | None] | None = None
    user_memory: Sequence[bytes | None] | None = None
    phase_deg: Sequence[float | None] | None = None
    doppler_hz: Sequence[float | None] | None = None
    channel_index: Sequence[int | None] | None = None
    clock_offset_us: int = 0

    def __len__(self) -> int:
        return len(self.epc)

    @classmethod
    def of(cls, received_at_us: int, *reads: TagRead, clock_offset_us: int = 0) -> TagReads:
        """Make a batch from rows; a column that is None in every row is left out."""

        def column(name: str) -> list[object] | None:
            values = [getattr(read, name) for read in reads]
            return None if all(value is None for value in values) else values

        columns = {name: column(name) for name in TagRead.__slots__ if name not in ("epc", "antenna_port")}
        return cls(
            received_at_us=received_at_us,
            epc=[read.epc for read in reads],
            antenna_port=[read.antenna_port for read in reads],
            clock_offset_us=clock_offset_us,
            **columns,  # type: ignore[arg-type]  # one name, one type: TagRead's fields are TagReads' columns
        )

    def rows(self) -> Iterator[TagRead]:
        """The same reads as rows."""
        for index in range(len(self.epc)):
            values = {name: column[index] for name in TagRead.__slots__ if (column := getattr(self, name)) is not None}
            yield TagRead(**values)


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of a meter, exact.

    Attributes:
        value: in `quantity.unit`, with the register's own resolution; None when quality is `absent`.
        meter_time_us: the meter's own time of the value, where the value has one.
    """

    quantity: Quantity
    obis: ObisCode
    value: Decimal | None
    phase: Phase | None = None
    tariff: int | None = None
    quality: Quality = Quality.GOOD
    meter_time_us: int | None = None


@dataclass(frozen=True, slots=True)
class Readings:
    """What one meter answered to one request.

    Attributes:
        source: the name of the meter behind the reader's line, from its settings; None when the reader is the meter.
    """

    received_at_us: int
    readings: Sequence[Reading]
    source: str | None = None

    def __len__(self) -> int:
        return len(self.readings)


@dataclass(frozen=True, slots=True)
class CardRead:
    """One presentation of a card: told once, however often the reader repeats it while the card lies there.

    Attributes:
        antenna_port: 1-based; the reader itself, or one of several readers on a line.
        keys: what was typed on the reader's keypad along with it; never logged.
    """

    identity: CardIdentity
    antenna_port: int = 1
    keys: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class CardReads:
    """Cards presented together."""

    received_at_us: int
    cards: Sequence[CardRead]

    def __len__(self) -> int:
        return len(self.cards)


@dataclass(frozen=True, slots=True)
class Signal:
    """An input, a weight, a state: a named value at an instant of the host's clock."""

    name: str
    value: bool | Decimal | str
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Signals:
    """Signals heard together."""

    received_at_us: int
    signals: Sequence[Signal]
    source: str | None = None

    def __len__(self) -> int:
        return len(self.signals)


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """Who the device says it is. Text is as received: clean it before showing it."""

    manufacturer: str = ""
    model: str = ""
    firmware: str = ""
    serial: str = ""
    source: str | None = None


@dataclass(frozen=True, slots=True)
class InForce:
    """Settings that are really in force, as read back from the device: by name with its unit, `tx_power_dbm`.

    It adds to what was said before; a driver says so after it has set the device.
    """

    values: Mapping[str, str]
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Watching:
    """What is really being read from now on; it replaces the previous statement.

    A driver says so when its inventory runs (reader connected, ROSpec active, antenna connected), or when a meter
    answers its poll, and says the empty set when it stops. A link that ends empties it without a word.
    """

    antenna_ports: frozenset[int] = frozenset()
    source: str | None = None
    active: bool = True


class Severity(StrEnum):
    """How bad a condition of a device is."""

    INFO = "info"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Condition:
    """A named state of the device that began or ended: an antenna gone, a buffer near its end, a setting not applied.

    A link that ends ends all conditions of its devices without a word; a driver says those that still hold anew.

    Attributes:
        name: a fixed word of the driver, `antenna_disconnected`, `buffer_overflow`, `setting_differs` ...
        key: tells apart conditions of one name: the antenna port, the setting.
        active: True when it begins or is renewed, False when it ends.
    """

    name: str
    active: bool
    severity: Severity = Severity.WARNING
    key: str = ""
    detail: str = ""
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Input that was counted and thrown away; `reads_lost` of it is known to have been tag reads or readings."""

    reason: str
    count: int = 1
    reads_lost: int = 0
    sample: bytes = field(default=b"", repr=False)
    source: str | None = None


Observation = TagReads | CardReads | Readings | Signals | DeviceInfo | InForce | Watching | Condition | Rejected
