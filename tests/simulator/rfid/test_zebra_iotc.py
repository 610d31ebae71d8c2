from __future__ import annotations

import asyncio

import pytest

from readers.codecs.iot_json import Decoder, Event
from readers.codecs.iot_messages import parse_zebra
from readers.errors import LinkError
from readers.ports.memory import START_US, pair, run
from simulator.device import Sighting
from simulator.rfid.zebra_iotc import DEVICE, Reader, serve


class OneTag:
    def heard(self, antenna_port: int, start_us: int, until_us: int) -> list[Sighting]:
        at_us = START_US + 500_000
        return [Sighting(at_us, antenna_port, b"\x30\x00", -40.0)] if start_us <= at_us < until_us else []


def told(seconds: float, reader: Reader) -> list[Event]:
    async def scene() -> list[Event]:
        ours, device = pair()
        serving = asyncio.create_task(serve(device, OneTag(), reader))
        await ours.pause(seconds)
        data = await ours.receive(0)
        await ours.close()
        with pytest.raises(LinkError):
            await serving
        decoder = Decoder(parse_zebra)
        events = [event for record in decoder.feed(data) for event in record.events]
        assert not decoder.take_rejects()
        return events

    return run(scene())


def test_each_tag_is_an_event_of_its_own_time() -> None:
    reads = [event.read for event in told(2, Reader(antennas=(1, 4), clock_offset_us=-1_000_000)) if event.read]
    assert [(read.antenna_port, read.epc, read.rssi_dbm) for read in reads] == [
        (1, b"\x30\x00", -40.0),
        (4, b"\x30\x00", -40.0),
    ]
    assert {read.last_seen_us for read in reads} == {START_US - 500_000}


def test_heartbeats_come_and_a_stopped_inventory_says_nothing_else() -> None:
    events = told(31, Reader(antennas=(1,), alive_s=10, runs_until_s=0.2))
    assert [event.read for event in events] == [None, None, None]
    assert told(31, Reader(antennas=(1,), alive_s=0, runs_until_s=0.2)) == []
    assert DEVICE == "zebra_iotc"
