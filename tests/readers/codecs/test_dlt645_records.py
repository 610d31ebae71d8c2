from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.dlt645_records import (
    LOAD_CLASSES,
    FreezeKind,
    Frozen,
    LoadClass,
    Which,
    decode_freeze,
    decode_freeze_time,
    decode_load,
    encode_load,
    freeze_identifier,
    freeze_time_identifier,
    is_load,
    load_identifier,
    load_request,
    read_load_request,
    registers_of_freeze,
)
from readers.errors import FrameError
from readers.quantities import Phase, Quality, Quantity

CHINA = 480
AT_US = 1_483_200_300_000_000
MINUTES = st.integers(15_781_680, 68_371_680).map(lambda minutes: minutes * 60_000_000)
PUBLISHED = bytes.fromhex(
    "A0 A0 1C 05 00 01 01 17 99 23 10 24 07 24 00 00 00 00 00 00 00 00 00 00 50 AA AA AA AA AA AA E1 E5"
)
KEPT = st.dictionaries(st.sampled_from(list(LOAD_CLASSES)), st.just(None)).map(
    lambda kept: {each: bytes(sum(register.size for register in LOAD_CLASSES[each])) for each in kept}
)


def test_a_published_load_record() -> None:
    load = decode_load(PUBLISHED, CHINA)
    (record,) = load.records
    assert (load.doubted, load.damaged, record.at_us) == (0, 0, AT_US)
    values = {(r.quantity, r.phase): str(r.value) for r in record.readings}
    assert values[Quantity.VOLTAGE, Phase.B] == "241.0"
    assert values[Quantity.FREQUENCY, None] == "50.00"
    assert {r.quality for r in record.readings} == {Quality.BACKFILLED}
    assert {r.meter_time_us for r in record.readings} == {AT_US}


@given(MINUTES, KEPT)
def test_what_is_encoded_is_decoded(at_us: int, classes: dict[LoadClass, bytes]) -> None:
    raw = encode_load(at_us, classes, CHINA)
    load = decode_load(raw * 3, CHINA)
    assert [record.at_us for record in load.records] == [at_us] * 3
    assert (load.doubted, load.damaged) == (0, 0)
    assert len(load.records[0].readings) == sum(len(LOAD_CLASSES[each]) for each in classes)
    assert all(reading.value == 0 for reading in load.records[0].readings)


@given(st.binary(max_size=120))
def test_anything_at_all_raises_nothing(data: bytes) -> None:
    load = decode_load(data, CHINA)
    assert len(load.records) + load.doubted + load.damaged <= len(data)


@given(st.integers(0, len(PUBLISHED) - 1), st.integers(1, 255))
def test_one_wrong_byte_costs_one_record(at: int, change: int) -> None:
    wrong = bytearray(PUBLISHED)
    wrong[at] ^= change
    load = decode_load(PUBLISHED + bytes(wrong) + PUBLISHED, CHINA)
    assert load.records[0].at_us == load.records[-1].at_us == AT_US
    assert len(load.records) == 2
    assert load.damaged + load.doubted >= 1


@given(st.integers(1, len(PUBLISHED) - 1))
def test_a_truncated_record_is_none(size: int) -> None:
    load = decode_load(PUBLISHED[:size], CHINA)
    assert (load.records, load.damaged) == ((), 1)


def test_a_record_that_the_meter_doubts() -> None:
    body = b"\xe0\xe0" + PUBLISHED[2:-2]
    doubted = body + bytes([sum(body) % 256, 0xE5])
    load = decode_load(doubted + PUBLISHED, CHINA)
    assert (len(load.records), load.doubted, load.damaged) == (1, 1, 0)
    assert decode_load(b"", CHINA).records == ()


def with_sum(body: bytes) -> bytes:
    head = b"\xa0\xa0" + bytes([len(body)]) + body
    return head + bytes([sum(head) % 256, 0xE5])


def test_absent_values_are_left_out_and_newer_meters_add_two() -> None:
    time = bytes.fromhex("05 00 01 01 17")
    demand = bytes.fromhex("00 10 00 FF FF FF")
    load = decode_load(with_sum(time + b"\xaa" * 5 + demand + b"\xaa"), CHINA)
    assert [(r.quantity, r.value) for r in load.records[0].readings] == [(Quantity.ACTIVE_DEMAND, Decimal("100.0"))]
    more = demand + bytes.fromhex("01 00 00 00 20 00")
    load = decode_load(with_sum(time + b"\xaa" * 5 + more + b"\xaa"), CHINA)
    assert [r.quantity for r in load.records[0].readings] == [
        Quantity.ACTIVE_DEMAND,
        Quantity.CURRENT,
        Quantity.APPARENT_POWER,
    ]


@pytest.mark.parametrize(
    "body",
    [
        "05 00 01 01 17 AA AA AA AA AA",  # a separator is missing
        "05 00 01 01 17 AA AA AA AA AA AA AA",
        "05 00 01 01 17 AA AA AA AA AA 00 10 00 00 00 AA",  # a class is too short
        "05 00 01 01 17 00",
        "05 00 01 13 17 AA AA AA AA AA AA",  # no such month
    ],
)
def test_a_record_that_is_not_as_it_must_be_is_damaged(body: str) -> None:
    load = decode_load(with_sum(bytes.fromhex(body)) + PUBLISHED, CHINA)
    assert (len(load.records), load.damaged) == (1, 1)


def test_a_class_of_a_wrong_length_is_not_encoded() -> None:
    with pytest.raises(FrameError, match="must be 6"):
        encode_load(AT_US, {LoadClass.DEMAND: bytes(5)}, CHINA)


def test_requests_of_load_records() -> None:
    assert load_request(12, AT_US, CHINA) == bytes.fromhex("12 05 00 01 01 17")
    assert load_request(1, None, CHINA) == b"\x01"
    assert read_load_request(bytes.fromhex("12 05 00 01 01 17"), CHINA) == (12, AT_US)
    assert read_load_request(b"\x00", CHINA) == (1, None)
    assert read_load_request(b"", CHINA) == (1, None)
    with pytest.raises(FrameError, match="100 records: must be 1 to 99"):
        load_request(100, None, CHINA)
    with pytest.raises(FrameError, match="5 bytes of request"):
        read_load_request(bytes(5), CHINA)
    with pytest.raises(FrameError, match="a number and a time"):
        read_load_request(b"\x0a", CHINA)
    with pytest.raises(FrameError, match="a number and a time"):
        read_load_request(bytes(6), CHINA)


def test_identifiers_of_load_records() -> None:
    assert load_identifier(LoadClass.ENERGY, Which.FROM_TIME) == 0x06040001
    assert is_load(0x06000002)
    assert not any(map(is_load, (0x06070000, 0x06000003, 0x06000100, 0x05000000)))


def test_snapshots() -> None:
    identifier = freeze_identifier(FreezeKind.DAILY, Frozen.IMPORT, 2)
    assert identifier == 0x05060102
    readings = decode_freeze(identifier, bytes.fromhex("29 01 00 00 62 00 00 00 FF FF FF FF"), AT_US, CHINA)
    assert [(str(r.value), r.tariff, r.quality, r.meter_time_us) for r in readings] == [
        ("1290", None, Quality.BACKFILLED, AT_US),
        ("620", 1, Quality.BACKFILLED, AT_US),
    ]
    demand = freeze_identifier(FreezeKind.DAILY, Frozen.DEMAND_IMPORT, 1)
    (reading,) = decode_freeze(demand, bytes.fromhex("56 34 12 15 10 02 11 26"), AT_US, CHINA)
    assert reading.meter_time_us == 1_793_585_700_000_000
    powers = freeze_identifier(FreezeKind.ORDERED, Frozen.POWERS, 1)
    assert len(decode_freeze(powers, bytes(24), AT_US, CHINA)) == 8


def test_times_of_snapshots() -> None:
    assert freeze_time_identifier(FreezeKind.DAILY, 1) == 0x05060001
    assert decode_freeze_time(bytes.fromhex("00 00 09 10 15"), CHINA) == 1_444_320_000_000_000  # published
    assert decode_freeze_time(bytes(5), CHINA) is None
    with pytest.raises(FrameError, match="4 bytes of freeze time: must be 5"):
        decode_freeze_time(bytes(4), CHINA)


@pytest.mark.parametrize("identifier", [0x05060B01, 0x05050101, 0x05060100, 0x050601FF, 0x04060101, 0x05060001])
def test_other_identifiers_are_no_snapshots(identifier: int) -> None:
    assert registers_of_freeze(identifier) == ()
    with pytest.raises(FrameError, match="no snapshot that is known here"):
        decode_freeze(identifier, bytes(4), AT_US, CHINA)


@pytest.mark.parametrize("back", [0, 255])
def test_snapshots_that_no_meter_has(back: int) -> None:
    with pytest.raises(FrameError, match="must be 1, the latest, to 254"):
        freeze_identifier(FreezeKind.DAILY, Frozen.IMPORT, back)
