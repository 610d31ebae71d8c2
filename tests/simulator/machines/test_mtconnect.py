from __future__ import annotations

import asyncio

import pytest

from readers.codecs.mtconnect import Document, read_document
from readers.errors import LinkError
from readers.http_messages import Answer, parse, request
from readers.ports.memory import START_US, pair, run
from simulator.machines.mtconnect import Agent, serve, serve_http
from simulator.world.warping import Habits, WarpingMachine

MINUTE_US = 60_000_000


def agent(size: int = 16) -> Agent:
    return Agent(WarpingMachine(1, START_US, Habits(break_after_s=30)), size=size, names=("w1", "w2"))


def said(made: Agent, path: str, minute: float = 1) -> Document:
    return read_document(made.answer(path, START_US + round(minute * MINUTE_US)).body)


def test_it_has_devices_and_a_snapshot_of_the_latest_of_each_item() -> None:
    made = agent()
    assert [device.name for device in said(made, "/probe").devices] == ["w1", "w2"]
    assert [device.name for device in said(made, "/w1/probe").devices] == ["w1"]
    found = {each.item: each.text for each in said(made, "/w1/current").observations}
    assert (found["avail"], found["mode"], found["total"]) == ("AVAILABLE", "AUTOMATIC", str(made.machine.total_m))


def test_its_buffer_is_a_ring_with_numbers_without_gaps() -> None:
    made = agent()
    for minute in range(20):
        header = said(made, "/current", minute).header
    assert header.last - header.first == 15
    assert header.following == header.last + 1
    found = said(made, f"/sample?from={header.first}&count=5", 19)
    assert [each.sequence for each in sorted(found.observations, key=lambda each: each.sequence)] == list(
        range(header.first, header.first + 5)
    )
    assert found.header.following == header.first + 5
    assert not said(made, f"/sample?from={header.following}", 19).observations
    for start in (header.first - 1, header.following + 1):
        refused = made.answer(f"/sample?from={start}", START_US + 19 * MINUTE_US)
        assert refused.status == 404
        assert read_document(refused.body).errors[0][0] == "OUT_OF_RANGE"


def test_it_knows_nothing_of_before_when_it_has_started_again() -> None:
    made = agent()
    before = said(made, "/current", 5).header
    made.restart(99)
    after = said(made, "/current", 5).header
    assert (after.instance, before.instance) == (99, 1_795_000_000)
    assert after.following < before.following + 20
    assert after.first == 1


def test_without_its_machine_everything_is_unavailable() -> None:
    made = agent()
    said(made, "/current", 1)
    made.lost = True
    assert {each.text for each in said(made, "/current", 2).observations if each.category != "CONDITION"} == {
        "UNAVAILABLE"
    }


def test_paths_that_are_none() -> None:
    made = agent()
    assert [said(made, path).errors[0][0] for path in ("/w9/current", "/asset")] == ["NO_DEVICE", "UNSUPPORTED"]
    made.says = Answer(503, b"")
    assert made.answer("/probe", START_US).status == 503


def test_both_ways_of_speaking_give_the_same_document() -> None:
    async def play() -> None:
        ours, theirs = pair()
        twin = asyncio.create_task(serve(theirs, agent()))
        await ours.send(request("/probe"))
        answer = parse(bytearray(await ours.receive(1.0)), 0)
        assert answer is not None
        twin.cancel()
        mine, other = pair()
        twin = asyncio.create_task(serve_http(other, agent()))
        await mine.send(b"GET /probe HTTP/1.1\r\nHost: x\r\n\r\nPOST / HTTP/1.1\r\n\r\n")
        found = await mine.receive(1.0)
        await mine.pause(0.1)
        found += await mine.receive(1.0)
        assert b"HTTP/1.1 200 Answer\r\n" in found
        assert b"<MTConnectDevices" in found
        assert b"HTTP/1.1 400 " in found
        await mine.send(b"x" * 20_000)
        await asyncio.wait({twin}, timeout=5)
        assert twin.done()
        twin.result()  # it did not fail
        await mine.close()
        with pytest.raises(LinkError):
            await serve(other, agent())

    run(play())
