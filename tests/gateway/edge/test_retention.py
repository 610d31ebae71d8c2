import asyncio
import time
from pathlib import Path

from gateway.edge import segment
from gateway.edge.retention import Retention
from tests.gateway.edge.support import account, everything, opened, readings, reads, settings, settled, tick

DAY_US = 86_400_000_000


def now_us() -> int:
    return time.time_ns() // 1_000


def test_judged_rows_go_by_age_and_by_size(tmp_path: Path) -> None:
    async def fill() -> None:
        async with opened(tmp_path, segment_bytes=100_000) as journal:
            for _ in range(12):
                journal.append(reads(1, size=60_000, at_us=now_us()), heard={"reads": 1})
                await journal.flush()

    asyncio.run(fill())
    closed = []
    for path in segment.paths(tmp_path)[:-1]:
        with segment.reading(path) as db:
            closed.append((path, segment.summary(db, segment.first_of(path))))
    total = sum(segment.size_bytes(path) for path, _ in closed)

    retention = Retention(settings(keep_days=7), closed)
    assert retention.delete_judged(12, now_us(), 0) == 0, "young and few: all stay"
    assert retention.delete_judged(0, now_us() + 8 * DAY_US, 0) == 0, "old but unjudged: all stay"
    assert retention.delete_judged(closed[0][1].last, now_us() + 8 * DAY_US, 0) == 1
    assert not closed[0][0].exists()
    assert retention.size_bytes < total
    assert retention.delete_judged(12, now_us(), 1 << 40) == len(closed) - 1, "in the way: evidence goes"


def test_beyond_the_bound_reads_go_first_and_oldest_first(tmp_path: Path) -> None:
    async def main() -> None:
        limit = 16 << 20
        async with opened(tmp_path, limit_bytes=limit, keep_bytes=limit) as journal:
            heard = 0
            for index in range(200):
                journal.append(reads(2, size=65_000), readings(1), tick(), heard={"reads": 2, "readings": 1})
                heard += 2
                if index % 5 == 4:
                    await journal.flush()
            await journal.flush()
            async with asyncio.timeout(20):
                while sum(segment.size_bytes(p) for p in segment.paths(tmp_path)) > limit:
                    await asyncio.sleep(0.1)
            sequences = await everything(journal)
            left = [(n - 1) % 3 for n in sequences]
            assert left.count(1) == 200, "readings stay while reads can go"
            assert left.count(2) == 200, "ticks stay"
            kept = [n for n in sequences if (n - 1) % 3 == 0]
            assert kept == list(range(kept[0], 601, 3)), "the oldest went"
            assert 0 < len(kept) < 200
            assert journal.dropped("reads") == {"journal_full": 2 * (200 - len(kept))}
            assert account(journal).balanced
            assert account(journal, "readings").balanced
        async with opened(tmp_path, limit_bytes=limit, keep_bytes=limit) as again:
            assert await everything(again) == sequences
            assert account(again).balanced
            again.release(600, "s1", {"reads": 2 * len(kept), "readings": 200})
            await settled(again, 600)
            assert account(again).balanced
            assert account(again, "readings").balanced

    asyncio.run(main())


def test_rows_on_their_way_are_not_shed(tmp_path: Path) -> None:
    async def main() -> None:
        limit = 16 << 20
        async with opened(tmp_path, limit_bytes=limit, keep_bytes=limit) as journal:
            journal.append(*(reads(1, size=65_000) for _ in range(100)), heard={"reads": 100})
            await journal.flush()
        async with opened(tmp_path, limit_bytes=limit, keep_bytes=limit) as journal:
            sent = await journal.read(1, on_their_way_from=1)
            assert sent[0].sequence == 1
            for _ in range(30):
                journal.append(*(reads(1, size=65_000) for _ in range(10)), heard={"reads": 10})
                await journal.flush()
            async with asyncio.timeout(20):
                while not journal.dropped("reads"):
                    await asyncio.sleep(0.1)
            left = await everything(journal)
            assert left[: len(sent)] == [row.sequence for row in sent]
            assert account(journal).balanced

    asyncio.run(main())
