from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.sinks import DirectorySink
from gateway.contract.events import Event, decode_alarm, decode_event
from rules.exporters import Document
from rules.outputs import Outputs, Parcel, SinkTroubleError
from rules.sinks.letters import LETTERS_AT_ONCE, MOST_BYTES, Clerk, Letter, letters_of
from tests.rules.sinks.told import AT_US, alarm, event, outputs


class Lines:
    """A format of others: a line for each event, `pair` of them as two documents, none of `mute`."""

    name = "lines"
    content_type = "text/plain"

    def export(self, events: Sequence[Event]) -> list[Document]:
        found = []
        for each in events:
            if each.type == "broken":
                raise ZeroDivisionError("a defect of a format")
            copies = {"pair": 2, "mute": 0}.get(each.type, 1)
            found += [Document(f"{each.id}-{n}.EDI", f"{each.subject} {n}".encode()) for n in range(copies)]
        return found


def clerk(exporter: Lines | None = None, **more: object) -> Clerk:
    values = {"kind": "directory", "name": "x", "directory": "/x", "events": ["*"], **more}
    return Clerk(DirectorySink.model_validate(values), site="port", exporter=exporter)


def letters(made: Clerk, *told: Outputs) -> list[Letter]:
    return letters_of(made.parcels(told))


def test_an_event_becomes_a_notice_that_says_everything() -> None:
    told = event(zone="lane-1", fields={"weight_kg": 31_000.5})
    (letter,) = letters(clerk(), outputs(told))
    assert (letter.id, letter.at_us, letter.content_type, letter.suffix) == (told.id, AT_US, "application/json", "json")
    notice = msgspec.json.decode(letter.body)
    assert (notice["type"], notice["timestamp"], notice["site"]) == (
        "event.truck-in",
        "2026-09-21T14:13:20.123456Z",
        "port",
    )
    assert decode_event(msgspec.json.encode(notice["data"])) == told


def test_each_state_of_an_alarm_becomes_a_notice_of_its_own() -> None:
    states = [
        alarm(),
        alarm(at_us=AT_US + 1, acknowledged_by="kim", acknowledged_at_us=AT_US + 1),
        alarm(at_us=AT_US + 2, acknowledged_by="kim", acknowledged_at_us=AT_US + 1, comment="x", comment_by="kim"),
        alarm(at_us=AT_US + 3, state="cleared"),
        alarm(at_us=AT_US + 4, since_us=AT_US + 4),
    ]
    made = letters(clerk(), outputs(*states))
    notices = [msgspec.json.decode(letter.body) for letter in made]
    assert [notice["type"] for notice in notices] == [
        "alarm.raised",
        "alarm.acknowledged",
        "alarm.acknowledged",
        "alarm.cleared",
        "alarm.raised",
    ]
    assert [decode_alarm(msgspec.json.encode(notice["data"])) for notice in notices] == states
    assert len({letter.id for letter in made}) == len(states)
    assert made[0].id == f"{alarm().id}-raised-{AT_US}"


def test_cases_are_made_of_alarms_alone() -> None:
    service = clerk(format="case", events=[], respond_within_s={"critical": 60})
    (letter,) = letters(service, outputs(event(), alarm()))
    notice = msgspec.json.decode(letter.body)
    assert notice["type"] == "case.raised"
    assert notice["data"]["due_at"] == "2026-09-21T14:14:20.123456Z"


def test_a_format_of_others_is_given_one_event_at_a_time() -> None:
    told = [event(0), event(1, "mute"), event(2, "pair"), event(3)]
    edi = clerk(Lines(), format="codeco")
    made = letters(edi, outputs(*told, alarm()))
    assert [(letter.id, letter.body) for letter in made] == [
        (told[0].id, b"truck-0 0"),
        (told[2].id, b"truck-2 0"),
        (f"{told[2].id}-2", b"truck-2 1"),
        (told[3].id, b"truck-3 0"),
    ]
    assert {(letter.content_type, letter.suffix) for letter in made} == {("text/plain", "edi")}
    assert made == letters(edi, *(outputs(each) for each in told))


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.xml", "xml"), ("a.tar.GZ", "gz"), ("a", "txt"), ("a.", "txt"), ("a./x", "txt"), ("", "txt")],
)
def test_suffixes_are_never_paths(name: str, suffix: str) -> None:
    class Named(Lines):
        def export(self, events: Sequence[Event]) -> list[Document]:
            return [Document(name, each.id.encode()) for each in events]

    (letter,) = letters(clerk(Named(), format="codeco"), outputs(event()))
    assert letter.suffix == suffix


@given(counts=st.lists(st.integers(0, 40), max_size=6))
def test_parcels_are_small_and_hold_everything_in_order(counts: list[int]) -> None:
    told, number = [], 0
    for at, count in enumerate(counts):
        told.append(outputs(*(event(number + n) for n in range(count)), caused_at_us=AT_US - at))
        number += count
    parcels = clerk().parcels(told)
    assert sum(parcel.points for parcel in parcels) == number
    assert all(1 <= parcel.points <= LETTERS_AT_ONCE for parcel in parcels)
    assert all(parcel.kind == "events" for parcel in parcels)
    assert [letter.id for letter in letters_of(parcels)] == [event(n).id for n in range(number)]
    assert [len(letters_of([parcel])) for parcel in parcels] == [parcel.points for parcel in parcels]


def test_a_parcel_was_caused_by_the_first_of_its_own() -> None:
    told = [outputs(caused_at_us=1), outputs(event(0), caused_at_us=20), outputs(event(1), caused_at_us=10)]
    (parcel,) = clerk().parcels(told)
    assert parcel.caused_at_us == 10
    assert clerk().parcels(told[:1]) == []


def test_what_a_format_trips_over_goes_to_the_quarantine_and_the_rest_on() -> None:
    made = letters(clerk(Lines(), format="codeco"), outputs(event(0), event(1, "broken"), event(2)))
    assert [bool(letter.refused) for letter in made] == [False, True, False]
    assert "a defect of a format" in made[1].refused
    refusal = made[1].refusal(made[1].refused)
    assert b"truck-1" in refusal.body


@pytest.mark.parametrize(
    "told", [event(name="half \ud800"), event(fields={"text": "\udfff"}), alarm(message="\ud800"), alarm(at_us=10**18)]
)
def test_what_json_or_the_calendar_cannot_say_goes_to_the_quarantine(told: Event) -> None:
    (letter,) = letters(clerk(), outputs(told))
    assert letter.refused.startswith("no document could be made of it: ")
    assert told.id.encode() in letter.body


def test_a_document_that_is_too_large_goes_to_the_quarantine() -> None:
    (letter,) = letters(clerk(), outputs(event(fields={"text": "x" * MOST_BYTES})))
    assert letter.refused.startswith("its document has ")
    assert len(letter.body) == MOST_BYTES


def test_a_parcel_of_a_newer_version_stops_the_sink() -> None:
    newer = Parcel("events", msgspec.msgpack.encode([2, "whatever"]), 1, AT_US)
    with pytest.raises(SinkTroubleError, match="run the newer program") as caught:
        letters_of([newer])
    assert caught.value.stopped
