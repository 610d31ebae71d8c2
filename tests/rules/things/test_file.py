from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from rules.list_file import MAGIC, SHOWN_FAULTS
from rules.things.file import RegistryError, Row, build, open_file

ROWS = [
    Row(2, "Box 4", "container", "40 foot", b"\x30\x34", None, "", ()),
    Row(3, "Kim", "person", "", None, b"\xe2\x80", "nfca", (b"1" * 12, b"2" * 12)),
]


def made(tmp_path: Path) -> Path:
    path = tmp_path / "things.db"
    assert build(path, ROWS, {"identities": "x"}) == {"things": 2, "epcs": 1, "tids": 1, "cards": 1}
    return path


def test_what_is_written_can_be_read_from_another_thread_and_not_changed(tmp_path: Path) -> None:
    path = made(tmp_path)
    assert path.read_bytes().startswith(MAGIC)
    db, meta = open_file(path)
    path.unlink()
    with contextlib.closing(db):
        assert meta == {"cards": "1", "epcs": "1", "identities": "x", "things": "2", "tids": "1"}
        assert list(db.execute("SELECT * FROM things ORDER BY id")) == [
            (2, "Box 4", "container", "40 foot", ""),
            (3, "Kim", "person", "", "nfca"),
        ]
        assert list(db.execute("SELECT * FROM cards ORDER BY digest")) == [(b"1" * 12, 3), (b"2" * 12, 3)]
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            db.execute("DELETE FROM cards")


def test_the_same_rows_make_the_same_file(tmp_path: Path) -> None:
    build(tmp_path / "a", ROWS, {})
    build(tmp_path / "b", ROWS, {})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_number_that_many_lines_name_twice_is_told_of_some(tmp_path: Path) -> None:
    rows = [Row(n, "x", "", "", (n // 2).to_bytes(2, "big"), None, "", ()) for n in range(2, 1_002)]
    with pytest.raises(RegistryError) as caught:
        build(tmp_path / "things.db", rows, {})
    assert len(caught.value.faults) == SHOWN_FAULTS
    assert caught.value.faults[0] == "line 3: epc = '0001': is in line 2 already; keep one of the lines"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("PRAGMA application_id = 7", "is no registry"),
        ("PRAGMA user_version = 9", "version 9, not 2"),
        ("CREATE TRIGGER t AFTER INSERT ON things BEGIN SELECT 1; END", "other tables"),
        ("DROP TABLE tids", "other tables"),
    ],
)
def test_what_is_no_registry_is_refused(tmp_path: Path, change: str, says: str) -> None:
    path = made(tmp_path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(change)
    with pytest.raises(RegistryError, match=says):
        open_file(path)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "things.db"
    rows = [Row(n, f"thing {n}", "", "", n.to_bytes(2, "big"), None, "", ()) for n in range(2, 5_000)]
    build(path, rows, {})
    content = bytearray(path.read_bytes())
    content[20_000:40_000] = bytes(20_000)
    path.write_bytes(content)
    with pytest.raises(RegistryError, match="is damaged"):
        open_file(path)
    path.write_bytes(bytes(content[:6_000]))
    with pytest.raises(RegistryError, match="is damaged"):
        open_file(path)
    path.write_bytes(MAGIC + b"nothing more")
    with pytest.raises(RegistryError, match=r"is damaged|is no registry"):
        open_file(path)
