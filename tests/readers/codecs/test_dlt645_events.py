from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.dlt645_events import (
    KINDS,
    EventKind,
    EventRecord,
    Form,
    decode_count,
    decode_record,
    decode_time,
    encode_count,
    encode_record,
    reading,
)
from readers.errors import FrameError
from readers.quantities import Phase, Quantity

CHINA = 480
SECONDS = st.integers(946_900_800, 4_102_300_800).map(lambda seconds: seconds * 1_000_000)
KIND = st.sampled_from(list(KINDS.values()))


@given(KIND, SECONDS, st.none() | SECONDS, st.integers(0, 99_999_999))
def test_every_record_comes_back(kind: EventKind, began_us: int, ended_us: int | None, operator: int) -> None:
    record = EventRecord(kind, began_us)
    if kind.form is Form.SPAN:
        record = replace(record, ended_us=ended_us)
    if kind.form is Form.BY_OPERATOR:
        record = replace(record, operator=operator)
    if kind.form is Form.CLOCK:
        record = replace(record, ended_us=began_us, operator=operator)
    raw = encode_record(record, CHINA)
    assert len(raw) == kind.record_bytes
    found = decode_record(kind, raw, CHINA)
    assert found is not None
    assert replace(found, rest=b"") == record


@given(KIND, st.binary(max_size=210))
def test_anything_at_all_is_a_record_or_none_or_no_frame(kind: EventKind, data: bytes) -> None:
    try:
        record = decode_record(kind, data, CHINA)
    except FrameError as error:
        assert error.reason == "length"  # noqa: PT017 - either is right
        return
    assert record is None or record.kind is kind


@given(st.integers(0, 999_999))
def test_every_count_comes_back(count: int) -> None:
    assert decode_count(encode_count(count)) == count


def test_counts() -> None:
    assert decode_count(bytes.fromhex("27 00 00")) == 27  # published
    assert encode_count(1_000_001) == bytes.fromhex("01 00 00")
    with pytest.raises(FrameError, match="2 bytes of a counter: must be 3"):
        decode_count(bytes(2))
    with pytest.raises(FrameError, match="no BCD"):
        decode_count(b"\xff\xff\xff")


def test_a_setting_of_the_clock_has_its_operator_first() -> None:
    raw = bytes.fromhex("07 00 00 0000 00 10 05 06 1751 22 10 05 06 17")
    record = decode_record(KINDS["clock_setting"], raw, CHINA)
    assert record is not None
    assert (record.operator, record.ended_us, record.began_us) == (7, 1_496_629_371_000_000, 1_496_628_000_000_000)
    assert reading(KINDS["clock_setting"], 3, record).meter_time_us == record.ended_us


def test_a_record_may_end_early_and_one_of_nothing_is_none() -> None:
    kind = KINDS["cover_opening"]
    record = decode_record(kind, bytes.fromhex("51 22 10 05 06 1700 00 00 00 00 00"), CHINA)
    assert record is not None
    assert (record.ended_us, record.rest) == (None, b"")
    assert decode_record(kind, bytes(60), CHINA) is None
    assert decode_record(kind, b"\xff" * 60, CHINA) is None
    with pytest.raises(FrameError, match="11 bytes of cover_opening: must be 12 to 60"):
        decode_record(kind, bytes(11), CHINA)
    with pytest.raises(FrameError, match="must be 12 to 60"):
        decode_record(kind, bytes(61), CHINA)


def test_an_operator_that_is_no_number_is_none() -> None:
    raw = bytes.fromhex("51 22 10 05 06 17FF FF FF FF")
    record = decode_record(KINDS["disconnection"], raw, CHINA)
    assert record is not None
    assert record.operator is None


def test_a_counter_as_a_reading() -> None:
    kind = KINDS["phase_failure_b"]
    found = reading(kind, 4, EventRecord(kind, 1_496_629_371_000_000))
    assert (found.quantity, found.phase, found.value) == (Quantity.PHASE_FAILURES, Phase.B, Decimal(4))
    assert found.meter_time_us == 1_496_629_371_000_000
    assert reading(kind, 0, None).meter_time_us is None


def test_identifiers() -> None:
    assert KINDS["power_failure"].record(1) == 0x03110001
    assert KINDS["disconnection"].record(10) == 0x1D00FF0A
    with pytest.raises(FrameError, match="record 11 of programming: must be 1, the latest, to 10"):
        KINDS["programming"].record(11)
    names = [kind.count for kind in KINDS.values()] + [kind.latest for kind in KINDS.values()]
    assert len(names) == len(set(names))
    assert len({(kind.obis, kind.phase) for kind in KINDS.values()}) == len(KINDS)


def test_a_time_alone() -> None:
    assert decode_time(bytes.fromhex("51 22 10 05 06 17"), CHINA) == 1_496_629_371_000_000
    assert decode_time(bytes(6), CHINA) is None
    with pytest.raises(FrameError, match="5 bytes of a time: must be 6"):
        decode_time(bytes(5), CHINA)
