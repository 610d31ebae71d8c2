import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.edge import segment
from gateway.edge.recovery import JUMP
from gateway.health import Health
from readers.errors import ConfigError
from tests.gateway.edge.support import account, everything, opened, reads


def filled(directory: Path, batches: int = 12) -> list[Path]:
    """A journal of several segments, each batch of 2 reads."""

    async def main() -> None:
        async with opened(directory, segment_bytes=100_000) as journal:
            for _ in range(batches):
                journal.append(reads(2, size=20_000), heard={"reads": 2})
                await journal.flush()

    asyncio.run(main())
    found = segment.paths(directory)
    assert len(found) >= 3
    return found


def damage(path: Path, how: str) -> None:
    if how == "garbage":
        path.write_bytes(b"\x55" * path.stat().st_size)
    elif how == "torn":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif how == "empty":
        path.write_bytes(b"")
    else:
        content = bytearray(path.read_bytes())
        for offset in range(len(content) // 2, len(content) // 2 + 8_192, 64):
            content[offset] ^= 0xFF
        path.write_bytes(content)


@pytest.mark.parametrize("how", ["garbage", "torn", "empty", "flipped"])
@pytest.mark.parametrize("which", [0, 1, -1])
def test_a_damaged_segment_costs_its_own_rows_only(how: str, which: int, tmp_path: Path) -> None:
    found = filled(tmp_path)
    first = segment.first_of(found[which])
    end = segment.first_of(found[which + 1]) if which >= 0 else 13
    damage(found[which], how)

    async def main() -> None:
        health = Health("edge")
        async with opened(tmp_path, health=health) as journal:
            journal.append(reads(1), heard={"reads": 1})
            await journal.flush()
            sequences: list[int] = []
            async with asyncio.timeout(10):
                while not sequences or sequences[-1] != journal.last:
                    sequences = await everything(journal)  # a page that is only found by reading is mended meanwhile
                    await asyncio.sleep(0.02)
            assert set(range(1, 13)) - set(sequences) <= set(range(first, end))
            assert account(journal).balanced
            assert journal.last >= 13
            if journal.last != 13:
                assert journal.last > JUMP, "a sequence that was sent before must not come again"
            troubles = health.registry.get_sample_value(
                "tagwharf_troubles_total", {"event": "journal_damaged", "level": "critical"}
            )
            assert troubles == 1.0

    asyncio.run(main())
    assert list((tmp_path / "damaged").iterdir())


def test_all_segments_unreadable_begin_a_new_epoch(tmp_path: Path) -> None:
    found = filled(tmp_path)
    for path in found:
        damage(path, "garbage")

    async def main() -> None:
        async with opened(tmp_path) as journal:
            journal.append(reads(1), heard={"reads": 1})
            await journal.flush()
            assert (await everything(journal))[-1] == journal.last
            assert account(journal).balanced

    asyncio.run(main())
    assert len(list((tmp_path / "damaged").iterdir())) == len(found)


def test_shedding_that_a_crash_cut_off_from_its_commit_is_made_good(tmp_path: Path) -> None:
    found = filled(tmp_path)
    gone = segment.without(found[0], ("reads",), lambda _: False, 1)

    async def main() -> None:
        async with opened(tmp_path) as journal:
            assert journal.dropped("reads") == {"journal_full": gone["reads"]}
            assert account(journal).balanced
            journal.append(reads(1), heard={"reads": 1})
        async with opened(tmp_path) as journal:
            assert journal.dropped("reads") == {"journal_full": gone["reads"]}
            assert account(journal).balanced

    asyncio.run(main())


def test_leftovers_of_a_crash_are_cleared(tmp_path: Path) -> None:
    found = filled(tmp_path)
    draft = found[0].with_name(found[0].name + ".draft")
    draft.write_bytes(b"half")

    async def main() -> None:
        async with opened(tmp_path) as journal:
            assert await everything(journal) == list(range(1, 13))

    asyncio.run(main())
    assert not draft.exists()


def leave_behind(directory: Path) -> None:
    """Copy what a crash would leave, while the journal runs."""
    (directory / "crashed").mkdir()
    for path in directory.iterdir():
        if path.is_file() and not path.name.endswith("-shm"):
            (directory / "crashed" / path.name).write_bytes(path.read_bytes())


def test_a_write_ahead_log_that_was_left_behind_is_read(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path) as journal:
            journal.append(reads(2), heard={"reads": 2})
            await journal.flush()
            leave_behind(tmp_path)
        async with opened(tmp_path / "crashed") as journal:
            assert await everything(journal) == [1]
            assert account(journal).heard == 2

    asyncio.run(main())


def test_a_state_that_cannot_be_read_is_brought_forward_from_the_one_before(tmp_path: Path) -> None:
    batches = 12
    found = filled(tmp_path)
    while segment.first_of(found[-1]) > batches:  # the newest segment must hold rows
        batches += 1

        async def one_more() -> None:
            async with opened(tmp_path, segment_bytes=100_000) as journal:
                journal.append(reads(2, size=20_000), heard={"reads": 2})

        asyncio.run(one_more())
        found = segment.paths(tmp_path)
    db = sqlite3.connect(found[-1])
    db.execute("UPDATE state SET value = x'00'")
    db.commit()
    db.close()

    async def main() -> None:
        async with opened(tmp_path) as journal:
            assert await everything(journal) == list(range(1, batches + 1))
            assert account(journal).heard == 2 * batches
            assert account(journal).unjudged == 2 * batches
            assert account(journal).balanced
            assert journal.knows(batches + JUMP)

    asyncio.run(main())


def header(path: Path, at: int, value: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(value.to_bytes(4, "big"))


def test_what_a_later_program_wrote_is_refused_and_left_alone(tmp_path: Path) -> None:
    found = filled(tmp_path)
    later = segment.VERSION + 1
    header(found[1], 60, later)
    header(found[1], 68, 0x54574A00 + later)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    async def main() -> None:
        async with opened(tmp_path):
            pass

    with pytest.raises(ConfigError, match=f"has version {later}, this program reads up to version {segment.VERSION}"):
        asyncio.run(main())
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("at", [60, 68])
def test_a_damaged_number_of_the_version_is_no_later_version(at: int, tmp_path: Path) -> None:
    found = filled(tmp_path)
    header(found[0], at, 0x00000102)
    assert segment.later_version(found[0]) is None


def test_a_segment_without_a_version_is_read(tmp_path: Path) -> None:
    found = filled(tmp_path)
    for path in found:
        header(path, 60, 0)
        header(path, 68, 0)

    async def main() -> None:
        async with opened(tmp_path) as journal:
            assert len(await everything(journal)) == 12

    asyncio.run(main())
    assert segment.later_version(tmp_path / "absent.sqlite") is None
    (tmp_path / "short").write_bytes(b"SQLite format 3\0")
    assert segment.later_version(tmp_path / "short") is None


def test_a_kind_that_does_not_exist_is_damage_in_an_older_segment_too(tmp_path: Path) -> None:
    oldest = filled(tmp_path)[0]
    with closing(sqlite3.connect(oldest)) as db, db:
        db.execute("UPDATE batch SET kind = 'eads\"' WHERE sequence = 2")
    health = Health("edge")

    async def main() -> None:
        async with opened(tmp_path, health=health) as journal:
            assert await everything(journal) == [1, *range(3, 13)]
            assert account(journal).balanced
            assert journal.dropped("reads") == {"journal_damaged": 2}

    asyncio.run(main())
    assert list((tmp_path / "damaged").iterdir())
