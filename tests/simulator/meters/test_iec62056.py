from __future__ import annotations

import asyncio

import pytest

from readers.codecs.iec62056 import Data, Decoder, Frame, Identification, Request, Select, encode
from readers.codecs.iec62056_values import said
from readers.ports.memory import START_US, MemoryPort, pair, run
from simulator.meters.iec62056 import Meter, Style, readout, serve
from tests.simulator.meters.loads import STATE, Steady


def talk(meter: Meter, *requests: Frame, wait_s: float = 1.0) -> list[Frame]:
    """What the meter says to these, one after the other."""

    async def scene() -> list[Frame]:
        ours, theirs = pair()
        playing = asyncio.create_task(serve(theirs, {"0070831205": meter}))
        found = await answers(ours, requests)
        playing.cancel()
        return found

    async def answers(ours: MemoryPort, frames: tuple[Frame, ...]) -> list[Frame]:
        decoder, found = Decoder(), []
        for frame in frames:
            await ours.send(encode(frame))
            while data := await ours.receive(wait_s):
                found += decoder.feed(data)
        return found

    return run(scene())


@pytest.mark.parametrize("style", Style)
def test_a_readout_says_what_the_load_is(style: Style) -> None:
    meter = Meter(Steady(), style=style, past_periods=3)
    data = readout(meter, START_US)
    found = said(data, meter.utc_offset_min)
    assert found.readings[0].value == STATE.active_energy_import_wh
    assert found.at_us == START_US
    assert (found.serial, found.firmware, found.faults) == ("70831205", "B32", [])
    assert sum("*0" in each.name for each in data.sets) == 3 * 6


@pytest.mark.parametrize("address", ["70831205", "0070831205", ""])
def test_a_meter_answers_to_its_address_with_or_without_zeros(address: str) -> None:
    (identification,) = talk(Meter(Steady()), Request(address))
    assert identification == Identification("LGZ", "5", "\\2ZMD4104407.B32")


def test_a_meter_does_not_answer_to_another_address() -> None:
    assert talk(Meter(Steady()), Request("70831206")) == []


def test_mode_c_waits_for_a_selection_and_goes_on_without_one() -> None:
    assert isinstance(talk(Meter(Steady()), Request(), Select("5"))[1], Data)
    assert [type(frame) for frame in talk(Meter(Steady()), Request(), wait_s=3.0)] == [Identification, Data]
    assert [type(frame) for frame in talk(Meter(Steady()), Request(), Select("5", "1"), wait_s=1.4)] == [Identification]


def test_a_selection_may_come_in_pieces() -> None:
    async def scene() -> bytes:
        ours, theirs = pair()
        playing = asyncio.create_task(serve(theirs, {"1": Meter(Steady())}))
        await ours.send(encode(Request()))
        await ours.receive(1.0)
        raw = encode(Select("5", "1"))  # programming, which is not answered
        for piece in (raw[:1], raw[1:3], raw[3:]):
            await ours.send(piece)
            await ours.pause(0.2)
        heard = await ours.receive(3.0)
        playing.cancel()
        return heard

    assert run(scene()) == b""


@pytest.mark.parametrize("baud", ["A", " "])
def test_modes_a_and_b_go_on_by_themselves(baud: str) -> None:
    assert [type(frame) for frame in talk(Meter(Steady(), baud=baud), Request())] == [Identification, Data]


def test_damage_and_refusal_are_played() -> None:
    meter = Meter(Steady(), baud=" ", damages=1)
    assert [type(frame) for frame in talk(meter, Request(), Request())] == [Identification, Identification, Data]
    (_, refusal) = talk(Meter(Steady(), baud=" ", refuses=True), Request())
    assert isinstance(refusal, Data)
    assert said(refusal, 0).refusal == "ER01"
