from __future__ import annotations

import os
from pathlib import Path

from gateway.day_sum import is_altered, put, take_away

MOST = 1 << 20


def flip(path: Path) -> None:
    """As a disk does it: the file is not written."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_one_altered_bit_of_a_closed_day_is_noticed(tmp_path: Path) -> None:
    day = tmp_path / "events-2026-01-01.db"
    day.write_bytes(bytes(range(256)) * 10)
    put(day)
    flip(day)
    assert is_altered(day, MOST)
    assert is_altered(day, MOST)
    flip(day)
    assert not is_altered(day, MOST)


def test_a_day_that_is_right_is_read_once(tmp_path: Path) -> None:
    day = tmp_path / "events-2026-01-01.db"
    day.write_bytes(b"x" * 1000)
    put(day)
    assert not is_altered(day, MOST)
    flip(day)
    assert not is_altered(day, MOST)  # until it is closed anew
    put(day)
    flip(day)
    assert is_altered(day, MOST)


def test_a_day_without_a_checksum_and_a_large_one_are_taken_as_they_are(tmp_path: Path) -> None:
    day = tmp_path / "events-2026-01-01.db"
    day.write_bytes(b"x" * 1000)
    assert not is_altered(day, MOST)
    put(day)
    flip(day)
    assert not is_altered(day, 999)
    take_away(day)
    take_away(day)
    assert not is_altered(day, MOST)


def test_a_day_with_a_log_beside_it_gets_none(tmp_path: Path) -> None:
    day = tmp_path / "events-2026-01-01.db"
    day.write_bytes(b"x")
    (tmp_path / "events-2026-01-01.db-wal").write_bytes(b"x")
    put(day)
    assert not (tmp_path / "events-2026-01-01.db.sum").exists()


def test_a_day_that_is_gone(tmp_path: Path) -> None:
    day = tmp_path / "events-2026-01-01.db"
    day.write_bytes(b"x")
    put(day)
    day.unlink()
    assert not is_altered(day, MOST)


def test_a_day_that_somebody_wrote_since_is_taken_as_it_is(tmp_path: Path) -> None:
    day = tmp_path / "events-2026-01-01.db"
    day.write_bytes(b"x" * 1000)
    put(day)
    day.write_bytes(b"y" * 1000)
    os.utime(day, ns=(0, 0))
    assert not is_altered(day, MOST)
