from __future__ import annotations

from pathlib import Path

import pytest

from rules.list_file import SHOWN_FAULTS
from rules.tables import file
from rules.tables.file import Row, StoredTable, TableError, build, open_file

KINDS = {"bay": "int", "released": "bool", "mass_kg": "double", "company": "string"}


def stored(path: Path, *rows: Row, version: str = "v") -> StoredTable:
    count = build(path, rows, len(KINDS), "line")
    return StoredTable(open_file(path), version, KINDS, count)


def test_a_row_is_found_by_its_key_as_it_was_given(tmp_path: Path) -> None:
    table = stored(
        tmp_path / "t.db",
        Row(2, "T-9", (7, True, 1.0, "Kühne")),
        Row(3, "T-1", (None, None, None, None)),
        Row(4, "T-5", (-1, False, -0.5, "7")),
    )
    assert (table.version, table.rows, table.columns) == ("v", 3, tuple(KINDS))
    found = table.find("T-9")
    assert found == (7, True, 1.0, "Kühne")
    assert [type(cell) for cell in found] == [int, bool, float, str]
    assert table.find("T-1") == (None, None, None, None)
    assert table.find("T-5") == (-1, False, -0.5, "7")
    assert table.find("t-9") is None
    assert table.find("T-9") == found  # again, of what is remembered


def test_numbers_and_texts_are_different_keys(tmp_path: Path) -> None:
    table = stored(tmp_path / "t.db", Row(2, 7, (1, None, None, None)), Row(3, "8", (2, None, None, None)))
    assert [table.find(key) for key in (7, "7", "8", 8)] == [(1, None, None, None), None, (2, None, None, None), None]


@pytest.mark.parametrize("key", ["x" * 201, "a\ud800", "a\x00b", 1 << 63, -(1 << 63) - 1, ""])
def test_what_no_table_can_hold_is_not_found(tmp_path: Path, key: str | int) -> None:
    assert stored(tmp_path / "t.db", Row(2, "T-9", (7, True, 1.0, "a"))).find(key) is None


def test_what_is_remembered_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "ROWS_KEPT", 3)
    table = stored(tmp_path / "t.db", *(Row(n, n, (n, None, None, None)) for n in range(10)))
    for _ in range(2):
        assert [table.find(n) for n in range(12)] == [(n, None, None, None) for n in range(10)] + [None, None]
        assert len(table._found) <= 3  # its bound cannot be seen otherwise


def test_a_key_in_two_rows_is_a_fault_that_names_both(tmp_path: Path) -> None:
    rows = [Row(2, "a", (1, None, None, None)), Row(3, "b", (1, None, None, None)), Row(9, "a", (2, None, None, None))]
    with pytest.raises(TableError) as raised:
        build(tmp_path / "t.db", rows, len(KINDS), "row")
    assert raised.value.faults == ["row 9: key 'a' is in row 2 already; keep one of them"]


def test_faults_are_bounded(tmp_path: Path) -> None:
    rows = [Row(n, n // 2, (1, None, None, None)) for n in range(1000)]
    with pytest.raises(TableError) as raised:
        build(tmp_path / "t.db", rows, len(KINDS), "line")
    assert len(raised.value.faults) == SHOWN_FAULTS


def test_a_table_needs_no_file_once_it_is_open(tmp_path: Path) -> None:
    table = stored(tmp_path / "t.db", Row(2, "T-9", (7, True, 1.0, "a")))
    (tmp_path / "t.db").unlink()
    assert table.find("T-9") == (7, True, 1.0, "a")
    table.close()
    assert table.find("T-9") is not None  # remembered
    with pytest.raises(Exception, match="closed"):
        table.find("T-8")


def test_rows_are_written_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "_BATCH", 3)
    table = stored(tmp_path / "t.db", *(Row(n, n, (n, None, None, None)) for n in range(8)))
    assert [table.find(n) for n in range(8)] == [(n, None, None, None) for n in range(8)]
