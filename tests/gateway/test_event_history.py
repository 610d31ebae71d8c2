from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.contract.events import Alarm
from gateway.event_history import EventHistory
from gateway.event_journal import US_PER_DAY, EventJournal, day_files
from tests.gateway.journal_rows import DAY, EPC, NOON_US, event, event_row, evidence, journal, reading, write_events


def test_an_event_comes_back_whole_by_subject_and_by_name(tmp_path: Path) -> None:
    first = event(1, NOON_US, name="CSQU3054383", zone="gate-3", read_point="gate-3-out", direction="in")
    second = event(2, NOON_US + 5, name="CSQU3054383", zone="yard", from_zone="gate-3", type="moved")
    write_events(tmp_path, [second, first, event(3, NOON_US, subject="E200")])
    history = EventHistory(tmp_path)
    assert history.where(EPC) == [first, second]
    assert history.where(f" {EPC.lower()} ") == [first, second]
    assert history.where("csqu3054383") == [first, second]
    assert history.where("CSQU3054384") == []
    assert history.where(EPC, limit=1) == [second]


def test_days_are_files_and_questions_span_them(tmp_path: Path) -> None:
    events = [event(n, NOON_US - n * US_PER_DAY, zone="gate-3") for n in range(4)]
    write_events(tmp_path, events)
    names = [path.name for _, path in day_files(tmp_path)]
    assert names == ["events-2025-12-29.db", "events-2025-12-30.db", "events-2025-12-31.db", "events-2026-01-01.db"]
    history = EventHistory(tmp_path)
    assert history.where(EPC) == events[::-1]
    assert history.recent_events(3) == events[:3]
    assert history.passed("gate-3", events[2].at_us, events[0].at_us) == [events[2], events[1]]
    assert history.passed("gate-4", 0, NOON_US * 2) == []


def test_passed_finds_zone_origin_and_read_point(tmp_path: Path) -> None:
    events = [
        event(1, NOON_US, zone="a"),
        event(2, NOON_US + 1, from_zone="a", zone="b"),
        event(3, NOON_US + 2, read_point="a"),
        event(4, NOON_US + 3, zone="b"),
    ]
    write_events(tmp_path, events)
    assert EventHistory(tmp_path).passed("a", NOON_US, NOON_US + 10) == events[:3]
    assert EventHistory(tmp_path).recent_events(types=["moved"]) == []
    assert len(EventHistory(tmp_path).recent_events(types=["arrived", "moved"])) == 4


def test_latest_readings_keep_the_exact_decimal_and_do_not_step_back(tmp_path: Path) -> None:
    made = journal(tmp_path)
    made.append([{"readings": [reading(NOON_US + 2, "1234567890.1234"), reading(NOON_US + 1, "1")]}])
    made.append([{"readings": [reading(NOON_US, "2"), reading(NOON_US, None, quantity="voltage")]}])
    yesterday = NOON_US - US_PER_DAY
    made.append([{"readings": [reading(yesterday, "7", meter="meter-0"), reading(yesterday, "8")]}])
    made.close()
    latest = EventHistory(tmp_path).latest_readings()
    assert [(v.meter, v.quantity, v.exact, v.at_us) for v in latest] == [
        ("meter-0", "active_power", "7", yesterday),
        ("meter-1", "active_power", "1234567890.1234", NOON_US + 2),
        ("meter-1", "voltage", None, NOON_US),
    ]
    assert latest[1].exact is not None
    assert Decimal(latest[1].exact) == Decimal("1234567890.1234")
    assert latest[1].meter_time_us == NOON_US - 3


@settings(max_examples=30, deadline=None)
@given(
    values=st.dictionaries(st.integers(0, 7200), st.integers(-1000, 1000), min_size=1, max_size=60),
    step_s=st.sampled_from([60, 120, 300, 3600, 45]),
)
def test_a_series_from_rollups_or_readings_equals_the_sums_by_hand(
    tmp_path_factory: pytest.TempPathFactory, values: dict[int, int], step_s: int
) -> None:
    directory = tmp_path_factory.mktemp("series")
    start_us = (DAY + 1) * US_PER_DAY - 3_600_000_000  # an hour before midnight: two files
    made = EventJournal(directory, keep_days=9, now_us=lambda: start_us)
    made.append([{"readings": [reading(start_us + at * 1_000_000, str(v)) for at, v in values.items()]}])
    made.close()
    steps: dict[int, list[tuple[int, int]]] = {}
    for at, value in values.items():
        steps.setdefault(at // step_s, []).append((at, value))
    found = EventHistory(directory).series(
        "meter-1", "active_power", start_us, start_us + 7_260_000_000, step_s * 1_000_000
    )
    assert [s.at_us for s in found] == [start_us + n * step_s * 1_000_000 for n in sorted(steps)]
    for got, wanted in zip(found, (sorted(steps[n]) for n in sorted(steps)), strict=True):
        numbers = [value for _, value in wanted]
        assert (got.n, got.low, got.high, got.last) == (len(numbers), min(numbers), max(numbers), numbers[-1])
        assert got.mean == pytest.approx(sum(numbers) / len(numbers))


def test_a_step_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="step_us must be positive"):
        EventHistory(tmp_path).series("m", "q", 0, 1, 0)


def test_questions_are_answered_while_the_journal_is_written(tmp_path: Path) -> None:
    made = journal(tmp_path)
    history = EventHistory(tmp_path)
    for n in range(20):
        made.append([{"events": [event_row(event(n, NOON_US + n))]}])
        assert len(history.where(EPC)) == n + 1
    made.close()
    assert len(history.where(EPC)) == 20


def test_the_newest_alarms_come_first_over_the_days(tmp_path: Path) -> None:
    made = journal(tmp_path)
    alarms = [
        Alarm(
            id="a1",
            rule="hot",
            severity="warning",
            subject="meter-1",
            state="raised" if n % 2 else "cleared",
            since_us=NOON_US,
            at_us=NOON_US - n * US_PER_DAY // 2,
            message="too hot",
            evidence=evidence(),
        )
        for n in range(4)
    ]
    rows = [
        (a.at_us, a.id, a.state, a.rule, a.severity, a.subject, a.since_us, a.message, msgspec.json.encode(a))
        for a in alarms
    ]
    assert made.append([{"alarms": rows}]) == []
    made.close()
    assert EventHistory(tmp_path).recent_alarms() == alarms
    assert EventHistory(tmp_path).recent_alarms(3) == alarms[:3]


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A directory that every user may enter: those that pytest makes are for its own user alone."""
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        directory.chmod(0o755)
        yield directory


def test_who_may_only_read_the_directory_is_served_too(open_to_all: Path) -> None:
    """SQLite cannot make the files beside a closed day there; a day before its first transaction is passed over."""
    write_events(open_to_all, [event(1, NOON_US)])
    (open_to_all / "events-2025-12-31.db").touch()
    program = f"""
import os, sqlite3
from pathlib import Path
from gateway.event_history import EventHistory
os.setgid(65534)
os.setuid(65534)
history = EventHistory(Path({str(open_to_all)!r}))
print(len(history.where({EPC!r})), history.damaged)
"""
    if os.getuid() != 0:
        open_to_all.chmod(0o555)
        program = program.replace("os.setgid(65534)\nos.setuid(65534)\n", "")
    asked = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    open_to_all.chmod(0o755)
    assert (asked.stdout, asked.stderr) == ("1 []\n", "")


def test_a_day_whose_events_cannot_be_understood_is_named_and_the_others_are_served(tmp_path: Path) -> None:
    kept, hurt = event(1, NOON_US - US_PER_DAY), event(2, NOON_US)
    write_events(tmp_path, [kept, hurt])
    with sqlite3.connect(tmp_path / "events-2026-01-01.db") as connection:
        connection.execute("UPDATE events SET body = ?", (b'{"id": 7}',))
    connection.close()
    history = EventHistory(tmp_path)
    assert history.recent_events(10) == [kept]
    assert [line.partition(":")[0] for line in history.damaged] == ["events-2026-01-01.db"]
