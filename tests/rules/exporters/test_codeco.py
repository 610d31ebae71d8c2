from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.gate_exports import CodecoExport
from gateway.contract.events import Event, Scalar
from rules.exporters import Exporter
from rules.exporters.codeco import CodecoExporter
from tests.rules.exporters.edi_reading import read_interchange
from tests.rules.exporters.gate_events import transaction, transactions_of_the_pack

HAMBURG = ZoneInfo("Europe/Berlin")
BARE = {"un_location": "DEHAM", "terminal": "CTA", "sender": "TAGWHARF", "receiver": "LINE"}
FULL: dict[str, Any] = {
    **BARE,
    "size_type_field": "appointment_size_type",
    "empty_field": "appointment_empty",
    "operator": "CSQ",
    "references": {"BN": "appointment_booking"},
    "tare_field": "vehicle_tare_kg",
    "sealed_by": "SH",
}

GATE_IN = (
    "UNA:+.? '"
    "UNB+UNOA:2+TAGWHARF+LINE+260302:0915+{ref}'"
    "UNH+{ref}+CODECO:D:95B:UN:ITG14'"
    "BGM+34+{id}+9'"
    "NAD+MS+TAGWHARF:160:ZZZ'"
    "NAD+MR+LINE:160:ZZZ'"
    "NAD+CF+CSQ:160:20'"
    "EQD+CN+CSQU3054383+22G1:102:5+++5'"
    "RFF+BN:BK7781'"
    "DTM+7:202603020915:203'"
    "LOC+165+DEHAM:139:6+CTA:TER:ZZZ'"
    "MEA+AAE+G+KGM:10300'"
    "SEL+SEAL-1+SH+1'"
    "TDT+1++3+31++++HH-AB 123:146:ZZZ'"
    "CNT+16:1'"
    "UNT+14+{ref}'"
    "UNZ+1+{ref}'"
)
"""Written by hand: groups and codes of UNTDID D.95B; LOC, DTM and TDT as in published messages that name ITG14."""


class Segment(NamedTuple):
    tag: str
    most: int
    is_required: bool = False


class Group(NamedTuple):
    most: int
    parts: tuple[Segment | Group, ...]
    is_required: bool = False


STRUCTURE = (
    Segment("BGM", 1, is_required=True),
    Segment("FTX", 9),
    Segment("RFF", 9),
    Group(1, (Segment("TDT", 1, is_required=True), Segment("RFF", 9), Segment("LOC", 9), Segment("DTM", 9))),
    Group(9, (Segment("NAD", 1, is_required=True), Segment("CTA", 9)), is_required=True),
    Group(
        999,
        (
            Segment("EQD", 1, is_required=True),
            *(Segment(tag, 9) for tag in ("RFF", "TMD", "DTM", "LOC", "MEA", "DIM", "SEL", "FTX", "EQA")),
            Group(9, (Segment("DAM", 1, is_required=True), Segment("COD", 1))),
            Group(9, (Segment("TDT", 1, is_required=True), Segment("LOC", 1), Segment("DTM", 1))),
            Segment("NAD", 9),
        ),
        is_required=True,
    ),
    Segment("CNT", 1, is_required=True),
)
"""CODECO in UNTDID D.95B, without the group of goods. Source: segment table, trmd/codeco_s.htm."""

LONGEST = {
    "BGM": [[3, 3, 3, 35], [35], [3], [3]],
    "NAD": [[3], [35, 3, 3]],
    "EQD": [[3], [17, 3, 3, 3], [10, 3, 3, 35], [3], [3], [3]],
    "RFF": [[3, 35, 6, 35]],
    "DTM": [[3, 35, 3]],
    "LOC": [[3], [25, 3, 3, 17], [25, 3, 3, 70]],
    "MEA": [[3], [3, 3, 3, 70], [3, 18, 18, 18, 2]],
    "SEL": [[10], [3, 3, 3, 35], [3]],
    "FTX": [[3], [3], [3, 3, 3], [70, 70, 70, 70, 70]],
    "TDT": [[3], [17], [3, 17], [8, 17], [17, 3, 3, 35], [3], [3, 3, 17], [9, 3, 3, 35, 3]],
    "CNT": [[3, 18, 3]],
}
"""Characters of every component. Source: UNTDID D.95B, segment directory."""


def exporter(zone: tzinfo = HAMBURG, **settings: Any) -> CodecoExporter:
    return CodecoExporter(CodecoExport.model_validate({**FULL, **settings}), zone=zone)


def body_of(event: Event, **settings: Any) -> str:
    (document,) = exporter(**settings).export([event])
    return document.body.decode("latin-1")


def segments_of(event: Event, tag: str, **settings: Any) -> list[str]:
    return [each for each in body_of(event, **settings).split("'") if each.startswith(tag + "+")]


def match(parts: tuple[Segment | Group, ...], tags: list[str], at: int) -> int:
    """Where the tags go on behind these parts; each is taken as often as it may be."""
    for part in parts:
        taken = 0
        while taken < part.most:
            if isinstance(part, Segment):
                after = at + 1 if at < len(tags) and tags[at] == part.tag else at
            else:
                first = part.parts[0]
                assert isinstance(first, Segment)
                after = match(part.parts, tags, at) if at < len(tags) and tags[at] == first.tag else at
            if after == at:
                break
            taken, at = taken + 1, after
        assert taken or not part.is_required, f"{part} is missing at {tags[at:]}"
    return at


def judge(body: bytes) -> None:
    """An independent reading: syntax, order and number of segments, length of every component, counts, references."""
    read = read_interchange(body)
    (only,) = read.get_messages()
    inner = [each for each in only.segments if each.tag not in ("UNH", "UNT")]
    tags = [each.tag for each in inner]
    assert match(STRUCTURE, tags, 0) == len(tags), f"out of order: {tags}"
    for each in inner:
        assert len(each.elements) <= len(LONGEST[each.tag])
        for element, longest in zip(each.elements, LONGEST[each.tag], strict=False):
            components = [element] if isinstance(element, str) else element
            assert len(components) <= len(longest)
            for component, most in zip(components, longest, strict=False):
                assert len(component) <= most, f"{each.tag}: {component}"
    raw = body.decode("latin-1").removeprefix("UNA:+.? '")
    assert f"UNT+{len(inner) + 2}+" in raw
    reference = read.control_reference
    assert len(reference) <= 14
    assert raw.endswith(f"+{reference}'UNZ+1+{reference}'")
    assert only.reference_number == reference


def test_a_gate_in_as_written_by_hand() -> None:
    event = transaction()
    (document,) = exporter().export([event])
    assert document.body.decode() == GATE_IN.format(id=event.id.upper(), ref=event.id[:14].upper())
    assert document.name == f"codeco_{event.id}.edi"
    judge(document.body)


def test_a_gate_out_is_36() -> None:
    event = transaction(direction="out")
    assert segments_of(event, "BGM") == [f"BGM+36+{event.id.upper()}+9"]


def test_it_is_an_exporter() -> None:
    found: Exporter = exporter()
    assert (found.name, found.content_type) == ("codeco", "application/EDIFACT")


def test_who_did_not_pass_is_left_out_and_each_container_has_its_document() -> None:
    events = [transaction(1), transaction(2, verdict="hold"), transaction(3, direction="out")]
    found = exporter().export(events)
    assert [each.name for each in found] == [f"codeco_{events[0].id}.edi", f"codeco_{events[2].id}.edi"]
    assert found == [*exporter().export(events[:1]), *exporter().export(events[2:])]
    assert exporter().export([]) == []


def test_what_is_not_known_is_not_told() -> None:
    event = transaction(truck=None, seal=None, seal_state=None, weight_kg=None, appointment_booking=None)
    (document,) = CodecoExporter(CodecoExport.model_validate(BARE), zone=UTC).export([event])
    judge(document.body)
    text = document.body.decode()
    assert "EQD+CN+CSQU3054383'DTM+7:202603020815:203'LOC+165" in text
    assert "TDT+1++3+31'" in text
    assert not any(f"'{tag}+" in text for tag in ("RFF", "MEA", "SEL", "FTX", "NAD+CF"))


@pytest.mark.parametrize(
    ("fields", "settings", "found"),
    [
        ({}, {"tare_field": None}, []),
        ({"vehicle_tare_kg": None}, {}, []),
        ({"vehicle_tare_kg": 24_800}, {}, []),
        ({"vehicle_tare_kg": 30_000}, {}, []),
        ({"vehicle_tare_kg": 14_499.5}, {}, ["MEA+AAE+G+KGM:10300.5"]),
        ({"weight_kg": 24_800.1, "vehicle_tare_kg": 14_500.2}, {}, ["MEA+AAE+G+KGM:10299.9"]),
        ({}, {"tare_field": None, "weighed": "container"}, ["MEA+AAE+G+KGM:24800"]),
    ],
    ids=str,
)
def test_the_gross_weight_is_that_of_the_container(
    fields: dict[str, Scalar], settings: dict[str, Any], found: list[str]
) -> None:
    assert segments_of(transaction(**fields), "MEA", **settings) == found


@pytest.mark.parametrize(
    ("fields", "settings", "found"),
    [
        ({"seal_state": "opened"}, {}, ["SEL+SEAL-1+SH+2"]),
        ({"seal_state": None}, {}, ["SEL+SEAL-1+SH"]),
        ({}, {"sealed_by": None}, ["SEL+SEAL-1++1"]),
        ({"seal": "ABCDEF123456789"}, {}, ["FTX+AAI+++SEAL ABCDEF123456789"]),
        ({"seal": "S" * 66}, {}, []),
        ({"seal": "铅封1"}, {}, []),
    ],
    ids=str,
)
def test_seals(fields: dict[str, Scalar], settings: dict[str, Any], found: list[str]) -> None:
    event = transaction(**fields)
    assert segments_of(event, "SEL", **settings) + segments_of(event, "FTX", **settings) == found


@pytest.mark.parametrize(
    ("truck", "found"),
    [
        ("hh-ab 123", "TDT+1++3+31++++HH-AB 123:146:ZZZ"),
        ("HH-ABC 1234", "TDT+1++3+31++++:146:ZZZ:HH-ABC 1234"),
        ("T" * 36, "TDT+1++3+31"),
        ("粤B12345", "TDT+1++3+31"),
    ],
)
def test_plates(truck: str, found: str) -> None:
    assert segments_of(transaction(truck=truck), "TDT") == [found]


@pytest.mark.parametrize(("empty", "found"), [(True, "4"), (False, "5"), ("?", "")])
def test_empty_or_full(empty: Scalar, found: str) -> None:
    wanted = f"EQD+CN+CSQU3054383+22G1:102:5+++{found}" if found else "EQD+CN+CSQU3054383+22G1:102:5"
    assert segments_of(transaction(appointment_empty=empty), "EQD") == [wanted]


def test_the_operator_of_the_transaction_is_stronger() -> None:
    event = transaction(appointment_line="MSK")
    assert segments_of(event, "NAD", operator_field="appointment_line")[2] == "NAD+CF+MSK:160:20"
    assert segments_of(transaction(), "NAD", operator_field="appointment_line")[2] == "NAD+CF+CSQ:160:20"


def test_a_test_is_marked_and_parties_have_their_qualifiers() -> None:
    (header,) = segments_of(transaction(), "UNB", test=True, sender_qualifier="14", receiver_qualifier="ZZZ")
    assert header == f"UNB+UNOA:2+TAGWHARF:14+LINE:ZZZ+260302:0915+{transaction().id[:14].upper()}++++++1"


def test_latin_letters_go_with_another_level() -> None:
    body = body_of(transaction(truck="MÜ 12"), character_set="UNOC")
    assert "UNB+UNOC:3+" in body
    assert "+MÜ 12:146:ZZZ'" in body


TEXTS = st.text(st.sampled_from("ABCabc019 +:'?-/éü粤\n"), max_size=80)


@given(
    truck=TEXTS,
    seal=TEXTS,
    booking=TEXTS,
    size=TEXTS,
    weight_kg=st.floats(),
    tare_kg=st.floats() | st.integers(),
    empty=st.sampled_from([True, False, None, "x"]),
    state=st.sampled_from(["sealed", "opened", None]),
    character_set=st.sampled_from(["UNOA", "UNOC"]),
)
def test_whatever_a_gate_heard_the_message_is_sound(
    *,
    truck: str,
    seal: str,
    booking: str,
    size: str,
    weight_kg: float,
    tare_kg: float,
    empty: Scalar,
    state: str | None,
    character_set: str,
) -> None:
    event = transaction(
        truck=truck,
        seal=seal,
        seal_state=state,
        weight_kg=weight_kg,
        vehicle_tare_kg=tare_kg,
        appointment_booking=booking,
        appointment_size_type=size,
        appointment_empty=empty,
    )
    first = exporter(character_set=character_set).export([event])
    judge(first[0].body)
    assert first == exporter(character_set=character_set).export([event])


def test_a_message_in_another_order_is_judged() -> None:
    (document,) = exporter().export([transaction()])
    for right, wrong in (
        (b"SEL+SEAL-1+SH+1'", b""),
        (b"CNT+16:1'", b""),
        (b"UNT+14+", b"UNT+13+"),
        (b"NAD+CF+", b"LOC+CF+"),
        (b"SEL+SEAL-1+", b"SEL+SEAL-123456+"),
        (b"MEA+AAE+G+KGM:10300'SEL+SEAL-1+SH+1'", b"SEL+SEAL-1+SH+1'MEA+AAE+G+KGM:10300'"),
    ):
        assert right in document.body
        with pytest.raises(AssertionError):
            judge(document.body.replace(right, wrong))


def test_trucks_of_the_pack_are_reported() -> None:
    made = transactions_of_the_pack()
    found = exporter().export(made)
    assert len(found) == sum(event.fields.get("verdict") == "open" for event in made) > 1
    for document in found:
        judge(document.body)
    text = b"".join(document.body for document in found).decode()
    assert "'BGM+34+" in text
    assert "'BGM+36+" in text
    assert "'EQD+CN+TWHU0001012" in text
    assert "'SEL+SEAL-1+SH'" in text
