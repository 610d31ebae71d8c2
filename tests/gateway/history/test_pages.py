from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.contract.events import Alarm, Event
from gateway.event_journal import US_PER_DAY
from gateway.history import AlarmCursor, Cursor, alarm_history, alarm_page, event, event_page
from gateway.history.pages import escaped
from tests.gateway.history.day_rows import alarm, alarm_row, days, told, write
from tests.gateway.journal_rows import NOON_US, event_row

OPEN: dict[str, Any] = {"verdict": "open", "container": "CSQU3054383", "truck": "京A12345", "weight_kg": 31_500.0}
EVENTS = [
    told(1, NOON_US - US_PER_DAY, "gate-transaction", OPEN, rule="gate-lane-1", name="Truck 7", zone="gate"),
    told(2, NOON_US - 9, "gate-decision", {"verdict": "hold", "reasons": "50%_of\\it"}, subject="lane-2"),
    told(3, NOON_US - 9, "gate-transaction", {"verdict": "hold"}, rule="gate-lane-2", read_point="lane-2-tags"),
    told(4, NOON_US, "arrived", subject="E200", from_zone="gate"),
]


def ids(events: list[Event]) -> list[int]:
    return [int(each.id, 16) for each in events]


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    write(tmp_path, events=[event_row(each) for each in EVENTS])
    return tmp_path


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [4, 2, 3, 1]),
        ({"types": ["gate-transaction"]}, [3, 1]),
        ({"types": ["gate-transaction", "gate-decision"], "verdict": "hold"}, [2, 3]),
        ({"subject": "lane-2"}, [2]),
        ({"name": "tRUCK 7"}, [1]),
        ({"rule": "gate-lane-2"}, [3]),
        ({"place": "gate"}, [4, 1]),
        ({"place": "lane-2-tags"}, [3]),
        ({"text": "csqu305"}, [1]),
        ({"text": "京A"}, [1]),
        ({"text": "50%_of\\i"}, [2]),
        ({"text": "%"}, [2]),
        ({"text": "_of"}, [2]),
        ({"text": "' OR 1=1 --"}, []),
        ({"subject": "lane-1' OR '1'='1"}, []),
        ({"from_us": NOON_US - 9, "to_us": NOON_US}, [2, 3]),
        ({"to_us": NOON_US - 9}, [1]),
    ],
)
def test_events_are_found_by_all_that_is_given(filled: Path, asked: dict[str, Any], found: list[int]) -> None:
    page = event_page(days(filled), **asked)
    assert ids(page.events) == found
    assert (page.next, page.damaged) == (None, [])


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_follow_one_another_over_days_and_equal_times(filled: Path, limit: int) -> None:
    seen: list[int] = []
    before: Cursor | None = None
    for _ in range(5):
        page = event_page(days(filled), before=before, limit=limit)
        assert len(page.events) <= limit
        seen += ids(page.events)
        before = page.next and Cursor.parse(page.next.text())
        if before is None:
            break
    assert seen == [4, 2, 3, 1]


def test_a_cursor_before_everything_ends(filled: Path) -> None:
    page = event_page(days(filled), before=Cursor(5, "x"), from_us=NOON_US - 1)
    assert (page.events, page.next) == ([], None)


def test_one_event_is_found_by_its_id(filled: Path) -> None:
    assert event(days(filled), f"{1:020x}").event == EVENTS[0]
    assert event(days(filled), "' OR '1'='1").event is None


def test_cursors_are_read_strictly() -> None:
    assert AlarmCursor.parse(AlarmCursor(5, "a-1", "raised").text()) == AlarmCursor(5, "a-1", "raised")
    assert Cursor.parse("5-a-1") == Cursor(5, "a-1")
    for text in ("", "5", "x-1", "-5-1", "٣-1", "9" * 40 + "-1"):
        with pytest.raises(ValueError, match="is no cursor"):
            Cursor.parse(text)
    for text in ("5-raised", "5"):
        with pytest.raises(ValueError, match="is no cursor"):
            AlarmCursor.parse(text)
    with pytest.raises(ValueError, match="at most 512"):
        Cursor.parse("5-" + "x" * 600)


def test_what_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
        ({"limit": 0}, "limit = 0"),
        ({"limit": 1001}, "limit = 1001"),
        ({"text": "x" * 513}, "text: must be at most 512"),
        ({"types": ["x"] * 51}, "types: must be at most 50"),
        ({"types": ["\ud800"]}, r"types\[0\]: holds half"),
        ({"from_us": 5, "to_us": 5}, "from_us < to_us"),
    ]
    for asked, message in refused:
        with pytest.raises(ValueError, match=message):
            event_page(days(tmp_path), **asked)
    with pytest.raises(ValueError, match="limit = 0"):
        alarm_page(days(tmp_path), limit=0)
    with pytest.raises(ValueError, match="limit = 10001"):
        alarm_history(days(tmp_path), "a", limit=10_001)


def test_alarms_by_pages_filters_and_history(tmp_path: Path) -> None:
    alarms = [
        alarm(NOON_US - US_PER_DAY),
        alarm(NOON_US - 5, state="cleared"),
        alarm(NOON_US - 5, key="a2", severity="critical"),
        alarm(NOON_US, rule="cold", key="a3", subject="meter-2"),
    ]
    write(tmp_path, alarms=[alarm_row(each) for each in alarms])
    newest = [alarms[3], alarms[1], alarms[2], alarms[0]]
    seen: list[Alarm] = []
    before: AlarmCursor | None = None
    while True:
        page = alarm_page(days(tmp_path), before=before, limit=1)
        seen += page.alarms
        if page.next is None:
            break
        before = AlarmCursor.parse(page.next.text())
    assert seen == newest
    assert alarm_page(days(tmp_path), state="cleared").alarms == [alarms[1]]
    assert alarm_page(days(tmp_path), severity="critical", rule="hot").alarms == [alarms[2]]
    assert alarm_page(days(tmp_path), subject="meter-2").alarms == [alarms[3]]
    assert alarm_page(days(tmp_path), to_us=NOON_US - 5).alarms == [alarms[0]]
    assert alarm_history(days(tmp_path), "a1").alarms == alarms[:2]
    cut = alarm_history(days(tmp_path), "a1", limit=1)
    assert (cut.alarms, cut.more) == ([alarms[1]], True)


def test_a_text_for_like_stands_for_itself() -> None:
    assert escaped("a%b_c\\d") == "a\\%b\\_c\\\\d"
