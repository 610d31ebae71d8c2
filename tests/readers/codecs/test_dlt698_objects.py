from __future__ import annotations

from decimal import Decimal

import pytest

from readers.codecs.dlt698_apdu import Record, Refusal
from readers.codecs.dlt698_data import NULL, Bits, Data, Oad, Reader, Road, Tag
from readers.codecs.dlt698_objects import (
    DAILY_FREEZE,
    EVENTS,
    FREEZE_TIME,
    ITEMS,
    Shape,
    address_of,
    event_count,
    freeze_rows,
    item_of,
    status_words,
)
from readers.errors import FrameError
from readers.obis_meanings import meaning_of
from readers.observations import Reading
from readers.quantities import Phase, Quality, Quantity
from simulator.meters import dlt698_wire as wire

CHINA_MIN = 480
NOON_US = 1_793_592_000_000_000  # 2026-11-02 12:00:00 in China


def read(oad: Oad, raw: bytes) -> list[Reading]:
    item = item_of(oad)
    assert item is not None
    return item.decode(Reader(raw).data(), CHINA_MIN, oad.index)


def test_energies_are_the_total_and_the_tariffs() -> None:
    readings = read(Oad(0x0010), wire.array([wire.uint32(each) for each in (123456, 1, 2)]))
    assert [(str(r.obis), r.tariff, r.value) for r in readings] == [
        ("1-0:1.8.0", None, Decimal(1_234_560)),
        ("1-0:1.8.1", 1, Decimal(10)),
        ("1-0:1.8.2", 2, Decimal(20)),
    ]
    assert str(readings[0].value) == "1234560"


def test_one_element_of_an_array() -> None:
    (total,) = read(Oad(0x0010, 2, 1), wire.uint32(7))
    (tariff,) = read(Oad(0x0010, 2, 3), wire.uint32(7))
    (phase,) = read(Oad(0x2004, 2, 2), wire.int32(-7))
    assert (str(total.obis), str(tariff.obis), tariff.tariff) == ("1-0:1.8.0", "1-0:1.8.2", 2)
    assert (str(phase.obis), phase.phase, phase.value) == ("1-0:36.7.0", Phase.A, Decimal("-0.7"))


def test_phases_with_and_without_a_total() -> None:
    volts = read(Oad(0x2000), wire.array([wire.uint16(2303), wire.uint16(0), wire.NULL]))
    assert [(r.phase, r.value, r.quality) for r in volts] == [
        (Phase.A, Decimal("230.3"), Quality.GOOD),
        (Phase.B, Decimal("0.0"), Quality.GOOD),
        (Phase.C, None, Quality.ABSENT),
    ]
    watts = read(Oad(0x2004), wire.array([wire.int32(each) for each in (-71234, 25000, 1, 799999)]))
    assert [(str(r.obis), r.phase, r.value) for r in watts] == [
        ("1-0:16.7.0", None, Decimal("-7123.4")),
        ("1-0:36.7.0", Phase.A, Decimal("2500.0")),
        ("1-0:56.7.0", Phase.B, Decimal("0.1")),
        ("1-0:76.7.0", Phase.C, Decimal("79999.9")),
    ]


def test_a_demand_has_its_time() -> None:
    first = wire.structure(wire.uint32(12345), wire.time(NOON_US, CHINA_MIN))
    readings = read(Oad(0x1010), wire.array([first, wire.NULL]))
    assert [(r.value, r.meter_time_us, r.quality) for r in readings] == [
        (Decimal("1234.5"), NOON_US, Quality.GOOD),
        (None, None, Quality.ABSENT),
    ]
    with pytest.raises(FrameError, match="a value and its time"):
        read(Oad(0x1010), wire.array([wire.uint32(1)]))


def test_single_values_and_the_neutral() -> None:
    (frequency,) = read(Oad(0x200F), wire.uint16(4998))
    (neutral,) = read(Oad(0x2001, 4), wire.int32(12))
    assert (frequency.value, str(frequency.obis)) == (Decimal("49.98"), "1-0:14.7.0")
    assert (neutral.value, neutral.phase) == (Decimal("0.012"), Phase.NEUTRAL)


def test_an_impossible_power_factor_is_doubted() -> None:
    (factor,) = read(Oad(0x200A), wire.int16(1001))
    assert factor.quality is Quality.SUSPECT


def test_what_an_object_cannot_be() -> None:
    with pytest.raises(FrameError, match="came as OCTET_STRING"):
        read(Oad(0x200F), wire.octets(b"12"))
    with pytest.raises(FrameError, match="element 4; 3 are possible"):
        read(Oad(0x2000), wire.array([wire.uint16(1)] * 4))
    with pytest.raises(FrameError, match="element 65; 64 are possible"):
        read(Oad(0x0010), wire.array([wire.uint32(1)] * 65))


@pytest.mark.parametrize("item", ITEMS.values(), ids=lambda item: str(item.oad))
def test_obis_codes_mean_what_they_are_read_as(item: object) -> None:
    from readers.codecs.dlt698_objects import Item

    assert isinstance(item, Item)
    meaning = meaning_of(item.obis)
    if meaning is None:
        assert item.quantity in {
            Quantity.REACTIVE_POWER,
            Quantity.REACTIVE_DEMAND_MAX,
            Quantity.BATTERY_VOLTAGE,
            Quantity.APPARENT_POWER,
        }
        return
    alike = {meaning.quantity, item.quantity}
    assert len(alike) == 1 or alike in (
        {Quantity.REACTIVE_DEMAND_MAX, Quantity.REACTIVE_DEMAND},
        {Quantity.ACTIVE_ENERGY_COMBINED, Quantity.ACTIVE_DEMAND_MAX},
    )
    if item.shape is not Shape.PHASES:
        assert meaning.phase is item.phase


def test_every_item_is_found_by_its_elements_too() -> None:
    assert item_of(Oad(0x2000, 2, 3)) is ITEMS[Oad(0x2000)]
    assert item_of(Oad(0x2000, 3)) is None
    assert item_of(Oad(0x4000)) is None


def test_counts_of_events() -> None:
    totals = wire.structure(wire.uint32(3), wire.uint32(77))
    one = wire.structure(wire.NULL, totals)
    assert event_count(Reader(wire.array([one, one])).data()) == 6
    assert event_count(Reader(wire.uint16(4)).data()) == 4
    assert event_count(Reader(wire.array([])).data()) == 0
    for wrong in (wire.NULL, wire.array([wire.uint16(1)]), wire.array([wire.structure(wire.NULL, wire.NULL)])):
        with pytest.raises(FrameError):
            event_count(Reader(wrong).data())


def test_kinds_of_events_have_their_own_names_and_codes() -> None:
    for what in ("name", "quantity", "obis", "oi"):
        assert len({getattr(kind, what) for kind in EVENTS}) == len(EVENTS)
    power_failure = EVENTS[0]
    assert (power_failure.values, power_failure.records) == (Oad(0x3011, 7), Oad(0x3011, 4))
    assert power_failure.record == Oad(0x3011)


def test_status_words() -> None:
    words = [wire.bits16(0), wire.bits16(0), wire.bits16(1 << 4 | 1 << 6), wire.bits16(1), *[wire.bits16(0)] * 3]
    status = status_words(Reader(wire.array(words)).data())
    assert (status.is_relay_closed, status.is_closing_ordered) == (False, False)
    assert status.faults_by_phase[Phase.A]
    few = status_words(Data(Tag.ARRAY, (NULL, Data(Tag.BIT_STRING, Bits(16, b"\0\0")))))
    assert few.words == (None, 0, None, None, None, None, None)
    for wrong in (Data(Tag.UINT16, 1), Data(Tag.ARRAY, (Data(Tag.UINT16, 1),))):
        with pytest.raises(FrameError):
            status_words(wrong)


def test_addresses() -> None:
    assert address_of(Data(Tag.OCTET_STRING, bytes.fromhex("202611230698"))) == "202611230698"
    for wrong in (Data(Tag.OCTET_STRING, b""), Data(Tag.OCTET_STRING, bytes(17)), Data(Tag.UINT8, 1)):
        with pytest.raises(FrameError):
            address_of(wrong)


def rows(columns: tuple[Oad | Road, ...], *cells: bytes) -> Record:
    return Record(DAILY_FREEZE, columns, (tuple(Reader(cell).data() for cell in cells),))


def test_rows_of_a_freeze() -> None:
    at, energy, demand = Oad(0x2021), Oad(0x0010), Oad(0x1010)
    value = wire.array([wire.uint32(5), wire.NULL])
    demands = wire.array([wire.structure(wire.uint32(1), wire.time(NOON_US - 1_000_000, CHINA_MIN))])
    record = rows((at, energy, demand, Oad(0x2023)), wire.time(NOON_US, CHINA_MIN), value, demands, wire.uint32(1))
    (row,) = freeze_rows(record, CHINA_MIN, [energy, demand])
    assert row.at_us == NOON_US
    assert [(r.quantity, r.value, r.quality, r.meter_time_us) for r in row.readings] == [
        (Quantity.ACTIVE_ENERGY_IMPORT, Decimal(50), Quality.BACKFILLED, NOON_US),
        (Quantity.ACTIVE_DEMAND_MAX, Decimal("0.1"), Quality.BACKFILLED, NOON_US - 1_000_000),
    ]
    (bare,) = freeze_rows(record, CHINA_MIN, [])
    assert bare.readings == ()


def test_rows_without_a_time_are_left_out() -> None:
    energy = Oad(0x0010)
    assert freeze_rows(rows((energy,), wire.uint32(5)), CHINA_MIN, [energy]) == []
    assert freeze_rows(rows((FREEZE_TIME, energy), wire.NULL, wire.uint32(5)), CHINA_MIN, [energy]) == []
    assert freeze_rows(Record(DAILY_FREEZE, (energy,), Refusal(3)), CHINA_MIN, [energy]) == []
