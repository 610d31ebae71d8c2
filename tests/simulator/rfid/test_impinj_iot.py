"""What is Impinj's own; what all twins that publish have in common is tested in `test_iot_publisher.py`."""

from __future__ import annotations

from readers.codecs.iot_json import State
from simulator.rfid.impinj_iot import DEVICE, Reader
from tests.support.publishing import told


def test_start_stop_and_life_are_told() -> None:
    events = told(DEVICE, 31, Reader(antennas=(1,), alive_s=10, runs_until_s=5))
    assert [event.state for event in events if event.state] == [State.RUNNING, State.IDLE]
    assert len([event for event in events if event.state is None and event.read is None]) == 3


def test_an_antenna_that_is_not_there_is_told() -> None:
    events = told(DEVICE, 1, Reader(antennas=(1, 2), unplugged=frozenset({1, 2})))
    assert [event.disconnected for event in events if event.disconnected] == [frozenset({1}), frozenset({2})]
