from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rules.list_file import SHOWN_FAULTS
from rules.tables import source
from rules.tables.file import TableError
from rules.tables.source import load
from tests.rules.tables.desk import database, settings

COLUMNS = {"bay": "int", "company": "string"}


def written(tmp_path: Path, text: str = "truck,bay,company\nT-1,3,Maier\n") -> Path:
    path = tmp_path / "slots.csv"
    path.write_text(text)
    return path


def test_a_list_and_a_database_of_it_say_the_same(tmp_path: Path) -> None:
    listed = written(tmp_path)
    stored = database(
        tmp_path / "slots.sqlite",
        "CREATE TABLE slots (truck TEXT PRIMARY KEY, bay INT, company TEXT) WITHOUT ROWID",
        "INSERT INTO slots VALUES ('T-1', 3, 'Maier')",
    )
    for path in (listed, stored):
        table = load(settings(path, COLUMNS), tmp_path)
        assert (table.find("T-1"), table.find("T-2"), table.rows) == ((3, "Maier"), None, 1)
        assert table.version == hashlib.blake2b(path.read_bytes(), digest_size=6).hexdigest()
        path.write_bytes(b"\0" * 100_000)  # whatever becomes of the file now
        assert table.find("T-1") == (3, "Maier")
        path.unlink()
    assert list(tmp_path.iterdir()) == []


def test_faults_of_cells_and_of_keys_are_told_together(tmp_path: Path) -> None:
    path = written(tmp_path, "truck,bay,company\nT-1,x,\nT-2,1,\nT-2,2,\n")
    with pytest.raises(TableError) as raised:
        load(settings(path, COLUMNS), tmp_path)
    assert raised.value.faults == [
        "line 2: bay = 'x': must be a whole number of 64 bits",
        "line 4: key 'T-2' is in line 3 already; keep one of them",
    ]
    path.write_text("truck,bay,company\n" + "T-1,x,\n" * 500)
    with pytest.raises(TableError) as raised:
        load(settings(path, COLUMNS), tmp_path)
    assert len(raised.value.faults) == SHOWN_FAULTS


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MOST_BYTES", 10)
    with pytest.raises(TableError, match="has 30 bytes; at most 10 are read"):
        load(settings(written(tmp_path), COLUMNS), tmp_path)


def test_a_database_that_is_being_written_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "slots.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE slots (truck, bay, company)")
        with pytest.raises(TableError, match=r"has changes in slots\.db-wal that are not in it yet"):
            load(settings(path, COLUMNS), tmp_path)
    assert load(settings(path, COLUMNS), tmp_path).rows == 0


def test_tables_whose_names_begin_alike_do_not_clear_each_others_copies(tmp_path: Path) -> None:
    left = tmp_path / "table.slots-old.abc"
    left.mkdir()
    mine = tmp_path / "table.slots.abc"
    mine.mkdir()
    load(settings(written(tmp_path), COLUMNS), tmp_path)
    assert (left.exists(), mine.exists()) == (True, False)


def test_a_file_that_is_missing_is_told_by_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(settings(tmp_path / "nothing.csv"), tmp_path)
