from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from gateway.config.energy import Price
from rules.energy.prices import prices

TABLES = [
    Price(name="industry", valid_from=date(2026, 7, 1), per_kwh={"peak": 1.2031, "valley": 0.33}),
    Price(name="industry", valid_from=date(2026, 1, 1), per_kwh={"peak": 1.1}),
    Price(name="berth", valid_from=date(2026, 1, 1), currency="EUR", per_kwh={"total": 0.25}),
]


def us(*when: int) -> int:
    return round(datetime(*when, tzinfo=UTC).timestamp() * 1e6)  # type: ignore[misc, arg-type]  # year to minute


def test_the_latest_edition_that_is_valid_counts() -> None:
    industry = prices(TABLES, UTC)["industry"]
    before, after = industry.at(us(2026, 6, 30, 23, 59), "peak"), industry.at(us(2026, 7, 1), "peak")
    assert before is not None
    assert after is not None
    assert (before.per_kwh, after.per_kwh) == (Decimal("1.1"), Decimal("1.2031"))
    assert industry.at(us(2025, 12, 31, 23, 59), "peak") is None


def test_days_begin_at_midnight_of_the_site() -> None:
    industry = prices(TABLES, ZoneInfo("Asia/Shanghai"))["industry"]
    found = industry.at(us(2026, 6, 30, 16), "valley")
    assert found is not None
    assert found.of(Decimal(2500)) == Decimal("0.825")
    assert industry.at(us(2026, 6, 30, 15, 59), "valley") is None


def test_a_tariff_that_has_no_price_costs_nothing_that_is_known() -> None:
    found = prices(TABLES, UTC)
    assert found["industry"].at(us(2026, 8, 1), "sharp") is None
    berth = found["berth"].at(us(2026, 8, 1), "total")
    assert berth is not None
    assert (berth.of(Decimal(4000)), berth.currency) == (Decimal("1.00"), "EUR")
