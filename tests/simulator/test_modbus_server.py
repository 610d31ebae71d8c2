from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import pytest

from readers.codecs.modbus import (
    Frame,
    Function,
    Refusal,
    RtuDecoder,
    TcpDecoder,
    encode_rtu,
    encode_tcp,
    packed_registers,
    read_request,
)
from readers.ports.memory import pair, run
from simulator.modbus_server import answered, serve

H = Function.READ_HOLDING_REGISTERS


class Fixed:
    """Answers any read with sevens. Implements `simulator.modbus_server.Unit`."""

    answer_after_s = 0.25

    def answer(self, request: Frame, now_us: int) -> Frame | None:
        assert now_us
        count = int.from_bytes(request.data[2:4], "big")
        return answered(request, packed_registers([7] * count)) if count < 10 else None


def talk(
    requests: Sequence[bytes], *, is_tcp: bool = False, baud: int | None = None, is_gateway: bool = False
) -> tuple[list[Frame], float]:
    """The answers, and when the last of them was there."""

    async def scene() -> tuple[list[Frame], float]:
        ours, theirs = pair()
        serving = asyncio.create_task(serve(theirs, {1: Fixed()}, is_tcp=is_tcp, baud=baud, is_gateway=is_gateway))
        decoder = TcpDecoder() if is_tcp else RtuDecoder([1])
        found: list[Frame] = []
        at_s = 0.0
        for request in requests:
            await ours.send(request)
            while data := await ours.receive(2.0):
                at_s = ours.monotonic_s()
                found += decoder.feed(data)
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        return found, at_s

    return run(scene())


def test_a_unit_answers_after_its_time() -> None:
    found, at_s = talk([encode_rtu(read_request(1, H, 0, 2))])
    assert [frame.data.hex() for frame in found] == ["0400070007"]
    assert at_s == pytest.approx(0.25)


def test_bytes_take_their_time_on_a_line() -> None:
    _, at_s = talk([encode_rtu(read_request(1, H, 0, 2))], baud=1200)
    assert at_s == pytest.approx(0.25 + (8 + 9) * 11 / 1200)


def test_nobody_answers_for_another() -> None:
    assert talk([encode_rtu(read_request(2, H, 0, 2))])[0] == []
    assert talk([encode_tcp(read_request(2, H, 0, 2))], is_tcp=True)[0] == []


def test_a_gateway_says_that_nobody_answers() -> None:
    requests = [encode_tcp(read_request(unit, H, 0, 20, transaction=unit)) for unit in (1, 2)]
    found, _ = talk(requests, is_tcp=True, is_gateway=True)
    assert [(frame.unit, frame.transaction, frame.refusal) for frame in found] == [
        (1, 1, Refusal.GATEWAY_TARGET),
        (2, 2, Refusal.GATEWAY_TARGET),
    ]
