import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from gateway.edge import segment
from gateway.edge.recovery import salvage
from gateway.edge.segment import DamagedError, Row, State


def row(sequence: int, items: int = 1, size: int = 10, kind: str = "reads") -> Row:
    return Row(sequence, kind, "gate", 0, items, 1_000 + sequence, b"x" * size)


def made(directory: Path, rows: list[Row]) -> Path:
    path = segment.path_of(directory, 1)
    segment.create(path, State(gateway="edge-1", epoch=7), rows)
    return path


def test_rows_and_state_are_committed_together(tmp_path: Path) -> None:
    path = made(tmp_path, [])
    db = segment.open_for_writing(path)
    segment.append(db, [row(1), row(2, 5)], State(gateway="edge-1", epoch=7, next_sequence=3))
    with pytest.raises(sqlite3.IntegrityError):
        segment.append(db, [row(3), row(2)], State(gateway="edge-1", epoch=7, next_sequence=99))
    with segment.reading(path) as other:
        assert segment.read(other, 0, 10, 1_000) == [row(1), row(2, 5)]
        assert segment.state_of(other).next_sequence == 3
        assert segment.items(other, 0) == {"reads": 6}
        assert segment.items(other, 0, 1) == {"reads": 1}
    segment.close(db)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_reader_gets_at_least_one_row_and_stops_at_a_size(tmp_path: Path) -> None:
    path = made(tmp_path, [row(n, size=1_000) for n in range(1, 6)])
    with segment.reading(path) as db:
        assert [r.sequence for r in segment.read(db, 1, 10, 0)] == [1]
        assert [r.sequence for r in segment.read(db, 2, 10, 2_000)] == [2, 3]
        assert [r.sequence for r in segment.read(db, 1, 3, 1 << 20)] == [1, 2, 3]


@pytest.mark.parametrize("column", ["payload = zeroblob(10)", "items = 2", "device = 'other'", "at_us = 1"])
def test_a_changed_value_is_noticed(column: str, tmp_path: Path) -> None:
    path = made(tmp_path, [row(1), row(2)])
    db = sqlite3.connect(path)
    db.execute(f"UPDATE batch SET {column} WHERE sequence = 2")
    db.commit()
    db.close()
    with pytest.raises(DamagedError, match="row 2"):
        segment.check(path)
    assert salvage(path, 10) == [row(1)]


def test_every_flipped_page_is_noticed_or_harmless(tmp_path: Path) -> None:
    rows = [row(n, size=3_000) for n in range(1, 40)]
    path = made(tmp_path, rows)
    sound = path.read_bytes()
    for page in range(len(sound) // segment.PAGE_BYTES):
        broken = bytearray(sound)
        for offset in range(64):
            broken[page * segment.PAGE_BYTES + offset * 128] ^= 0x55
        path.write_bytes(broken)
        try:
            segment.check(path)
            with segment.reading(path) as db:
                got = segment.read(db, 0, 100, 1 << 30)
        except DamagedError:
            got = salvage(path, 40)
        assert set(got) <= set(rows), "a row that is wrong was taken for right"
        if page > 3:
            assert len(got) >= 30, "one page took more than its own rows"


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = segment.path_of(tmp_path, 1)
    path.write_bytes(b"no database at all" * 1_000)
    with pytest.raises(DamagedError):
        segment.check(path)
    assert salvage(path, 1_000_000) == []


def test_a_deleted_segment(tmp_path: Path) -> None:
    path = made(tmp_path, [row(1)])
    assert segment.delete(path) > 0
    assert segment.size_bytes(path) == 0
    with pytest.raises(FileNotFoundError), segment.reading(path):
        pass


def test_telemetry_goes_and_the_rest_stays(tmp_path: Path) -> None:
    path = made(tmp_path, [row(1, 5), row(2, 0, kind="tick"), row(3, 7), row(4, 2, kind="readings")])
    assert segment.without(path, ("reads",), lambda n: n == 3, 9) == {"reads": 5}
    with segment.reading(path) as db:
        assert [r.sequence for r in segment.read(db, 0, 10, 1_000)] == [2, 3, 4]
        assert segment.shed_counts(db, 0) == [(9, "reads", 5)]
    assert segment.without(path, ("reads", "readings"), lambda _: False, 10) == {"reads": 7, "readings": 2}
    with segment.reading(path) as db:
        assert segment.shed_counts(db, 9) == [(10, "reads", 7), (10, "readings", 2)]
        assert segment.summary(db, 1) == (1, 2, 1_002, frozenset({"tick"}))


def test_a_half_made_segment_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / (segment.path_of(tmp_path, 1).name + ".draft")).write_bytes(b"half")
    assert segment.paths(tmp_path) == []
    segment.check(made(tmp_path, [row(1)]))


def test_a_segment_without_state_is_damaged(tmp_path: Path) -> None:
    path = made(tmp_path, [row(1)])
    db = sqlite3.connect(path)
    db.execute("DELETE FROM state")
    db.commit()
    db.close()
    with pytest.raises(DamagedError, match="state"):
        segment.check(path)


@pytest.mark.parametrize(
    "altered",
    [
        "UPDATE state SET value = CAST(replace(CAST(value AS TEXT), 'edge-1', CAST(x'C531' AS TEXT)) AS BLOB)",
        "UPDATE state SET value = CAST(replace(CAST(value AS TEXT), 'epoch\":7', 'epoch\":6') AS BLOB)",
        "UPDATE state SET value = CAST(replace(CAST(value AS TEXT), 'watermark', 'watermerk') AS BLOB)",
        "UPDATE batch SET device = CAST(x'C5' AS TEXT)",
    ],
)
def test_an_altered_state_and_a_text_that_is_no_utf_8_are_damage(altered: str, tmp_path: Path) -> None:
    path = made(tmp_path, [row(1)])
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(altered)
    with pytest.raises(DamagedError):
        segment.check(path)


def test_a_segment_that_is_locked_is_not_taken_for_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment, "BUSY_MS", 10)
    path = made(tmp_path, [row(1)])
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            segment.check(path)
    segment.check(path)


def test_a_segment_whose_successor_cannot_be_begun_goes_on(tmp_path: Path) -> None:
    db = segment.open_for_writing(made(tmp_path, []))
    successor = segment.path_of(tmp_path, 2)
    state = State(gateway="edge-1", epoch=7, next_sequence=2)
    (tmp_path / f"{successor.name}-wal").mkdir()  # no write-ahead log can be begun where this stands
    with pytest.raises((sqlite3.Error, OSError)):
        segment.succeed(db, successor, state)
    (tmp_path / f"{successor.name}-wal").rmdir()
    segment.append(db, [row(1)], state)
    db = segment.succeed(db, successor, state)
    segment.append(db, [row(2)], State(gateway="edge-1", epoch=7, next_sequence=3))
    segment.close(db)
    assert [path.name for path in segment.paths(tmp_path)] == [segment.path_of(tmp_path, n).name for n in (1, 2)]
    assert not list(tmp_path.glob("*-wal"))


def test_a_state_of_a_program_that_had_no_checksum_is_read() -> None:
    state = State(gateway="edge-1", epoch=7, watermark=3)
    assert segment.decode_state(msgspec.json.encode(state)) == state
    assert segment.decode_state(segment.encode_state(state)) == state
