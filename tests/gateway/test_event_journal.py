from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from gateway.event_history import EventHistory
from gateway.event_journal import US_PER_DAY, EventJournal, EventJournalError, Row, day_files
from gateway.event_tables import TABLES
from tests.gateway.journal_rows import DAY, EPC, NOON_US, event, event_row, journal, reading, write_events


def flip(path: Path, at: int, count: int = 4096) -> None:
    content = bytearray(path.read_bytes())
    content[at : at + count] = bytes(b ^ 0xA5 for b in content[at : at + count])
    path.write_bytes(content)


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    made = journal(tmp_path)
    rows: dict[str, list[Row]] = {
        "events": [event_row(event(1, NOON_US))],
        "alarms": [(NOON_US, "a1", "raised", "hot", "warning", "meter-1", NOON_US, "too hot", b"{}")],
        "readings": [reading(NOON_US, "230.10"), reading(NOON_US + 1, None)],
        "read_rates": [(NOON_US * 1000, "gate-1", "1", "gate-1-1", 5, 2, -50.0, -40.0, 10.0)],
        "signals": [(NOON_US * 1000, "plc", "door", "", None, None, 1)],
        "device_status": [(NOON_US * 1000, "gate-1", "llrp", "online", "ok", 5, 0, 12)],
        "energy": [
            (
                *(NOON_US * 1000, "meter-1", "active_energy_import", "Wh", "", "peak", "meter", "20260101T000000Z"),
                *("180000", "10", "estimated", "1000", "2500", "120", NOON_US, NOON_US + 900_000_000, None),
                *("118.8", "CNY"),
            )
        ],
        "demand": [
            (
                *(NOON_US * 1000, "meter-1", "active_demand", "W", "", "computed", "block", "720000", "estimated"),
                *(NOON_US + 900_000_000, 15),
            )
        ],
        "production": [
            (
                *(NOON_US * 1000, "warper-1", "interval", "early", "m", NOON_US, NOON_US + 900_000_000, 900.0),
                *(800.0, 0.0, 50.0, 0.0, 0.0, 0.0, 50.0, 0.0, 0.0, 0.0, 1, 5400, 5390, 10, 0, 0, 0, 600.0),
                *(0.94, 0.675, 0.998, 0.633, 2600, 850.0, 0.48),
            )
        ],
        "machine_stop": [(NOON_US * 1000, "warper-1", "interval", "early", "yarn break", 50.0, 1)],
        "figure": [(NOON_US * 1000, "turn", "", "truck-turn", "dwell_s", 90.5, "00000000000000000001")],
        "tag_reads": [
            (NOON_US, "edge-1", 1, 7, 0, "gate-1", 1, "gate-1-1", EPC, -50.0, 1, None, None, None, None, 1.0, 2.0, 3)
        ],
    }
    assert set(rows) == set(TABLES)
    for _ in range(3):
        assert made.append([rows, rows]) == []
    made.close()
    with sqlite3.connect(day_files(tmp_path)[0][1]) as connection:
        counts = {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in (*TABLES, "reading_minutes")
        }
    connection.close()
    expected = dict.fromkeys(TABLES, 1) | {"readings": 2, "reading_minutes": 1}
    assert counts == expected
    assert EventHistory(tmp_path).series("meter-1", "active_power", NOON_US, NOON_US + 60_000_000, 60_000_000)[0].n == 1


def test_old_days_go_and_so_do_their_damaged_files(tmp_path: Path) -> None:
    write_events(tmp_path, [event(1, NOON_US), event(2, NOON_US - US_PER_DAY)])
    (tmp_path / "events-2025-12-31.db.damaged-1").write_bytes(b"old")
    (tmp_path / "notes.txt").write_text("mine")
    later = EventJournal(tmp_path, keep_days=1, now_us=lambda: NOON_US + US_PER_DAY)
    assert later.append([{"events": [event_row(event(3, NOON_US - US_PER_DAY))]}])[0].reason == "older_than_kept"
    later.close()
    left = sorted(p.name for p in tmp_path.iterdir())
    assert left == ["events-2026-01-01.db", "events-2026-01-01.db.sum", "notes.txt"]


def test_times_that_no_clock_can_show_are_refused_and_make_no_file(tmp_path: Path) -> None:
    made = journal(tmp_path)
    times = [0, NOON_US + 3 * US_PER_DAY, 1 << 80, -(1 << 80)]
    refused = made.append([{"events": [event_row(event(n, at)) for n, at in enumerate(times)]}])
    made.close()
    assert [r.reason for r in refused] == ["older_than_kept", "in_the_future", "in_the_future", "older_than_kept"]
    assert day_files(tmp_path) == []


def test_one_impossible_row_is_refused_and_the_others_stay(tmp_path: Path) -> None:
    made = journal(tmp_path)
    good = (NOON_US * 1000, "gate-1", "llrp", "online", "ok", 5, 0, 12)
    huge = (NOON_US * 1000 + 1, "gate-1", "llrp", "online", "ok", 1 << 70, 0, 12)
    half = (NOON_US * 1000 + 2, "gate-\ud800", "llrp", "online", "ok", 5, 0, 12)
    nameless = (NOON_US * 1000 + 3, None, "llrp", "online", "ok", 5, 0, 12)
    last = (NOON_US * 1000 + 4, "gate-2", "llrp", "online", "ok", 5, 0, 12)
    refused = made.append([{"device_status": [good, huge, half, nameless, last]}])
    made.close()
    assert [r.row for r in refused] == [huge, half, nameless]
    with sqlite3.connect(day_files(tmp_path)[0][1]) as connection:
        rows = connection.execute("SELECT * FROM device_status ORDER BY at_ns").fetchall()
    connection.close()
    assert rows == [good, last]


@pytest.mark.parametrize("part", [0.0, 0.5])
def test_a_damaged_day_is_set_aside_and_the_rest_is_served(tmp_path: Path, part: float) -> None:
    kept = event(1, NOON_US - US_PER_DAY)
    write_events(tmp_path, [kept, *(event(n, NOON_US + n) for n in range(2, 400))])
    today = tmp_path / "events-2026-01-01.db"
    size = today.stat().st_size
    flip(today, int(size * part), size // 2)
    history = EventHistory(tmp_path)
    found = history.where(EPC, limit=10_000)
    assert kept in found
    assert history.damaged
    assert history.damaged[0].startswith("events-2026-01-01.db: ")
    made = journal(tmp_path)
    new = event(500, NOON_US + 500)
    assert made.append([{"events": [event_row(new)]}]) == []
    made.close()
    assert [path.name for path in made.damaged] == ["events-2026-01-01.db.damaged-1"]
    assert history.where(EPC) == [kept, new]
    assert history.damaged == []


def test_damage_found_while_writing_is_set_aside_too(tmp_path: Path) -> None:
    made = journal(tmp_path)
    made.append([{"events": [event_row(event(n, NOON_US + n)) for n in range(2_000)]}])
    made._close_day(DAY)
    connection = made._connection(DAY)  # checked and sound when it was opened
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute("PRAGMA cache_size = 1")
    path = tmp_path / "events-2026-01-01.db"
    flip(path, 8192, path.stat().st_size - 8192)
    new = [event(n, NOON_US + n) for n in range(5_000, 5_100)]
    assert made.append([{"events": [event_row(each) for each in new]}]) == []
    made.close()
    assert len(made.damaged) == 1
    assert EventHistory(tmp_path).where(EPC, limit=10_000) == new


def test_a_file_of_a_newer_version_is_neither_written_nor_read(tmp_path: Path) -> None:
    write_events(tmp_path, [event(1, NOON_US)])
    with sqlite3.connect(tmp_path / "events-2026-01-01.db") as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    made = journal(tmp_path)
    with pytest.raises(EventJournalError, match="has version 2, this program writes version 1; run the newer program"):
        made.append([{"events": [event_row(event(2, NOON_US))]}])
    made.close()
    history = EventHistory(tmp_path)
    assert history.where(EPC) == []
    assert history.damaged == ["events-2026-01-01.db: has version 2, this program reads version 1"]


def test_a_full_disk_is_told_and_nothing_is_half_written(tmp_path: Path) -> None:
    made = journal(tmp_path)
    made.append([{"events": [event_row(event(1, NOON_US))]}])
    made._connection(DAY).execute("PRAGMA max_page_count = 40")
    many = [event_row(event(n, NOON_US + n)) for n in range(2, 2_000)]
    with pytest.raises(sqlite3.OperationalError, match="full"):
        made.append([{"events": many}])
    assert len(EventHistory(tmp_path).where(EPC, limit=10_000)) == 1
    assert made.append([{"events": many}]) == []  # opened anew, with room
    made.close()
    assert len(EventHistory(tmp_path).where(EPC, limit=10_000)) == 1_999


def test_whatever_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    program = textwrap.dedent(
        f"""
        import sys
        from pathlib import Path
        from gateway.event_journal import EventJournal
        made = EventJournal(Path({str(tmp_path)!r}), keep_days=9, now_us=lambda: {NOON_US})
        n = 0
        while True:
            rows = [(({NOON_US} + n + i) * 1000, "m", "q", "W", "", "", 1.0, "1", "", "good", None) for i in range(10)]
            made.append([{{"readings": rows}}])
            n += 10
            print(n, flush=True)
        """
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=Path.cwd())
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(0.15)
    os.kill(child.pid, signal.SIGKILL)
    acknowledged = int(child.stdout.read().splitlines()[-1])
    child.wait()
    child.stdout.close()
    made = journal(tmp_path)
    made.append([])
    made.close()
    steps = EventHistory(tmp_path).series("m", "q", NOON_US, NOON_US + 60_000_000, 60_000_000)
    assert acknowledged <= steps[0].n <= acknowledged + 10
    with sqlite3.connect(day_files(tmp_path)[0][1]) as connection:
        assert connection.execute("SELECT count(*) FROM readings").fetchone()[0] == steps[0].n
    connection.close()
