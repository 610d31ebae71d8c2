from __future__ import annotations

import json
import math
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.contract.batches import ReadBatch, TagRead
from gateway.contract.events import Alarm, Event, Evidence
from gateway.contract.measurements import MEASUREMENTS
from rules.outputs import Outputs, Point
from rules.sinks.cardinality import SeriesGuard
from rules.sinks.influx_points import Encoder, Slots
from rules.sinks.line_protocol import UnwritableError, Value, read_refused
from tests.support.line_protocol import Row, parse

AT_US = 1_790_000_000_000_000
EVIDENCE = Evidence(gateway="edge-1", epoch=7, sequence_from=3, sequence_to=5, reads=12, rssi_max_dbm=-51.5)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)


def encoder(budget: int = 1000, *, store_reads: bool = True) -> Encoder:
    return Encoder(site="port", guard=SeriesGuard(budget, lambda *_: None), store_reads=store_reads)


def rows(lines: Sequence[str]) -> list[Row]:
    return parse("\n".join(lines).encode()) if lines else []


def refusals(lines: Sequence[str]) -> list[str]:
    return [read_refused(line.encode())[0] for line in lines if line.startswith("#")]


def point(measurement: str, tags: tuple[tuple[str, str], ...], **fields: Value) -> Point:
    return Point(measurement, tags, tuple(fields.items()), AT_US * 1000)


def batch(*reads: TagRead, ordinal: int = 0, device: str = "reader-1") -> ReadBatch:
    return ReadBatch(
        gateway="edge-1", epoch=7, sequence=1, ordinal=ordinal, device=device, received_at_us=AT_US, reads=list(reads)
    )


def read(epc: str = "3034257BF7194E4000001A85", **more: object) -> TagRead:
    values: dict[str, object] = {"antenna_port": 2, "read_point": "gate-3-out", "seen_at_us": AT_US, **more}
    return TagRead(epc=epc, **values)  # type: ignore[arg-type]  # some tests give what the wire cannot


def test_an_event_has_its_evidence_beside_it() -> None:
    event = Event(
        id="00ff00ff00ff00ff00ff",
        type="passage",
        at_us=AT_US,
        subject="3034257BF7194E4000001A85",
        evidence=EVIDENCE,
        name="CSQU3054383",
        zone="gate-3",
        direction="in",
        fields={"lane": 3, "seal": "intact"},
    )
    (row,) = rows(encoder().lines(Outputs(AT_US, events=[event]))[0])
    assert row.measurement == "event"
    assert row.tags == {"site": "port", "event": "passage", "zone": "gate-3"}
    assert row.fields == {
        "id": "00ff00ff00ff00ff00ff",
        "subject": "3034257BF7194E4000001A85",
        "name": "CSQU3054383",
        "direction": "in",
        "reads": 12,
        "rssi_max_dbm": -51.5,
        "gateway": "edge-1",
        "epoch": 7,
        "sequence_from": 3,
        "sequence_to": 5,
        "historical": False,
        "fields": '{"lane":3,"seal":"intact"}',
    }
    assert row.at_ns // 1000 == AT_US


def test_an_alarm_is_a_change_of_state() -> None:
    alarm = Alarm(
        id="a1",
        rule="demand",
        severity="critical",
        subject="meter-17",
        state="raised",
        since_us=AT_US - 5,
        at_us=AT_US,
        message='over "limit"\nof 500 kW',
        evidence=EVIDENCE,
    )
    (row,) = rows(encoder().lines(Outputs(AT_US, alarms=[alarm]))[0])
    assert row.tags == {"site": "port", "rule": "demand", "severity": "critical", "state": "raised"}
    assert row.fields == {
        "id": "a1",
        "subject": "meter-17",
        "message": 'over "limit"\u240aof 500 kW',
        "since_us": AT_US - 5,
    }
    seen = msgspec.structs.replace(alarm, acknowledged_by="anna", comment="fan off", ended=True, escalated=True)
    (row,) = rows(encoder().lines(Outputs(AT_US, alarms=[seen]))[0])
    assert row.tags["state"] == "raised"
    assert {name: row.fields[name] for name in ("acknowledged_by", "comment", "ended", "escalated")} == {
        "acknowledged_by": "anna",
        "comment": "fan off",
        "ended": True,
        "escalated": True,
    }


def events_at(count: int, **more: object) -> list[Event]:
    values: dict[str, object] = {"type": "arrived", "zone": "yard", "at_us": AT_US, "evidence": EVIDENCE, **more}
    return [Event(id=f"{n:020x}", subject=f"{n:024X}", **values) for n in range(count)]  # type: ignore[arg-type]  # as read()


def test_half_a_surrogate_pair_in_the_further_fields_of_an_event() -> None:
    (event,) = events_at(1, fields={"note\ud800": "a\udfffb", "lane": 3})
    (row,) = rows(encoder().lines(Outputs(AT_US, events=[event]))[0])
    assert row.fields["fields"] == '{"note?":"a?b","lane":3}'


def test_events_of_one_microsecond_are_kept_apart() -> None:
    made = rows(encoder().lines(Outputs(AT_US, events=events_at(1000)))[0])
    assert len({row.key for row in made}) == 1000
    assert {row.at_ns // 1000 for row in made} == {AT_US}


def test_the_same_event_overwrites_itself() -> None:
    ours = encoder()
    events = events_at(300)
    first = rows(ours.lines(Outputs(AT_US, events=events))[0])
    again = rows(ours.lines(Outputs(AT_US, events=events[::-1]))[0])
    assert again == first[::-1]


def test_more_than_a_thousand_in_one_microsecond_are_refused_and_counted() -> None:
    lines, _ = encoder().lines(Outputs(AT_US, events=events_at(1003)))
    assert refusals(lines) == ["too_many_at_once"] * 3
    assert len(lines) == 1003


def test_the_memory_of_times_is_bounded() -> None:
    slots = Slots(most=10)
    for at_us in range(100):
        slots.place("event,site=port", at_us, "id")
    assert len(slots._taken) == 10


def test_a_point_is_written_as_given() -> None:
    given_point = point(
        "reading", (("site", "port"), ("meter", "m-1"), ("unit", "kW h")), value=12.5, obis="1-0:1.8.0*255"
    )
    (row,) = rows(encoder().lines(Outputs(AT_US, points=[given_point]))[0])
    assert row == Row(
        "reading",
        {"site": "port", "meter": "m-1", "unit": "kW h"},
        {"value": 12.5, "obis": "1-0:1.8.0*255"},
        AT_US * 1000,
    )


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (point("evil", (("site", "x"),), value=1.0), "unknown_measurement"),
        (point("reading\nevil", (("site", "x"),), value=1.0), "unknown_measurement"),
        (point("reading", (("epc", "x"),), value=1.0), "unknown_tag"),
        (point("reading", (("site", "x"), ("site", "y")), value=1.0), "unknown_tag"),
        (point("reading", (("site", "x"),), evil=1.0), "unknown_field"),
        (point("reading", (("site", "x"),)), "no_field"),
        (point("reading", (("site", "x"),), value=math.nan), "not_finite"),
        (point("reading", (("site", "x"),), value=-math.inf), "not_finite"),
        (point("reading", (("site", "x"),), value="1"), "field_type"),
        (point("reading", (("site", "x" * 600),), value=1.0), "tag_too_long"),
        (point("reading", (("meter", "3034257BF7194E4000001A85"),), value=1.0), "identity_as_tag"),
        (point("reading", (("site", "x"),), value=1.0)._replace(at_ns=2**63), "time_out_of_range"),
    ],
)
def test_a_point_without_a_place_is_refused_with_its_reason(bad: Point, reason: str) -> None:
    good = point("reading", (("site", "port"),), value=2.0)
    lines, _ = encoder().lines(Outputs(AT_US, points=[bad, good]))
    assert refusals(lines) == [reason]
    assert [row.fields for row in rows(lines)] == [{"value": 2.0}]
    _, described = read_refused(lines[0].encode())
    assert json.loads(described)["measurement"] == bad.measurement


def test_series_beyond_the_budget_are_refused_and_known_ones_go_on() -> None:
    ours = encoder(budget=3)
    lines = [ours.lines(Outputs(AT_US, reads=batch(read(), device=f"r-{n}")))[1][0] for n in (1, 2, 3, 4, 1, 5)]
    assert [line.startswith("#") for line in lines] == [False, False, False, True, False, True]
    assert refusals(lines) == ["series_budget", "series_budget"]


def test_reads_only_when_asked_for() -> None:
    assert encoder(store_reads=False).lines(Outputs(AT_US, reads=batch(read()))) == ([], [])


def test_a_read_is_stored_value_by_value() -> None:
    full = read(
        rssi_dbm=-54.25,
        count=3,
        first_seen_at_us=AT_US - 900,
        tid="E2801160",
        phase_deg=171.5,
        doppler_hz=-3.25,
        channel_index=7,
    )
    _, lines = encoder().lines(Outputs(AT_US, reads=batch(full, read(), ordinal=998)))
    tags = {"site": "port", "device": "reader-1", "read_point": "gate-3-out", "antenna_port": "2"}
    assert rows(lines) == [
        Row(
            "tag_read",
            tags,
            {
                "epc": "3034257BF7194E4000001A85",
                "rssi_dbm": -54.25,
                "count": 3,
                "first_seen_at_us": AT_US - 900,
                "tid": "E2801160",
                "phase_deg": 171.5,
                "doppler_hz": -3.25,
                "channel_index": 7,
            },
            AT_US * 1000 + 998,
        ),
        Row("tag_read", tags, {"epc": "3034257BF7194E4000001A85", "count": 1}, AT_US * 1000 + 999),
    ]


def test_a_full_batch_of_reads_of_one_microsecond_is_kept_apart() -> None:
    _, lines = encoder().lines(Outputs(AT_US, reads=batch(*[read()] * 500, ordinal=123_456_789)))
    assert len({row.key for row in rows(lines)}) == 500


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"rssi_dbm": math.nan}, "not_finite"),
        ({"rssi_dbm": -math.inf}, "not_finite"),
        ({"phase_deg": math.inf}, "not_finite"),
        ({"doppler_hz": math.nan}, "not_finite"),
        ({"tid": "x" * 70_000}, "text_too_long"),
    ],
)
def test_a_bad_read_costs_itself_alone(bad: dict[str, object], reason: str) -> None:
    _, lines = encoder().lines(Outputs(AT_US, reads=batch(read("AA"), read("BB", **bad), read("CC"))))
    assert refusals(lines) == [reason]
    assert [row.fields["epc"] for row in rows(lines)] == ["AA", "CC"]


def test_a_device_whose_name_looks_like_infinity_is_not_refused() -> None:
    _, lines = encoder().lines(Outputs(AT_US, reads=batch(read(rssi_dbm=-50.0), device="infeed")))
    (row,) = rows(lines)
    assert row.tags["device"] == "infeed"
    assert row.fields["rssi_dbm"] == -50.0


@settings(deadline=None)
@given(st.lists(st.tuples(ANY_TEXT, ANY_TEXT, ANY_TEXT), min_size=1, max_size=4))
def test_no_text_of_a_device_adds_a_row_a_tag_or_a_field(texts: list[tuple[str, str, str]]) -> None:
    reads = [read(epc, tid=tid, read_point=place or "p") for epc, tid, place in texts]
    events = [
        Event(id=place, type=tid or "t", at_us=AT_US + n, subject=epc, evidence=EVIDENCE, name=tid, fields={place: epc})
        for n, (epc, tid, place) in enumerate(texts)
    ]
    points = [
        Point("signal", (("site", "port"), ("signal", place)), (("text", epc), ("value", 1.0)), AT_US)
        for epc, _, place in texts
    ]
    event_lines, read_lines = encoder().lines(Outputs(AT_US, events=events, points=points, reads=batch(*reads)))
    assert len(event_lines) == 2 * len(texts)
    assert len(read_lines) == len(texts)
    for line in (*event_lines, *read_lines):
        assert "\n" not in line
        if line.startswith("#"):
            assert refusals([line]) == ["identity_as_tag"]
            continue
        (row,) = parse(line.encode())
        schema = MEASUREMENTS[row.measurement]
        assert set(row.tags) <= set(schema.tags)
        assert set(row.fields) <= set(schema.fields)


def test_a_slot_is_refused_when_all_are_taken() -> None:
    slots = Slots()
    for number in range(1000):
        slots.place("head", 1, str(number))
    with pytest.raises(UnwritableError, match="too_many_at_once"):
        slots.place("head", 1, "one more")
