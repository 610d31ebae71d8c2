from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.console.gates.listing import Questions, csv_of, each_page, hours_of, page_of
from gateway.history import DayFiles, EventPage, QuestionTimeoutError
from tests.gateway.console.gates.port_site import HOUR_US, S, decided, keep, made, port_site
from tests.gateway.journal_rows import NOON_US

VERDICTS = ("open", "hold", "open", "trouble", "open", "hold")


def days_of(directory: Path) -> DayFiles:
    events = [decided(n, NOON_US + n * S, verdict, container=f"CSQU30543{n:02d}") for n, verdict in enumerate(VERDICTS)]
    events += [made(100, NOON_US, "passage", subject="AA" * 12, zone="portal-1")]
    events += [made(101, NOON_US + 60 * S, "gate-transaction", {"verdict": "open"})]
    return DayFiles(keep(directory, events), 30.0)


def numbers(page: EventPage) -> list[int]:
    return [int(event.id, 16) for event in page.events]


def test_filters_are_asked_together(tmp_path: Path) -> None:
    questions, days = Questions(port_site(tmp_path)), days_of(tmp_path)

    def found(**query: str) -> list[int]:
        return numbers(page_of(days, questions.asked(query)))

    assert found() == [5, 4, 3, 2, 1, 0, 100]  # receipts and what follows are not told twice
    assert found(kind="gate") == [5, 4, 3, 2, 1, 0]
    assert found(kind="receipts") == [101]
    assert found(lane="gate/gate-in", verdict="hold") == [5, 1]
    assert found(lane="portal/portal-1") == [100]
    assert found(kind="gate", text="csqu3054304") == [4]
    assert found(kind="gate", from_us=str(NOON_US + 2 * S), to_us=str(NOON_US + 4 * S)) == [3, 2]


def test_exceptions_of_several_verdicts_are_one_list_with_pages(tmp_path: Path) -> None:
    questions, days = Questions(port_site(tmp_path)), days_of(tmp_path)
    query = {"kind": "gate", "verdict": "exceptions", "limit": "2"}
    first = page_of(days, questions.asked(query))
    assert numbers(first) == [5, 3]
    assert first.next is not None
    second = page_of(days, questions.asked({**query, "before": first.next.text()}))
    assert numbers(second) == [1]
    assert second.next is None


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"kind": "nope"}, "kind: 'nope' is none of gate, access"),
        ({"lane": "gate/nope"}, "no lane of this site"),
        ({"verdict": "maybe"}, "none of exceptions, open, hold"),
        ({"text": "x" * 101}, "100 are the most"),
        ({"limit": "0"}, "limit: '0' must be a whole number from 1 to 200"),
        ({"limit": "²"}, "must be a whole number"),
        ({"from_us": "-5"}, "from_us: '-5'"),
        ({"before": "never"}, "never"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(tmp_path: Path, query: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Questions(port_site(tmp_path)).asked(query)


def test_hours_count_by_verdict_and_begin_where_the_day_of_the_browser_does(tmp_path: Path) -> None:
    questions, days = Questions(port_site(tmp_path)), days_of(tmp_path)
    half = NOON_US - HOUR_US // 2  # a zone that is half an hour off
    query = {"from_us": str(half), "to_us": str(half + 24 * HOUR_US)}
    found = hours_of(days, questions.asked(query))
    assert [(hour.from_us, hour.verdicts) for hour in found.hours] == [
        (half, {"hold": 2, "open": 3, "trouble": 1, "none": 1})
    ]
    assert not found.more
    with pytest.raises(ValueError, match="48 hours at most"):
        hours_of(days, questions.asked({}))
    with pytest.raises(ValueError, match="48 hours at most"):
        hours_of(days, questions.asked({"from_us": "0", "to_us": str(49 * HOUR_US)}))


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))


def test_an_export_holds_every_page_and_says_when_there_is_more(tmp_path: Path) -> None:
    questions, days = Questions(port_site(tmp_path)), days_of(tmp_path)
    asked = questions.asked({"kind": "gate", "limit": "1"})
    rows = rows_of("".join(csv_of(each_page(days, asked, 100), 100)))
    assert rows[0][:5] == ["time_utc", "type", "lane", "direction", "verdict"]
    assert [row[-1] for row in rows[1:]] == [f"{n:020x}" for n in (5, 4, 3, 2, 1, 0)]
    assert rows[1][0] == "2026-01-01T12:00:05.000+00:00"
    assert "CSQU3054305" in rows[1]
    cut = rows_of("".join(csv_of(each_page(days, asked, 4), 4)))
    assert len(cut) == 6
    assert cut[-1] == ["# there are more than these 4: ask about a shorter time"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_is_a_formula(start: str) -> None:
    hostile = f"{start}HYPERLINK(A1)"
    page = EventPage([made(1, NOON_US, subject=hostile, name=hostile, fields={"truck": hostile})], None, [])
    (row,) = rows_of("".join(csv_of(iter([page]), 10)))[1:]
    assert row.count(f"'{hostile}") == 4  # lane, subject, name, truck
    assert hostile not in row


def test_numbers_below_zero_stay_numbers() -> None:
    page = EventPage([made(1, NOON_US, fields={"weight_kg": -20.0})], None, ["day-1: broken"])
    rows = rows_of("".join(csv_of(iter([page]), 10)))
    assert "-20.0" in rows[1]
    assert rows[2] == ["# not readable, left out: day-1: broken"]


def test_an_export_that_breaks_off_says_so() -> None:
    def pages() -> Iterator[EventPage]:
        yield EventPage([made(1, NOON_US)], None, [])
        raise QuestionTimeoutError("too slow")

    rows = rows_of("".join(csv_of(pages(), 10)))
    assert rows[-1] == ["# not whole: too slow"]
