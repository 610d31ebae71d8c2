from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from gateway.event_journal import US_PER_DAY, day_files
from gateway.history import DayFiles, QuestionTimeoutError, event_page
from gateway.history.days import (
    MOST_US,
    TEXT_MOST,
    Day,
    Question,
    check_count,
    check_span,
    check_texts,
    last_days_from,
)
from tests.gateway.history.day_rows import days
from tests.gateway.journal_rows import NOON_US, event, event_row, journal, write_events

OPEN = Path("/proc/self/fd")


def count(day: Day) -> int:
    (found,) = day.rows("SELECT count(*) FROM events")[0]
    assert isinstance(found, int)
    return found


def test_days_are_asked_in_the_order_that_is_wanted_and_only_those_of_the_time(tmp_path: Path) -> None:
    write_events(tmp_path, [event(n, NOON_US - n % 3 * US_PER_DAY) for n in range(5)])
    assert list(Question(days(tmp_path)).ask(count)) == [2, 2, 1]
    assert list(Question(days(tmp_path)).ask(count, newest_first=False)) == [1, 2, 2]
    noon_before = NOON_US - 2 * US_PER_DAY
    assert list(Question(days(tmp_path)).ask(count, noon_before, noon_before + 1)) == [1]


def test_nothing_is_known_of_a_directory_that_is_not_there(tmp_path: Path) -> None:
    assert event_page(days(tmp_path / "none")).events == []


def test_a_damaged_day_is_told_and_the_others_are_served(tmp_path: Path) -> None:
    write_events(tmp_path, [event(n, NOON_US - n * US_PER_DAY) for n in range(3)])
    (tmp_path / "events-2025-12-31.db").write_bytes(b"no database at all" * 500)
    page = event_page(days(tmp_path))
    assert [each.id for each in page.events] == [f"{n:020x}" for n in (0, 2)]
    assert page.damaged == ["events-2025-12-31.db: file is not a database"]


def test_a_body_that_is_no_event_is_damage_too(tmp_path: Path) -> None:
    write_events(tmp_path, [event(1, NOON_US)])
    with sqlite3.connect(day_files(tmp_path)[0][1]) as connection:
        connection.execute("UPDATE events SET body = '{'")
    connection.close()
    page = event_page(days(tmp_path))
    assert page.events == []
    assert page.damaged[0].startswith("events-2026-01-01.db: ")


def test_a_question_that_takes_too_long_is_interrupted(tmp_path: Path) -> None:
    write_events(tmp_path, [event(1, NOON_US)])
    question = Question(DayFiles(tmp_path, within_s=0.05))
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(QuestionTimeoutError, match=r"not answer within 0.05 s; ask about a shorter time"):
        list(question.ask(lambda day: day.rows(endless)))
    with pytest.raises(QuestionTimeoutError):
        list(question.ask(count))


def test_nothing_stays_open_and_many_threads_may_ask_while_it_is_written(tmp_path: Path) -> None:
    made = journal(tmp_path)
    made.append([{"events": [event_row(event(0, NOON_US))]}])
    found: list[int] = []

    def ask() -> None:
        found.extend(len(event_page(days(tmp_path)).events) for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, 30):
        made.append([{"events": [event_row(event(number, NOON_US + number))]}])
    for thread in threads:
        thread.join()
    made.close()
    links = [each.readlink() for each in OPEN.iterdir() if each.is_symlink()]
    assert [link for link in links if link.is_relative_to(tmp_path)] == []
    assert len(found) == 80
    assert len(event_page(days(tmp_path)).events) == 30


def test_parameters_are_checked() -> None:
    for from_us, to_us in ((-1, 5), (5, 5), (6, 5), (0, MOST_US + 1)):
        with pytest.raises(ValueError, match="must be 0 <= from_us < to_us"):
            check_span(from_us, to_us)
    with pytest.raises(ValueError, match="at most 2 days apart"):
        check_span(0, 2 * US_PER_DAY + 1, days_most=2)
    check_span(0, 2 * US_PER_DAY, days_most=2)
    for value in (0, 11):
        with pytest.raises(ValueError, match=f"limit = {value}: must be 1 to 10"):
            check_count("limit", value, 10)
    with pytest.raises(ValueError, match="name: must be at most 512 characters, has 513"):
        check_texts(name="x" * (TEXT_MOST + 1))
    with pytest.raises(ValueError, match="name: holds half a character"):
        check_texts(name="\ud800")
    assert last_days_from(NOON_US, 1, 7) == NOON_US - US_PER_DAY
    assert last_days_from(5, 7, 7) == 0
