from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from readers.codecs.modbus import Frame, Function, Refusal, read_request, registers_of
from readers.codecs.modbus_map import MapValue
from readers.codecs.modbus_map_file import parse
from readers.codecs.modbus_values import number_of, raw_of
from readers.meters.modbus_meter.shipped import load, template
from readers.ports.memory import START_US
from readers.quantities import Phase, Quantity
from simulator.meters.modbus_meter import DEVICE, Meter, shown_of
from simulator.world.power import ThreePhaseLoad
from tests.readers.meters.modbus_meter.scenes import STATE, Steady, meter

D = Decimal
H, IN = Function.READ_HOLDING_REGISTERS, Function.READ_INPUT_REGISTERS


def read(made: Meter, function: Function, address: int, count: int, now_us: int = START_US) -> Frame:
    answer = made.answer(read_request(1, function, address, count), now_us)
    assert answer is not None
    return answer


def numbers(made: Meter, name: str, now_us: int = START_US) -> Decimal | None:
    value = one(made, name)
    span = value.place.span
    registers = registers_of(read(made, span.function, span.address, span.count, now_us), span.count)
    return number_of(raw_of(registers, value.place.layout), value.place.layout.type)


def one(made: Meter, name: str) -> MapValue:
    return next(value for value in made.map.values if value.name == name)


def test_registers_as_an_sdm630_shows_them() -> None:
    assert DEVICE == "modbus_meter"
    assert registers_of(read(meter("sdm630"), IN, 0, 2), 2) == [0x4366, 0x4CCD]  # 230.3
    assert numbers(meter("sdm630"), "active_energy_import") == pytest.approx(D("1234.56"), abs=D("0.001"))


def test_the_secondary_side_is_shown_where_the_map_says_so() -> None:
    acrel = meter("acrel_adl3000", pt_ratio=D(100), ct_ratio=D(40))
    assert numbers(acrel, "active_energy_import") == 30  # of 1234.56 kWh / 4000, in 0.01 kWh, cut
    assert numbers(acrel, "voltage phase a") == 23


@pytest.mark.parametrize(
    ("given", "function", "address", "count", "wanted"),
    [
        ({}, IN, 0, 81, Refusal.ILLEGAL_VALUE),
        ({}, IN, 0x200, 2, Refusal.ILLEGAL_ADDRESS),
        ({}, H, 0, 2, Refusal.ILLEGAL_ADDRESS),
        ({}, Function.READ_COILS, 0, 2, Refusal.ILLEGAL_FUNCTION),
        ({"refuses_gaps": True}, IN, 0x22, 6, Refusal.ILLEGAL_ADDRESS),
        ({"missing": frozenset({"voltage phase b"})}, IN, 0, 6, Refusal.ILLEGAL_ADDRESS),
        ({"busy": True}, IN, 0, 2, Refusal.BUSY),
        ({}, IN, 0x22, 6, None),
    ],
)
def test_what_is_refused(
    given: dict[str, Any], function: Function, address: int, count: int, wanted: Refusal | None
) -> None:
    assert read(meter("sdm630", **given), function, address, count).refusal == wanted


def test_silence() -> None:
    assert meter("sdm630", mute=True).answer(read_request(1, IN, 0, 2), START_US) is None
    choosy = meter("sdm630", silent_on=frozenset({5}))
    assert choosy.answer(read_request(1, IN, 4, 2), START_US) is None
    assert choosy.answer(read_request(1, IN, 0, 4), START_US) is not None
    assert len(choosy.requests) == 2


def test_registers_may_lie_otherwise_than_the_map_says() -> None:
    other = meter("sdm630", moved_by=1, swapped=True)
    assert registers_of(read(other, IN, 1, 2), 2) == [0x4CCD, 0x4366]


def test_a_phase_that_is_not_connected() -> None:
    state = replace(STATE, voltage_v=(D(230), None, None), active_power_w=(D(1), None, None))
    abb = meter("abb_b23", Steady(state))
    assert numbers(abb, "voltage phase b") == 0xFFFFFFFF
    assert numbers(abb, "active_power phase b") == 0x7FFFFFFF
    assert numbers(abb, "active_power") == 100
    assert numbers(meter("sdm630", Steady(state)), "voltage phase b") is None
    assert numbers(meter("schneider_pm5000", Steady(state)), "voltage phase b") is None


def test_power_factors_tell_their_quadrant_where_the_map_says_so() -> None:
    state = replace(
        STATE,
        power_factor=(D("0.9"), D("0.9"), D("-0.9")),
        reactive_power_var=(D(100), D(-100), D(100)),
    )
    pm5000 = meter("schneider_pm5000")
    shown = [shown_of(one(pm5000, f"power_factor phase {phase}"), state) for phase in "abc"]
    assert shown == [D("0.9"), D("1.1"), D("-1.1")]


def test_a_load_of_the_world_counts_up() -> None:
    load_ = ThreePhaseLoad("feeder", 7, START_US, 1_000_000.0, 10_000.0)
    made = Meter(load("schneider_iem3000"), load_)
    first = numbers(made, "active_energy_import")
    later = numbers(made, "active_energy_import", START_US + 3_600_000_000)
    assert first == 1_000_000
    assert later is not None
    assert 9_000 < later - 1_000_000 < 11_000
    assert numbers(made, "apparent_power") == pytest.approx(D("10.87"), rel=D("0.4"))


def test_ratios_serial_and_clock_are_shown() -> None:
    made = Meter(parse(template(), "template"), Steady(), pt_ratio=D(100), ct_ratio=D(40), serial=77, clock_s=60)
    assert registers_of(read(made, H, 0x300, 2), 2) == [100, 40]
    assert registers_of(read(made, H, 0x400, 2), 2) == [0, 77]
    assert registers_of(read(made, H, 0x410, 3), 3) == [0x1A01, 0x0108, 0x0100]  # 2026-01-01 08:01:00 in China


def test_other_quantities() -> None:
    sdm = meter("sdm630")
    assert shown_of(one(sdm, "current phase n"), STATE) == 0
    assert shown_of(one(sdm, "voltage_thd phase a"), STATE) == 0
    assert shown_of(one(sdm, "active_demand"), STATE) == 3250
    assert shown_of(one(sdm, "active_energy_export phase a"), STATE) == D(260) / 3
    assert one(sdm, "voltage phase a").phase is Phase.A
    assert one(sdm, "frequency").quantity is Quantity.FREQUENCY
