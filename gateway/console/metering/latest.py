"""What meters say now: a row for each, with the figures that a list shows, and how often each register comes."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from gateway.console.parts.part import Cursor, Heard, Rows
from gateway.contract.batches import Reading, ReadingBatch

METERS_MOST: Final = 5_000
REGISTERS_MOST: Final = 1_000
"""Registers of one meter whose pace is kept."""
PACE_PARTS: Final = 4
"""How much of the pace is the newest interval: one of four, so that a gap is forgotten after some rounds."""
BACKFILLED: Final = "backfilled"
SHOWN: Final = frozenset(
    {
        *("active_energy_import", "active_energy_combined", "heat_energy", "cooling_energy"),
        *("gas_volume", "water_volume", "volume", "active_power", "active_power_import", "thermal_power"),
        *("volume_flow", "voltage", "current", "power_factor", "active_demand", "frequency"),
    }
)


class _Meter:
    """One meter: the newest of each figure, and the pace of each register."""

    __slots__ = ("figures", "heard_us", "paces")

    def __init__(self) -> None:
        self.figures: dict[str, tuple[Decimal | None, str, str, int, int]] = {}
        self.paces: dict[str, tuple[int, int]] = {}
        self.heard_us = 0

    def take(self, reading: Reading, at_us: int) -> None:
        """Take one reading; one that waited, or comes from the meter's memory, is older than what is known."""
        if reading.quality == BACKFILLED:
            return
        key = f"{reading.quantity}/{reading.phase or ''}/{reading.tariff or ''}"
        known = self.paces.get(key)
        every_us = 0
        if known is not None:
            before_us, every_us = known
            if at_us < before_us:
                return
            gap_us = at_us - before_us
            every_us = every_us + (gap_us - every_us) // PACE_PARTS if every_us else gap_us
        elif len(self.paces) >= REGISTERS_MOST:
            return
        self.paces[key] = (at_us, every_us)
        if reading.quantity in SHOWN and not reading.tariff:
            name = f"{reading.quantity}/{reading.phase}" if reading.phase else reading.quantity
            self.figures[name] = (reading.value, reading.unit, reading.quality, at_us, every_us)


class LatestMeters:
    """Rows by meter: `{"meter", "received_at_us", "figures": {"active_power" or "voltage/a": figure}}`.

    A figure is `[value, unit, quality, received_at_us, every_us]`; `every_us` is 0 until it came twice.
    """

    def __init__(self) -> None:
        self._meters: dict[str, _Meter] = {}
        self._rows = Rows(METERS_MOST)

    def take(self, heard: Heard) -> None:
        """Take readings."""
        if not isinstance(heard, ReadingBatch):
            return
        meter = self._meters.get(heard.device)
        if meter is None:
            if len(self._meters) >= METERS_MOST:
                return
            meter = self._meters[heard.device] = _Meter()
        for reading in heard.readings:
            meter.take(reading, heard.received_at_us)
        meter.heard_us = max(meter.heard_us, heard.received_at_us)
        row = {"meter": heard.device, "received_at_us": meter.heard_us, "figures": dict(meter.figures)}
        self._rows.put(heard.device, row)

    def follow(self, query: Mapping[str, str]) -> Cursor:
        """All meters; or one, `meter`, with `paces`: how often each of its registers comes, in us."""
        meter = query.get("meter")
        return self._rows.follow() if not meter else _OfMeter(self._rows.follow(), meter, self._meters)


class _OfMeter:
    """One meter alone."""

    def __init__(self, all_of_them: Cursor, meter: str, meters: Mapping[str, _Meter]) -> None:
        self._all, self._meter, self._meters = all_of_them, meter, meters

    def news(self) -> Any | None:
        news = self._all.news()
        if news is None:
            return None
        row = news["rows"].get(self._meter)
        if row is None:
            return {"whole": True, "rows": {}} if news["whole"] else None
        paces = {key: every_us for key, (_, every_us) in self._meters[self._meter].paces.items()}
        return {"whole": news["whole"], "rows": {self._meter: row | {"paces": paces}}}
