from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.models import IdentityStyle
from gateway.contract.batches import (
    MOST_ITEMS,
    NUMBER_MOST,
    CardBatch,
    CardRead,
    ReadBatch,
    Reading,
    ReadingBatch,
    Signal,
    SignalBatch,
    TagRead,
    decode,
    encode,
)
from gateway.edge import normalise
from gateway.edge.normalise import Normaliser
from gateway.identity import Identities
from readers import observations
from readers.obis import ObisCode
from readers.observations import Readings, Signals, TagReads
from readers.quantities import Phase, Quality, Quantity
from tests.support.card_readers import CANARY, PIN, card_reads, leaks


def flushed(normaliser: Normaliser) -> list[TagRead]:
    rows: list[TagRead] = []
    for batch in normaliser.flush():
        assert isinstance(batch, ReadBatch)
        assert 0 < len(batch.reads) <= MOST_ITEMS
        rows += batch.reads
    return rows


def test_a_read_in_the_terms_of_the_site() -> None:
    normaliser = Normaliser("edge-1", "gate", {1: "gate-in"})
    full = observations.TagRead(
        epc=bytes.fromhex("3000abcd"),
        antenna_port=1,
        rssi_dbm=-54.5,
        first_seen_us=1_000,
        last_seen_us=2_000,
        count=3,
        pc_bits=0x3000,
        tid=bytes.fromhex("e280"),
        user_memory=b"",
        phase_deg=12.5,
        doppler_hz=-1.0,
        channel_index=4,
    )
    bare = observations.TagRead(epc=b"", antenna_port=2)
    assert normaliser.take(TagReads.of(9_000, full, bare, clock_offset_us=500))
    (batch,) = normaliser.flush()
    assert batch == ReadBatch(
        gateway="edge-1",
        device="gate",
        received_at_us=9_000,
        clock_offset_us=500,
        reads=[
            TagRead("3000ABCD", 1, "gate-in", 2_500, -54.5, 3, 1_500, 0x3000, "E280", "", 12.5, -1.0, 4),
            TagRead("", 2, "gate-2", 9_000),
        ],
    )


def test_without_a_clock_of_its_own_the_reader_is_heard_when_it_is_heard() -> None:
    normaliser = Normaliser("edge-1", "gate", {})
    normaliser.take(TagReads(received_at_us=5, epc=[b"\x01"], antenna_port=[1]))
    normaliser.take(TagReads(received_at_us=7, epc=[b"\x02"], antenna_port=[1]))
    assert [read.seen_at_us for read in flushed(normaliser)] == [5, 7]
    assert normaliser.flush() == []


def test_a_clock_that_was_set_asks_for_a_flush_and_jitter_does_not() -> None:
    normaliser = Normaliser("edge-1", "gate", {})

    def one(offset_us: int) -> TagReads:
        return TagReads.of(10**6, observations.TagRead(b"\x01", last_seen_us=100), clock_offset_us=offset_us)

    assert normaliser.take(one(1_000))
    assert normaliser.take(one(1_900))
    assert not normaliser.take(one(90_000))
    # One offset for the whole batch: the reader's own time can be had back exactly.
    assert [read.seen_at_us - 1_000 for read in flushed(normaliser)] == [100, 100]
    assert normaliser.take(one(90_000))


def test_columns_of_different_length_are_a_fault_of_the_driver() -> None:
    normaliser = Normaliser("edge-1", "gate", {})
    with pytest.raises(ValueError, match="reader gate"):
        normaliser.take(TagReads(received_at_us=5, epc=[b"\x01", b"\x02"], antenna_port=[1]))
    assert (normaliser.gathered, normaliser.heard) == (0, 0)


def test_the_memory_of_texts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(normalise, "HEX_KEPT", 10)
    normaliser = Normaliser("edge-1", "gate", {})
    epcs = [bytes([n]) for n in range(50)]
    normaliser.take(TagReads(received_at_us=5, epc=epcs, antenna_port=[1] * 50))
    assert [read.epc for read in flushed(normaliser)] == [f"{n:02X}" for n in range(50)]


def optional(values: st.SearchStrategy[object], count: int) -> st.SearchStrategy[Sequence[object] | None]:
    return st.none() | st.lists(st.none() | values, min_size=count, max_size=count)


@st.composite
def reports(draw: st.DrawFn) -> TagReads:
    count = draw(st.integers(0, 30) | st.sampled_from([499, 500, 501, 1_234]))
    if count > 30:
        return TagReads(received_at_us=1, epc=[b"\x01"] * count, antenna_port=[1] * count)
    times = st.integers(0, 2**50)
    memory = st.binary(max_size=8)
    columns = {
        name: draw(optional(values, count))
        for name, values in {
            "rssi_dbm": st.floats(-120, 0),
            "first_seen_us": times,
            "last_seen_us": times,
            "pc_bits": st.integers(0, 0xFFFF),
            "tid": memory,
            "user_memory": memory,
            "phase_deg": st.floats(0, 360),
            "doppler_hz": st.floats(-100, 100),
            "channel_index": st.integers(1, 50),
        }.items()
    }
    return TagReads(
        received_at_us=draw(times),
        epc=draw(st.lists(memory, min_size=count, max_size=count)),
        antenna_port=draw(st.lists(st.integers(1, 255), min_size=count, max_size=count)),
        count=draw(st.none() | st.lists(st.integers(1, 9), min_size=count, max_size=count)),
        clock_offset_us=draw(st.integers(-(10**6), 10**6)),
        **columns,  # type: ignore[arg-type]  # one strategy for columns of different types
    )


@given(st.lists(reports(), max_size=6))
def test_every_read_comes_out_once_in_order_and_whole(given_reports: list[TagReads]) -> None:
    normaliser = Normaliser("edge-1", "gate", {1: "one"})
    rows: list[TagRead] = []
    expected: list[TagRead] = []
    heard = 0
    for report in given_reports:
        if not normaliser.take(report):
            rows += flushed(normaliser)
            assert normaliser.take(report)
        offset_us = normaliser._offset_us
        heard += len(report)
        expected += [
            TagRead(
                epc=read.epc.hex().upper(),
                antenna_port=read.antenna_port,
                read_point="one" if read.antenna_port == 1 else f"gate-{read.antenna_port}",
                seen_at_us=report.received_at_us if read.last_seen_us is None else read.last_seen_us + offset_us,
                rssi_dbm=read.rssi_dbm,
                count=read.count,
                first_seen_at_us=None if read.first_seen_us is None else read.first_seen_us + offset_us,
                pc_bits=read.pc_bits,
                tid=None if read.tid is None else read.tid.hex().upper(),
                user_memory=None if read.user_memory is None else read.user_memory.hex().upper(),
                phase_deg=read.phase_deg,
                doppler_hz=read.doppler_hz,
                channel_index=read.channel_index,
            )
            for read in report.rows()
        ]
    rows += flushed(normaliser)
    assert rows == expected
    assert normaliser.heard == heard == len(rows)


def test_readings_are_exact() -> None:
    normaliser = Normaliser("edge-1", "line", {})
    good = observations.Reading(
        Quantity.ACTIVE_ENERGY_IMPORT, ObisCode.parse("1-0:1.8.1"), Decimal("1234560.10"), tariff=1, meter_time_us=7
    )
    absent = observations.Reading(
        Quantity.VOLTAGE, ObisCode.parse("1-0:32.7.0"), None, phase=Phase.A, quality=Quality.ABSENT
    )
    (batch,) = normaliser.readings(Readings(50, [good, absent], source="meter-1"))
    assert batch == ReadingBatch(
        gateway="edge-1",
        device="meter-1",
        received_at_us=50,
        readings=[
            Reading("active_energy_import", "1-0:1.8.1", Decimal("1234560.10"), "Wh", tariff=1, meter_time_us=7),
            Reading("voltage", "1-0:32.7.0", None, "V", phase="a", quality="absent"),
        ],
    )
    assert msgspec.json.decode(encode(batch))["readings"][0]["value"] == "1234560.10"
    assert decode(encode(batch)) == batch


def test_cards_travel_by_name_and_without_what_was_typed() -> None:
    keyed = Identities(IdentityStyle.KEYED, b"0123456789abcdef")
    normaliser = Normaliser("edge-1", "door", {1: "door-in"})
    presented = card_reads(CANARY, "wiegand~last24:F0AD9B", at_us=7, keys=PIN)
    (batch,) = normaliser.cards(presented, keyed)
    names = [keyed.name(card.identity) for card in presented.cards]
    assert batch == CardBatch(
        gateway="edge-1",
        device="door",
        received_at_us=7,
        cards=[
            CardRead(names[0], "nfca", "door-in", 1, 7),
            CardRead(names[1], "wiegand", "door-in", 1, 7, "last24"),
        ],
    )
    assert leaks(encode(batch)) == []
    (other,) = normaliser.cards(card_reads(CANARY, antenna_port=2), Identities(IdentityStyle.RAW))
    assert isinstance(other, CardBatch)
    assert [(card.card, card.read_point) for card in other.cards] == [(CANARY, "door-2")]
    assert normaliser.cards(card_reads(), keyed) == []


def test_signals_travel_with_their_unit() -> None:
    normaliser = Normaliser("edge-1", "scale", {})
    (batch,) = normaliser.signals(
        Signals(50, [observations.Signal("weight", Decimal("12.50"), "kg"), observations.Signal("gpi-1", value=True)])
    )
    assert batch == SignalBatch(
        gateway="edge-1",
        device="scale",
        received_at_us=50,
        signals=[Signal("weight", "12.50", "kg"), Signal("gpi-1", value=True)],
    )


def test_many_readings_are_split() -> None:
    reading = observations.Reading(Quantity.VOLTAGE, ObisCode.parse("1-0:32.7.0"), Decimal(1))
    batches = Normaliser("edge-1", "line", {}).readings(Readings(1, [reading] * 1_001))
    assert [len(b.readings) for b in batches if isinstance(b, ReadingBatch)] == [500, 500, 1]


def test_a_time_that_nobody_could_carry_is_the_time_of_arrival() -> None:
    normaliser = Normaliser("edge-1", "gate-1", {})
    sane = observations.TagRead(b"\x30", 1, last_seen_us=5_000, first_seen_us=4_000)
    mad = observations.TagRead(b"\x31", 1, last_seen_us=2**64 - 1, first_seen_us=2**64 - 1)
    timeless = observations.TagRead(b"\x32", 1, last_seen_us=None, first_seen_us=None)
    for rows in ((sane, mad), (sane, mad, timeless)):
        assert normaliser.take(TagReads.of(9_000, *rows, clock_offset_us=10))
        (batch,) = normaliser.flush()
        assert isinstance(batch, ReadBatch)
        found = [(read.seen_at_us, read.first_seen_at_us) for read in batch.reads]
        assert found == [(5_010, 4_010), (9_000, None), (9_000, None)][: len(rows)]
        assert decode(encode(batch)) == batch


def test_an_offset_beyond_what_a_batch_may_hold_is_cut() -> None:
    normaliser = Normaliser("edge-1", "gate-1", {})
    row = observations.TagRead(b"\x30", 1, last_seen_us=2**63)
    assert normaliser.take(TagReads.of(9_000, row, clock_offset_us=5_000 - 2**63))
    (batch,) = normaliser.flush()
    assert isinstance(batch, ReadBatch)
    assert batch.reads[0].seen_at_us == 5_000
    assert decode(encode(batch)).clock_offset_us == -NUMBER_MOST  # type: ignore[union-attr]  # it holds reads
