from __future__ import annotations

import asyncio

import pytest

from readers.codecs.hopeland import Decoder, Frame, Kind, Message, encode
from readers.errors import DeviceRefusedError
from readers.observations import Condition, InForce, Observation, Rejected
from readers.ports.memory import MemoryPort, run
from readers.rfid.hopeland.configuration import Setup, prepare
from readers.rfid.hopeland.line import Line
from readers.rfid.hopeland.settings import HopelandSettings
from simulator.rfid.hopeland import Reader, serve
from tests.support.heard import conditions_in
from tests.support.shelf import Shelf
from tests.support.stations import Recording

SET_BAND, GET_BAND = (Kind.RFID, int(Message.SET_BAND)), (Kind.RFID, int(Message.GET_BAND))


def prepared(reader: Reader, **settings: object) -> tuple[Setup | str, list[Observation], list[Frame]]:
    """The setup, or why the reader is refused; what was reported; and what was sent."""
    ours, device = MemoryPort("memory"), Recording("memory (device)")
    ours.connect(device)
    heard: list[Observation] = []

    async def scene() -> Setup | str:
        twin = asyncio.create_task(serve(device, Shelf(), reader))
        try:
            return await prepare(Line(ours, heard.append), HopelandSettings.model_validate(settings))
        except DeviceRefusedError as refusal:
            return str(refusal)
        finally:
            twin.cancel()
            await asyncio.gather(twin, return_exceptions=True)

    setup = run(scene())
    return setup, heard, Decoder().feed(device.all_heard)


def test_a_region_is_set_read_back_and_told() -> None:
    setup, heard, sent = prepared(Reader(antennas=1), region="eu")
    assert setup == Setup((1,), 0)
    assert InForce({"region": "eu", "tx_power_dbm": "20", "antennas": "1"}) in heard
    assert not conditions_in(heard)
    assert Frame(Kind.RFID, Message.SET_BAND, b"\x04") in sent


def test_a_region_that_is_in_force_is_not_written_to_flash() -> None:
    _, heard, sent = prepared(Reader(), region="us")
    assert SET_BAND not in {(frame.kind, frame.message) for frame in sent}
    assert not conditions_in(heard)


def test_a_band_without_a_name_is_told_by_its_number() -> None:
    _, heard, _ = prepared(Reader(band=99))
    [in_force] = [o for o in heard if isinstance(o, InForce)]
    assert in_force.values["region"] == "band 99"


@pytest.mark.parametrize(
    ("reader", "said"),
    [(Reader(), "code 01"), (Reader(unknown=frozenset({SET_BAND})), "error 00 00 00 02 03 00 00")],
)
def test_a_region_that_the_reader_does_not_take_is_named_and_parks_it(reader: Reader, said: str) -> None:
    setup, heard, _ = prepared(reader, region="za")
    assert setup == (
        f"memory: settings.region = za was asked, {said}; the reader keeps us, and those that it can are cn_920, "
        "cn_840, cn_840_920, us, eu; choose the region that its antenna and licence are for, or leave the key out"
    )
    [condition] = [o for o in heard if isinstance(o, Condition)]
    assert (condition.name, condition.key) == ("setting_differs", "region")
    assert condition.detail == f"za asked, us in force, {said}"


def test_bands_that_are_not_told_are_said_to_be_so() -> None:
    setup, _, _ = prepared(Reader(bands=()), region="eu")
    assert "those that it can are not told" in str(setup)


@pytest.mark.parametrize("closed", ["mute", "unknown"])
def test_a_region_that_cannot_be_read_back_is_said(closed: str) -> None:
    reader = Reader(mute=frozenset({GET_BAND})) if closed == "mute" else Reader(unknown=frozenset({GET_BAND}))
    setup, heard, _ = prepared(reader, region="eu")
    assert isinstance(setup, Setup)
    assert conditions_in(heard) == [("setting_unverified", "region", True)]


def test_a_band_of_another_length_is_none() -> None:
    async def device(port: MemoryPort) -> None:
        decoder = Decoder()
        while True:
            for asked in decoder.feed(await port.receive(3600)):
                answer = b"\x01\x02" if (asked.kind, asked.message) == GET_BAND else b"\x00"
                await port.send(encode(Frame(asked.kind, asked.message, answer)))

    async def scene() -> list[Observation]:
        ours, theirs = MemoryPort("memory"), MemoryPort("device")
        ours.connect(theirs)
        heard: list[Observation] = []
        twin = asyncio.create_task(device(theirs))
        await prepare(Line(ours, heard.append), HopelandSettings())
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)
        return heard

    heard = run(scene())
    assert [o.sample for o in heard if isinstance(o, Rejected)][-1] == b"\x01\x02"
    assert not any("region" in o.values for o in heard if isinstance(o, InForce))
