"""An edge daemon of a few lines: a journal in memory that follows the acks, over a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec

from gateway.config.models import Mqtt
from gateway.contract.batches import Batch, encode
from gateway.contract.flow import Ack, Resume, decode_ack, decode_rules_status
from gateway.contract.topics import Topics
from gateway.mqtt import BrokerError, Session, stay_connected

TOPICS = Topics("port")
WINDOW = 200


class Edge:
    """Sends `batches`, sequence by sequence; `drop` says which of them get lost on the way, at each attempt."""

    def __init__(self, mqtt: Mqtt, batches: Sequence[Batch], drop: Callable[[int], bool] = lambda _: False) -> None:
        self.batches = batches
        self.gateway = batches[0].gateway
        self.acks: list[Ack] = []
        self.rewinds = 0
        self._mqtt = mqtt
        self._drop = drop
        self._next = 1
        self._changed = asyncio.Event()

    @property
    def watermark(self) -> int:
        return max((ack.sequence for ack in self.acks), default=0)

    @property
    def done(self) -> bool:
        return self.watermark >= len(self.batches)

    async def run(self) -> None:
        await stay_connected(
            self._mqtt,
            self._work,
            client_id=f"test-{self.gateway}",
            topics=[TOPICS.ack(self.gateway), TOPICS.rules_status()],
        )

    async def _work(self, session: Session) -> None:
        listening = asyncio.create_task(self._listen(session))
        try:
            self._next = self.watermark + 1
            await self._resume(session)
            while not self.done:
                limit = min(len(self.batches), self.watermark + WINDOW)
                if self._next > limit:
                    self._changed.clear()
                    await self._changed.wait()
                    continue
                at, self._next = self._next, self._next + 1
                if not self._drop(at):
                    batch = self.batches[at - 1]
                    await session.send(TOPICS.of(batch), encode(batch), retain=at % 10 == 0)
        finally:
            listening.cancel()

    async def _resume(self, session: Session) -> None:
        resume = Resume(gateway=self.gateway, epoch=1, from_sequence=self._next)
        await session.send(TOPICS.resume(self.gateway), msgspec.json.encode(resume))

    async def _listen(self, session: Session) -> None:
        while True:
            message = await session.receive()
            if message.topic == TOPICS.rules_status():
                back = self.watermark + 1 if decode_rules_status(message.payload).online else None
            else:
                ack = decode_ack(message.payload)
                new = bool(self.acks) and ack.session != self.acks[-1].session
                self.acks.append(ack)
                back = ack.resend_from if ack.resend_from is not None else ack.sequence + 1 if new else None
            if back is not None and back < self._next:
                self._next = back
                self.rewinds += 1
            self._changed.set()


@asynccontextmanager
async def listening(mqtt: Mqtt, *topics: str) -> AsyncIterator[dict[str, list[tuple[bytes, bool]]]]:
    """Everything that comes on `topics`, by topic: payload, and whether it was retained."""
    heard: dict[str, list[tuple[bytes, bool]]] = {}

    async def work(session: Session) -> None:
        while True:
            message = await session.receive()
            heard.setdefault(message.topic.removeprefix(TOPICS.root + "/"), []).append(
                (message.payload, message.retained)
            )

    task = asyncio.create_task(stay_connected(mqtt, work, client_id="test-listener", topics=list(topics)))
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool], within_s: float = 15.0) -> None:
    """Wait for something that must become true."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


__all__ = ["TOPICS", "BrokerError", "Edge", "listening", "until"]
