from __future__ import annotations

import asyncio

import pytest

from readers.codecs.iot_json import Decoder, Event, State
from readers.codecs.iot_messages import parse_impinj
from readers.errors import LinkError
from readers.ports.memory import START_US, pair, run
from simulator.device import Sighting
from simulator.rfid.impinj_iot import DEVICE, Reader, serve


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
        decoder = Decoder(parse_impinj)
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


def test_start_stop_and_life_are_told() -> None:
    events = told(31, Reader(antennas=(1,), alive_s=10, runs_until_s=5))
    assert [event.state for event in events if event.state] == [State.RUNNING, State.IDLE]
    assert len([event for event in events if event.state is None and event.read is None]) == 3
    assert DEVICE == "impinj_iot"
