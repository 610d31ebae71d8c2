"""What the rules concluded, on its way to the broker: made in the commit, sent after it, kept until acknowledged.

A crash between acknowledgement and the next commit sends a message twice: ids are deterministic, so that nobody minds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final, Protocol

import msgspec

from gateway.contract.topics import Topics
from gateway.mqtt import Session
from rules.alarms import RAISED
from rules.daemon.database import Message
from rules.outputs import Outputs

READ_MOST: Final = 200

_json: Final = msgspec.json.Encoder()


def messages_of(
    outputs: Iterable[Outputs], topics: Topics, first_id: int, commands: Iterable[tuple[str, bytes]] = ()
) -> list[Message]:
    """Commands first, for somebody waits at a barrier; then alarms, retained while raised; then the rest.

    An alarm that is cleared is told once, then taken away from the broker.
    """
    found: list[tuple[str, bytes, bool]] = [(topic, payload, False) for topic, payload in commands]
    made = list(outputs)
    for output in made:
        for alarm in output.alarms:
            topic, raised = topics.alarm(alarm.id), alarm.state == RAISED
            found.append((topic, _json.encode(alarm), raised))
            if not raised:
                found.append((topic, b"", True))
    for output in made:
        found += [(topic, payload, False) for topic, payload in output.answers]
        found += [(topics.event(event.type), _json.encode(event), False) for event in output.events]
    return [Message(first_id + at, *message) for at, message in enumerate(found)]


class Reading(Protocol):
    """How the oldest messages are had: after which id, how many at most."""

    def __call__(self, after_id: int, most: int, /) -> Awaitable[list[Message]]:
        """Read."""


class Publication:
    """Sends what waits, in order, on whatever session there is.

    `retained` holds the alarms that stand: a broker that forgot them is told again on every new session.
    """

    def __init__(self, read: Reading, retained: Mapping[str, bytes]) -> None:
        self.retained = dict(retained)
        self.sent = 0
        self._read = read
        self._acknowledged: set[int] = set()
        self._more = asyncio.Event()
        self._all_sent = asyncio.Event()

    def wake(self, messages: Sequence[Message] = ()) -> None:
        """These are committed."""
        for message in messages:
            if message.retain and message.payload:
                self.retained[message.topic] = message.payload
            elif message.retain:
                self.retained.pop(message.topic, None)
        self._all_sent.clear()
        self._more.set()

    def acknowledged(self) -> list[int]:
        """Messages that the broker has, to be deleted in the next commit."""
        return list(self._acknowledged)

    def deleted(self, numbers: Iterable[int]) -> None:
        """That commit is done."""
        self._acknowledged.difference_update(numbers)

    async def run(self, session: Session) -> None:
        """Send until cancelled.

        Raises:
            BrokerError: the session has ended.
        """
        for topic, payload in list(self.retained.items()):
            await session.send(topic, payload, retain=True)
        sent_to = 0
        while True:
            self._more.clear()
            messages = await self._read(sent_to, READ_MOST)
            if not messages:
                self._all_sent.set()
                await self._more.wait()
            for message in messages:
                sent_to = message.id
                if message.id not in self._acknowledged:
                    done = partial(self._done, message.id)
                    await session.send(message.topic, message.payload, retain=message.retain, on_ack=done)

    async def all_sent(self) -> None:
        """Wait until nothing waits to be sent."""
        await self._all_sent.wait()

    def _done(self, number: int) -> None:
        self._acknowledged.add(number)
        self.sent += 1
