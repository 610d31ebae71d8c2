import asyncio

import pytest

from readers.errors import LinkError
from readers.ports.base import HoldingPort, PassingPort
from readers.ports.memory import pair, run


class Device(HoldingPort):
    """A port whose other side is the test."""

    drained = 0

    def _drained(self) -> None:
        self.drained += 1


def test_bytes_that_came_before_the_end_are_returned_first() -> None:
    async def scenario() -> None:
        port = Device("here")
        port._take(b"ab")
        port._take(b"c")
        port._end("the cable was cut")
        assert await port.receive(1) == b"abc"
        assert port.drained == 1
        with pytest.raises(LinkError, match="here: the cable was cut"):
            await port.receive(1)

    run(scenario())


def test_silence_is_no_bytes_and_costs_the_time_it_was_given() -> None:
    async def scenario() -> None:
        port = Device("here")
        began_s = port.monotonic_s()
        assert await port.receive(2.5) == b""
        assert port.monotonic_s() - began_s == pytest.approx(2.5)

    run(scenario())


def test_who_waits_is_woken_by_bytes_and_by_the_end() -> None:
    async def scenario() -> None:
        port = Device("here")
        waiting = asyncio.create_task(port.receive(60))
        await port.pause(1)
        port._take(b"x")
        assert await waiting == b"x"
        waiting = asyncio.create_task(port.receive(60))
        await port.pause(1)
        port._end("")
        with pytest.raises(LinkError, match="the link is closed"):
            await waiting

    run(scenario())


def test_a_passing_port_passes_everything_on() -> None:
    async def scenario() -> None:
        driver, device = pair("line")
        port = PassingPort(driver)
        await port.send(b"ask")
        assert await device.receive(1) == b"ask"
        await device.send(b"answer")
        assert await port.receive(1) == b"answer"
        assert (port.description, port.baud) == ("line", None)
        before_us = port.now_us()
        await port.pause(3)
        assert port.now_us() - before_us == 3_000_000
        port.set_baud(9600)  # memory has no speed and takes no harm
        await port.close()
        with pytest.raises(LinkError):
            await device.receive(1)

    run(scenario())
