from __future__ import annotations

import pytest

from readers.ports.memory import START_US
from simulator.rfid.iot_publisher import Reader
from tests.support.publishing import TWINS, told

pytestmark = pytest.mark.parametrize("family", TWINS)


def test_each_tag_is_an_event_of_its_own_time(family: str) -> None:
    said = told(family, 2, Reader(antennas=(1, 4), clock_offset_us=-1_000_000))
    reads = [event.read for event in said if event.read]
    assert [(read.antenna_port, read.epc, read.rssi_dbm) for read in reads] == [
        (1, b"\x30\x00", -40.0),
        (4, b"\x30\x00", -40.0),
    ]
    assert {read.last_seen_us for read in reads} == {START_US - 500_000}


def test_an_antenna_that_is_not_there_hears_nothing(family: str) -> None:
    reads = [event.read for event in told(family, 2, Reader(antennas=(1, 4), unplugged=frozenset({1}))) if event.read]
    assert [read.antenna_port for read in reads] == [4]


def test_signs_of_life_come_in_time_or_not_at_all(family: str) -> None:
    quiet = Reader(antennas=(), alive_s=0)
    quick = Reader(antennas=(), alive_s=10)
    assert len(told(family, 31, quick)) - len(told(family, 31, quiet)) == 3
