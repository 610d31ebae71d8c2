"""What is Impinj's own; what it shares with other readers that publish is in `tests/readers/test_publishing.py`."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import ValidationError

from readers.codecs.iot_json import encode
from readers.errors import LinkError
from readers.observations import Condition, Observation, Watching
from readers.ports.memory import pair, run
from readers.rfid.impinj_iot import DRIVER, ImpinjIotSettings
from simulator.rfid.impinj_iot import Reader
from tests.support.publishing import Tags, listen

TEXTS = {"connected": "alive", "connection lost": "gone"}


def test_a_reader_says_at_once_when_its_inventory_starts_and_stops() -> None:
    heard = listen("impinj_iot", 20, Reader(antennas=(1,), runs_until_s=5), Tags(0), antennas=[1])
    assert heard == [Watching(frozenset({1})), Watching()]


def test_a_reader_says_which_antennas_are_not_there() -> None:
    reader = Reader(antennas=(1, 2, 3), unplugged=frozenset({2, 3}))
    assert listen("impinj_iot", 10, reader, Tags(0), antennas=[1, 2])[-2:] == [
        Condition("antenna_disconnected", active=True, key="2"),
        Watching(frozenset({1})),
    ]


def test_a_last_will_ends_the_link_after_all_that_came_before() -> None:
    async def scene() -> list[Observation]:
        ours, device = pair()
        heard: list[Observation] = []
        driver = DRIVER.make(ImpinjIotSettings.model_validate({"antennas": [2], "status_messages": TEXTS}))
        running = asyncio.create_task(driver.run(ours, heard.append))
        status = b'{"eventType":"inventoryStatus","inventoryStatusEvent":{"status":"running"}}'
        for text in (b"connected", status):
            await device.send(encode(text, is_sequence=True))
        await device.pause(1)
        await device.send(encode(b"connection lost", is_sequence=True))
        with pytest.raises(LinkError, match=r"memory: the reader has left its broker, .*; check the reader's power"):
            await running
        return heard

    assert run(scene()) == [Watching(frozenset({2})), Watching()]


@pytest.mark.parametrize("texts", [{"": "gone"}, {"x": "away"}, {str(number): "gone" for number in range(17)}])
def test_status_messages_are_checked(texts: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="status_messages"):
        ImpinjIotSettings.model_validate({"status_messages": texts})
