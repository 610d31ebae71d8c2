from __future__ import annotations

from pathlib import Path

from gateway.contract.events import Event, Evidence
from gateway.where import time_text, where_text
from tests.gateway.journal_rows import EPC, NOON_US, event, write_events


def test_where_says_what_is_known_and_what_is_not(tmp_path: Path) -> None:
    write_events(tmp_path, [event(1, NOON_US, name="CSQU3054383", zone="gate-3", direction="in", type="passage")])
    text, known = where_text(tmp_path, "CSQU3054383")
    assert known
    assert text.splitlines() == [
        f"CSQU3054383 ({EPC})",
        "  2026-01-01 12:00:00.000Z  passage     gate-3  in  12 reads  [edge-1 batches 1-3]",
    ]
    text, known = where_text(tmp_path, "nobody\x1b[2J")
    assert not known
    assert "\x1b" not in text
    assert "give an EPC in hex or a name of the assets file" in text


def test_a_line_tells_what_the_event_rests_on_and_a_limit_is_told(tmp_path: Path) -> None:
    at = Evidence(
        gateway="edge-1", epoch=1, sequence_from=7, sequence_to=7, reads=3, rssi_max_dbm=-50.25, confidence=0.987
    )
    moved = Event(
        id="1", type="moved", at_us=NOON_US, subject=EPC, from_zone="a", zone="b", historical=True, evidence=at
    )
    write_events(tmp_path, [moved, event(2, NOON_US - 1)])
    text, known = where_text(tmp_path, EPC, limit=1)
    assert known
    assert text.splitlines() == [
        EPC,
        (
            "  2026-01-01 12:00:00.000Z  moved       a -> b  3 reads  -50.2 dBm  confidence 0.99  from a backlog"
            "  [edge-1 batch 7]"
        ),
        "the newest 1 events; older ones were left out",
    ]


def test_a_day_that_cannot_be_read_is_told_and_so_is_a_time_no_calendar_knows(tmp_path: Path) -> None:
    write_events(tmp_path, [event(1, NOON_US)])
    (tmp_path / "events-2025-12-31.db").write_bytes(b"no database at all" * 100)
    text, known = where_text(tmp_path, EPC)
    assert known
    assert text.splitlines()[0] == "not readable, left out: events-2025-12-31.db: file is not a database"
    assert time_text(1 << 70) == f"{1 << 70} us"
