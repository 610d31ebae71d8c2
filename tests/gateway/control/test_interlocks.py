from decimal import Decimal

import pytest

from gateway.control.interlocks import Interlock, Source, failing, parse
from readers.control import Value


def nothing(interlock: Interlock) -> Value | None:
    raise AssertionError(interlock)


@pytest.mark.parametrize(
    ("text", "source", "device", "name", "operator", "literal"),
    [
        ("current_a < 5", Source.POINT, "", "current_a", "<", Decimal(5)),
        ("is_protected = false", Source.POINT, "", "is_protected", "=", False),
        ("  value>=-1.50 ", Source.POINT, "", "value", ">=", Decimal("-1.50")),
        ("signal lane-1-io loop-2 = false", Source.SIGNAL, "lane-1-io", "loop-2", "=", False),
        ('signal loom-4 machine_mode != "maintenance"', Source.SIGNAL, "loom-4", "machine_mode", "!=", "maintenance"),
        ("reading m-2 active_power < 500", Source.READING, "m-2", "active_power", "<", Decimal(500)),
        ("reading m-2 current:a <= 1", Source.READING, "m-2", "current:a", "<=", Decimal(1)),
    ],
)
def test_forms(text: str, source: Source, device: str, name: str, operator: str, literal: Value) -> None:
    assert parse(text) == Interlock(source, device, name, operator, literal, text.strip())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be NAME OPERATOR VALUE"),
        ("current_a", "must be NAME"),
        ("current_a < five", "must be NAME"),
        ("current_a == 5", "must be NAME"),
        ("current_a < 5 or true", "must be NAME"),
        ("signal loop = true", "must be NAME"),
        ('mode = "a\nb"', "must be NAME"),
        ("is_on < true", "compares numbers"),
        ('mode > "a"', "compares numbers"),
        ("reading m-2 watts < 5", "no quantity watts"),
        ("reading m-2 current:d < 5", "no phase d"),
        ("reading m-2 current = true", "a reading is a number"),
    ],
)
def test_faults(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(text)


@pytest.mark.parametrize(
    ("operator", "holds"),
    [
        ("<", [True, False, False]),
        ("<=", [True, True, False]),
        ("=", [False, True, False]),
        ("!=", [True, False, True]),
        (">=", [False, True, True]),
        (">", [False, False, True]),
    ],
)
def test_numbers_are_compared_exactly(operator: str, holds: list[bool]) -> None:
    interlock = parse(f"a {operator} 0.3")
    assert [interlock.holds(Decimal(value)) for value in ("0.29999", "0.3", "0.30001")] == holds


def test_a_value_of_another_sort_never_holds() -> None:
    assert not parse("a != 5").holds("6")
    assert not parse("a != true").holds("false")
    assert not parse("a = true").holds(Decimal(1))
    assert not parse('a != "x"').holds(False)  # noqa: FBT003  # the value itself
    assert parse('a != "x"').holds("y")


def test_what_fails_is_told_with_its_value_and_what_is_missing_fails() -> None:
    interlocks = tuple(map(parse, ("a < 5", "b = true", "c > 1", "signal io loop = false", "signal io beam = false")))
    values: dict[str, Value | None] = {"loop": True, "beam": None}
    found = failing(interlocks, {"a": Decimal("5.0"), "b": True}, lambda each: values[each.name])
    assert found == [
        "a < 5: it is 5.0",
        "c > 1: the device does not tell it",
        "signal io loop = false: it is true",
        "signal io beam = false: no fresh value is known",
    ]
    assert failing(interlocks[:2], {"a": Decimal(1), "b": True}, nothing) == []
