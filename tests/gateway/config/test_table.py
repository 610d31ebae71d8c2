from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.config.table import FieldName, Name, PositiveSeconds, Table

NAME, FIELD, SECONDS = (TypeAdapter(each) for each in (Name, FieldName, PositiveSeconds))


@pytest.mark.parametrize("text", ["a", "0", "gate-3_out", "a" * 64])
def test_names(text: str) -> None:
    assert NAME.validate_python(text) == text


@pytest.mark.parametrize("text", ["", "A", "-a", "_a", "a b", "a/b", "a.b", "ü", "a" * 65, "a\n", 5])
def test_what_is_no_name(text: object) -> None:
    with pytest.raises(ValidationError):
        NAME.validate_python(text)


@pytest.mark.parametrize("text", ["a", "rssi_dbm", "a1", "a" * 64])
def test_names_of_fields(text: str) -> None:
    assert FIELD.validate_python(text) == text


@pytest.mark.parametrize("text", ["", "1a", "_a", "A", "a-b", "a.b", "a" * 65])
def test_what_is_no_name_of_a_field(text: str) -> None:
    with pytest.raises(ValidationError):
        FIELD.validate_python(text)


def test_seconds_are_more_than_none_and_at_most_a_year() -> None:
    assert SECONDS.validate_python(31_536_000) == 31_536_000.0
    for wrong in (0, -1, 31_536_001, "x", float("nan"), float("inf")):
        with pytest.raises(ValidationError):
            SECONDS.validate_python(wrong)


def test_a_table_takes_no_unknown_keys_and_does_not_change() -> None:
    class Yard(Table):
        name: Name

    yard = Yard(name="a")
    with pytest.raises(ValidationError, match="frozen"):
        yard.name = "b"  # type: ignore[misc]  # that is the point
    with pytest.raises(ValidationError, match="Extra inputs"):
        Yard.model_validate({"name": "a", "nmae": "b"})
