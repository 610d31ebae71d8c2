"""What is Zebra's own; what all twins that publish have in common is tested in `test_iot_publisher.py`."""

from __future__ import annotations

from readers.codecs.iot_json import State
from simulator.rfid.zebra_iotc import DEVICE, Reader
from tests.support.publishing import told


def test_only_heartbeats_tell_that_the_inventory_has_stopped() -> None:
    events = told(DEVICE, 31, Reader(antennas=(1, 2, 3), alive_s=10, runs_until_s=0.2, unplugged=frozenset({1, 2})))
    assert [(event.state, event.connected, event.disconnected) for event in events] == [
        (State.IDLE, frozenset({3}), frozenset({1, 2})),
    ] * 3
    assert told(DEVICE, 31, Reader(antennas=(1,), alive_s=0, runs_until_s=0.2)) == []
