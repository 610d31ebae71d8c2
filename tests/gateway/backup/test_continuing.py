import asyncio
import itertools
import random
from pathlib import Path

import pytest

from gateway.backup.continuing import BATCHES_PER_S_MOST, ContinueError, continue_journal
from gateway.edge import segment
from tests.gateway.backup.plant import Site, sequences, state_of
from tests.gateway.edge.support import account, opened, reads, settled

DAY_US = 86_400_000_000


def unalarmed(name: str, why: str) -> None:
    raise AssertionError(f"{name}: {why}")


def site_with(tmp_path: Path, batches: int = 30, judged: int | None = 20) -> Site:
    site = Site(tmp_path)
    site.hear(batches, judged)
    return site


def test_it_goes_on_beyond_every_sequence_that_was_used(tmp_path: Path) -> None:
    site = site_with(tmp_path)
    before = state_of(site.state)
    done = continue_journal(site.state / "journal", before.epoch + DAY_US, unalarmed)
    assert (done.gateway, done.epoch, done.last, done.watermark) == ("edge-1", before.epoch, 30, 20)
    assert done.next_sequence > 30 + 86_400 * BATCHES_PER_S_MOST
    assert sequences(site.state) == list(range(1, 31)), "what was not judged is there, under its own sequence"
    site.hear(2)
    assert sequences(site.state)[-2:] == [done.next_sequence, done.next_sequence + 1]
    assert state_of(site.state).epoch == before.epoch


def test_two_restores_of_one_backup_never_share_a_sequence(tmp_path: Path) -> None:
    rng = random.Random(7)
    firsts = []
    at_us = 0
    for number in range(12):
        site = site_with(tmp_path / str(number), 3, 1)
        epoch = state_of(site.state).epoch
        at_us += rng.choice([1, 60, 3_600]) * 1_000_000
        firsts.append((at_us, continue_journal(site.state / "journal", epoch + at_us, unalarmed).next_sequence))
    for (earlier_us, first), (later_us, second) in itertools.pairwise(firsts):
        assert second - first >= (later_us - earlier_us) // 1_000_000 * BATCHES_PER_S_MOST


def test_a_clock_before_the_journal_is_refused(tmp_path: Path) -> None:
    site = site_with(tmp_path)
    with pytest.raises(ContinueError, match="clock of this machine"):
        continue_journal(site.state / "journal", 1, unalarmed)
    with pytest.raises(ContinueError, match="no sequences left"):
        continue_journal(site.state / "journal", 1 << 62, unalarmed)


def test_a_journal_whose_state_cannot_be_read_is_refused(tmp_path: Path) -> None:
    site = site_with(tmp_path)
    newest = segment.paths(site.state / "journal")[-1]
    newest.write_bytes(b"no database, but longer than a header of one " * 10)
    with pytest.raises(ContinueError, match="take another backup"):
        continue_journal(site.state / "journal", 1 << 60, unalarmed)


@pytest.mark.parametrize("judged_beyond", [0, 7])
def test_the_ledger_comes_out_whatever_the_rules_counted_meanwhile(tmp_path: Path, judged_beyond: int) -> None:
    """The rules have judged all 30 batches, and some that only the lost machine had."""
    site = site_with(tmp_path)
    continue_journal(site.state / "journal", state_of(site.state).epoch + DAY_US, unalarmed)

    async def work() -> None:
        async with opened(site.state / "journal") as journal:
            heard = 30 + judged_beyond
            journal.release(heard, "session-2", {"reads": heard * 3})
            await settled(journal, heard)
            assert account(journal).balanced
            assert account(journal).judged == 90
            journal.append(reads(3), heard={"reads": 3})
            await journal.flush()
            journal.release(journal.last, "session-2", {"reads": heard * 3 + 3})
            await settled(journal, journal.last)
            assert account(journal).balanced
            assert account(journal).judged == 93
            journal.append(reads(3), heard={"reads": 3})
            await journal.flush()
            journal.release(journal.last, "session-3", {"reads": heard * 3 + 6})  # the rules were started anew
            await settled(journal, journal.last)
            assert account(journal).balanced
            assert account(journal).judged == 96

    asyncio.run(work())
