"""Outcomes on their way to the broker, and how much anybody may ask for."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from gateway.contract.commands import Outcome
from gateway.contract.topics import Topics
from gateway.control.people import People
from gateway.health import Health
from gateway.mqtt import Session

MOST_HELD: Final = 1_000
"""Outcomes that wait for the broker; what is more is in the audit all the same."""
MINUTE_US: Final = 60_000_000


class Outbox:
    """Holds outcomes until the broker has them."""

    def __init__(self, topics: Topics, people: People, health: Health) -> None:
        self._topics = topics
        self._people = people
        self._told = health.counter("commands_total", "Outcomes of commands, by state", ("state",))
        self._held: deque[tuple[str, bytes]] = deque()
        self._wake = asyncio.Event()

    def put(self, outcome: Outcome) -> None:
        """Send it when the broker is there; the oldest gives way when too many wait."""
        self._told.labels(outcome.state).inc()
        topic = self._topics.device(outcome.device, "outcome")
        if len(self._held) >= MOST_HELD:
            self._held.popleft()
        self._held.append((topic, self._people.payload(outcome, topic)))
        self._wake.set()

    async def send(self, link: Session) -> None:
        """Send what is held and what comes, until the session ends.

        Raises:
            BrokerError: it has ended.
        """
        while True:
            self._wake.clear()
            while self._held:
                first = self._held[0]
                await link.publish(*first)
                if self._held and self._held[0] is first:
                    self._held.popleft()
            await self._wake.wait()


class Quota:
    """So many a minute and no more."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._times: deque[int] = deque()

    def take(self, at_us: int) -> bool:
        """Whether one more is within it."""
        while self._times and not 0 <= at_us - self._times[0] < MINUTE_US:
            self._times.popleft()
        if len(self._times) >= self._most:
            return False
        self._times.append(at_us)
        return True
