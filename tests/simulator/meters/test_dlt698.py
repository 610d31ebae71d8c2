from __future__ import annotations

import asyncio
import contextlib

import pytest

from readers.codecs.dlt698 import (
    REQUEST,
    WILDCARD,
    AddressKind,
    Decoder,
    Fragment,
    FragmentKind,
    Frame,
    acknowledgement,
    encode,
)
from readers.codecs.dlt698_apdu import Get, Reply, decode_reply, encode_request
from readers.codecs.dlt698_data import Oad
from readers.errors import LinkError
from readers.ports.memory import START_US, pair, run
from simulator.device import Load
from simulator.meters.dlt698 import DEVICE, Behaviour, Meter, serve
from tests.simulator.meters.loads import Steady

A1, A2 = "000000000161", "202611230698"
ASK = encode_request(Get((Oad(0x200F),)), 5)


def answers(*frames: Frame, behaviour: Behaviour | None = None, wake_up_bytes: int = 4) -> list[Frame]:
    async def scene() -> list[Frame]:
        ours, device = pair()
        meters: dict[str, Load | Meter] = {A1: Meter(A1, Steady(), behaviour), A2: Steady()}
        serving = asyncio.create_task(serve(device, meters, {A2: Behaviour(silent=True)}))
        decoder = Decoder()
        found = []
        for frame in frames:
            await ours.send(encode(frame, wake_up_bytes))
            found += decoder.feed(await ours.receive(2.0))
        await ours.close()
        with contextlib.suppress(LinkError):
            await serving
        return found

    return run(scene())


def request(payload: bytes = ASK, address: str = A1, **more: object) -> Frame:
    return Frame(address, 16, REQUEST, payload, **more)  # type: ignore[arg-type]  # fields of a frame


def test_it_answers_for_its_address_alone() -> None:
    (answer,) = answers(request())
    assert (answer.address, answer.client, answer.is_reply) == (A1, 16, True)
    found = decode_reply(answer.payload)
    assert isinstance(found, Reply)
    assert found.number == 5
    assert answers(request(address="000000000162")) == []
    assert answers(request(address=A2)) == []  # which is silent
    assert DEVICE == "dlt698"


@pytest.mark.parametrize("kind", [AddressKind.WILDCARD, AddressKind.SINGLE])
def test_wildcards_mean_it_too(kind: AddressKind) -> None:
    (answer,) = answers(request(address=WILDCARD, kind=kind))
    assert answer.address == A1


def test_groups_and_broadcasts_are_not_answered() -> None:
    assert answers(request(address=WILDCARD, kind=AddressKind.BROADCAST)) == []
    assert answers(request(address=A1, kind=AddressKind.GROUP)) == []
    assert answers(request(address=WILDCARD, kind=AddressKind.WILDCARD), behaviour=Behaviour(wants_single=True)) == []


def test_what_it_cannot_read_is_a_fault() -> None:
    (answer,) = answers(request(bytes.fromhex("06 01 07 40 00 02 00")))
    assert answer.payload == bytes.fromhex("EE 07 01 00")
    (answer,) = answers(request(b"\x05"))
    assert answer.payload == bytes.fromhex("EE 00 01 00")


def test_without_power_or_wake_up_it_keeps_silent() -> None:
    assert answers(request(), behaviour=Behaviour(outages=((START_US, START_US + 10_000_000),))) == []
    assert answers(request(), behaviour=Behaviour(needs_wake_up=4), wake_up_bytes=3) == []
    assert len(answers(request(), behaviour=Behaviour(needs_wake_up=4))) == 1


def test_fragments_wait_for_their_acknowledgement() -> None:
    (first,) = answers(request(), behaviour=Behaviour(fragment_bytes=8))
    part = Fragment.decode(first.payload)
    assert (part.kind, part.number) == (FragmentKind.FIRST, 0)
    acknowledged = acknowledgement(first, 0)
    got = answers(request(), acknowledged, behaviour=Behaviour(fragment_bytes=8))
    assert Fragment.decode(got[1].payload).kind is FragmentKind.LAST
    assert answers(acknowledged) == []  # of nothing


def test_a_block_of_another_request_is_refused() -> None:
    (answer,) = answers(request(bytes.fromhex("05 05 09 00 00 00")))
    assert answer.payload == bytes.fromhex("85 05 09 01 00 01 00 0B 00 00")


def test_a_garbled_reply_is_what_it_says() -> None:
    assert answers(request(), behaviour=Behaviour(garbles=lambda raw: raw[:-1] + b"\x17")) == []


def test_it_takes_the_time_that_its_bytes_need() -> None:
    async def scene() -> float:
        ours, device = pair()
        serving = asyncio.create_task(serve(device, {A1: Steady()}, baud=1200))
        began_s = ours.monotonic_s()
        await ours.send(encode(request()))
        decoder = Decoder()
        while not decoder.feed(await ours.receive(2.0)):
            pass
        serving.cancel()
        return ours.monotonic_s() - began_s

    assert 0.45 < run(scene()) < 0.7
