from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.batches import (
    NUMBER_MOST,
    Batch,
    CardBatch,
    CardRead,
    ReadBatch,
    Reading,
    ReadingBatch,
    Signal,
    SignalBatch,
    StatusBatch,
    TagRead,
    TickBatch,
    carried,
    decode,
    encode,
    item_count,
    kind_of,
    outline,
    sent_late,
)

HEAD = {"gateway": "edge-1", "epoch": 1, "sequence": 2, "ordinal": 3, "device": "gate-1", "received_at_us": 4}
READS = st.lists(
    st.builds(
        TagRead,
        epc=st.binary(max_size=62).map(lambda epc: epc.hex().upper()),
        antenna_port=st.integers(1, 255),
        read_point=st.just("p"),
        seen_at_us=st.integers(0, NUMBER_MOST),
        rssi_dbm=st.none() | st.floats(-128, 0),
        count=st.integers(1, 65535),
        tid=st.none() | st.just("E280"),
    ),
    max_size=5,
)


@given(READS, st.integers(-NUMBER_MOST, NUMBER_MOST))
def test_what_is_encoded_is_decoded(reads: list[TagRead], offset_us: int) -> None:
    batch = ReadBatch(**HEAD, reads=reads, clock_offset_us=offset_us)  # type: ignore[arg-type]  # str and int by name
    assert decode(encode(batch)) == batch
    assert item_count(batch) == len(reads)


@given(READS, st.integers(-NUMBER_MOST, NUMBER_MOST))
def test_a_batch_says_when_it_was_sent_only_if_it_had_waited(reads: list[TagRead], sent_at_us: int) -> None:
    batch = ReadBatch(**HEAD, reads=reads)  # type: ignore[arg-type]  # str and int by name
    payload = encode(batch)
    assert b"sent_at_us" not in payload
    assert decode(payload).waited_us == 0
    late = decode(sent_late(payload, sent_at_us))
    assert (late.sent_at_us, late.waited_us) == (sent_at_us, sent_at_us - HEAD["received_at_us"])  # type: ignore[operator]  # as above
    assert outline(sent_late(payload, sent_at_us), "why").waited_us == late.waited_us
    late.sent_at_us = msgspec.UNSET
    assert late == batch


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3))
def test_readings_stay_exact(value: Decimal) -> None:
    reading = Reading(quantity="voltage", obis="1-0:32.7.0", value=value, unit="V", phase="a")
    batch = ReadingBatch(**HEAD, readings=[reading])  # type: ignore[arg-type]  # str and int by name
    back = decode(encode(batch))
    assert isinstance(back, ReadingBatch)
    assert str(back.readings[0].value) == str(value)


def test_every_kind_names_itself() -> None:
    batches: list[Batch] = [
        ReadBatch(gateway="g", device="d", received_at_us=1, reads=[]),
        CardBatch(gateway="g", device="d", received_at_us=1, cards=[CardRead("nfca#00", "nfca", "p", 1, 1)] * 2),
        ReadingBatch(gateway="g", device="d", received_at_us=1, readings=[]),
        SignalBatch(gateway="g", device="d", received_at_us=1, signals=[Signal(name="loop", value=True)]),
        StatusBatch(gateway="g", device="d", received_at_us=1, state="online", reason="r", since_us=1),
        TickBatch(gateway="g", device="g", received_at_us=1, watched=["p"]),
    ]
    assert [kind_of(batch) for batch in batches] == ["reads", "cards", "readings", "signals", "status", "tick"]
    assert [item_count(batch) for batch in batches] == [0, 2, 0, 1, 0, 0]
    assert all(f'"kind":"{kind_of(batch)}"'.encode() in encode(batch) for batch in batches)


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"[]", b"null", b'{"kind":"reads"}', b'{"kind":"other"}', b"\xff\xfe", b"[" * 100_000, b'{"a":NaN}'],
)
def test_what_is_no_batch_is_refused(payload: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, RecursionError)):
        decode(payload)


def test_of_a_batch_that_cannot_be_read_the_place_and_the_size_are_known() -> None:
    batch = ReadBatch(**HEAD, reads=[TagRead(epc="30", antenna_port=1, read_point="p", seen_at_us=5)] * 3)  # type: ignore[arg-type]  # str and int by name
    for wrong in (b'"seen_at_us":%d' % (2 * NUMBER_MOST), b'"seen_at_us":null', b'"seen_at_us":"5"'):
        payload = encode(batch).replace(b'"seen_at_us":5', wrong, 1)
        with pytest.raises(msgspec.ValidationError) as caught:
            decode(payload)
        found = outline(payload, str(caught.value))
        assert (found.gateway, found.epoch, found.sequence, found.ordinal) == ("edge-1", 1, 2, 3)
        assert (kind_of(found), item_count(found)) == ("reads", 3)
        assert "$.reads[0].seen_at_us" in found.why
    cards = CardBatch(**HEAD, cards=[CardRead("nfca#00", "nfca", "p", 1, 5)] * 2)  # type: ignore[arg-type]  # as above
    unreadable = encode(cards).replace(b'"seen_at_us":5', b'"seen_at_us":null', 1)
    assert (kind_of(outline(unreadable, "")), item_count(outline(unreadable, ""))) == ("cards", 2)
    later = encode(batch).replace(b'"kind":"reads"', b'"kind":"photos"')
    assert (kind_of(outline(later, "")), item_count(outline(later, ""))) == ("photos", 3)  # of a newer edge daemon
    with pytest.raises(msgspec.ValidationError):
        outline(encode(batch).replace(b'"epoch":1', b'"epoch":"1"'), "")


def test_a_number_that_no_batch_may_hold_becomes_the_nearest() -> None:
    assert [carried(n) for n in (5, -5, 2**64, -(2**64))] == [5, -5, NUMBER_MOST, -NUMBER_MOST]
