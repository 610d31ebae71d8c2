import asyncio
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pytest

from gateway.edge import segment
from gateway.edge.committer import Group, JournalFailedError
from gateway.edge.segment import Row, State
from gateway.health import Health
from tests.gateway.edge.support import account, everything, opened, reads, settled, tick

DAY_US = 86_400_000_000


def failing(code: int, times: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let SQLite itself refuse the next commits with this code, as the disk would make it."""
    left = [times]
    real = segment.append

    def append(db: sqlite3.Connection, rows: Iterable[Row], state: State) -> None:
        if left[0]:
            left[0] -= 1
            error = sqlite3.OperationalError("injected")
            error.sqlite_errorcode = code
            raise error
        real(db, rows, state)

    monkeypatch.setattr(segment, "append", append)
    return left


def test_nothing_is_promised_after_a_failed_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        health = Health("edge")
        async with opened(tmp_path, health=health) as journal:
            journal.append(reads(1), heard={"reads": 1})
            await journal.flush()
            failing(sqlite3.SQLITE_IOERR, 1, monkeypatch)
            journal.append(reads(1), heard={"reads": 1})
            with pytest.raises(JournalFailedError, match="injected"):
                await journal.flush()
            journal.append(reads(1), heard={"reads": 1})
            await asyncio.sleep(0.05)
            assert journal.last == 1
            assert "journal" in health.not_ready
        async with opened(tmp_path) as again:
            assert await everything(again) == [1]
            assert account(again).balanced

    asyncio.run(main())


def test_a_full_disk_is_waited_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        health = Health("edge")
        async with opened(tmp_path, health=health) as journal:
            failing(sqlite3.SQLITE_FULL, 1, monkeypatch)
            journal.append(reads(2), heard={"reads": 2})
            await asyncio.sleep(0.1)
            assert health.not_ready["journal"] == "the disk is full"
            assert journal.last == 0
            await journal.flush()
            assert "journal" not in health.not_ready
            assert journal.last == 1
            assert account(journal).balanced

    asyncio.run(main())


def test_a_new_day_and_a_full_segment_begin_a_new_file(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as journal:
            for day in range(3):
                journal.append(tick(at_us=DAY_US * (20_000 + day)))
                await journal.flush()
            await asyncio.sleep(0.1)
        assert [segment.first_of(p) for p in segment.paths(tmp_path)] == [1, 3, 4]
        async with opened(tmp_path, segment_bytes=100_000) as journal:
            for _ in range(8):
                journal.append(reads(1, size=60_000, at_us=DAY_US * 20_002), heard={"reads": 1})
                await journal.flush()
            assert await everything(journal) == list(range(1, 12))
        assert len(segment.paths(tmp_path)) >= 6

    asyncio.run(main())


def test_a_segment_that_cannot_be_begun_or_shed_stops_nothing_and_is_made_good(tmp_path: Path) -> None:
    async def main() -> None:
        health = Health("edge")
        async with opened(tmp_path, segment_bytes=100_000, health=health) as journal:
            obstacles = [tmp_path / f"{segment.path_of(tmp_path, n).name}.draft" for n in range(2, 9)]
            for obstacle in obstacles:
                obstacle.mkdir()  # what stands here cannot be replaced by a file
            for _ in range(6):
                journal.append(reads(1, size=60_000), heard={"reads": 1})
                await journal.flush()
            assert len(segment.paths(tmp_path)) == 1
            labels = {"event": "journal_housekeeping_failed", "level": "error"}
            assert health.registry.get_sample_value("tagwharf_troubles_total", labels) == 1.0
            assert "the last one goes on" in health.degraded["journal_housekeeping"]
            for obstacle in obstacles:
                obstacle.rmdir()
            journal.append(reads(1), heard={"reads": 1})
            await journal.flush()
            async with asyncio.timeout(30):
                while "journal_housekeeping" in health.degraded:
                    await asyncio.sleep(0.01)
            assert len(segment.paths(tmp_path)) == 2
            assert await everything(journal) == list(range(1, 8))
            assert account(journal).balanced

    asyncio.run(main())


def test_a_damaged_row_is_set_aside_while_running(tmp_path: Path) -> None:
    async def main() -> None:
        health = Health("edge")
        async with opened(tmp_path, segment_bytes=100_000) as journal:
            for _ in range(12):
                journal.append(reads(2, size=30_000), heard={"reads": 2})
                await journal.flush()
        victim = segment.paths(tmp_path)[1]
        with sqlite3.connect(victim) as db:
            (sequence,) = db.execute("SELECT min(sequence) FROM batch").fetchone()
            db.execute("UPDATE batch SET payload = zeroblob(10) WHERE sequence = ?", (sequence,))
        db.close()
        async with opened(tmp_path, segment_bytes=100_000, health=health) as journal:
            found: list[int] = []
            async with asyncio.timeout(10):
                while len(found) < 11:
                    found = await everything(journal)
                    await asyncio.sleep(0.02)
            assert found == [n for n in range(1, 13) if n != sequence]
            assert journal.dropped("reads") == {"journal_damaged": 2}
            assert account(journal).balanced
            labels = {"event": "journal_damaged", "level": "critical"}
            assert health.registry.get_sample_value("tagwharf_troubles_total", labels) == 1.0
            journal.release(12, "s1", {"reads": 22})
            await settled(journal, 12)
            assert account(journal).balanced
        assert len(list((tmp_path / "damaged").iterdir())) == 1

    asyncio.run(main())


def test_a_group_knows_whether_it_holds_anything() -> None:
    group = Group()
    assert not group
    group.add([], {}, {"reads": {"rejected_length": 1}})
    assert group
    group.add([], {}, {"reads": {"rejected_length": -1}})
    assert not group
    group.add([Row(1, "tick", "edge-1", 0, 0, 0, b"{}")], {}, {})
    assert group


def test_a_large_group_is_committed_in_parts_and_nothing_is_counted_twice() -> None:
    whole = Group()
    rows = [Row(number, "reads", "gate-1", number, 2, 1, bytes(100)) for number in range(1, 11)]
    whole.add(rows, {"reads": 23}, {"reads": {"journal_stalled": 3}})
    first, rest = whole.split(250)
    assert ([row.sequence for row in first.rows], first.bytes) == ([1, 2], 200)
    assert (first.heard["reads"], first.items["reads"], first.dropped["reads"]) == (4, 4, {})
    assert [row.sequence for row in rest.rows] == list(range(3, 11))
    assert (rest.heard["reads"], rest.items["reads"], rest.dropped["reads"]) == (19, 16, {"journal_stalled": 3})
    (one, more), (all_, nothing) = rest.split(1), whole.split(1_000)
    assert (len(one.rows), len(more.rows)) == (1, 7)
    assert all_ is whole
    assert not nothing
