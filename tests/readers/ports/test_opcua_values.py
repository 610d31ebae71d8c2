from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from hypothesis import given
from hypothesis import strategies as st

from readers.opcua_messages import Sample
from readers.ports.opcua_values import float_text, microseconds, native, sample_of, status_word

MOMENT = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)
MOMENT_US = 1_795_435_200_250_000


def data(value: Any, kind: Any = None, status: int = 0, **times: Any) -> Any:
    return ua.DataValue(ua.Variant(value, kind), ua.StatusCode(ua.UInt32(status)), **times)


@pytest.mark.parametrize(
    ("value", "kind", "sample"),
    [
        (True, ua.VariantType.Boolean, Sample(value=True)),
        (7, ua.VariantType.UInt16, Sample("7", is_number=True)),
        (-(1 << 63), ua.VariantType.Int64, Sample(str(-(1 << 63)), is_number=True)),
        (0.1, ua.VariantType.Double, Sample("0.1", is_number=True)),
        (struct.unpack("<f", struct.pack("<f", 0.1))[0], ua.VariantType.Float, Sample("0.1", is_number=True)),
        (1e21, ua.VariantType.Double, Sample("1000000000000000000000", is_number=True)),
        (float("nan"), ua.VariantType.Double, Sample()),
        ("beam full", ua.VariantType.String, Sample("beam full")),
        ("x" * 5000, ua.VariantType.String, Sample("x" * 1000)),
        (ua.LocalizedText("voll", "de"), ua.VariantType.LocalizedText, Sample("voll")),
        (ua.QualifiedName("name", 2), ua.VariantType.QualifiedName, Sample("name")),
        (MOMENT, ua.VariantType.DateTime, Sample("2026-11-23T12:00:00.250000+00:00")),
        ([1, 2], ua.VariantType.Int32, Sample(status="NotScalar", level=2)),
        (b"\x01", ua.VariantType.ByteString, Sample(status="NotScalar", level=2)),
        (None, None, Sample()),
    ],
)
def test_a_value_becomes_a_sample(value: Any, kind: Any, sample: Sample) -> None:
    assert sample_of(data(value, kind)) == sample


def test_times_status_and_overflow_come_along() -> None:
    found = sample_of(
        data(1, ua.VariantType.Int32, 0x0480, SourceTimestamp=MOMENT, ServerTimestamp=MOMENT.replace(tzinfo=None))
    )
    assert found.overflowed
    assert (found.source_us, found.server_us, found.level) == (MOMENT_US, MOMENT_US, 0)


@pytest.mark.parametrize(
    ("status", "word", "level"),
    [
        (StatusCodes.BadNoCommunication, "BadNoCommunication", 2),
        (StatusCodes.UncertainLastUsableValue, "UncertainLastUsableValue", 1),
        (0xC0000000, None, 2),
    ],
)
def test_what_is_not_good_is_said(status: int, word: str | None, level: int) -> None:
    found = sample_of(data(5, ua.VariantType.Int32, status))
    assert found.level == level
    assert word is None or found.status == word
    assert found.value == ("5" if level < 2 else None)
    assert status_word(None) == "Good"


def test_times_that_cannot_be_true_are_none() -> None:
    assert microseconds(None) is None
    assert microseconds(datetime(1601, 1, 1, tzinfo=UTC)) is None
    assert microseconds(MOMENT.astimezone(timezone(timedelta(hours=8)))) == MOMENT_US


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_of_32_bits_comes_back_from_its_shortest_text(value: float) -> None:
    text = float_text(value, is_single=True)
    assert text is not None
    assert struct.pack("<f", float(text)) == struct.pack("<f", value)
    assert "e" not in text.lower()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_of_64_bits_is_exact(value: float) -> None:
    text = float_text(value, is_single=False)
    assert text is not None
    assert float(text) == value


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (True, "Boolean", True),
        ("600", "UInt16", 600),
        ("600.0", "Int32", 600),
        ("-1.5", "Double", -1.5),
        ("2.5", "Float", 2.5),
        ("go", "String", "go"),
    ],
)
def test_what_is_written_has_the_type_of_the_node(value: bool | str, kind: str, expected: object) -> None:  # noqa: FBT001 - the value itself
    assert native(value, kind) == expected


@pytest.mark.parametrize(
    ("value", "kind", "why"),
    [
        ("true", "Boolean", "is a Boolean"),
        (True, "Int32", "takes no truth"),
        ("many", "Int32", "is no number"),
        ("NaN", "Int32", "whole numbers"),
        ("1.5", "UInt16", "whole numbers from 0 to 65535"),
        ("65536", "UInt16", "whole numbers"),
        ("-1", "Byte", "whole numbers"),
        ("1e39", "Float", "too large"),
        ("1", "ByteString", "not written"),
    ],
)
def test_what_does_not_fit_is_not_written(value: bool | str, kind: str, why: str) -> None:  # noqa: FBT001 - the value itself
    with pytest.raises(ValueError, match=why):
        native(value, kind)


@given(st.decimals(-1000, 70_000, places=1))
def test_whole_numbers_are_written_exactly_or_not_at_all(number: Decimal) -> None:
    is_fit = number == number.to_integral_value() and 0 <= number <= 65535
    if is_fit:
        assert native(str(number), "UInt16") == number
    else:
        with pytest.raises(ValueError, match="UInt16"):
            native(str(number), "UInt16")
