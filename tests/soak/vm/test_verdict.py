"""The judge of the power cuts, on directories that the product's own writers have filled."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.config.models import Journal as Settings
from gateway.edge import segment
from gateway.edge.journal import Journal
from gateway.event_journal import EventJournal, day_files
from gateway.health import Health
from tests.soak.vm.rows import GATEWAY, KEEP_DAYS, SEGMENT_BYTES, batch_of, event_rows
from tests.soak.vm.verdict import Acknowledged, judge

NOW_US = 1_790_000_000_000_000
BATCHES = 300
JUDGED = 100
EVENTS = 40


def written(data: Path) -> Path:
    """Both journals, as the guest writes them, in several segments."""

    async def edge() -> None:
        journal = Journal(data / "edge", GATEWAY, Settings(), Health("edge"), segment_bytes=SEGMENT_BYTES)
        journal.start()
        for sequence in range(1, BATCHES + 1):
            batch = batch_of(sequence, NOW_US)
            journal.append(batch, heard={"reads": len(batch.reads)})
            if sequence % 50 == 0:
                await journal.flush()
        journal.release(JUDGED, "broker", None)
        await journal.close()

    asyncio.run(edge())
    events = EventJournal(data / "events", keep_days=KEEP_DAYS, now_us=lambda: NOW_US)
    assert events.append(event_rows(number, NOW_US) for number in range(EVENTS)) == []
    events.close()
    return data


def test_what_is_whole_is_good(tmp_path: Path) -> None:
    data = written(tmp_path)
    assert len(segment.paths(data / "edge")) > 1
    verdict = judge(data, Acknowledged(sequence=BATCHES, heard=1, watermark=JUDGED, events=EVENTS))
    assert verdict.good, verdict.faults
    assert (verdict.sequence, verdict.events) == (BATCHES, EVENTS)


def test_more_than_was_acknowledged_may_be_there(tmp_path: Path) -> None:
    assert judge(written(tmp_path), Acknowledged(sequence=7, events=1)).good


def test_an_empty_disk_owes_nothing_to_who_acknowledged_nothing(tmp_path: Path) -> None:
    assert judge(tmp_path, Acknowledged()).good


def test_acknowledged_and_absent_is_lost(tmp_path: Path) -> None:
    verdict = judge(written(tmp_path), Acknowledged(sequence=BATCHES + 3, events=EVENTS + 2))
    assert (verdict.lost_rows, verdict.lost_events) == (3, 2)
    assert not verdict.good


@pytest.mark.parametrize(("word", "more"), [("watermark", JUDGED + 1), ("heard", 1_000_000)])
def test_counters_may_not_be_behind_what_was_said_of_them(tmp_path: Path, word: str, more: int) -> None:
    said = Acknowledged()
    setattr(said, word, more)
    verdict = judge(written(tmp_path), said)
    assert any(word in fault for fault in verdict.faults)


def test_a_row_that_vanished_is_noticed(tmp_path: Path) -> None:
    data = written(tmp_path)
    with closing(sqlite3.connect(segment.paths(data / "edge")[-1])) as db, db:
        db.execute("DELETE FROM batch WHERE sequence = (SELECT max(sequence) FROM batch)")
    verdict = judge(data, Acknowledged(sequence=BATCHES))
    assert verdict.lost_rows == 1
    assert any("balance" in fault for fault in verdict.faults)


def test_a_row_of_another_content_is_noticed(tmp_path: Path) -> None:
    data = written(tmp_path)
    path = segment.paths(data / "edge")[-1]
    with closing(segment.open_for_writing(path)) as db:
        row = segment.read(db, 0, 1, 0)[0]
        db.execute("DELETE FROM batch WHERE sequence = ?", (row.sequence,))
        other = row._replace(
            payload=row.payload.replace(b'"antenna_port":1', b'"antenna_port":2').replace(b"00", b"01")
        )
        segment.append(db, [other], segment.state_of(db))
    assert any("not what was written" in fault for fault in judge(data, Acknowledged()).faults)


def test_damage_is_noticed(tmp_path: Path) -> None:
    data = written(tmp_path)
    path = segment.paths(data / "edge")[-1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)
    assert any("damaged" in fault for fault in judge(data, Acknowledged()).faults)


def test_minutes_that_do_not_agree_are_noticed(tmp_path: Path) -> None:
    data = written(tmp_path)
    ((_, path),) = day_files(data / "events")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE reading_minutes SET n = n - 1")
    assert any("in the minutes" in fault for fault in judge(data, Acknowledged()).faults)


def test_an_event_that_vanished_is_noticed(tmp_path: Path) -> None:
    data = written(tmp_path)
    ((_, path),) = day_files(data / "events")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM events WHERE sequence_from = 5")
    verdict = judge(data, Acknowledged(events=EVENTS))
    assert verdict.lost_events == 1
    assert not verdict.good


def test_what_the_line_said() -> None:
    said = Acknowledged().take(b"R\nG\nH 12 34\nE 20 50 3\nJ 35\nJ 36\nE 24 60 4\nX it hurts\nE 28 7")
    assert said.opened == (12, 34)
    assert (said.sequence, said.heard, said.watermark, said.events) == (24, 60, 4, 36)
    assert said.troubles == ["the guest: it hurts"]


def test_a_later_life_that_finds_less_is_noticed() -> None:
    said = Acknowledged().take(b"H 0 0\nE 20 50 3\nJ 35\nK 9 1\nH 20 34\n")
    assert said.kills == 1
    assert said.troubles == ["opened (20, 34), acknowledged (20, 35) before"]
