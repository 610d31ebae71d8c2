from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.config.rules import LookUpTable
from rules.list_file import SHOWN_FAULTS
from rules.tables import listing
from rules.tables.file import Row, TableError
from rules.tables.listing import csv_rows, database_rows, key_type, sqlite_table_of, unsettled
from tests.rules.tables.desk import COLUMNS, database, settings

HEADER = "truck,slot,bay,mass_kg,released,company\n"


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "slots.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def read(path: Path, table: LookUpTable | None = None) -> tuple[list[Row], list[str]]:
    faults: list[str] = []
    rows = csv_rows if path.suffix == ".csv" else database_rows
    try:
        return list(rows(path, table or settings(path), faults)), faults
    except TableError as error:
        return [], error.faults


def test_columns_are_found_by_the_header_in_any_order_and_case(tmp_path: Path) -> None:
    text = (
        "\ufeffcomment,Company, BAY ,truck,released,slot,mass_kg\r\n"
        "vip,Kühne & Co,3,T-1,true,2026-03-01T08:00:00Z,1200.5\r\n"
        "\r\n"
        ',"Maier, Sons",,T-2,,,\r\n'
    )
    rows, faults = read(written(tmp_path, text))
    assert faults == []
    assert rows == [
        Row(2, "T-1", (1_772_352_000_000_000, 3, 1200.5, True, "Kühne & Co")),
        Row(4, "T-2", (None, None, None, None, "Maier, Sons")),
    ]


def test_every_bad_row_is_told_with_its_line_value_and_what_is_allowed(tmp_path: Path) -> None:
    text = HEADER + 'T-1,soon,1,1,1,a\n,,,,,\nT-2,,1.5,1,1,"a\nb"\n,,1,,,\nT-3,,,,\nT-4,,,,,ok\n'
    rows, faults = read(written(tmp_path, text))
    assert [row.key for row in rows] == ["T-4"]
    assert faults == [
        (
            "line 2: slot = 'soon': must be a time with its offset, as in 2026-03-01T08:00:00+08:00 "
            "or 2026-03-01T00:00:00Z"
        ),
        "line 5: bay = '1.5': must be a whole number of 64 bits",
        "line 6: truck is empty; each row needs its key",
        "line 7: has 5 cells, the header has 6",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "line 1: has no column 'truck'; it has nothing"),
        ("truk,slot,bay,mass_kg,released,company\n", "line 1: has no column 'truck' (did you mean \"truk\"?)"),
        ("truck;slot;bay\n", "line 1: has no column 'truck'; it has truck;slot;bay; separate the cells with commas"),
        (HEADER.replace("bay", "truck"), "line 1: has 2 columns 'truck'; keep one of them"),
        (HEADER + 'T-1,"a"b,,,,\n', "line 2: is no CSV: "),
        (HEADER.encode() + b"T-1,\xff,,,,\n", "is no UTF-8 text (invalid start byte); save the table as UTF-8"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused(tmp_path: Path, text: str | bytes, fault: str) -> None:
    rows, faults = read(written(tmp_path, text))
    assert rows == []
    assert any(each.startswith(fault) for each in faults), faults


def test_lines_rows_and_faults_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, faults = read(written(tmp_path, HEADER + "x,soon,,,,\n" * 1000))
    assert (rows, len(faults)) == ([], SHOWN_FAULTS + 1)
    assert faults[-1] == "there may be more; the rest was not read"
    monkeypatch.setattr(listing, "MOST_ROWS", 3)
    text = HEADER + "".join(f"T-{n},,,,,\n" for n in range(4))
    assert read(written(tmp_path, text))[1] == ["has more than 3 rows"]
    monkeypatch.setattr(listing, "MOST_LINE", 50)
    found = read(written(tmp_path, HEADER + "T" * 60))[1]
    assert found == ["line 2: is longer than 50 characters; this is no table"]


def test_a_key_of_a_type_is_a_column_too(tmp_path: Path) -> None:
    table = settings(written(tmp_path, "truck,bay\n0007,3\n"), {"truck": "int", "bay": "int"})
    assert key_type(table) == "int"
    assert read(table.file, table) == ([Row(2, 7, (7, 3))], [])
    assert key_type(settings(table.file)) == "string"


CREATE = "CREATE TABLE slots (Truck TEXT, slot TEXT, bay INTEGER, mass_kg REAL, released, company, more BLOB)"
INSERT = "INSERT INTO slots VALUES (?, ?, ?, ?, ?, ?, NULL)"


def test_a_table_of_a_database_is_read_the_same(tmp_path: Path) -> None:
    rows = [
        ("T-1", "2026-03-01T08:00:00Z", 3, 1200.5, 1, "Kühne & Co"),
        ("T-2", None, "4", 7, "false", ""),  # as a CSV import leaves them
    ]
    path = database(tmp_path / "slots.db", CREATE, rows=rows, insert=INSERT)
    assert read(path) == (
        [
            Row(1, "T-1", (1_772_352_000_000_000, 3, 1200.5, True, "Kühne & Co")),
            Row(2, "T-2", (None, 4, 7.0, False, None)),
        ],
        [],
    )


def test_bad_rows_of_a_database_are_told_by_their_number(tmp_path: Path) -> None:
    rows = [("T-1", None, 3, None, 2, None), (None, None, 1, None, None, None), ("T-3", None, b"12", None, None, None)]
    path = database(tmp_path / "slots.db", CREATE, rows=rows, insert=INSERT)
    assert read(path) == (
        [],
        [
            "row 1: released = 2: must be true, false, 1 or 0",
            "row 2: truck is empty; each row needs its key",
            "row 3: bay = 2 bytes: must be a whole number",
        ],
    )


def test_the_table_of_a_database_has_the_name_of_the_table_unless_it_is_named(tmp_path: Path) -> None:
    path = database(
        tmp_path / "slots.db", 'CREATE TABLE "Gate_Slots" (truck, bay)', "INSERT INTO gate_slots VALUES ('a', 1)"
    )
    columns = {"bay": "int"}
    named = settings(path, columns, name="gate-slots")
    assert sqlite_table_of(named) == "gate_slots"
    assert read(path, named)[0] == [Row(1, "a", (1,))]
    assert read(path, settings(path, columns, name="x", sqlite_table="gate_slots"))[0] == [Row(1, "a", (1,))]
    [fault] = read(path, settings(path, columns, name="gate-slot"))[1]
    assert fault.startswith("has no table 'gate_slot' (did you mean \"gate_slots\"?); it has gate_slots; sqlite_table")


def test_what_would_run_code_of_the_database_is_no_table(tmp_path: Path) -> None:
    path = database(
        tmp_path / "slots.db",
        "CREATE VIEW slots AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS truck FROM n",
    )
    [fault] = read(path)[1]
    assert fault.startswith("has no table 'slots'; sqlite_table names the one")


def test_a_database_without_the_columns_is_refused(tmp_path: Path) -> None:
    path = database(tmp_path / "slots.db", "CREATE TABLE slots (truck, bays)")
    faults = read(path, settings(path, {"bay": "int"}))[1]
    assert faults == ["table slots: has no column 'bay' (did you mean \"bays\"?)"]


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    path = database(tmp_path / "slots.db", CREATE, rows=[("T" * 100, None, 1, None, None, None)] * 500, insert=INSERT)
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    [fault] = read(path)[1]
    assert fault.startswith("is damaged, or no database that can be read (")
    path.write_bytes(content[:60])
    [fault] = read(path)[1]
    assert fault.startswith("is damaged, or no database that can be read (")


def test_a_value_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = database(tmp_path / "slots.db", CREATE, "INSERT INTO slots (truck, company) VALUES ('T', zeroblob(2000000))")
    [fault] = read(path)[1]
    assert fault.startswith("is damaged, or no database that can be read (")


def test_changes_that_are_not_in_the_file_yet_are_told(tmp_path: Path) -> None:
    path = tmp_path / "slots.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE slots (truck)")
        assert (
            unsettled(path)
            == "has changes in slots.db-wal that are not in it yet; rename a finished file into its place"
        )
    assert unsettled(path) is None
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = PERSIST")
        db.execute("PRAGMA cache_size = 1")
        db.execute("PRAGMA cache_spill = 1")
        db.execute("BEGIN")
        db.executemany("INSERT INTO slots VALUES (?)", [("x" * 1000,)] * 100)
        assert unsettled(path) is not None
        db.execute("COMMIT")
        assert (tmp_path / "slots.db-journal").exists()
        assert unsettled(path) is None


def test_all_types_are_columns() -> None:
    assert set(COLUMNS.values()) == {"string", "int", "double", "bool", "time"}
