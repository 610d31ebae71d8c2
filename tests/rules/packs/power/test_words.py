from __future__ import annotations

import pytest

from rules.packs.power.words import number, of_meters, one_of


def test_conditions() -> None:
    assert one_of("device", ["a"]) == 'e.device == "a"'
    assert one_of("device", ["a", "b"]) == 'e.device in ["a", "b"]'
    assert of_meters(["a"], "voltage") == 'e.device == "a" && e.quantity == "voltage"'


@pytest.mark.parametrize(
    ("value", "text"), [(100, "100.0"), (220 * 1.07, "235.4"), (-0.9, "-0.9"), (1e6, "1000000.0"), (0.1 + 0.2, "0.3")]
)
def test_numbers_are_doubles_without_what_floats_leave(value: float, text: str) -> None:
    assert number(value) == text
