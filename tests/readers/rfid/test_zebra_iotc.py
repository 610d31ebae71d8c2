"""What is Zebra's own; what it shares with other readers that publish is in `tests/readers/test_publishing.py`."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from readers.observations import Condition, Watching
from readers.rfid.zebra_iotc import ZebraIotcSettings
from simulator.rfid.zebra_iotc import Reader
from tests.support.publishing import Tags, listen


def test_heartbeats_say_whether_the_reader_reads() -> None:
    heard = listen("zebra_iotc", 100, Reader(antennas=(1,), alive_s=10, runs_until_s=35), Tags(0), antennas=[1])
    assert heard == [Watching(frozenset({1})), Watching()]


def test_heartbeats_say_which_antennas_are_not_there() -> None:
    reader = Reader(antennas=(1, 2, 3), alive_s=10, unplugged=frozenset({2, 3}))
    assert listen("zebra_iotc", 100, reader, Tags(0), antennas=[1, 2]) == [
        Condition("antenna_disconnected", active=True, key="2"),
        Watching(frozenset({1})),
    ]


def test_there_is_no_last_will_to_be_named() -> None:
    with pytest.raises(ValidationError, match="status_messages"):
        ZebraIotcSettings.model_validate({"status_messages": {}})
