import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.backup.databases import DatabaseError, Pinned, Watch, faults_of


def made(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA user_version = 7")
    db.execute("CREATE TABLE one (value INTEGER)")
    db.execute("INSERT INTO one VALUES (1)")
    return db


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT count(*) FROM one").fetchone()[0])


def test_a_copy_is_of_the_moment_of_the_pin(tmp_path: Path) -> None:
    path = tmp_path / "a #?.db"
    with closing(made(path)) as db:
        pinned = Pinned(path)
        db.execute("INSERT INTO one SELECT value FROM one")
        db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        pinned.copy(tmp_path / "copy")
        assert pinned.schema == 7
        pinned.close()
        assert rows(path) == 2
    assert rows(tmp_path / "copy") == 1
    assert not list(tmp_path.glob("copy-*"))
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_deleted_after_the_pin_is_copied(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    made(path).close()
    pinned = Pinned(path)
    path.unlink()
    pinned.copy(tmp_path / "copy")
    pinned.close()
    assert rows(tmp_path / "copy") == 1


def test_what_is_not_there_or_no_database(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Pinned(tmp_path / "none")
    (tmp_path / "text").write_text("no database, but longer than a header of one " * 10)
    with pytest.raises(DatabaseError, match="cannot be read"):
        Pinned(tmp_path / "text")
    assert faults_of(tmp_path / "text")


def test_a_damaged_one_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(made(path)) as db:
        db.execute("BEGIN")
        db.executemany("INSERT INTO one VALUES (?)", ((n,) for n in range(20_000)))
        db.execute("COMMIT")
        db.execute("CREATE INDEX by_value ON one (value)")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("PRAGMA journal_mode = DELETE")
    assert faults_of(path) == ""
    content = bytearray(path.read_bytes())
    content[40_960:45_056] = b"\xa5" * 4_096
    path.write_bytes(content)
    assert faults_of(path)
    pinned = Pinned(path)
    with pytest.raises(DatabaseError, match="damaged"):
        pinned.copy(tmp_path / "copy")
    pinned.close()


def test_no_room_for_the_copy_is_told_as_that(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    made(path).close()
    pinned = Pinned(path)
    with pytest.raises(OSError, match=r"File exists|No such"):
        pinned.copy(tmp_path / "not there" / "copy")
    pinned.close()


def test_a_watch_sees_commits_of_others(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(made(path)) as db:
        watch = Watch(path)
        assert watch.quiet()
        db.execute("INSERT INTO one VALUES (2)")
        assert not watch.quiet()
        assert watch.quiet()
        watch.close()
    (tmp_path / "text").write_text("no database, but longer than a header of one " * 10)
    with pytest.raises(DatabaseError):
        Watch(tmp_path / "text")
