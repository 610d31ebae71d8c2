from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gateway.event_journal import US_PER_DAY, day_files
from gateway.history import Present, present, zone_counts
from tests.gateway.history.day_rows import days, write
from tests.gateway.journal_rows import NOON_US, event, event_row

EVENTS = [
    event(1, NOON_US - 2 * US_PER_DAY, subject="A", zone="yard", name="Anna"),
    event(2, NOON_US - US_PER_DAY, subject="B", zone="yard"),
    event(3, NOON_US - 50, subject="B", zone="gate", from_zone="yard", type="moved"),
    event(4, NOON_US - 40, subject="C", zone="gate"),
    event(5, NOON_US - 30, subject="C", zone="gate", type="departed"),
    event(6, NOON_US - 20, subject="D", zone="gate"),
    event(7, NOON_US - 20, subject="D", zone="gate", type="departed"),  # heard once
    event(8, NOON_US - 10, subject="B", zone="gate", type="passage"),  # says nothing of where it is
    event(9, NOON_US - 9 * US_PER_DAY, subject="E", zone="yard"),  # too long ago
]
DROPPED = "DROP TRIGGER events_to_presence; DROP TABLE presence_latest;"


@pytest.mark.parametrize("made_by_first_version", [False, True])
@pytest.mark.parametrize("order", [1, -1])
def test_what_is_where_is_what_arrived_last_and_did_not_depart(
    tmp_path: Path, order: int, *, made_by_first_version: bool
) -> None:
    for each in EVENTS[::order]:
        write(tmp_path, events=[event_row(each)])
    write(tmp_path, events=[event_row(EVENTS[5])])  # told again
    if made_by_first_version:
        for _, path in day_files(tmp_path):
            with sqlite3.connect(path) as connection:
                connection.executescript(DROPPED)
            connection.close()
    answer = present(days(tmp_path), NOON_US)
    assert answer.present == [
        Present("B", None, "gate", NOON_US - 50, f"{3:020x}", None),
        Present("A", "Anna", "yard", NOON_US - 2 * US_PER_DAY, f"{1:020x}", None),
    ]
    assert not answer.more
    assert [each.subject for each in present(days(tmp_path), NOON_US, zone="yard").present] == ["A"]
    assert present(days(tmp_path), NOON_US, limit=1).more
    assert [each.subject for each in present(days(tmp_path), NOON_US, last_days=1).present] == ["B"]
    assert len(present(days(tmp_path), NOON_US, last_days=30).present) == 3
    zones = zone_counts(days(tmp_path), NOON_US).zones
    assert [(zone.zone, zone.count, zone.newest_us) for zone in zones] == [
        ("gate", 1, NOON_US - 50),
        ("yard", 1, NOON_US - 2 * US_PER_DAY),
    ]


def test_a_file_of_the_first_version_is_completed_from_its_events(tmp_path: Path) -> None:
    today = [each for each in EVENTS if each.at_us > NOON_US - 60]
    write(tmp_path, events=[event_row(each) for each in today])
    with sqlite3.connect(day_files(tmp_path)[0][1]) as connection:
        connection.executescript(DROPPED)
    connection.close()
    write(tmp_path, events=[event_row(event(20, NOON_US, subject="F", zone="quay"))])
    with sqlite3.connect(day_files(tmp_path)[0][1]) as connection:
        rows = connection.execute("SELECT subject, type FROM presence_latest ORDER BY subject").fetchall()
    connection.close()
    assert rows == [("B", "moved"), ("C", "departed"), ("D", "departed"), ("F", "arrived")]


def test_what_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="limit = 0"):
        present(days(tmp_path), NOON_US, limit=0)
    with pytest.raises(ValueError, match="last_days = 91"):
        zone_counts(days(tmp_path), NOON_US, last_days=91)
