from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.dlt698_apdu import (
    Between,
    Block,
    ByValue,
    Fault,
    Get,
    GetNext,
    GetRecord,
    Latest,
    Refusal,
    Reply,
    Request,
    Result,
    Secured,
    decode_reply,
    decode_request,
    encode_request,
)
from readers.codecs.dlt698_data import NULL, Data, Oad, Road, Tag, encode_time
from readers.errors import FrameError
from simulator.meters import dlt698_wire as wire

CHINA_MIN = 480
OADS = st.builds(Oad, st.integers(0, 0xFFFF), st.integers(0, 255), st.integers(0, 255))
COLUMNS = st.lists(st.one_of(OADS, st.builds(Road, OADS, st.lists(OADS, max_size=2).map(tuple))), max_size=4).map(tuple)
TIMES = st.integers(0, 4_000_000_000).map(lambda seconds: encode_time(seconds * 1_000_000, CHINA_MIN))
STEPS = st.sampled_from([NULL, Data(Tag.TI, bytes([1, 0, 15]))])
ROWS = st.one_of(
    st.builds(ByValue, OADS, TIMES),
    st.builds(Between, OADS, TIMES, TIMES, STEPS),
    st.builds(Latest, st.integers(1, 255)),
)
REQUESTS: st.SearchStrategy[Request] = st.one_of(
    st.builds(Get, st.lists(OADS, min_size=1, max_size=30).map(tuple)),
    st.builds(GetRecord, OADS, ROWS, COLUMNS),
    st.builds(GetNext, st.integers(0, 0xFFFF)),
)
VOLTAGE = bytes.fromhex("20000200")
ENERGY = bytes.fromhex("00100200")
VOLTS = wire.array([wire.uint16(2303)])
TWO_TENTHS = Data(Tag.ARRAY, (Data(Tag.UINT16, 2303),))


@given(REQUESTS, st.integers(0, 63))
def test_what_is_asked_is_understood(request: Request, number: int) -> None:
    assert decode_request(encode_request(request, number)) == (request, number)


@given(st.lists(OADS, min_size=1, max_size=12), st.integers(0, 63))
def test_the_twin_understands_a_list(oads: list[Oad], number: int) -> None:
    asked = wire.read_request(encode_request(Get(tuple(oads)), number), CHINA_MIN)
    assert (asked.choice, asked.number) == (1 if len(oads) == 1 else 2, number)
    assert list(asked.oads) == [oad.encode() for oad in oads]


@given(OADS, st.lists(OADS, max_size=4), st.integers(0, 4_000_000_000), st.booleans())
def test_the_twin_understands_which_rows(oad: Oad, columns: list[Oad], second: int, quarters: bool) -> None:  # noqa: FBT001 - drawn
    since_us, until_us = second * 1_000_000, (second + 3600) * 1_000_000
    step = Data(Tag.TI, bytes([1, 0, 15])) if quarters else NULL
    rows = Between(Oad(0x2021), encode_time(since_us, CHINA_MIN), encode_time(until_us, CHINA_MIN), step)
    asked = wire.read_request(encode_request(GetRecord(oad, rows, tuple(columns)), 7), CHINA_MIN)
    assert (asked.since_us, asked.until_us, asked.step_min) == (since_us, until_us, 15 if quarters else None)
    assert list(asked.columns) == [column.encode() for column in columns]


@given(REQUESTS, st.data())
def test_a_request_that_ends_early_is_none(request: Request, data: st.DataObject) -> None:
    raw = encode_request(request, 1)
    with pytest.raises(FrameError):
        decode_request(raw[: data.draw(st.integers(0, len(raw) - 2))])  # the last byte says that there is no time tag


@given(st.binary(max_size=100), st.sampled_from([b"", b"\x85\1\1", b"\x85\2\1", b"\x85\3\1", b"\x85\5\1", b"\x90\0"]))
def test_noise_raises_nothing_but_frame_errors(noise: bytes, head: bytes) -> None:
    for decode in (decode_reply, decode_request):
        with contextlib.suppress(FrameError):
            decode(head + noise)


def test_one_value() -> None:
    apdu = b"\x85\1\7" + VOLTAGE + b"\1" + VOLTS + b"\0\0"
    assert decode_reply(apdu) == Reply(7, (Result(Oad(0x2000), TWO_TENTHS),))


def test_the_tail_may_be_missing() -> None:
    apdu = b"\x85\1\7" + VOLTAGE + b"\1" + VOLTS
    assert decode_reply(apdu) == decode_reply(apdu + b"\0\0")


def test_the_number_comes_without_the_bits_beside_it() -> None:
    found = decode_reply(b"\x85\1\xc7" + VOLTAGE + b"\1" + VOLTS + b"\0\0")
    assert isinstance(found, Reply)
    assert found.number == 7


def test_a_list_in_which_one_thing_is_refused() -> None:
    found = decode_reply(b"\x85\2\1\2" + VOLTAGE + b"\0\6" + ENERGY + b"\1" + wire.array([]) + b"\0\0")
    assert isinstance(found, Reply)
    assert found.results == (Result(Oad(0x2000), Refusal(6)), Result(Oad(0x10), Data(Tag.ARRAY, ())))
    assert str(found.results[0].value) == "DAR 6 (no such object)"
    assert str(Refusal(99)) == "DAR 99"


def test_what_is_reported_along_and_a_time_tag_are_taken_off() -> None:
    report = b"\1\1\1" + bytes.fromhex("20150200") + b"\1" + wire.uint16(2)
    tag = b"\1" + wire.time(0, 0)[1:] + b"\1\0\5"
    found = decode_reply(b"\x85\1\1" + VOLTAGE + b"\1" + VOLTS + report + tag)
    assert isinstance(found, Reply)
    assert found.followed == (Result(Oad(0x2015), Data(Tag.UINT16, 2)),)
    records = b"\1\2\1" + bytes.fromhex("30110200") + b"\1\0" + bytes.fromhex("20220200") + b"\1\1" + wire.uint32(3)
    found = decode_reply(b"\x85\1\1" + VOLTAGE + b"\1" + VOLTS + records + b"\0")
    assert isinstance(found, Reply)
    assert len(found.followed) == 1


def test_rows_of_a_record() -> None:
    head = b"\x85\3\1" + bytes.fromhex("50040200") + b"\2\0" + ENERGY + b"\0" + VOLTAGE
    rows = wire.array([wire.uint32(1)]) + VOLTS + wire.NULL + VOLTS
    found = decode_reply(head + b"\1\2" + rows + b"\0\0")
    assert isinstance(found, Reply)
    (record,) = found.records
    assert record.columns == (Oad(0x10), Oad(0x2000))
    assert isinstance(record.rows, tuple)
    assert [len(row) for row in record.rows] == [2, 2]
    refused = decode_reply(head + b"\0\3\0\0")
    assert isinstance(refused, Reply)
    assert refused.records[0].rows == Refusal(3)


def test_records_in_a_list() -> None:
    one = bytes.fromhex("50040200") + b"\1\0" + VOLTAGE + b"\1\1" + VOLTS
    found = decode_reply(b"\x85\4\1\2" + one + one + b"\0\0")
    assert isinstance(found, Reply)
    assert len(found.records) == 2


def test_rows_without_columns_are_refused() -> None:
    with pytest.raises(FrameError, match="rows without columns"):
        decode_reply(b"\x85\3\1" + bytes.fromhex("50040200") + b"\0\1\x82\xff\xff")


def test_blocks() -> None:
    found = decode_reply(b"\x85\5\1\0\0\3\1\1" + VOLTAGE + b"\1" + VOLTS + b"\0\0")
    assert isinstance(found, Reply)
    assert found.block == Block(3, is_last=False)
    assert len(found.results) == 1
    found = decode_reply(b"\x85\5\1\1\0\4\2\1" + bytes.fromhex("50040200") + b"\1\0" + VOLTAGE + b"\1\0" + b"\0\0")
    assert isinstance(found, Reply)
    assert found.block == Block(4, is_last=True)
    assert len(found.records) == 1
    found = decode_reply(b"\x85\5\1\1\0\0\0\x0b\0\0")
    assert isinstance(found, Reply)
    assert found.refusal == Refusal(11)


def test_a_fault() -> None:
    assert decode_reply(bytes.fromhex("EE 05 01 00")) == Fault(5, 1)
    assert str(Fault(5, 1)) == "error 1 (cannot read the request)"
    assert str(Fault(5, 255)) == "error 255 (no reason given)"


def test_replies_with_a_mac_are_plain_ones_and_say_so() -> None:
    plain = b"\x85\1\7" + VOLTAGE + b"\1" + VOLTS + b"\0\0"
    found = decode_reply(b"\x90\0" + bytes([len(plain)]) + plain + b"\1\0\4\1\2\3\4")
    assert found == Reply(7, (Result(Oad(0x2000), TWO_TENTHS),), is_secured=True)


def test_replies_that_nobody_here_can_read() -> None:
    assert decode_reply(b"\x90\1\3abc\0") == Secured(None)
    assert decode_reply(b"\x90\2\x16\0") == Secured(Refusal(22))


@pytest.mark.parametrize(
    "apdu",
    [
        "",
        "87 01 00",
        "85 06 00",
        "85 05 00 01 00 00 03",
        "90 03",
        "90 00 03 90 00 00",
        "85 01 00 20 00 02 00 00 06 01 03",
        "85 01 00 20 00 02 00 00 06 00 00 00",
        "05 01 01 40 01 02 00 00",
    ],
)
def test_what_is_no_reply(apdu: str) -> None:
    with pytest.raises(FrameError):
        decode_reply(bytes.fromhex(apdu))


@pytest.mark.parametrize("apdu", ["06 01 00", "05 04 00", "05 03 00 50 04 02 00 03", "05 01 00 40 01 02 00 00 00"])
def test_what_is_no_request(apdu: str) -> None:
    with pytest.raises(FrameError):
        decode_request(bytes.fromhex(apdu))
