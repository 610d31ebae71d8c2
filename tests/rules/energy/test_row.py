from __future__ import annotations

from decimal import Decimal

import pytest

from rules.energy.row import exponent_of, label_of, steps_of
from tests.rules.energy.substation import START_US


@pytest.mark.parametrize(
    ("value", "exponent"),
    [
        ("0", 1),
        ("12345670", 1),
        ("1.234567E+7", 1),
        ("12000000", 1),
        ("12345678", 0),
        ("12345678.00", 0),
        ("1234.5", -1),
        ("0.0000001", -6),
        ("1E-999999", -6),
    ],
)
def test_the_step_of_a_value(value: str, exponent: int) -> None:
    assert exponent_of(Decimal(value)) == exponent


def test_values_in_steps() -> None:
    assert steps_of(Decimal(12345670), 1) == 1234567
    assert steps_of(Decimal("1234.5"), -1) == 12345
    assert steps_of(Decimal("0.00000199"), -6) == 1


def test_labels_are_times_and_differ_from_the_one_before() -> None:
    first = label_of(START_US, None)
    assert first == "20260921T160000Z"
    second = label_of(START_US + 999_999, first)
    assert second == "20260921T160000Z-2"
    assert label_of(START_US, second) == "20260921T160000Z-3"
    assert label_of(START_US + 1_000_000, second) == "20260921T160001Z"
