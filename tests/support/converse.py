"""A twin alone with a test: bytes in, bytes out, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from readers.ports.memory import START_US, pair, run
from simulator.device import Sighting
from tests.support.talk import US_PER_S, Serve


class Air:
    """Nothing, or one sighting at each given time, on every antenna port; `made` says of what."""

    def __init__(self, *at_s: float, made: Callable[[int, int], Sighting]) -> None:
        self._at_us = [START_US + round(at * US_PER_S) for at in at_s]
        self._made = made

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        """See `simulator.device.Radio`."""
        return [self._made(at_us, antenna_port) for at_us in self._at_us if start_us <= at_us < until_us]


def exchanged(serve: Serve, requests: Iterable[tuple[str | bytes, float]]) -> list[bytes]:
    """What the twin answers to each request within its time in seconds."""

    async def scene() -> list[bytes]:
        ours, device = pair()
        twin = asyncio.create_task(serve(device))
        answers = []
        for request, seconds in requests:
            await ours.send(bytes.fromhex(request) if isinstance(request, str) else request)
            await ours.pause(seconds)
            answers.append(await ours.receive(0.0))
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)
        return answers

    return run(scene())
