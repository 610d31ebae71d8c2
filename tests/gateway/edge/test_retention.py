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


def test_rows_that_were_sent_before_it_went_back_are_not_shed(tmp_path: Path) -> None:
    async def main() -> None:
        limit = 16 << 20
        async with opened(tmp_path, limit_bytes=limit, keep_bytes=limit) as journal:
            journal.append(*(reads(1, size=65_000) for _ in range(200)), heard={"reads": 200})
            await journal.flush()
        async with opened(tmp_path, limit_bytes=limit, keep_bytes=limit) as journal:
            sent = await journal.read(1, on_their_way_from=1)
            sent += await journal.read(sent[-1].sequence + 1, on_their_way_from=1)
            again = await journal.read(1, on_their_way_from=1, on_their_way_to=sent[-1].sequence)
            assert again[-1].sequence < sent[-1].sequence
            for _ in range(30):
                journal.append(*(reads(1, size=65_000) for _ in range(10)), heard={"reads": 10})
                await journal.flush()
            async with asyncio.timeout(20):
                while not journal.dropped("reads"):
                    await asyncio.sleep(0.1)
            left = await everything(journal)
            assert left[: len(sent)] == [row.sequence for row in sent]
            journal.release(sent[-1].sequence, "s1", {"reads": len(sent)})
            await settled(journal, sent[-1].sequence)
            assert account(journal).balanced

    asyncio.run(main())


def test_what_must_not_be_shed_is_asked_anew_for_each_row(tmp_path: Path) -> None:
    """A shedding takes seconds, and the sender does not wait for it."""

    async def main() -> None:
        async with opened(tmp_path) as journal:
            journal.append(*(reads(1) for _ in range(20)), heard={"reads": 20})
            await journal.flush()
        async with opened(tmp_path) as journal:
            is_kept = journal._committer.is_kept
            journal.append(*(reads(1) for _ in range(10)), heard={"reads": 10})
            await journal.flush()
            assert [n for n in range(1, 31) if is_kept(n)] == list(range(21, 31))  # they are in memory
            assert [row.sequence for row in await journal.read(21, on_their_way_from=19)] == list(range(21, 31))
            journal._recent_first = 31  # as when others have pushed them out of the memory meanwhile
            assert [n for n in range(1, 31) if is_kept(n)] == list(range(19, 31))
            # The judge's word of 25 came; that it is judged is not committed yet, but no longer on its way either.
            journal.release(25, "s1", {"reads": 25})
            await journal.read(26, on_their_way_from=26)
            assert all(is_kept(n) for n in range(1, 31))

    asyncio.run(main())
