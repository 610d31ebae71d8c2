"""The line: who answers, when, and at what pace."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from readers.codecs.dlt645 import Decoder, Frame, Function, encode, identifier_bytes
from readers.codecs.dlt645_orders import Command, ControlOrder, Key, control, time_sync
from readers.driver import Port
from readers.ports.memory import START_US, MemoryPort, pair, run
from simulator.device import Load
from simulator.meters.dlt645 import Behaviour, Meter, serve
from tests.simulator.meters.loads import Growing, Steady

A1, A2 = "000000000161", "151230011061"
ADDRESSES = (A1, A2)
CHINA = 480


async def heard(port: Port) -> tuple[bytes, float]:
    """What comes until a second of silence, and when the last byte came."""
    found, last_s = b"", 0.0
    while piece := await port.receive(1.0):
        found, last_s = found + piece, port.monotonic_s()
    return found, last_s


async def stopped(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def converse(
    request: Frame | bytes,
    behaviours: Mapping[str, Behaviour] | None = None,
    baud: int | None = None,
    wake_up_bytes: int = 4,
) -> tuple[bytes, float]:
    """What the line answers, and after how long the last byte came."""

    async def scene() -> tuple[bytes, float]:
        ours, device = pair()
        twin = asyncio.create_task(serve(device, {a: Steady() for a in ADDRESSES}, behaviours, baud=baud))
        await ours.send(encode(request, wake_up_bytes) if isinstance(request, Frame) else request)
        found = await heard(ours)
        await stopped(twin)
        return found

    return run(scene())


def read(identifier: int, address: str = A1) -> Frame:
    return Frame(address, Function.READ, identifier_bytes(identifier))


def answer(request: Frame, behaviours: Mapping[str, Behaviour] | None = None, wake_up_bytes: int = 4) -> Frame | None:
    frames = Decoder().feed(converse(request, behaviours, wake_up_bytes=wake_up_bytes)[0])
    assert len(frames) <= 1
    return frames[0] if frames else None


def test_a_published_request_is_answered_after_wake_up_bytes() -> None:
    raw, _ = converse(bytes.fromhex("68 61 01 00 00 00 00 68 11 04 33 34 34 35 17 16"))
    assert raw == bytes.fromhex("FE FE FE FE 68 61 01 00 00 00 00 68 91 06 33 34 34 35 36 56 25 16")


def test_absent_phases_are_ff() -> None:
    reply = answer(read(0x0201FF00))
    assert reply == Frame(A1, 0x91, identifier_bytes(0x0201FF00) + bytes.fromhex("03 23 98 22 FF FF"))


def test_broadcasts_echoes_and_strangers_are_not_answered() -> None:
    assert answer(time_sync(START_US, CHINA)) is None
    assert answer(Frame(A1, 0x91, identifier_bytes(0x00010000) + bytes(4))) is None
    assert answer(read(0x00010000, "000000000999")) is None
    assert answer(read(0x00010000), {A1: Behaviour(silent=True)}) is None


def test_a_meter_may_want_to_be_woken_up() -> None:
    behaviours = {A1: Behaviour(needs_wake_up=2)}
    assert answer(read(0x02010100), behaviours, wake_up_bytes=1) is None
    assert answer(read(0x02010100), behaviours, wake_up_bytes=2) is not None
    assert answer(read(0x02010100), {A1: Behaviour(needs_wake_up=1)}, wake_up_bytes=0) is None


def test_a_short_address_finds_its_meter() -> None:
    reply = answer(read(0x00020000, "AAAAAAAAAA61"), {A2: Behaviour(silent=True)})
    assert reply is not None
    assert reply.address == A1


def test_an_address_is_told_and_two_at_once_are_a_collision() -> None:
    everyone = Frame("A" * 12, Function.READ_ADDRESS)
    assert answer(everyone, {A2: Behaviour(silent=True)}) == Frame(A1, 0x93, bytes.fromhex(A1)[::-1])
    raw, _ = converse(everyone)
    assert raw
    assert Decoder().feed(raw) == []


def test_a_reply_can_be_garbled_and_the_preamble_chosen() -> None:
    behaviours = {A1: Behaviour(garbles=lambda raw: raw[:-1] + b"\x00", preamble=7)}
    raw, _ = converse(read(0x00020000), behaviours)
    assert raw.startswith(b"\xfe" * 7 + b"\x68")
    assert raw.endswith(b"\x00")
    assert Decoder().feed(raw) == []


@pytest.mark.parametrize(("baud", "reply_delay_s"), [(2400, 0.1), (9600, 0.02)])
def test_true_byte_times_in_both_directions(baud: int, reply_delay_s: float) -> None:
    raw, after_s = converse(read(0x00020000), {A1: Behaviour(reply_delay_s=reply_delay_s)}, baud=baud)
    assert len(raw) == 24
    assert after_s == pytest.approx((20 + 24) * 11 / baud + reply_delay_s, abs=0.001)


def test_the_time_of_the_demand_is_the_end_of_its_window_in_local_time() -> None:
    reply = answer(read(0x01010000))
    assert reply is not None
    assert reply.data[7:] == bytes.fromhex("00 08 01 01 26")  # virtual time starts at 2026-01-01 00:00 UTC


def test_half_a_request_is_forgotten() -> None:
    async def scene() -> bytes:
        ours, device = pair()
        twin = asyncio.create_task(serve(device, {A1: Steady()}))
        await ours.send(encode(read(0x02010100))[:9])
        await ours.pause(0.5)
        await ours.send(encode(read(0x02010200)))
        found, _ = await heard(ours)
        await stopped(twin)
        return found

    (frame,) = Decoder().feed(run(scene()))
    assert frame.identifier == 0x02010200


async def talked(port: MemoryPort, request: Frame) -> list[Frame]:
    await port.send(encode(request, 4))
    return Decoder().feed((await heard(port))[0])


def test_meters_come_and_go_while_the_line_is_served() -> None:
    async def scene() -> list[int]:
        ours, device = pair()
        there: dict[str, Load | Meter] = {A1: Steady()}
        twin = asyncio.create_task(serve(device, there))
        counts = [len(await talked(ours, read(0x02010100, A2)))]
        there[A2] = Steady()
        counts.append(len(await talked(ours, read(0x02010100, A2))))
        del there[A1]
        counts.append(len(await talked(ours, read(0x02010100, A1))))
        await stopped(twin)
        return counts

    assert run(scene()) == [0, 1, 0]


def test_a_meter_keeps_its_state_from_one_link_to_the_next() -> None:
    meter = Meter(A1, Growing())

    async def once(request: Frame) -> list[Frame]:
        ours, device = pair()
        twin = asyncio.create_task(serve(device, {A1: meter}))
        replies = await talked(ours, request)
        await stopped(twin)
        return replies

    async def scene() -> list[list[Frame]]:
        order = control(A1, ControlOrder(Command.TRIP, Key("741852"), START_US + 60_000_000), CHINA)
        return [await once(order), await once(read(0x04000503))]

    acknowledged, status = run(scene())
    assert acknowledged == [Frame(A1, 0x9C)]
    assert status == [Frame(A1, 0x91, identifier_bytes(0x04000503) + b"\x50\x00")]


def test_a_broadcast_reaches_every_meter() -> None:
    meters = {address: Meter(address, Steady(), Behaviour(clock_offset_us=60_000_000)) for address in ADDRESSES}

    async def scene() -> None:
        ours, device = pair()
        twin = asyncio.create_task(serve(device, meters))
        assert await talked(ours, time_sync(START_US, CHINA)) == []
        await stopped(twin)

    run(scene())
    assert [abs(meter.shown_us - START_US) < 60_000_000 for meter in meters.values()] == [True, True]
