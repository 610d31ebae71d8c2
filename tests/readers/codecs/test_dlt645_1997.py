from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs import dlt645_registers
from readers.codecs.dlt645 import Decoder, Frame, encode
from readers.codecs.dlt645_1997 import (
    BLOCKS_1997,
    REGISTERS_1997,
    decode,
    decode_demand_time,
    demand_time_identifier,
    identifier_1997,
    identifier_2007,
    identifier_of,
    read,
    registers_of,
)
from readers.codecs.dlt645_clock import meter_time_us
from readers.errors import FrameError
from readers.quantities import Phase, Quality, Quantity


def test_a_published_conversation() -> None:
    assert encode(read("000000000003", 0xB611)) == bytes.fromhex("68 03 00 00 00 00 00 68 01 02 44 E9 03 16")
    (reply,) = Decoder().feed(bytes.fromhex("68 03 00 00 00 00 00 68 81 04 44 E9 33 34 EC 16"))
    assert identifier_of(reply) == 0xB611
    (reading,) = decode(0xB611, reply.data[2:])
    assert (reading.quantity, reading.phase, reading.value) == (Quantity.VOLTAGE, Phase.A, Decimal(100))


@pytest.mark.parametrize(
    ("identifier", "raw", "value"),
    [
        (0x9010, "79 26 14 00", "1426790"),  # published, as are the next two
        (0xB621, "99 04", "4.99"),
        (0xB630, "61 86 00", "866.1"),
        (0xB640, "50 01", "1500"),
        (0xB650, "95 09", "0.995"),
        (0xA010, "56 34 12", "12345.6"),
        (0x9014, "01 00 00 00", "10"),
    ],
)
def test_values(identifier: int, raw: str, value: str) -> None:
    (reading,) = decode(identifier, bytes.fromhex(raw))
    assert str(reading.value) == value
    assert reading.meter_time_us is None


@given(st.sampled_from(list(REGISTERS_1997)), st.data())
def test_every_value_comes_back_as_that_of_its_register_of_2007(identifier: int, data: st.DataObject) -> None:
    register = REGISTERS_1997[identifier]
    steps = data.draw(st.integers(0, 10 ** (2 * register.size) - 1))
    value = Decimal(steps).scaleb(register.exponent)
    (reading,) = decode(identifier, register.encode(value))
    assert reading.value == value
    name = identifier_2007(identifier)
    assert name is not None
    assert identifier_1997(name) == identifier
    newer = dlt645_registers.REGISTERS[name]
    assert (reading.quantity, reading.obis, reading.phase, reading.tariff) == (
        newer.quantity,
        newer.obis,
        newer.phase,
        newer.tariff,
    )


@given(st.sampled_from([*REGISTERS_1997, *BLOCKS_1997]), st.binary(max_size=24))
def test_anything_at_all_is_readings_or_no_frame(identifier: int, data: bytes) -> None:
    try:
        readings = decode(identifier, data)
    except FrameError as error:
        assert error.reason == "length"  # noqa: PT017 - either is right
        return
    assert 1 <= len(readings) <= len(registers_of(identifier))


def test_blocks() -> None:
    assert [r.phase for r in decode(0xB61F, bytes.fromhex("20 02 FF FF 21 02"))] == [Phase.A, Phase.B, Phase.C]
    assert decode(0xB61F, bytes.fromhex("20 02 FF FF"))[1].quality is Quality.ABSENT
    energies = decode(0x901F, bytes.fromhex("29 01 00 00 62 00 00 00 AA"))
    assert [(r.tariff, r.value) for r in energies] == [(None, Decimal(1290)), (1, Decimal(620))]
    with pytest.raises(FrameError, match="5 bytes"):
        decode(0x901F, bytes(5))
    with pytest.raises(FrameError, match="5 bytes"):
        decode(0x9010, bytes.fromhex("29 01 00 00 AA"))


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        (0x00010000, 0x9010),
        (0x0001FF00, 0x901F),
        (0x00010401, 0x9414),
        (0x0002FF02, 0x982F),
        (0x00080000, 0x9140),
        (0x00060000, 0x9150),
        (0x0201FF00, 0xB61F),
        (0x02030000, 0xB630),
        (0x02060300, 0xB653),
        (0x01010000, 0xA010),
        (0x0104FF01, 0xA52F),
        (0x04000101, 0xC010),
        (0x02010000, None),
        (0x02800002, None),
        (0x00000000, None),
        (0x040005FF, None),
    ],
)
def test_translation(newer: int, older: int | None) -> None:
    assert identifier_1997(newer) == older
    assert older is None or identifier_2007(older) == newer


def test_an_unknown_identifier_is_refused() -> None:
    assert registers_of(0xC010) == ()
    with pytest.raises(FrameError, match="C010 is not known here"):
        decode(0xC010, bytes(4))
    assert identifier_of(Frame("000000000003", 0x81, b"\x10")) is None


def test_the_time_of_a_demand_has_its_year_from_the_present() -> None:
    def us(text: str) -> int:
        found = meter_time_us(bytes.fromhex(text), 480)
        assert found is not None
        return found

    now_us = us("00 12 15 01 26")
    assert demand_time_identifier(0xA010) == 0xB010
    assert [demand_time_identifier(each) for each in (0x9010, 0xA01F, 0xA611)] == [None] * 3
    assert decode_demand_time(bytes.fromhex("30 09 14 01"), now_us, 480) == us("30 09 14 01 26")
    assert decode_demand_time(bytes.fromhex("30 09 20 12"), now_us, 480) == us("30 09 20 12 25")
    assert decode_demand_time(bytes.fromhex("30 09 29 02"), now_us, 480) == us("30 09 29 02 24")
    assert decode_demand_time(bytes(4), now_us, 480) is None
    with pytest.raises(FrameError, match="5 bytes of a demand's time: must be 4"):
        decode_demand_time(bytes(5), now_us, 480)
