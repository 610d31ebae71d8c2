from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gateway.event_journal import US_PER_DAY, Row
from gateway.history import related
from tests.gateway.history.day_rows import HOUR, S, alarm, alarm_row, days, signal, told, write
from tests.gateway.journal_rows import NOON_US, event, event_row

GATE = told(1, NOON_US, "gate-transaction", {"opened_at_us": NOON_US - 30 * S, "container": "CSQU3054383", "truck": ""})
AROUND = [
    event(2, NOON_US - 35 * S, subject="E2", name="CSQU3054383"),
    event(3, NOON_US - 5 * S, subject="lane-1", type="gate-decision"),
    event(4, NOON_US - 4 * S, subject="E3", read_point="lane-1-tags"),
]
APART = [event(5, NOON_US - 50 * S, subject="lane-1"), event(6, NOON_US, subject="E4", zone="yard")]


def read(at_us: int, item: int, *, point: str = "lane-1-tags", epc: str = "E2", device: str = "gate") -> Row:
    return (at_us, "edge-1", 1, 7, item, device, 2, point, epc, -51.5, 3, *[None] * 7)


def test_all_that_lies_around_an_event_is_found(tmp_path: Path) -> None:
    write(
        tmp_path,
        events=[event_row(each) for each in [GATE, *AROUND, *APART]],
        alarms=[alarm_row(alarm(NOON_US, subject="CSQU3054383")), alarm_row(alarm(NOON_US, key="a2"))],
        tag_reads=[read(NOON_US - S, 0), read(NOON_US, 1, point="far"), read(NOON_US - HOUR, 2)],
        signals=[
            signal(NOON_US - 31 * S, 31_500.0),
            signal(NOON_US, True, name="loop"),  # noqa: FBT003  # a value
            signal(NOON_US, 1.0, device="other"),
            signal(NOON_US - HOUR, 2.0),
        ],
    )
    found = related(days(tmp_path), GATE, devices=["scale"], read_points=["lane-1-tags"])
    assert (found.from_us, found.to_us) == (NOON_US - 40 * S, NOON_US + 10 * S + 1)
    assert found.events == AROUND
    assert [each.subject for each in found.alarms] == ["CSQU3054383"]
    assert [(each.epc, each.rssi_dbm, each.count, each.sequence) for each in found.reads] == [("E2", -51.5, 3, 7)]
    assert [(each.signal, each.value, each.state) for each in found.signals] == [
        ("weight", 31_500.0, None),
        ("loop", None, True),
    ]
    assert (found.more, found.damaged) == ([], [])
    assert msgspec.json.decode(msgspec.json.encode(found))["reads"][0]["read_point"] == "lane-1-tags"
    cut = related(days(tmp_path), GATE, devices=["scale"], read_points=["lane-1-tags"], limit=1)
    assert (len(cut.events), len(cut.reads), cut.more) == (1, 1, ["events", "signals"])


def test_a_span_goes_over_midnight_and_is_a_day_at_most(tmp_path: Path) -> None:
    midnight_us = NOON_US - NOON_US % US_PER_DAY
    late = told(1, midnight_us + S, "gate-decision", {"opened_at_us": midnight_us - 5 * S})
    write(tmp_path, events=[event_row(each) for each in [late, event(2, midnight_us - S, subject="lane-1")]])
    assert [int(each.id) for each in related(days(tmp_path), late).events] == [2]
    long = msgspec.structs.replace(late, fields={"opened_at_us": 0})
    assert related(days(tmp_path), long).from_us == midnight_us + 11 * S + 1 - US_PER_DAY


def test_what_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="margin_s = -1"):
        related(days(tmp_path), GATE, margin_s=-1)
    with pytest.raises(ValueError, match="margin_s = nan"):
        related(days(tmp_path), GATE, margin_s=float("nan"))
    with pytest.raises(ValueError, match="devices: must be at most 100"):
        related(days(tmp_path), GATE, devices=["x"] * 101)
    with pytest.raises(ValueError, match="limit = 0"):
        related(days(tmp_path), GATE, limit=0)
