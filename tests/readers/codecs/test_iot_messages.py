from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.iot_json import Event, State
from readers.codecs.iot_messages import (
    MOST_EPC_BYTES,
    MOST_MEMORY_BYTES,
    encode_impinj,
    encode_zebra,
    parse_impinj,
    parse_zebra,
    time_us,
)
from readers.errors import FrameError
from readers.observations import TagRead
from tests.support.codecs.iot_json import AT_US, event

EVENTS = st.integers(0, 2**32).map(lambda seed: event(Random(seed)))


def impinj(**tag: Any) -> bytes:
    return json.dumps({"tagInventoryEvent": {"epcHex": "30", **tag}}).encode()


def zebra(**tag: Any) -> bytes:
    return json.dumps({"data": {"idHex": "30", **tag}}).encode()


def read_of(said: Event) -> TagRead:
    assert said.read is not None
    return said.read


@given(EVENTS)
def test_what_is_encoded_is_parsed(said: Event) -> None:
    assert parse_impinj(encode_impinj(said)) == said
    assert parse_zebra(encode_zebra(said)) == said


def test_states_and_signs_of_life_are_parsed() -> None:
    for state in State:
        assert parse_impinj(encode_impinj(Event(AT_US, state=state))) == Event(AT_US, state=state)
    assert parse_impinj(encode_impinj(Event(AT_US))) == Event(AT_US)
    for said in (Event(AT_US), Event(AT_US, state=State.RUNNING), Event(AT_US, state=State.IDLE)):
        assert parse_zebra(encode_zebra(said)) == said
    assert parse_zebra(b'{"type":"warning","component":"RG","data":[1]}') == Event()
    assert parse_zebra(b'{"data":{"something":"else"}}') == Event()


def test_antennas_that_are_there_and_are_not_are_told() -> None:
    said = Event(AT_US, state=State.RUNNING, connected=frozenset({1}), disconnected=frozenset({2, 13}))
    assert parse_zebra(encode_zebra(said)) == said
    for one in (Event(AT_US, connected=frozenset({3})), Event(AT_US, disconnected=frozenset({3}))):
        assert parse_impinj(encode_impinj(one)) == one
        assert parse_zebra(encode_zebra(one)) == one
    assert parse_impinj(b'{"antennaConnectedEvent":{"antennaPort":2}}') == Event(connected=frozenset({2}))


def test_events_that_the_reader_has_purged_are_told() -> None:
    assert parse_impinj(encode_impinj(Event(AT_US, purged=12))) == Event(AT_US, purged=12)
    assert parse_impinj(b'{"overflowEvent":{"eventsRemaining":1}}') == Event()


def test_the_state_may_have_the_name_of_the_simulation() -> None:
    assert parse_impinj(b'{"inventoryStatusEvent":{"inventoryStatus":"idle"}}') == Event(state=State.IDLE)


@pytest.mark.parametrize(
    ("radio", "state"),
    [
        ({"radioActivity": "active", "radioConnection": "disconnected"}, State.IDLE),
        ({"radioConnection": "connected"}, None),
        ({"radioActivity": "resting", "antennas": {"1": "unknown", "x": "disconnected"}}, None),
        ({"radioActivity": "active", "antennas": {"1": 1}}, None),
    ],
)
def test_what_a_heartbeat_says_of_the_radio(radio: dict[str, Any], state: State | None) -> None:
    text = json.dumps({"type": "heartbeat", "data": {"radio_control": radio}}).encode()
    assert parse_zebra(text) == Event(state=state)
    assert parse_zebra(b'{"type":"heartbeat"}') == Event()


def test_a_tag_is_read_whatever_else_its_event_has() -> None:
    assert read_of(parse_zebra(b'{"component":"RC","data":{"idHex":"30"}}')).epc == b"\x30"


def test_an_event_without_a_time_is_encoded_without_one() -> None:
    said = Event(read=TagRead(b"\x30", 2))
    assert parse_impinj(encode_impinj(said)) == said
    assert parse_zebra(encode_zebra(said)) == said


@given(st.binary(max_size=100))
def test_anything_else_is_a_frame_error(data: bytes) -> None:
    for parse in (parse_impinj, parse_zebra):
        with pytest.raises(FrameError):
            parse(b"\xff" + data)


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01.5Z", 1_500_000),
        ("1970-01-01T00:00:00.123456789Z", 123_456),
        ("1970-01-01T02:00:00+0200", 0),
        ("1970-01-01T00:00:00.471-01:30", 5_400_471_000),
    ],
)
def test_times_are_read(text: str, us: int) -> None:
    assert time_us(text) == us


@pytest.mark.parametrize(
    "text", ["", "now", "1970-01-01T00:00:00", "1969-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "2021-02-30T00:00:00Z"]
)
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(FrameError) as caught:
        time_us(text)
    assert caught.value.reason == "time"


@pytest.mark.parametrize("pc", ["3000", "MAA=", "MAA"])
def test_the_pc_word_may_be_hexadecimal_or_base64(pc: str) -> None:
    assert read_of(parse_impinj(impinj(pc=pc))).pc_bits == 0x3000


def test_base64_is_read_with_and_without_padding() -> None:
    for text in ("ikUCJA==", "ikUCJA"):
        read = read_of(parse_impinj(impinj(epcHex=None, epc=text, tid=text)))
        assert (read.epc, read.tid) == (bytes.fromhex("8A450224"),) * 2


def test_a_negative_phase_is_turned_round() -> None:
    assert read_of(parse_zebra(zebra(phase=-90))).phase_deg == 270
    assert read_of(parse_impinj(impinj(phaseAngle=360))).phase_deg == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"inventoryStatusEvent":{}}', "fields"),
        (b'{"antennaDisconnectedEvent":{"antennaPort":0}}', "range"),
        (b'{"overflowEvent":{"eventsPurged":-1}}', "range"),
        (impinj(epcHex="xy"), "epc"),
        (impinj(epcHex=None), "epc"),
        (impinj(epcHex=None, epc="=?"), "epc"),
        (impinj(epcHex="00" * (MOST_EPC_BYTES + 1)), "epc"),
        (impinj(tidHex="0"), "memory"),
        (impinj(tidHex="00" * (MOST_MEMORY_BYTES + 1)), "memory"),
        (impinj(pc="30"), "memory"),
        (impinj(pc="MAAA"), "memory"),
        (impinj(antennaPort=256), "range"),
        (impinj(antennaPort="1"), "fields"),
        (impinj(peakRssiCdbm=-20_000), "range"),
        (impinj(phaseAngle=361), "range"),
        (impinj(lastSeenTime="now"), "time"),
    ],
)
def test_each_check_of_an_impinj_event_has_its_reason(text: bytes, reason: str) -> None:
    with pytest.raises(FrameError) as caught:
        parse_impinj(text)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (zebra(idHex="x"), "epc"),
        (zebra(TID="x"), "memory"),
        (zebra(USER="x"), "memory"),
        (zebra(antenna=0), "range"),
        (zebra(reads=0), "range"),
        (zebra(peakRssi=31), "range"),
        (zebra(peakRssi=None, antenna=None), "fields"),
        (b'{"data":null}', "fields"),
        (b"{}", "unknown"),
    ],
)
def test_each_check_of_a_zebra_event_has_its_reason(text: bytes, reason: str) -> None:
    with pytest.raises(FrameError) as caught:
        parse_zebra(text)
    assert caught.value.reason == reason
