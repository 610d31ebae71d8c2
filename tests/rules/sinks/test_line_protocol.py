from __future__ import annotations

import json
import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.sinks.line_protocol import (
    EARLIEST_NS,
    FORMATTERS,
    LATEST_NS,
    MOST_QUARANTINE_BYTES,
    REFUSED_MARK,
    UnwritableError,
    Value,
    read_refused,
    refused_line,
    tag,
    text,
    timestamp,
)
from tests.support.line_protocol import parse

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
PRINTABLE = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=60)


def field_of(written: str) -> object:
    (row,) = parse(f"m v={written} 1".encode())
    assert (row.measurement, row.tags, list(row.fields), row.at_ns) == ("m", {}, ["v"], 1)
    return row.fields["v"]


def tag_of(written: str) -> str:
    (row,) = parse(f"m,a={written},z=1 v=1 1".encode())
    assert (row.measurement, list(row.tags), row.fields, row.at_ns) == ("m", ["a", "z"], {"v": 1.0}, 1)
    return row.tags["a"]


@given(ANY_TEXT)
def test_any_text_stays_inside_its_field(value: str) -> None:
    assert isinstance(field_of(text(value)), str)


@given(PRINTABLE)
def test_a_string_field_comes_back_as_it_was(value: str) -> None:
    assert field_of(text(value)) == value


@given(ANY_TEXT.filter(bool))
def test_any_text_stays_inside_its_tag(value: str) -> None:
    assert len(tag_of(tag(value))) == len(value)


@given(PRINTABLE.filter(lambda value: value and "\\" not in value))
def test_a_tag_value_comes_back_as_it_was(value: str) -> None:
    assert tag_of(tag(value)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_comes_back_to_the_bit(value: float) -> None:
    back = field_of(FORMATTERS["float"](value))
    assert isinstance(back, float)
    assert math.copysign(1, back) == math.copysign(1, value)
    assert back == value


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**300), max_value=10**300))
def test_a_decimal_is_stored_as_the_nearest_double(value: Decimal) -> None:
    assert field_of(FORMATTERS["float"](value)) == float(value)


@given(st.integers(-(2**63), 2**63 - 1))
def test_an_int_comes_back(value: int) -> None:
    back = field_of(FORMATTERS["int"](value))
    assert back == value
    assert isinstance(back, int)


@pytest.mark.parametrize("value", [True, False])
def test_a_bool_comes_back(value: bool) -> None:  # noqa: FBT001  # it is the value under test
    assert field_of(FORMATTERS["bool"](value)) is value


def test_an_int_in_a_float_field_is_a_float() -> None:
    assert repr(field_of(FORMATTERS["float"](5))) == "5.0"


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("float", math.nan, "not_finite"),
        ("float", math.inf, "not_finite"),
        ("float", -math.inf, "not_finite"),
        ("float", Decimal("NaN"), "not_finite"),
        ("float", Decimal("sNaN"), "not_finite"),
        ("float", Decimal("1e999"), "not_finite"),
        ("float", 10**400, "not_finite"),
        ("float", "1", "field_type"),
        ("float", True, "field_type"),
        ("int", 2**63, "out_of_range"),
        ("int", -(2**63) - 1, "out_of_range"),
        ("int", 1.0, "field_type"),
        ("int", True, "field_type"),
        ("int", "1i", "field_type"),
        ("str", 1, "field_type"),
        ("str", "x" * 60_001, "text_too_long"),
        ("str", "\U0001f600" * 15_001, "text_too_long"),
        ("bool", 1, "field_type"),
        ("bool", "true", "field_type"),
    ],
)
def test_what_a_field_cannot_hold_is_refused(kind: str, value: Value, reason: str) -> None:
    with pytest.raises(UnwritableError, match=f"^{reason}$") as caught:
        FORMATTERS[kind](value)
    assert caught.value.reason == reason


def test_a_text_of_the_greatest_length_is_written() -> None:
    assert field_of(text("\u00e9" * 30_000)) == "\u00e9" * 30_000


def test_a_long_tag_is_refused() -> None:
    assert tag("x" * 512) == "x" * 512
    with pytest.raises(UnwritableError, match="tag_too_long"):
        tag("x" * 513)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x value=1\nother,admin=1 v=1", "x value=1\u240aother,admin=1 v=1"),
        ("\r\n", "\u240d\u240a"),
        ("a\x00b", "a\u2400b"),
        ("\x1b[2J", "\u241b[2J"),
        ("\x7f\x85", "\u2421\ufffd"),
        ("\ud800x\udfff", "\ufffdx\ufffd"),
        ("C:\\", "C:\\"),
        ('say "hi"', 'say "hi"'),
        ("\u202eabc", "\u202eabc"),
        ("'; DROP TABLE reads;--", "'; DROP TABLE reads;--"),
        ("${jndi:ldap://x} {{7*7}} %n%s $(reboot)", "${jndi:ldap://x} {{7*7}} %n%s $(reboot)"),
        ("", ""),
    ],
)
def test_hostile_text_in_a_field(value: str, shown: str) -> None:
    assert field_of(text(value)) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("gate 3,site=x y=1", "gate 3,site=x y=1"),
        ("ends in \\", "ends in \uff3c"),
        ("\\,", "\uff3c,"),
        ('"', '"'),
        ("a\nevil v=1", "a\u240aevil v=1"),
        ("\ud834", "\ufffd"),
    ],
)
def test_hostile_text_in_a_tag(value: str, shown: str) -> None:
    assert tag_of(tag(value)) == shown


def test_times() -> None:
    assert timestamp(0) == "0"
    assert timestamp(EARLIEST_NS) == "-9223372036854775806"
    assert timestamp(LATEST_NS) == "9223372036854775806"
    for at_ns in (EARLIEST_NS - 1, LATEST_NS + 1, 2**64):
        with pytest.raises(UnwritableError, match="time_out_of_range"):
            timestamp(at_ns)


@given(ANY_TEXT)
def test_a_refused_point_is_one_comment_line_that_reads_back(value: str) -> None:
    line = refused_line("text_too_long", {"fields": {"epc": value, "v": Decimal(1), "n": math.nan}}).encode()
    assert line.startswith(REFUSED_MARK)
    assert b"\n" not in line
    assert line.isascii()
    reason, described = read_refused(line)
    assert reason == "text_too_long"
    assert json.loads(described)["fields"]["epc"] == value


def test_a_refused_point_is_bounded() -> None:
    _, described = read_refused(refused_line("text_too_long", {"epc": "x" * 1_000_000}).encode())
    assert len(described) == MOST_QUARANTINE_BYTES
