from __future__ import annotations

from rules.tables.table import Tables
from tests.rules.tables.desk import Listed


def test_a_table_that_is_replaced_is_closed_and_the_others_stay() -> None:
    old, new, other = Listed(("a",), {}, "1"), Listed(("a",), {}, "2"), Listed(("a",), {}, "9")
    tables = Tables({"x": old, "y": other})
    tables.put("x", new)
    assert tables.get("x") is new
    assert (old.is_open, new.is_open, other.is_open) == (False, True, True)
    tables.drop("x")
    tables.drop("never there")
    assert tables.get("x") is None
    assert (new.is_open, other.is_open) == (False, True)
    tables.close()
    assert (tables.get("y"), other.is_open) == (None, False)
