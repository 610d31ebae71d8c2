"""What energy costs, by the dated prices of the site file."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Final

from gateway.config.energy import Price

TOTAL: Final = "total"
"""What a price calls the energy of a meter without tariffs."""
WH_PER_KWH: Final = 1000


@dataclass(frozen=True, slots=True)
class PerEnergy:
    """The price of a kilowatt-hour."""

    per_kwh: Decimal
    currency: str

    def of(self, energy_wh: Decimal) -> Decimal:
        """What so much costs, not rounded."""
        return energy_wh * self.per_kwh / WH_PER_KWH


class Prices:
    """All editions of one price."""

    def __init__(self, editions: Sequence[Price], zone: tzinfo) -> None:
        self._zone = zone
        found = sorted(editions, key=lambda edition: edition.valid_from)
        self._days = [edition.valid_from for edition in found]
        self._prices = [
            {name: PerEnergy(Decimal(repr(price)), edition.currency) for name, price in edition.per_kwh.items()}
            for edition in found
        ]

    def at(self, at_us: int, tariff: str) -> PerEnergy | None:
        """The price of a tariff; None before the first edition, and of a tariff that it does not name."""
        place = bisect_right(self._days, self._day(at_us)) - 1
        return self._prices[place].get(tariff) if place >= 0 else None

    def _day(self, at_us: int) -> date:
        return datetime.fromtimestamp(at_us // 1_000_000, UTC).astimezone(self._zone).date()


def prices(tables: Sequence[Price], zone: tzinfo) -> dict[str, Prices]:
    """The prices of a site by their names."""
    names = {table.name for table in tables}
    return {name: Prices([table for table in tables if table.name == name], zone) for name in sorted(names)}
