from __future__ import annotations

import pytest

from readers.codecs.dlms_data import Structure, decode
from readers.codecs.dlms_objects import columns_of, objects_of
from readers.ports.memory import START_US
from simulator.meters import dlms_axdr as axdr
from simulator.meters.dlms_meter import (
    ASSOCIATION,
    CLOCK,
    DENIED,
    OTHER_REASON,
    POWER_FAILURES,
    PROFILE,
    PUBLIC_CLIENT,
    RELAY,
    UNDEFINED,
    Behaviour,
    Client,
    Meter,
)
from tests.simulator.meters.loads import Growing, Steady

ENERGY = bytes.fromhex("0100010800FF")
CURRENT = bytes.fromhex("01001F0700FF")
QUARTER_US = 900_000_000
COLUMN = bytes.fromhex("0204120008090600000100") + bytes.fromhex("00FF0F02120000")


def span(since_us: int, until_us: int) -> bytes:
    return b"\x01\x02\x04" + COLUMN + axdr.date_time(since_us, 480) + axdr.date_time(until_us, 480) + b"\x01\x00"


def test_registers_have_a_value_and_a_scaler() -> None:
    meter = Meter(Steady())
    value = meter.attribute(3, ENERGY, 2, b"", START_US)
    scaler = meter.attribute(3, ENERGY, 3, b"", START_US)
    assert isinstance(value, bytes)
    assert isinstance(scaler, bytes)
    assert (decode(value), decode(scaler)) == (123456, Structure((1, 30)))


@pytest.mark.parametrize(
    ("class_id", "name", "number", "result"),
    [(3, bytes(6), 2, UNDEFINED), (3, ENERGY, 9, UNDEFINED), (1, ENERGY, 2, UNDEFINED), (3, CURRENT, 2, DENIED)],
)
def test_what_is_not_there_or_denied_has_a_result(class_id: int, name: bytes, number: int, result: int) -> None:
    meter = Meter(Steady(), behaviour=Behaviour(denies=frozenset({(CURRENT, 2)})))
    assert meter.attribute(class_id, name, number, b"", START_US) == result


def test_the_object_list_names_what_can_be_read() -> None:
    meter = Meter(Steady())
    told = meter.attribute(15, ASSOCIATION, 2, b"", START_US)
    assert isinstance(told, bytes)
    found = {(each.class_id, each.obis) for each in objects_of(decode(told))}
    assert {class_id for class_id, _ in found} == {1, 3, 4, 5, 7, 8, 15, 17, 70}
    assert len(found) == 31


def test_the_profile_is_what_the_load_was() -> None:
    meter = Meter(Growing(6_000), behaviour=Behaviour(kept_s=9_000))
    columns = meter.attribute(7, PROFILE, 3, b"", START_US)
    assert isinstance(columns, bytes)
    assert [str(column.obis) for column in columns_of(decode(columns))] == [
        "0-0:1.0.0",
        "0-0:96.10.1",
        "1-0:1.8.0",
        "1-0:2.8.0",
    ]
    now_us = START_US + 10 * QUARTER_US
    rows = meter.attribute(7, PROFILE, 2, span(START_US, START_US + 2 * QUARTER_US), now_us)
    assert isinstance(rows, bytes)
    found = decode(rows)
    assert isinstance(found, list)
    assert [row.values[2] for row in found if isinstance(row, Structure)] == [0, 150, 300]
    whole = meter.attribute(7, PROFILE, 2, b"", now_us)
    assert isinstance(whole, bytes)
    assert len(whole) > 11 * 20


def test_a_range_that_is_none_is_an_error() -> None:
    meter = Meter(Steady())
    for wrong in (b"\x02", b"\x01\x02\x04" + COLUMN, span(0, 0)[:-1] + b"\x01"):
        with pytest.raises(ValueError, match="no range"):
            meter.attribute(7, PROFILE, 2, wrong, START_US)
    unable = Meter(Steady(), behaviour=Behaviour(selects=False))
    assert unable.attribute(7, PROFILE, 2, span(0, 0), START_US) == OTHER_REASON


@pytest.mark.parametrize(
    ("mode", "before", "method", "result", "after"),
    [
        (4, 1, 1, 0, 0),
        (4, 0, 2, 0, 1),
        (1, 0, 2, 0, 2),
        (4, 1, 2, 0, 1),
        (0, 1, 1, DENIED, 1),
        (4, 1, 3, DENIED, 1),
    ],
)
def test_the_relay_moves_as_its_mode_says(mode: int, before: int, method: int, result: int, after: int) -> None:
    meter = Meter(Steady(), behaviour=Behaviour(control_mode=mode), relay=before)
    assert meter.call(70, RELAY, method) == result
    assert meter.relay == after


def test_a_relay_sticks_and_a_person_presses() -> None:
    meter = Meter(Steady(), behaviour=Behaviour(sticks=True))
    assert meter.call(70, RELAY, 1) == 0
    assert (meter.relay, meter.orders) == (1, [1])
    assert meter.call(8, CLOCK, 1) == UNDEFINED
    meter.relay = 2
    meter.press()
    assert meter.relay == 1
    meter.press()
    assert meter.relay == 1


def test_an_open_relay_carries_no_current() -> None:
    meter = Meter(Steady(), relay=0)
    told = meter.attribute(3, CURRENT, 2, b"", START_US)
    assert isinstance(told, bytes)
    assert decode(told) == 0


def test_the_public_client_is_always_known() -> None:
    meter = Meter(Steady(), clients={1: Client(b"x")})
    assert meter.client(PUBLIC_CLIENT) == Client()
    assert meter.client(1) == Client(b"x")
    assert meter.client(2) is None
    count = meter.attribute(1, POWER_FAILURES, 2, b"", START_US)
    assert count == axdr.uint16(3)
