from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.tables.cells import MOST_TEXT, cell

KINDS = ("string", "int", "double", "bool", "time")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", "  Kühne & Co ", "Kühne & Co"),
        ("string", "12", "12"),
        ("int", "-9223372036854775808", -(1 << 63)),
        ("int", "+7", 7),
        ("double", "12.5", 12.5),
        ("double", "-1e3", -1000.0),
        ("double", "7", 7.0),
        ("bool", "TRUE", True),
        ("bool", "0", False),
        ("time", "1970-01-01T00:00:00.000001Z", 1),
        ("time", "2026-03-01T08:00:00+08:00", 1_772_323_200_000_000),
        ("time", "2026-03-01 00:00:00z", 1_772_323_200_000_000),
        ("time", "1969-12-31T23:59:59Z", -1_000_000),
    ],
)
def test_a_cell_of_text_has_the_type_of_its_column(kind: str, text: str, value: object) -> None:
    found = cell(kind, text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_cell_is_no_value(kind: str) -> None:
    assert cell(kind, "") is cell(kind, " \t") is cell(kind, None) is None


@pytest.mark.parametrize(
    ("kind", "given", "fault"),
    [
        ("string", "x" * (MOST_TEXT + 1), "must be at most 200 characters, not 201"),
        ("string", "a\x07b", "'a\\x07b': must be printable characters"),
        ("string", 7, "7: must be a text"),
        ("string", b"abc", "3 bytes: must be a text"),
        ("int", "7.0", "'7.0': must be a whole number of 64 bits"),
        ("int", "9223372036854775808", "must be a whole number of 64 bits"),
        ("int", "٧", "must be a whole number of 64 bits"),
        ("int", "1_000", "must be a whole number of 64 bits"),
        ("int", 7.5, "7.5: must be a whole number"),
        ("double", "12,5", "'12,5': must be a number with a decimal point, as in 12.5"),
        ("double", "nan", "must be a number with a decimal point"),
        ("double", "1e999", "must be a number with a decimal point"),
        ("double", float("inf"), "inf: must be a finite number"),
        ("bool", "yes", "'yes': must be true, false, 1 or 0"),
        ("bool", 2, "2: must be true, false, 1 or 0"),
        ("bool", 1.0, "1.0: must be true, false, 1 or 0"),
        ("time", "2026-03-01T08:00:00", "must be a time with its offset, as in"),
        ("time", "2026-02-30T08:00:00Z", "must be a time with its offset, as in"),
        ("time", "2026-03-01", "must be a time with its offset, as in"),
        ("time", 1_772_323_200, "1772323200: must be a text, as in 2026-03-01T08:00:00+08:00"),
    ],
)
def test_what_is_no_value_of_the_column_is_told_with_what_is_allowed(kind: str, given: object, fault: str) -> None:
    with pytest.raises(ValueError, match="must be") as raised:
        cell(kind, given)
    assert fault in str(raised.value)


def test_a_fault_repeats_only_the_beginning_of_a_long_text() -> None:
    with pytest.raises(ValueError, match="whole number") as raised:
        cell("int", "y" * 100_000)
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize(
    ("kind", "given", "value"), [("int", 7, 7), ("double", 7, 7.0), ("double", 7.5, 7.5), ("bool", 1, True)]
)
def test_a_database_may_hold_the_value_itself(kind: str, given: object, value: object) -> None:
    found = cell(kind, given)
    assert (found, type(found)) == (value, type(value))


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-14 * 60, 14 * 60).filter(lambda minutes: minutes % 15 == 0))
def test_a_time_of_any_offset_is_the_instant_that_it_names(instant: datetime, minutes: int) -> None:
    try:
        shown = instant.astimezone(timezone(timedelta(minutes=minutes)))
    except OverflowError:
        return
    expected = (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert cell("time", shown.isoformat()) == expected


@given(st.sampled_from(KINDS), st.one_of(st.text(), st.binary(), st.floats(), st.integers(-(1 << 63), (1 << 63) - 1)))
def test_whatever_stands_in_a_file_is_a_value_or_a_fault(kind: str, given: object) -> None:
    try:
        found = cell(kind, given)
    except ValueError as error:
        assert "must be" in str(error)  # noqa: PT017  # either is right
    else:
        assert found is None or type(found) is {"string": str, "double": float, "bool": bool}.get(kind, int)
