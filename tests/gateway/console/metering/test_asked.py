from datetime import UTC, date
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from gateway.console.metering import asked
from gateway.history import SeriesKey

US = 1_000_000
HOUR_US = 3600 * US


def test_a_span_is_two_times() -> None:
    assert asked.span({"from_us": "5", "to_us": "17"}) == (5, 17)


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ({}, "from_us: '' must be"),
        ({"from_us": "1"}, "to_us: '' must be"),
        ({"from_us": "-1", "to_us": "5"}, "from_us: '-1'"),
        ({"from_us": "1", "to_us": "٣"}, "to_us"),
        ({"from_us": "1", "to_us": "1" * 19}, "to_us"),
        ({"from_us": "5", "to_us": "5"}, "must be before"),
    ],
)
def test_what_is_no_span_is_refused(query: dict[str, str], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        asked.span(query)


def test_series_are_named_as_the_registers_of_the_page() -> None:
    assert asked.series(["m/voltage/a/", "m/active_energy_import//2"]) == [
        SeriesKey("reading", "m", "voltage", phase="a"),
        SeriesKey("reading", "m", "active_energy_import", tariff="2"),
    ]


@pytest.mark.parametrize("texts", [[], ["m/voltage"], ["/voltage//"], ["m///"], ["a/b/c/d/e"], ["m/q//"] * 61])
def test_other_series_are_refused(texts: list[str]) -> None:
    with pytest.raises(ValueError, match="series: "):
        asked.series(texts)


def test_days_begin_by_the_clocks_of_the_site() -> None:
    edges = asked.day_edges(date(2026, 3, 28), 3, ZoneInfo("Europe/Berlin"))
    assert [(later - edge) // HOUR_US for edge, later in pairwise(edges)] == [24, 23, 24]
    assert len(asked.hour_edges(date(2026, 3, 29), ZoneInfo("Europe/Berlin"))) == 24
    assert len(asked.hour_edges(date(2026, 10, 25), ZoneInfo("Europe/Berlin"))) == 26
    assert asked.day_edges(date(1970, 1, 2), 1, UTC) == [24 * HOUR_US, 48 * HOUR_US]


@pytest.mark.parametrize("text", ["", "2026-02-30", "yesterday", "2026-01-01T00:00"])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="day: "):
        asked.first_day({"day": text})


def test_days_that_no_clock_has_are_refused() -> None:
    with pytest.raises(ValueError, match="too far away"):
        asked.day_edges(date(9999, 12, 31), 1, UTC)
    with pytest.raises(ValueError, match="before 1970"):
        asked.day_edges(date(1900, 1, 1), 1, UTC)


def test_a_name_must_be_there() -> None:
    assert asked.name_of({"meter": "m"}, "meter") == "m"
    with pytest.raises(ValueError, match="meter: say which"):
        asked.name_of({}, "meter")
