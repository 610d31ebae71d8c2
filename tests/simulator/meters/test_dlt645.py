"""The twin against published frames and the standard's rules."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from readers.codecs.dlt645 import Decoder, Frame, Function, encode, identifier_bytes
from readers.ports.memory import pair, run
from simulator.meters.dlt645 import Behaviour, serve
from tests.readers.meters.test_dlt645 import A1, A2, meters

ADDRESSES = (A1, A2)


def converse(
    request: Frame | bytes, behaviours: Mapping[str, Behaviour] | None = None, baud: int | None = None
) -> tuple[bytes, float]:
    """What the line answers, and after how long the last byte came."""

    async def scene() -> tuple[bytes, float]:
        ours, device = pair()
        twin = asyncio.create_task(serve(device, meters(ADDRESSES), behaviours, baud=baud))
        await ours.send(encode(request, 4) if isinstance(request, Frame) else request)
        heard, last_s = b"", 0.0
        while piece := await ours.receive(1.0):
            heard, last_s = heard + piece, ours.monotonic_s()
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)
        return heard, last_s

    return run(scene())


def read(identifier: int, address: str = A1) -> Frame:
    return Frame(address, Function.READ, identifier_bytes(identifier))


def answer(request: Frame, behaviours: Mapping[str, Behaviour] | None = None) -> Frame | None:
    frames = Decoder().feed(converse(request, behaviours)[0])
    assert len(frames) <= 1
    return frames[0] if frames else None


def test_a_published_request_is_answered_after_wake_up_bytes() -> None:
    raw, _ = converse(bytes.fromhex("68 61 01 00 00 00 00 68 11 04 33 34 34 35 17 16"))
    assert raw == bytes.fromhex("FE FE FE FE 68 61 01 00 00 00 00 68 91 06 33 34 34 35 36 56 25 16")


def test_absent_phases_are_ff() -> None:
    reply = answer(read(0x0201FF00))
    assert reply == Frame(A1, 0x91, identifier_bytes(0x0201FF00) + bytes.fromhex("03 23 98 22 FF FF"))


@pytest.mark.parametrize("identifier", [0x04000101, 0x0001FF01, 0x00010001, 0x02050100, 0x00020100])
def test_data_that_the_meter_has_not_are_refused(identifier: int) -> None:
    assert answer(read(identifier)) == Frame(A1, 0xD1, b"\x02")


def test_functions_that_the_meter_has_not_are_refused() -> None:
    assert answer(Frame(A1, 0x1C, bytes(16))) == Frame(A1, 0xDC, b"\x01")
    assert answer(Frame(A1, Function.READ, b"\x00")) == Frame(A1, 0xD1, b"\x01")


def test_blocks_can_be_refused_and_identifiers_ignored() -> None:
    behaviours = {A1: Behaviour(refuses_blocks=True, ignores=frozenset({0x02800002}))}
    assert answer(read(0x0201FF00), behaviours) == Frame(A1, 0xD1, b"\x02")
    assert answer(read(0x02800002), behaviours) is None
    assert answer(read(0x02010100), behaviours) is not None


def test_broadcasts_echoes_and_strangers_are_not_answered() -> None:
    assert answer(Frame("9" * 12, Function.TIME_SYNC, bytes(6))) is None
    assert answer(Frame(A1, 0x91, identifier_bytes(0x00010000) + bytes(4))) is None
    assert answer(read(0x00010000, "000000000999")) is None
    assert answer(read(0x00010000), {A1: Behaviour(silent=True)}) is None


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


def test_a_long_reply_comes_in_numbered_parts() -> None:
    behaviours = {A1: Behaviour(part_bytes=12)}
    first = answer(read(0x0001FF00), behaviours)
    assert first is not None
    assert (first.control, len(first.data)) == (0xB1, 4 + 12)
    rest = answer(Frame(A1, Function.READ_MORE, identifier_bytes(0x0001FF00) + b"\x01"), behaviours)
    assert rest is not None
    assert (rest.control, len(rest.data), rest.data[-1]) == (0x92, 4 + 8 + 1, 1)


def test_a_reply_can_be_garbled() -> None:
    behaviours = {A1: Behaviour(garbles=lambda raw: raw[:-1] + b"\x00")}
    raw, _ = converse(read(0x00020000), behaviours)
    assert raw.endswith(b"\x00")
    assert Decoder().feed(raw) == []


def test_true_byte_times() -> None:
    raw, after_s = converse(read(0x00020000), {A1: Behaviour(reply_delay_s=0.1)}, baud=2400)
    assert len(raw) == 24
    assert after_s == pytest.approx((20 + 24) * 11 / 2400 + 0.1, abs=0.001)


def test_the_time_of_the_demand_is_the_end_of_its_window_in_local_time() -> None:
    reply = answer(read(0x01010000))
    assert reply is not None
    assert reply.data[7:] == bytes.fromhex("00 08 01 01 26")  # virtual time starts at 2026-01-01 00:00 UTC
