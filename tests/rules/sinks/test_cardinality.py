from __future__ import annotations

import pytest

from gateway.contract.measurements import MEASUREMENTS, Measurement
from rules.sinks.cardinality import SchemaError, SeriesGuard, check_schema
from rules.sinks.line_protocol import UnwritableError

Notices = list[tuple[str, int, int]]


def guard_of(budget: int) -> tuple[SeriesGuard, Notices]:
    notices: Notices = []
    return SeriesGuard(budget, lambda event, series, most: notices.append((event, series, most))), notices


def test_our_own_measurements_pass() -> None:
    check_schema(MEASUREMENTS)


@pytest.mark.parametrize("name", ["epc", "last_epc", "tid", "card", "container", "container_number", "subject", "id"])
def test_an_identity_as_a_tag_is_refused(name: str) -> None:
    bad = Measurement("gate", "", ("site", name), {"v": "float"})
    with pytest.raises(SchemaError, match=f"measurement 'gate': tag '{name}' is an identity .* make it a field"):
        check_schema({"gate": bad})


@pytest.mark.parametrize("name", ["Gate", "gate 3", "gate,site=x", "g\n", "", "3gate"])
def test_names_that_need_escaping_are_refused(name: str) -> None:
    with pytest.raises(SchemaError, match="must be lower-case letters"):
        check_schema({"m": Measurement(name, "", (), {"v": "float"})})
    with pytest.raises(SchemaError, match="must be lower-case letters"):
        check_schema({"m": Measurement("m", "", (name,), {"v": "float"})})
    with pytest.raises(SchemaError, match="must be lower-case letters"):
        check_schema({"m": Measurement("m", "", (), {name: "float"})})


def test_a_tag_that_is_also_a_field_is_refused() -> None:
    with pytest.raises(SchemaError, match="site is both tag and field"):
        check_schema({"m": Measurement("m", "", ("site",), {"site": "str"})})


def test_known_series_go_on_beyond_the_budget_and_new_ones_do_not() -> None:
    guard, notices = guard_of(10)
    for number in range(10):
        guard.admit(f"m,device=d{number}", (f"d{number}",))
    assert notices == [("series_budget_near", 8, 10)]
    for number in range(10, 15):
        with pytest.raises(UnwritableError, match="series_budget"):
            guard.admit(f"m,device=d{number}", (f"d{number}",))
    guard.admit("m,device=d3", ("d3",))
    assert (guard.series, guard.refused) == (10, 5)
    assert notices == [("series_budget_near", 8, 10), ("series_budget_exhausted", 10, 10)]


@pytest.mark.parametrize("value", ["3034257BF7194E4000001A85", "CSQU3054383"])
def test_a_value_that_is_an_epc_or_a_container_makes_no_series(value: str) -> None:
    guard, _ = guard_of(10)
    with pytest.raises(UnwritableError, match="identity_as_tag"):
        guard.admit(f"m,zone={value}", (value,))
    assert guard.series == 0
