from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from rules.list_file import MAGIC, ChangingError, RefusedError, Source, read_whole, stamp_of


class Text:
    """What was read."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.content = source.path.read_bytes()
        self.is_open = True

    def close(self) -> None:
        self.is_open = False


def read(path: Path, make: Callable[[Source], Text] = Text, prefix: str = "list-") -> Text:
    return read_whole(path, path.parent, prefix, make)


def test_a_text_is_read_where_it_stands_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"a,b\n")
    text = read(path)
    assert (text.content, text.source.path, text.source.is_database) == (b"a,b\n", path, False)
    assert text.source.version == hashlib.blake2b(b"a,b\n", digest_size=6).hexdigest()
    assert [each.name for each in tmp_path.iterdir()] == ["list.csv"]


def test_a_database_is_read_from_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "list.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE t (a)")
    text = read(path)
    assert text.source.is_database
    assert (text.source.path != path, text.content) == (True, path.read_bytes())
    assert [each.name for each in tmp_path.iterdir()] == ["list.db"]


def test_a_file_that_changes_while_it_is_read_is_for_later_whatever_it_held(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"half")
    made: list[Text] = []

    def change(source: Source) -> Text:
        made.append(Text(source))
        path.write_bytes(b"whole and longer")
        return made[0]

    def refuse(source: Source) -> Text:
        change(source)
        raise RefusedError(["is half a file"])

    with pytest.raises(ChangingError):
        read(path, change)
    assert not made[0].is_open
    path.write_bytes(b"half")
    with pytest.raises(ChangingError):
        read(path, refuse)


def test_a_copy_that_is_not_what_was_looked_at_is_for_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "list.db"
    path.write_bytes(MAGIC + b"one")
    before = path.stat()

    def copy(source: Path, target: Path) -> None:  # the file was written to and its time set back
        source.write_bytes(MAGIC + b"two")
        os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
        target.write_bytes(source.read_bytes())

    monkeypatch.setattr(shutil, "copyfile", copy)
    with pytest.raises(ChangingError, match="became"):
        read(path)


def test_a_file_with_faults_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"a")

    def refuse(source: Source) -> Text:
        raise RefusedError([f"{source.path.name} is bad", "twice"])

    with pytest.raises(RefusedError) as raised:
        read(path, refuse)
    assert raised.value.faults == ["list.csv is bad", "twice"]
    assert [each.name for each in tmp_path.iterdir()] == ["list.csv"]


def test_what_a_killed_process_left_is_cleared_away_and_what_is_in_use_is_not(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(b"a")
    left = tmp_path / "list-abc"
    left.mkdir()
    (left / "copy.db").write_text("half")

    def nested(source: Source) -> Text:
        assert not left.exists()
        (source.scratch / "mine").touch()
        text = read(path)
        assert (source.scratch / "mine").exists()
        return text

    assert read(path, nested).content == b"a"
    assert [each.name for each in tmp_path.iterdir()] == ["file.csv"]


def test_a_file_that_is_not_there_has_no_stamp(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        stamp_of(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "nothing")
