from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from readers.codecs.dlt645_registers import REGISTERS
from readers.ports.memory import START_US
from simulator.meters.dlt645_measured import cut_off, instantaneous, powers, total
from tests.simulator.meters.loads import STATE, Growing

D = Decimal
DEMANDS = {1: D(3_000), 2: D(200), 3: D(400), 4: D(0)}


def shown(identifier: int, now_us: int = START_US, seed: int = 161) -> Decimal | None:
    return instantaneous(REGISTERS[identifier], STATE, DEMANDS, seed, now_us)


@pytest.mark.parametrize(
    ("identifier", "value"),
    [
        (0x02010100, "230.3"),
        (0x02020200, "-1.500"),
        (0x02030000, "2155.3"),
        (0x02030200, "-344.7"),
        (0x02040000, "50.0"),
        (0x02060100, "0.995"),
        (0x02070100, "2.3"),
        (0x02800002, "49.98"),
        (0x02800004, "2800"),
        (0x02800005, "400"),
        (0x02800008, "3.62"),
    ],
)
def test_what_the_load_tells_is_shown(identifier: int, value: str) -> None:
    assert shown(identifier) == D(value)


@pytest.mark.parametrize("di2", range(1, 12))
def test_a_phase_that_is_not_connected_has_nothing(di2: int) -> None:
    di0 = 5 if di2 > 9 else 0
    assert shown(0x02000300 | di2 << 16 | di0) is None


def test_apparent_power_and_power_factor_belong_together() -> None:
    apparent, factor = shown(0x02050000), shown(0x02060000)
    assert apparent is not None
    assert factor is not None
    assert abs(apparent * factor - D("2155.3")) < D("0.001")
    assert instantaneous(REGISTERS[0x02060000], cut_off(STATE), DEMANDS, 1, START_US) == 1
    demand = shown(0x02800006)
    assert demand is not None
    assert demand.quantize(D(1)) == 3225


def test_the_current_of_the_neutral() -> None:
    balanced = Growing(6_900).state(START_US)
    assert instantaneous(REGISTERS[0x02800001], balanced, DEMANDS, 1, START_US) == 0
    assert shown(0x02800001) == D("13.159")


def test_what_the_load_does_not_tell_is_the_same_in_every_run_and_within_bounds() -> None:
    for minute in range(200):
        now_us = START_US + minute * 60_000_000
        for phase in (1, 2):
            voltage, current = shown(0x02080000 | phase << 8, now_us), shown(0x02090000 | phase << 8, now_us)
            assert voltage is not None
            assert current is not None
            assert 0 < voltage < 5 < D("0.5") + current < 15
            assert voltage == shown(0x02080000 | phase << 8, now_us)
        temperature = shown(0x02800007, now_us)
        assert temperature is not None
        assert 10 < temperature < 45
    assert shown(0x020A0101) == D("99.99")
    assert shown(0x020A0102) == 0
    third, fifth = shown(0x020B0103), shown(0x020B0105)
    assert third is not None
    assert fifth is not None
    assert third > fifth > 0


def test_a_load_that_is_cut_off_has_voltage_only() -> None:
    state = cut_off(STATE)
    assert state.voltage_v == STATE.voltage_v
    assert state.current_a == (D(0), D(0), None)
    assert (total(state.active_power_w), state.power_factor) == (D(0), (D(1), D(1), None))
    assert instantaneous(REGISTERS[0x02090100], state, DEMANDS, 1, START_US) == 0


def test_powers_and_what_there_is_not() -> None:
    assert powers(STATE)[:4] == (D("2155.3"), D("2500.0"), D("-344.7"), None)
    with pytest.raises(KeyError):
        instantaneous(REGISTERS[0x02800005], STATE, {1: D(0), 2: D(0)}, 1, START_US)
    with pytest.raises(KeyError):
        instantaneous(replace(REGISTERS[0x02800005], quantity=REGISTERS[0x00010000].quantity), STATE, DEMANDS, 1, 1)
