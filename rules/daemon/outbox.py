"""Delivery from the outbox to one store: oldest first, joined up to limits, again after trouble.

A parcel leaves the outbox in a commit after the store's `write` returned. A crash in between writes it twice, which
every sink makes harmless. Each sink has a task of its own, so that a dead store never holds up another.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, Protocol, runtime_checkable

from gateway.logs import get_log
from rules.daemon.database import Queued, Settlement
from rules.outputs import Parcel, Sink, SinkTroubleError

BACKOFF_FIRST_S: Final = 0.5
BACKOFF_MOST_S: Final = 30.0
STOPPED_RETRY_S: Final = 300.0  # a person must act; a look now and then finds out that one did
POINTS_MOST: Final = 20_000
BYTES_MOST: Final = 4 << 20


class Reading(Protocol):
    """How the oldest parcels are had: sink, after which id, most points, most bytes."""

    def __call__(self, sink: str, after_id: int, most_points: int, most_bytes: int, /) -> Awaitable[list[Queued]]:
        """Read."""


@runtime_checkable
class Paced(Protocol):
    """A sink of which each point costs a request or a file: it is given few at once, so that few are given again."""

    points_at_once: int


class Trouble(NamedTuple):
    """Why a sink takes nothing now. `stopped`: until a person acts."""

    reason: str
    stopped: bool
    retry_in_s: float


class Delivery:
    """The task of one sink.

    `settle` is told what was written, `stored` up to which parcel; `changed` hears of trouble once when it begins or
    becomes another, and None when it is over.

    Attributes:
        trouble: the present one.
        failures: writes that failed, since the start.
        delivered_to: everything up to this parcel is written.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        read: Reading,
        settle: Callable[[Settlement], None],
        stored: Callable[[int], None],
        changed: Callable[[Trouble | None], None],
        rng: random.Random,
    ) -> None:
        self.sink = sink
        self.trouble: Trouble | None = None
        self.failures = 0
        self.delivered_to = 0
        self._read = read
        self._settle = settle
        self._stored = stored
        self._changed = changed
        self._rng = rng
        self._most_points = sink.points_at_once if isinstance(sink, Paced) else POINTS_MOST
        self._backoff_s = BACKOFF_FIRST_S
        self._more = asyncio.Event()
        self._finishing = False

    def wake(self) -> None:
        """There may be something to deliver."""
        self._more.set()

    def finish(self) -> None:
        """From now on `run` returns when the store takes nothing; without trouble it is to be cancelled."""
        self._finishing = True
        self._more.set()

    async def run(self) -> None:
        """Deliver until cancelled, or until trouble after `finish`."""
        while True:
            self._more.clear()
            queued = await self._read(self.sink.name, self.delivered_to, self._most_points, BYTES_MOST)
            if not queued:
                await self._more.wait()
            elif not await self._write(queued):
                if self._finishing:
                    return
                await self._pause()

    async def _write(self, queued: list[Queued]) -> bool:
        parcels: list[Parcel] = [item.parcel for item in queued]
        try:
            refusals = await self.sink.write(parcels)
        except SinkTroubleError as error:
            self._failed(error.reason, error.retry_after_s, stopped=error.stopped)
            return False
        except Exception as error:  # noqa: BLE001  # a defect in one sink must not take the others down
            get_log(sink=self.sink.name).exception("sink_failed", parcels=len(parcels))
            self._failed(f"defect in the sink: {type(error).__name__}: {error}", None, stopped=True)
            return False
        self.delivered_to = queued[-1].id
        self._backoff_s = BACKOFF_FIRST_S
        self._settle(Settlement(self.sink.name, [item.id for item in queued], refusals))
        self._stored(self.delivered_to)
        if self.trouble is not None:
            self.trouble = None
            self._changed(None)
        return True

    def _failed(self, reason: str, retry_after_s: float | None, *, stopped: bool) -> None:
        self.failures += 1
        if stopped:
            wait_s = STOPPED_RETRY_S
        else:
            # Less a random part, so that gateways do not return in step; never before the store wants to be asked.
            wait_s = self._backoff_s * self._rng.uniform(0.5, 1.0)
            self._backoff_s = min(2 * self._backoff_s, BACKOFF_MOST_S)
        if retry_after_s is not None:
            wait_s = max(wait_s, retry_after_s)
        before, self.trouble = self.trouble, Trouble(reason, stopped, wait_s)
        if before is None or (before.reason, before.stopped) != (reason, stopped):
            self._changed(self.trouble)

    async def _pause(self) -> None:
        assert self.trouble is not None
        wait_s = self.trouble.retry_in_s
        loop = asyncio.get_running_loop()
        until_s = loop.time() + wait_s
        # New parcels wake the task, too: they do not shorten the wait.
        while not self._finishing and (left_s := until_s - loop.time()) > 0:
            self._more.clear()
            try:
                async with asyncio.timeout(left_s):
                    await self._more.wait()
            except TimeoutError:
                return
