"""What the books put into stores: the energy of intervals, and demand."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from gateway.contract.batches import Batch, Reading
from gateway.contract.events import Event, Scalar
from rules.energy.events import book_event
from rules.energy.prices import TOTAL, Prices
from rules.energy.segment import Entry, Quality, Segment
from rules.outputs import Point

NS_PER_US: Final = 1000
IMPORT: Final = "active_energy_import"

UNITS: Final[dict[str, str]] = {
    **{f"active_energy_{way}": "Wh" for way in ("import", "export")},
    **{f"reactive_energy_{way}": "varh" for way in ("import", "export", "q1", "q2", "q3", "q4")},
    **{f"apparent_energy_{way}": "VAh" for way in ("import", "export")},
    **{f"{medium}_energy": "Wh" for medium in ("heat", "cooling")},
}
"""Quantities that have books. Combined energy has none: it may fall without anything being wrong."""


class Key(NamedTuple):
    """One register of a meter; `phase` is empty and `tariff` 0 for the total."""

    quantity: str
    phase: str
    tariff: int

    @property
    def is_total(self) -> bool:
        """Whether it is the register of all phases and tariffs."""
        return not self.tariff and not self.phase

    @property
    def fields(self) -> dict[str, Scalar]:
        """What events tell of it."""
        return {
            "quantity": self.quantity,
            "unit": UNITS[self.quantity],
            "phase": self.phase or None,
            "tariff": self.tariff or None,
        }


class Made:
    """What one batch makes of the books.

    Attributes:
        meter: whose books are open now; prices: of its energy.
        computed: readings that were made here, for the rules to look at.
    """

    def __init__(self, batch: Batch, site: str, *, historical: bool) -> None:
        self.points: list[Point] = []
        self.events: list[Event] = []
        self.computed: list[Reading] = []
        self.batch = batch
        self._site = site
        self.meter = batch.device
        self.prices: Prices | None = None
        self._historical = historical

    def event(self, kind: str, at_us: int, fields: Mapping[str, Scalar], *parts: Scalar) -> None:
        """Something happened to this meter's registers."""
        self.events.append(book_event(kind, self.meter, self.batch, at_us, fields, *parts, historical=self._historical))

    def energy(self, key: Key, segment: Segment, entry: Entry, shown: Shown) -> None:
        """An interval of a register, or of its total as a calendar divides it."""
        tariff, source = shown.tariff, shown.source
        tags = (
            ("site", self._site),
            ("meter", self.meter),
            ("quantity", key.quantity),
            ("unit", UNITS[key.quantity]),
            *((("phase", key.phase),) if key.phase else ()),
            *((("tariff", tariff),) if tariff else ()),
            ("source", source),
            ("segment", segment.label),
        )
        calendar = (("calendar", shown.calendar),) if shown.calendar else ()
        fields = (
            ("energy", shown.energy),
            ("estimated", shown.estimated),
            ("quality", entry.quality.value),
            ("register_start", shown.register_start),
            ("register_end", shown.register_end),
            ("multiplier", Decimal(segment.multiplier)),
            ("from_us", entry.from_us),
            ("to_us", entry.to_us),
            *calendar,
            *self._cost(key, entry, shown),
        )
        self.points.append(Point("energy", tags, fields, entry.start_us * NS_PER_US))

    def _cost(self, key: Key, entry: Entry, shown: Shown) -> tuple[tuple[str, Decimal | str], ...]:
        """What the energy of an interval costs, if it has a price."""
        if self.prices is None or key.quantity != IMPORT or key.phase:
            return ()
        found = self.prices.at(entry.start_us, shown.tariff or TOTAL)
        return () if found is None else (("cost", found.of(shown.energy)), ("currency", found.currency))

    def demand(self, demand: Demand) -> None:
        """A demand, at the beginning of its interval, or when the meter says that it was."""
        tags = (
            ("site", self._site),
            ("meter", self.meter),
            ("quantity", "active_demand"),
            ("unit", "W"),
            *((("tariff", demand.tariff),) if demand.tariff else ()),
            ("source", demand.source),
            ("kind", demand.kind),
        )
        window = (("window_min", demand.window_min),) if demand.window_min else ()
        fields = (("demand", demand.value), ("quality", demand.quality), ("ended_at_us", demand.ended_at_us), *window)
        self.points.append(Point("demand", tags, fields, demand.at_us * NS_PER_US))

    def reckoned(self, at_us: int, reading: Reading) -> None:
        """A computed reading, at the time that it is of."""
        tags = (("site", self._site), ("meter", self.meter), ("quantity", reading.quantity), ("unit", reading.unit))
        assert reading.value is not None
        fields = (("obis", reading.obis), ("quality", reading.quality), ("value", reading.value))
        self.points.append(Point("reading", tags, fields, at_us * NS_PER_US))
        self.computed.append(reading)


class Shown(NamedTuple):
    """An entry in the unit of its quantity; `tariff` is the empty text for the total."""

    energy: Decimal
    estimated: Decimal
    register_start: Decimal
    register_end: Decimal
    tariff: str = ""
    source: str = "meter"
    calendar: str = ""


class Demand(NamedTuple):
    """One demand: of a `block`, the `sliding_max` of an interval, or the `max` that a meter keeps."""

    kind: str
    source: str
    at_us: int
    ended_at_us: int
    value: Decimal
    quality: str = Quality.ESTIMATED.value
    window_min: int = 0
    tariff: str = ""
