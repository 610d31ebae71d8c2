"""A judge for tests of the edge: keeps to the hand-over, counts by itself, and may be told to misbehave."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

import msgspec

from gateway.config.models import Mqtt
from gateway.contract.batches import ITEM_KINDS, Batch, decode, item_count, kind_of
from gateway.contract.flow import Ack, Resume, RulesStatus
from gateway.contract.topics import Topics
from gateway.mqtt import Session, Will, session

_resume = msgspec.json.Decoder(Resume)
encode = msgspec.json.Encoder().encode


class Peer:
    """Judges batches of one gateway; `durable` is what would be on its disk, and survives `restart`."""

    def __init__(self, site: str, gateway: str, name: str = "s1") -> None:
        self.topics = Topics(site)
        self.gateway = gateway
        self.session = name
        self.epoch = 0
        self.durable = 0
        self.judged = dict.fromkeys(ITEM_KINDS, 0)
        self.received = 0
        self.resend_from: int | None = None
        self.batches: list[Batch] = []
        self.keep_batches = True
        self.duplicates = 0
        self.gaps = 0
        self.skipped = 0
        self.drop: Callable[[Batch], bool] = lambda _: False
        self._fresh = dict.fromkeys(ITEM_KINDS, 0)

    def restart(self, name: str) -> None:
        """Forget what was not durable."""
        self.session, self.received, self.resend_from = name, self.durable, None
        self.batches = [b for b in self.batches if b.sequence <= self.durable]
        self._fresh = dict.fromkeys(ITEM_KINDS, 0)

    def take(self, batch: Batch) -> None:
        if batch.sequence == 0 or self.drop(batch):
            return
        self._epoch(batch.epoch)
        if batch.sequence <= self.received:
            self.duplicates += 1
        elif batch.sequence > self.received + 1:
            self.gaps += 1
            self.resend_from = self.received + 1
        else:
            self.received, self.resend_from = batch.sequence, None
            kind = kind_of(batch)
            if kind in ITEM_KINDS:
                self._fresh[kind] += item_count(batch)
            if self.keep_batches:
                self.batches.append(batch)

    def resume(self, resume: Resume) -> None:
        self._epoch(resume.epoch)
        if resume.from_sequence > self.received + 1:
            self.skipped += resume.from_sequence - self.received - 1
            self.received, self.resend_from = resume.from_sequence - 1, None

    def commit(self) -> Ack:
        self.durable = self.received
        for kind, count in self._fresh.items():
            self.judged[kind] += count
            self._fresh[kind] = 0
        return Ack(
            gateway=self.gateway,
            epoch=self.epoch,
            session=self.session,
            sequence=self.durable,
            received=self.received,
            resend_from=self.resend_from,
            judged=dict(self.judged),
        )

    def _epoch(self, epoch: int) -> None:
        if epoch != self.epoch:
            self.epoch, self.durable, self.received, self.resend_from = epoch, 0, 0, None

    async def serve(self, settings: Mqtt, commit_every_s: float = 0.05) -> None:
        """Judge until cancelled."""
        status = self.topics.rules_status()
        will = Will(status, encode(RulesStatus(session=self.session, online=False)))
        topics = [f"{self.topics.root}/+/+"]
        async with session(settings, client_id=f"peer-{self.session}", will=will, topics=topics) as link:
            await link.publish(status, encode(RulesStatus(session=self.session, online=True)), retain=True)
            judging = asyncio.create_task(self._judge(link, commit_every_s))
            try:
                while True:
                    message = await link.receive()
                    if message.topic == self.topics.resume(self.gateway):
                        self.resume(_resume.decode(message.payload))
                    elif message.topic != status and message.topic.rsplit("/", 1)[1] in (*ITEM_KINDS, "status", "tick"):
                        self.take(decode(message.payload))
            finally:
                judging.cancel()

    async def _judge(self, link: Session, every_s: float) -> None:
        last = None
        while True:
            ack = self.commit()
            if ack != last and ack.epoch:
                await link.send(self.topics.ack(self.gateway), encode(ack), retain=True)
                last = ack
            await asyncio.sleep(every_s)


def main() -> None:
    port, site, gateway = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    peer = Peer(site, gateway)
    peer.keep_batches = False
    asyncio.run(peer.serve(Mqtt(host="127.0.0.1", port=port)))


if __name__ == "__main__":
    main()
