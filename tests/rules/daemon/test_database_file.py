from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from rules.daemon import database_file as module
from rules.daemon.database import Commit, Database
from rules.daemon.database_file import DatabaseFile, RulesDatabaseError, is_full


def spoil(path: Path, at: int) -> bytes:
    """Overwrite everything from `at` on with noise; returns the noise."""
    noise = os.urandom(path.stat().st_size - at)
    path.write_bytes(path.read_bytes()[:at] + noise)
    return noise


def filled(path: Path) -> None:
    database = Database(path)
    database.commit(Commit(at_us=1, state=[(f"key/{n}", b"v" * 500) for n in range(200)]))
    database.close()


def test_a_damaged_database_is_set_aside_with_a_new_one_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "rules.db"
    filled(path)
    noise = spoil(path, 8192)
    again = Database(path)
    assert again.set_aside == tmp_path / "rules.db.damaged-1"
    assert again.set_aside.read_bytes()[8192:] == noise
    assert again.load().state == []
    again.close()


def test_a_file_too_large_to_be_read_through_is_so_once_damage_was_found_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHECKED_BYTES", 0)
    path = tmp_path / "rules.db"
    filled(path)
    rows = path.stat().st_size - 30 * 4096
    spoil(path, rows)
    first = Database(path)  # nobody looked
    assert first.set_aside is None
    with pytest.raises(sqlite3.DatabaseError):
        first.load()
    first.close()
    second = Database(path)
    assert second.set_aside == tmp_path / "rules.db.damaged-1"
    second.close()
    third = Database(path)
    assert third.set_aside is None
    third.close()


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "rules.db"
    Database(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    with pytest.raises(RulesDatabaseError, match="has version 7, this program writes version 1; run the newer program"):
        Database(path)


def test_what_is_no_database_is_set_aside_and_what_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "rules.db"
    path.write_bytes(b"this is no database at all" * 100)
    file = DatabaseFile(path)
    file.open().close()
    assert file.set_aside is not None
    (tmp_path / "directory").mkdir()
    with pytest.raises(sqlite3.OperationalError) as caught:
        DatabaseFile(tmp_path / "directory").open()
    assert not is_full(caught.value)
