from __future__ import annotations

from dataclasses import replace

import pytest

from readers.ports.memory import START_US
from simulator.meters.dlt698_meter import DENIED, NO_SUCH_OBJECT, OUT_OF_RANGE, TYPE_MISMATCH, Behaviour, Meter
from simulator.meters.dlt698_wire import NULL, Asked, array, int32, read_request, time, uint16, uint32
from tests.simulator.meters.loads import STATE, D, Growing, Steady

ADDRESS = "000000000161"
CHINA_MIN = 480
HOUR_US = 3_600_000_000


def meter(behaviour: Behaviour | None = None) -> Meter:
    return Meter(ADDRESS, Steady(), behaviour)


def value(oad: str, behaviour: Behaviour | None = None) -> bytes | int:
    return meter(behaviour).value(bytes.fromhex(oad), START_US)


def test_its_registers() -> None:
    assert value("00100201") == uint32(123456)
    assert value("00100203") == uint32(20000)
    assert value("00200201") == uint32(26)
    assert value("00000201") == int32(123482)
    assert value("20000200") == array([uint16(2303), uint16(2298)])
    assert value("20040201") == int32(21553)
    assert value("20060202") == int32(25019)  # the root of 2500 W and 100 var squared, cut off
    assert value("200F0200") == uint16(4998)
    assert value("20010400") == int32(0)
    assert value("40020200") == value("40010200") == b"\x09\x06" + bytes.fromhex(ADDRESS)
    assert value("40000200") == time(START_US, CHINA_MIN)


def test_what_it_does_not_have() -> None:
    assert value("00100209") == OUT_OF_RANGE
    assert value("200F0201") == OUT_OF_RANGE
    assert value("20000300") == NO_SUCH_OBJECT
    assert value("00300200") == NO_SUCH_OBJECT
    assert value("20000200", Behaviour(lacks=frozenset({0x2000}))) == NO_SUCH_OBJECT
    assert value("20000200", Behaviour(denies=frozenset({0x2000}))) == DENIED


def test_an_idle_meter_has_a_power_factor_of_one() -> None:
    idle = Meter(ADDRESS, Steady(replace(STATE, active_power_w=(D(0),) * 3, reactive_power_var=(D(0),) * 3)))
    factors = idle.value(bytes.fromhex("200A0200"), START_US)
    assert isinstance(factors, bytes)
    assert factors[2:5] == bytes.fromhex("10 03 E8")


def asked(text: str) -> Asked:
    return read_request(bytes.fromhex(text), CHINA_MIN)


def times(rows: list[list[bytes]] | int) -> list[bytes]:
    assert isinstance(rows, list)
    return [row[0] for row in rows]


DAYS = "05 03 00 50 04 02 00 02 20 21 02 00 1C 07 E9 0C 1E 00 00 00 1C 07 EA 01 0A 00 00 00 00 "
QUARTERS = "05 03 00 50 02 02 00 02 20 21 02 00 1C 07 EA 01 01 08 00 00 1C 07 EA 01 01 09 00 00 54 01 00 0F "


def test_it_freezes_at_midnight_and_every_quarter() -> None:
    grown = Meter(ADDRESS, Growing(start_wh=D(1_000_000)))
    now_us = START_US + HOUR_US + 1
    days = grown.rows(asked(DAYS + "02 00 20 21 02 00 00 00 10 02 01 00"), now_us)
    midnight_us = START_US - 8 * HOUR_US
    assert times(days) == [time(midnight_us - back * 24 * HOUR_US, CHINA_MIN) for back in (2, 1, 0)]
    quarters = grown.rows(asked(QUARTERS + "02 00 20 21 02 00 00 00 10 02 01 00"), now_us)
    assert times(quarters) == [time(START_US + n * HOUR_US // 4, CHINA_MIN) for n in range(4)]
    assert isinstance(quarters, list)
    assert quarters[-1][1] == uint32(100_450)  # 6 kW for three quarters of an hour


def test_it_freezes_nothing_while_there_is_no_power() -> None:
    behaviour = Behaviour(outages=((START_US + 1, START_US + HOUR_US // 2 + 1),))
    cut = Meter(ADDRESS, Growing(), behaviour)
    rows = cut.rows(asked(QUARTERS + "01 00 20 21 02 00 00"), START_US + HOUR_US)
    assert times(rows) == [time(START_US, CHINA_MIN), time(START_US + 3 * HOUR_US // 4, CHINA_MIN)]
    assert not behaviour.is_powered(START_US + 1)


def test_columns_that_it_does_not_freeze_are_empty() -> None:
    rows = meter().rows(asked(QUARTERS + "02 00 20 21 02 00 00 00 30 02 00 00"), START_US + HOUR_US)
    assert isinstance(rows, list)
    assert rows[0][1] == NULL


def test_records_that_it_refuses() -> None:
    query = asked(DAYS + "02 00 00 10 02 00 00 00 20 02 00 00")
    assert meter(Behaviour(freezes_one_column=True)).rows(query, START_US) == DENIED
    assert meter(Behaviour(lacks=frozenset({0x5004}))).rows(query, START_US) == NO_SUCH_OBJECT
    assert meter().rows(replace(query, oads=(bytes.fromhex("20000200"),)), START_US) == TYPE_MISMATCH


@pytest.mark.parametrize(("latest", "count"), [(1, 1), (9, 2)])
def test_power_failures(latest: int, count: int) -> None:
    outages = ((START_US - 9 * HOUR_US, START_US - 8 * HOUR_US), (START_US - 2 * HOUR_US, START_US - HOUR_US))
    failed = meter(Behaviour(outages=outages))
    assert failed.value(bytes.fromhex("30110400"), START_US) == uint16(2)
    assert failed.value(bytes.fromhex("30110700"), START_US) == bytes.fromhex("0101020200020206000000020600000078")
    rows = failed.rows(asked(f"05 03 00 30 11 02 00 09 0{latest} 02 00 20 1E 02 00 00 20 24 02 00 00"), START_US)
    assert isinstance(rows, list)
    assert len(rows) == count
    assert rows[0] == [time(outages[1][0], CHINA_MIN), NULL]
