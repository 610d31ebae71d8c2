import asyncio
from pathlib import Path

import pytest

from gateway.contract.batches import decode
from gateway.edge import journal as journal_module
from gateway.edge.journal import Journal
from gateway.health import Health
from readers.errors import ConfigError
from tests.gateway.edge.support import GATEWAY, account, everything, opened, readings, reads, settings, settled, tick


def test_sequences_and_ordinals_count_without_a_gap(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as journal:
            journal.append(reads(3), reads(2), heard={"reads": 5})
            journal.append(tick())
            journal.append(readings(4), heard={"readings": 4})
            journal.append(reads(1), heard={"reads": 1})
            await journal.flush()
            batches = [decode(row.payload) for row in await journal.read(1, on_their_way_from=1)]
        assert [(b.sequence, b.ordinal) for b in batches] == [(1, 0), (2, 3), (3, 0), (4, 0), (5, 5)]
        assert {b.epoch for b in batches} == {journal.epoch}

    asyncio.run(main())


def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as first:
            first.append(reads(3), heard={"reads": 3})
            first.lose("reads", "rejected_length", 2)
        async with opened(tmp_path) as second:
            assert second.epoch == first.epoch
            assert second.dropped("reads") == {"rejected_length": 2}
            second.append(reads(4), heard={"reads": 4})
            await second.flush()
            rows = await second.read(1, on_their_way_from=1)
            assert [(row.sequence, row.ordinal, row.items) for row in rows] == [(1, 0, 3), (2, 3, 4)]
            assert account(second).heard == 9
            assert account(second).balanced

    asyncio.run(main())


def test_the_watermark_releases_by_the_judges_own_count(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as journal:
            for _ in range(10):
                journal.append(reads(5), heard={"reads": 5})
            await journal.flush()
            journal.release(6, "s1", {"reads": 30})
            await settled(journal, 6)
            assert (account(journal).judged, account(journal).unjudged) == (30, 20)
            assert account(journal).balanced
            # A judge that counts otherwise than we do is seen, not believed.
            journal.release(8, "s1", {"reads": 39})
            await settled(journal, 8)
            assert not account(journal).balanced
        async with opened(tmp_path) as again:
            assert again.watermark == 8
            assert await everything(again) == list(range(1, 11))

    asyncio.run(main())


def test_an_old_word_of_the_judge_moves_nothing_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as journal:
            for _ in range(4):
                journal.append(reads(1), heard={"reads": 1})
            await journal.flush()
            journal.release(3, "s1", {"reads": 3})
            await settled(journal, 3)
            journal.release(1, "s0", {"reads": 1})
            journal.append(tick())
            await journal.flush()
            assert (journal.watermark, account(journal).judged) == (3, 3)
            journal.release(99, "s1", {"reads": 4})  # beyond what there is: only what is committed is released
            await settled(journal, 5)
            assert journal.watermark == 5
            assert account(journal).balanced

    asyncio.run(main())


def test_a_judge_that_lost_its_count_starts_on_top(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as journal:
            for _ in range(10):
                journal.append(reads(1), heard={"reads": 1})
            await journal.flush()
            journal.release(6, "s1", {"reads": 6})
            await settled(journal, 6)
            journal.release(8, "s2", {"reads": 2})
            await settled(journal, 8)
            assert account(journal).judged == 8
            journal.release(9, "s3", {"reads": 3})
            await settled(journal, 9)
            assert account(journal).judged == 9
            assert account(journal).balanced

    asyncio.run(main())


def test_a_judge_that_lost_its_count_and_worked_off_a_backlog_is_told_from_one_that_did_not(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as journal:
            for _ in range(30):
                journal.append(reads(1), heard={"reads": 1})
            await journal.flush()
            journal.release(2, "s1", {"reads": 2})
            await settled(journal, 2)
            journal.release(20, "s2", {"reads": 18})  # 3 to 20, by a database that has never heard of 1 and 2
            await settled(journal, 20)
            assert (account(journal).judged, account(journal).balanced) == (20, True)
            journal.release(30, "s3", {"reads": 28})  # the same database in its next life
            await settled(journal, 30)
            assert (account(journal).judged, account(journal).balanced) == (30, True)

    asyncio.run(main())


def test_without_a_judge_the_rows_themselves_count(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as journal:
            journal.append(reads(5), readings(2), tick(), heard={"reads": 5, "readings": 2})
            await journal.flush()
            journal.release(3, "broker", None)
            await settled(journal, 3)
            assert (account(journal).judged, account(journal, "readings").judged) == (5, 2)
            assert account(journal).balanced

    asyncio.run(main())


def test_a_disk_that_stalls_drops_telemetry_and_counts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "WAITING_BYTES", 10_000)

    async def main() -> None:
        health = Health("edge")
        journal = Journal(tmp_path, GATEWAY, settings(), health)  # not started: nothing is committed
        for _ in range(5):
            journal.append(reads(1, size=4_000), heard={"reads": 1})
        journal.append(tick())
        assert journal.dropped("reads") == {"journal_stalled": 2}
        assert "journal" in health.degraded
        for _ in range(100):
            journal.append(tick(), reads(1, size=4_000), heard={"reads": 1})
        assert journal.waiting("reads") == 3
        journal.start()
        await journal.flush()
        assert account(journal).heard == 105
        assert account(journal).balanced
        assert "journal" not in health.degraded
        await journal.close()

    asyncio.run(main())


def test_rows_older_than_the_memory_come_from_the_disk(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as journal:
            for _ in range(450):
                journal.append(reads(1), heard={"reads": 1})
            await journal.flush()
        async with opened(tmp_path, segment_bytes=20_000) as again:
            again.append(reads(1), heard={"reads": 1})
            await again.flush()
            assert await everything(again) == list(range(1, 452))
            assert await again.read(452, on_their_way_from=452) == []

    asyncio.run(main())


def test_skipped_sequences_leave_a_hole_and_nothing_else(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as journal:
            journal.append(reads(1), heard={"reads": 1})
            journal.skip_past(100)
            assert journal.knows(100)
            assert not journal.knows(101)
            journal.append(reads(1), reads(1), heard={"reads": 2})
            await journal.flush()
            assert await everything(journal) == [1, 101, 102]
            assert account(journal).balanced

    asyncio.run(main())


def test_the_journal_of_another_gateway_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path):
            pass
        with pytest.raises(ConfigError, match=r"site.gateway = edge-2: .* belongs to gateway edge-1"):
            Journal(tmp_path, "edge-2", settings(), Health("edge"))

    asyncio.run(main())
