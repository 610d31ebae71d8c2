from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import pytest

from gateway.config.gate_exports import CodecoExport, Load
from gateway.contract.events import Scalar
from rules.exporters.gates import gate_passage, kilograms_of, load_of, local_time, text_of
from rules.language.vocabulary import Fields
from tests.rules.exporters.gate_events import AT_US, transaction

SETTINGS = {"un_location": "DEHAM", "sender": "A", "receiver": "B", "terminal": "CTA"}


def test_a_truck_that_was_let_in_carries_a_container() -> None:
    found = gate_passage(transaction())
    assert found is not None
    assert (found.is_inward, found.container, found.truck, found.seal) == (True, "CSQU3054383", "HH-AB 123", "SEAL-1")
    assert found.is_seal_intact is True
    assert found.at_us == AT_US
    assert found.event_id == transaction().id


def test_out_is_the_other_direction() -> None:
    found = gate_passage(transaction(direction="out"))
    assert found is not None
    assert found.is_inward is False


def test_the_direction_of_the_event_itself_counts() -> None:
    found = gate_passage(msgspec.structs.replace(transaction(direction=None), direction="out"))
    assert found is not None
    assert found.is_inward is False


@pytest.mark.parametrize(
    "fields",
    [
        {"verdict": "hold"},
        {"verdict": "trouble"},
        {"verdict": None},
        {"missing": "seal", "missing_count": 1},
        {"closed_by": "limit"},
        {"direction": None},
        {"direction": "sideways"},
        {"container": None},
        {"container": "CSQU3054384"},
        {"container": "HAMBURG"},
        {"container": 3_054_383},
        {"container": "CSQZ3054380"},
    ],
    ids=str,
)
def test_whoever_did_not_pass_or_has_no_container_is_not_told(fields: dict[str, Scalar]) -> None:
    assert gate_passage(transaction(**fields)) is None


def test_other_events_are_not_told() -> None:
    assert gate_passage(transaction(1, "gate-decision")) is None


@pytest.mark.parametrize(
    ("state", "intact"), [("sealed", True), ("opened", False), (None, None), ("unknown", None)], ids=str
)
def test_the_state_of_the_seal(state: str | None, intact: bool | None) -> None:  # noqa: FBT001  # an expectation
    found = gate_passage(transaction(seal_state=state))
    assert found is not None
    assert found.is_seal_intact is intact


def test_texts_are_texts_and_whole_numbers() -> None:
    fields: Fields = {"a": "  two \t words ", "b": 17, "c": True, "d": 1.5, "e": " "}
    assert [text_of(fields, name) for name in ("a", "b", "c", "d", "e", "f", None)] == [
        "two words", "17", None, None, None, None, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "load"),
    [
        (True, Load.EMPTY),
        (False, Load.LADEN),
        ("Empty", Load.EMPTY),
        ("E", Load.EMPTY),
        ("FULL", Load.LADEN),
        ("laden", Load.LADEN),
        ("?", None),
    ],
    ids=str,
)
def test_empty_or_laden(value: Scalar, load: Load | None) -> None:
    fields: Fields = {} if value is None else {"is_empty": value}
    asked = CodecoExport.model_validate({**SETTINGS, "empty_field": "is_empty"})
    assert load_of(asked, fields) is load
    assumed = CodecoExport.model_validate({**SETTINGS, "empty_field": "is_empty", "load": "laden"})
    assert load_of(assumed, fields) is (load or Load.LADEN)
    assert load_of(CodecoExport.model_validate(SETTINGS), fields) is None


def test_weights_are_exact_and_nothing_else_is_a_weight() -> None:
    fields: Fields = {
        "a": 24_800,
        "b": 0.1,
        "c": -1.0,
        "d": float("nan"),
        "e": 1e300,
        "f": True,
        "g": "12",
        "h": float("inf"),
    }
    assert kilograms_of(fields, "a") == Decimal(24_800)
    assert kilograms_of(fields, "b") == Decimal("0.1")
    assert [kilograms_of(fields, name) for name in ("c", "d", "e", "f", "g", "h", "i", None)] == [None] * 8


def test_times_are_those_of_the_clocks_at_the_gate() -> None:
    assert local_time(AT_US, UTC) == datetime(2026, 3, 2, 8, 15, 22, 250_000, tzinfo=UTC)
    assert local_time(AT_US, ZoneInfo("Asia/Shanghai")).isoformat() == "2026-03-02T16:15:22.250000+08:00"
