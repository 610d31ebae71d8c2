from __future__ import annotations

import asyncio

import pytest

from readers.errors import LinkError
from readers.ports.memory import START_US, MemoryPort, pair, run


def test_bytes_arrive_in_order_and_all_at_once() -> None:
    async def scene() -> bytes:
        ours, device = pair()
        await ours.send(b"ab")
        await ours.send(b"cd")
        return await device.receive(1.0)

    assert run(scene()) == b"abcd"


def test_waiting_costs_virtual_time_only() -> None:
    async def scene() -> tuple[bytes, float, int]:
        ours, _ = pair()
        nothing = await ours.receive(3600)
        await ours.pause(7 * 86_400)
        return nothing, ours.monotonic_s(), ours.now_us()

    nothing, elapsed_s, now_us = run(scene())
    assert nothing == b""
    assert elapsed_s == pytest.approx(3600 + 7 * 86_400)
    assert now_us == START_US + round(elapsed_s * 1_000_000)


def test_what_was_sent_before_the_close_is_received_first() -> None:
    async def scene() -> bytes:
        ours, device = pair("link")
        await device.send(b"last words")
        await device.close()
        heard = await ours.receive(1.0)
        with pytest.raises(LinkError, match="link: the other side closed"):
            await ours.receive(1.0)
        with pytest.raises(LinkError, match="closed"):
            await ours.send(b"x")
        return heard

    assert run(scene()) == b"last words"


def test_a_mangled_link_loses_and_splits() -> None:
    async def scene() -> bytes:
        ours = MemoryPort("ours", mangle=lambda data: [data[:1], b"", data[2:]])
        device = MemoryPort("device")
        ours.connect(device)
        await ours.send(b"abc")
        return await device.receive(1.0)

    assert run(scene()) == b"ac"


def test_an_empty_chunk_wakes_nobody() -> None:
    async def scene() -> bytes:
        ours, device = pair()
        waiting = asyncio.create_task(device.receive(1.0))
        await asyncio.sleep(0)
        ours.set_baud(9600)
        device.feed(b"")
        return await waiting

    assert run(scene()) == b""


def test_a_wait_that_nothing_will_end_is_an_error_and_no_hang() -> None:
    async def scene() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="virtual time stands still"):
        run(scene())
