from __future__ import annotations

from pathlib import Path

import msgspec

from gateway.contract.events import Alarm
from gateway.event_journal import US_PER_DAY
from gateway.event_span import EventSpan
from tests.gateway.journal_rows import NOON_US, event, event_row, evidence, journal


def alarm(at_us: int, state: str, key: str = "a1") -> Alarm:
    return Alarm(
        id=key,
        rule="r",
        severity="info",
        subject="s",
        state=state,
        since_us=at_us,
        at_us=at_us,
        message="m",
        evidence=evidence(),
    )


def write(tmp_path: Path) -> None:
    made = journal(tmp_path)
    events = [event(number, NOON_US - number * US_PER_DAY) for number in range(3)]
    alarms = [alarm(NOON_US - US_PER_DAY, "raised"), alarm(NOON_US - 5, "cleared"), alarm(NOON_US, "raised")]
    rows = [(a.at_us, a.id, a.state, a.rule, a.severity, a.subject, a.since_us, a.message, msgspec.json.encode(a))
            for a in alarms]  # fmt: skip
    assert made.append([{"events": [event_row(each) for each in events], "alarms": rows}]) == []
    made.close()


def test_a_time_is_told_oldest_first_over_several_days(tmp_path: Path) -> None:
    write(tmp_path)
    span = EventSpan(tmp_path)
    assert [each.at_us for each in span.events(0, NOON_US + 1)] == [
        NOON_US - 2 * US_PER_DAY,
        NOON_US - US_PER_DAY,
        NOON_US,
    ]
    (one,) = span.events(NOON_US - US_PER_DAY, NOON_US)
    assert (one.id, one.type, one.gateway, one.rule) == (f"{1:020x}", "arrived", "edge-1", None)
    assert [each.state for each in span.alarms(NOON_US - US_PER_DAY, NOON_US)] == ["raised", "cleared"]
    assert span.damaged == []


def test_events_and_alarms_are_found_by_their_ids(tmp_path: Path) -> None:
    write(tmp_path)
    span = EventSpan(tmp_path)
    found = span.event(f"{2:020x}")
    assert found is not None
    assert found.at_us == NOON_US - 2 * US_PER_DAY
    assert span.event("unknown") is None
    latest, before = span.alarm("a1"), span.alarm("a1", NOON_US - 1)
    assert latest is not None
    assert before is not None
    assert (latest.at_us, before.at_us) == (NOON_US, NOON_US - US_PER_DAY)
    assert span.alarm("a2") is None


def test_a_damaged_day_is_left_out_and_named(tmp_path: Path) -> None:
    write(tmp_path)
    (first, *_) = sorted(tmp_path.glob("events-*.db"))
    for path in tmp_path.glob(f"{first.name}-*"):
        path.unlink()
    first.write_bytes(b"nothing that SQLite knows" * 200)
    span = EventSpan(tmp_path)
    assert len(list(span.events(0, NOON_US + 1))) == 2
    assert len(span.damaged) == 1
    assert first.name in span.damaged[0]
