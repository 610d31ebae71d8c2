"""One byte differs in one page, in every page in turn: no wrong row is served, what is damaged is set aside and told.

Both journals and the memory of the rules, as they lie on the disk after a clean stop.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from gateway.config.models import Journal as Settings
from gateway.contract.batches import ReadBatch, TagRead, decode
from gateway.contract.events import Event
from gateway.edge import segment
from gateway.edge.journal import Journal
from gateway.event_history import EventHistory
from gateway.event_journal import US_PER_DAY
from gateway.health import Health
from tests.gateway.journal_rows import NOON_US, event, event_row, journal
from tests.support.seeds import chosen_seed

LONG: Final = bool(os.environ.get("TAGWHARF_LONG"))
BYTES_A_PAGE: Final = 16 if LONG else 1
GATEWAY: Final = "edge-1"
ROWS: Final = 120
SEGMENT_BYTES: Final = 100_000
LAST_JUDGED: Final = 10


def flips(rng: random.Random, path: Path, page_bytes: int) -> Iterator[int]:
    """Offsets: some of each page."""
    for page in range(0, path.stat().st_size, page_bytes):
        for _ in range(BYTES_A_PAGE):
            yield page + rng.randrange(page_bytes)


def flip(path: Path, offset: int, rng: random.Random) -> None:
    """As a disk does it: nobody writes the file."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[offset] ^= rng.randrange(1, 256)
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


async def fill_edge(directory: Path) -> dict[int, bytes]:
    """A journal of several segments, the first rows judged; its rows."""
    made = Journal(directory, GATEWAY, Settings(commit_every_s=0.001), Health("edge"), segment_bytes=SEGMENT_BYTES)
    made.start()
    for number in range(1, ROWS + 1):
        reads = [TagRead(f"{number:024X}", 1, "gate-1", number, user_memory="5A" * 1_000)] * (1 + number % 3)
        made.append(
            ReadBatch(gateway=GATEWAY, device="gate", received_at_us=time.time_ns() // 1000, reads=reads),
            heard={"reads": len(reads)},
        )
        if number % 10 == 0:
            await made.flush()
    made.release(LAST_JUDGED, "judge", None)
    async with asyncio.timeout(20):
        while made.watermark < LAST_JUDGED:
            await asyncio.sleep(0.005)
    await made.close()
    return await rows_of(directory, Health("edge"))


async def rows_of(directory: Path, health: Health) -> dict[int, bytes]:
    """All rows that the journal would send, and that its account balances."""
    opened = Journal(directory, GATEWAY, Settings(), health, segment_bytes=SEGMENT_BYTES)
    opened.start()
    found: dict[int, bytes] = {}
    at = 1
    while rows := await opened.read(at, on_their_way_from=at):
        found |= {row.sequence: row.payload for row in rows}
        at = rows[-1].sequence + 1
    state = opened.state
    heard, dropped = state.heard.get("reads", 0), sum(state.dropped.get("reads", {}).values())
    assert heard == state.judged.get("reads", 0) + state.unjudged.get("reads", 0) + dropped
    assert opened.last >= max(found, default=0)
    await opened.close()
    return found


def troubles(health: Health, event_name: str) -> float:
    labels = {"event": event_name, "level": "critical"}
    return health.registry.get_sample_value("tagwharf_troubles_total", labels) or 0.0


def test_a_flipped_byte_in_each_page_of_the_edge_journal(tmp_path: Path) -> None:
    rng = random.Random(chosen_seed())
    whole = tmp_path / "whole"
    rows = asyncio.run(fill_edge(whole))
    assert sorted(rows) == list(range(1, ROWS + 1))
    segments = segment.paths(whole)
    assert len(segments) >= 3
    told = 0
    for path in segments:
        for offset in flips(rng, path, segment.PAGE_BYTES):
            hurt = tmp_path / "hurt"
            shutil.rmtree(hurt, ignore_errors=True)
            shutil.copytree(whole, hurt)
            flip(hurt / path.name, offset, rng)
            health = Health("edge")
            found = asyncio.run(rows_of(hurt, health))
            where = f"{path.name} at {offset}"
            assert found.items() <= rows.items(), f"{where}: a row that was never written"
            for sequence, payload in found.items():
                assert decode(payload).sequence == sequence, where
            if found != rows:
                own = range(segment.first_of(path), ROWS + 1)
                assert rows.keys() - found.keys() <= set(own), f"{where}: rows of another segment are missing"
                assert troubles(health, "journal_damaged") > 0, f"{where}: rows are missing and nobody was told"
                assert list((hurt / "damaged").iterdir()), where
                told += 1
    assert told > len(segments)  # it can fail


def fill_events(directory: Path) -> dict[str, Event]:
    """Three days of events."""
    events = {
        each.id: each
        for day in range(3)
        for n in range(60)
        for each in [event(100 * day + n, NOON_US - day * US_PER_DAY + n, subject=f"{n:024X}", name=f"truck {n}")]
    }
    made = journal(directory)
    assert made.append([{"events": [event_row(each) for each in events.values()]}]) == []
    made.close()
    return events


def test_a_flipped_byte_in_each_page_of_the_event_journal(tmp_path: Path) -> None:
    rng = random.Random(chosen_seed())
    whole = tmp_path / "whole"
    events = fill_events(whole)
    hurt_day = whole / "events-2025-12-31.db"
    with closing(sqlite3.connect(hurt_day)) as db:
        page_bytes = db.execute("PRAGMA page_size").fetchone()[0]
    others = {id_ for id_, each in events.items() if abs(each.at_us - NOON_US + US_PER_DAY) > US_PER_DAY / 2}
    told = 0
    for offset in flips(rng, hurt_day, page_bytes):
        hurt = tmp_path / "hurt"
        shutil.rmtree(hurt, ignore_errors=True)
        shutil.copytree(whole, hurt)
        flip(hurt / hurt_day.name, offset, rng)
        history = EventHistory(hurt)
        found = {each.id: each for each in history.recent_events(1_000)}
        assert found.items() <= events.items(), f"at {offset}: an event that never was"
        assert others <= found.keys(), f"at {offset}: another day is missing"
        if found != events:
            assert history.damaged, f"at {offset}: events are missing and nobody was told"
            told += 1
        writer = journal(hurt)
        late = event(9_000, NOON_US - US_PER_DAY + 500)
        assert writer.append([{"events": [event_row(late)]}]) == []  # it takes what comes late for that day
        writer.close()
        again = {each.id: each for each in EventHistory(hurt).recent_events(1_000)}
        assert again.items() <= {**events, late.id: late}.items(), f"at {offset}"
        assert others | {late.id} <= again.keys(), f"at {offset}"
        if again.keys() != events.keys() | {late.id}:
            assert writer.damaged, f"at {offset}: set aside without a word"
    assert told > 0  # it can fail
