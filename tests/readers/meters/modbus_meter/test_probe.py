from __future__ import annotations

import asyncio
from decimal import Decimal

from readers.codecs.modbus_blocks import Span
from readers.codecs.modbus_map import MeterMap
from readers.codecs.modbus_map_file import parse
from readers.codecs.modbus_values import Layout, Order, ValueType, raw_of_number, registers_of
from readers.meters.modbus_meter.probe import AS_MAPPED, Arrangement, Finding, probe
from readers.meters.modbus_meter.shipped import load

HEAD = 'name = "x"\nsource = "x"\naddress_base = 0\n[resolution]\nV = 0.01\nHz = 0.01\n[defaults]\n'


def found(meter_map: MeterMap, registers: dict[int, int]) -> Finding:
    async def read(span: Span) -> list[int] | None:
        words = [registers.get(address) for address in range(span.address, span.end)]
        return None if None in words else [word for word in words if word is not None]

    return asyncio.run(probe(meter_map, read))


def test_words_are_not_swapped_where_numbers_have_one() -> None:
    acrel = load("acrel_adl3000")
    registers = {0x62: 2300, 0x63: 2301, 0x64: 2299, 0x78: 5000}
    assert found(acrel, registers).arrangement == Arrangement(1, is_swapped=False)


def test_the_map_stands_where_it_is_plausible() -> None:
    acrel = load("acrel_adl3000")
    registers = {0x61: 2300, 0x62: 2301, 0x63: 2299, 0x64: 2300, 0x77: 5000, 0x78: 5000}
    assert found(acrel, registers) == Finding(AS_MAPPED, "as the map says")


def test_several_plausible_arrangements_are_none() -> None:
    one = parse(
        HEAD.replace("[resolution]", 'values = [ { quantity = "voltage", phase = "a", address = 5 } ]\n[resolution]'),
        "x",
    )
    finding = found(one, {4: 230, 5: 9000, 6: 231})
    assert finding.arrangement is None
    assert finding.detail == (
        "several arrangements are plausible: addresses -1, words as in the map; addresses +1, words as in the map"
    )


def floats(first: int, *numbers: str, low_word_first: bool) -> dict[int, int]:
    layout = Layout(ValueType.F32, Order.LITTLE if low_word_first else Order.BIG)
    words = [word for each in numbers for word in registers_of(raw_of_number(Decimal(each), ValueType.F32), layout)]
    return dict(enumerate(words, first))


def test_a_low_word_first_is_told_from_floats_one_register_further_on() -> None:
    """230.3 and 229.8 V with their low word first: read one further on, high A and low B make 230.2 V."""
    entry = '{ quantity = "voltage", phase = "%s", address = %d, type = "f32" }'
    line = ", ".join(entry % each for each in (("a", 10), ("b", 12), ("c", 14)))
    three = parse(HEAD.replace("[resolution]", f"values = [{line}]\n[resolution]"), "x")
    volts = ("230.3", "229.8", "231.4")
    swapped = found(three, {9: 0, 16: 0} | floats(10, *volts, low_word_first=True))
    assert swapped.arrangement == Arrangement(0, is_swapped=True)
    further_on = found(three, {9: 0, 10: 0, 17: 0} | floats(11, *volts, low_word_first=False))
    assert further_on.arrangement == Arrangement(1, is_swapped=False)
    round_volts = found(three, {9: 0, 16: 0} | floats(10, "230", "230", "230", low_word_first=True))
    assert round_volts.arrangement is None  # nothing tells them apart, and nothing is claimed


def test_what_is_shown_instead_is_told() -> None:
    finding = found(load("sdm630"), dict.fromkeys(range(0x100), 0))
    assert finding.arrangement is None
    assert "the map as it is shows voltage phase a 0.00, voltage phase b 0.00" in finding.detail
    assert "frequency nothing" in found(load("sdm630"), {}).detail


def test_a_map_without_voltage_and_frequency_cannot_be_probed() -> None:
    text = HEAD.replace("[resolution]", 'values = [ { quantity = "current", phase = "a", address = 5 } ]\n[resolution]')
    assert "has no voltage and no frequency" in found(parse(text, "x"), {}).detail


def test_addresses_outside_the_table_are_not_asked() -> None:
    text = HEAD.replace(
        "[resolution]", 'values = [ { quantity = "voltage", phase = "a", address = 65535 } ]\n[resolution]'
    )
    assert found(parse(text, "x"), {65534: 230}).arrangement == Arrangement(-1)


def test_arrangements_in_words() -> None:
    assert str(AS_MAPPED) == "addresses as in the map, words as in the map"
    assert str(Arrangement(1, is_swapped=True)) == "addresses +1, words the other way round"
