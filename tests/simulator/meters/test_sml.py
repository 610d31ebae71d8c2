from __future__ import annotations

import pytest

from readers.codecs.sml import Decoder, Number, encode, messages
from readers.codecs.sml_values import said, serial_of
from readers.ports.memory import START_US
from readers.quantities import Quantity
from simulator.meters.sml import Clock, Meter, file
from tests.simulator.meters.loads import Growing, Steady


@pytest.mark.parametrize(
    "meter", [Meter(), Meter("HLY", 1, clock=Clock.BARE), Meter(has_kermit_crc=True), Meter(is_locked=True)]
)
def test_files_are_whole_and_name_the_meter(meter: Meter) -> None:
    made = file(Steady(), meter, START_US, 7)
    assert Decoder().feed(encode(made)) == [made]
    found, faults = messages(made)
    assert ([message.number for message in found], faults) == ([0x0101, 0x0701, 0x0201], [])
    assert serial_of(said(made).server_id) == f"1{meter.maker}00{meter.number:08}"


def test_messages_are_counted_through() -> None:
    counts = [message.transaction for s in (0, 1) for message in messages(file(Steady(), Meter(), START_US, s))[0]]
    assert counts == [n.to_bytes(4, "big") for n in range(6)]


@pytest.mark.parametrize(("power_w", "size"), [(0, 1), (1, 1), (2, 1), (356, 2), (1_200, 3), (-1, 4), (-356, 4)])
def test_a_meter_that_cuts_the_sign_does_so_of_positive_powers(power_w: int, size: int) -> None:
    made = file(Growing(power_w), Meter("DZG", 42_082_910, cuts_sign=True), START_US, 0)
    content = messages(made)[0][1].content
    assert isinstance(content, tuple)
    values = content[4]
    assert isinstance(values, tuple)
    (number,) = [v[5] for v in values if isinstance(v, tuple) and v[0] == bytes.fromhex("0100100700FF")]
    assert isinstance(number, Number)
    assert number.size == size
    assert number.value % (1 << 8 * size) == power_w * 100 % (1 << 8 * size)


def test_a_meter_without_sign_says_the_direction_in_its_status() -> None:
    for power_w in (500, -500):
        (power,) = [
            r
            for r in said(file(Growing(power_w), Meter(has_unsigned_power=True), START_US, 0)).readings
            if r.quantity is Quantity.ACTIVE_POWER
        ]
        assert power.value == power_w
