from __future__ import annotations

import msgspec
import pytest

from rules.state import State, parts_of


class Row(msgspec.Struct, array_like=True):
    number: int


def test_a_row_changed_often_is_one_entry() -> None:
    state = State()
    table = state.table("zone", "edge-1", Row)
    table.put("A", Row(1))
    for number in range(100):
        table.rows["A"].number = number
        table.dirty.add("A")
    assert [(key, msgspec.msgpack.decode(value or b"")) for key, value in state.changes()] == [("zone/edge-1/A", [99])]
    assert state.changes() == []


def test_a_deleted_row_is_a_none_and_a_missing_one_nothing() -> None:
    state = State()
    table = state.table("zone", "edge-1", Row)
    table.drop("never")
    table.put("A", Row(1))
    state.changes()
    table.drop("A")
    assert state.changes() == [("zone/edge-1/A", None)]


def test_one_table_for_one_kind_and_owner() -> None:
    state = State()
    assert state.table("zone", "edge-1", Row) is state.table("zone", "edge-1", Row)
    assert state.table("zone", "edge-1", Row) is not state.table("zone", "edge-2", Row)


def test_what_was_loaded_is_there_and_not_dirty() -> None:
    state = State()
    table = state.table("zone", "edge-1", Row)
    table.load("A", msgspec.msgpack.encode([7]))
    assert table.rows == {"A": Row(7)}
    assert state.changes() == []


def test_a_value_of_another_kind_is_refused() -> None:
    table = State().table("zone", "edge-1", Row)
    with pytest.raises(msgspec.ValidationError):
        table.load("A", msgspec.msgpack.encode(["seven"]))


def test_doomed_keys_are_deleted_once() -> None:
    state = State()
    state.doom(["rule/gone.00/x"])
    assert state.changes() == [("rule/gone.00/x", None)]
    assert state.changes() == []


def test_an_owner_that_retires_takes_all_its_rows_with_it() -> None:
    state = State()
    for kind in ("rule", "raised"):
        state.table(kind, "gone.00", Row).put("x", Row(1))
    state.table("rule", "kept.00", Row).put("x", Row(2))
    assert len(state.changes()) == 3
    dropped = state.table("rule", "gone.00", Row)
    dropped.put("y", Row(3))
    dropped.drop("x")
    state.retire("gone.00")
    anew = state.table("rule", "gone.00", Row)
    assert anew.rows == {}
    anew.put("y", Row(4))
    assert dict(state.changes()) == {
        "rule/gone.00/x": None,
        "raised/gone.00/x": None,
        "rule/gone.00/y": msgspec.msgpack.encode([4]),  # what is put comes after what was deleted
    }


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("rule/a.1/meter-1/voltage/a", ("rule", "a.1", "meter-1/voltage/a")),
        ("gateway/edge-1/", ("gateway", "edge-1", "")),
        ("odd", ("odd", "", "")),
    ],
)
def test_parts_of_a_key(key: str, parts: tuple[str, str, str]) -> None:
    assert parts_of(key) == parts
