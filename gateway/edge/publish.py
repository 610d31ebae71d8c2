"""The sender: the journal's rows to the broker, in order of sequence, as far and as often as the hand-over asks.

Live rows come from memory, a backlog from the disk in chunks; nothing is sent before it is committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from gateway.config.models import Mqtt
from gateway.contract.batches import Condition, StatusBatch, encode, sent_late
from gateway.contract.flow import Resume, decode_ack, decode_rules_status
from gateway.contract.ledger import EdgeLedger
from gateway.contract.topics import Topics
from gateway.edge.handover import Handover, Release
from gateway.edge.intake import now_us as clock_us
from gateway.edge.journal import Journal
from gateway.edge.segment import RESTORED, Row
from gateway.health import Health
from gateway.logs import get_log
from gateway.mqtt import Session, Will, stay_connected
from readers.ports.tls import Shown

IN_FLIGHT: Final = 200  # messages of up to 64 KiB without PUBACK
INCOMING: Final = 1_000
RETAINED_WITHIN_S: Final = 0.3  # the retained words of the rules daemon come right after the subscription
JUDGED_WITHIN_S: Final = 3.0
LOOK_AGAIN_S: Final = 0.5
LEDGER_EVERY_S: Final = 1.0
REPEAT_STATUS_S: Final = 10.0
LATE_US: Final = 5_000_000  # a row that waited longer says when it was sent: rules must not act upon what is long past
_encode: Final = msgspec.json.Encoder().encode


class Publisher:
    """Sends the journal of one gateway.

    Attributes:
        sent: rows handed to the broker, repeated ones included.
        connected: whether the broker is there.
    """

    def __init__(
        self,
        settings: Mqtt,
        topics: Topics,
        gateway: str,
        journal: Journal,
        health: Health,
        *,
        ledger: Callable[[], EdgeLedger],
        status: Callable[[str, str], StatusBatch],
        on_connected: Callable[[], None],
        now_us: Callable[[], int] = clock_us,
        shown: Shown | None = None,
    ) -> None:
        """`status(state, reason)` makes the gateway's own status; `on_connected` is called after each connection.

        `shown` is given the broker's certificate.
        """
        self._settings = settings
        self._topics = topics
        self._gateway = gateway
        self._journal = journal
        self._health = health
        self._ledger = ledger
        self._status = status
        self._on_connected = on_connected
        self._now_us = now_us
        self._shown = shown
        self._conditions: list[Condition] = []
        self._log = get_log()
        self._wake = asyncio.Event()
        self._finishing = False
        self._judged_by_s = 0.0
        self._cache: dict[tuple[str, str], str] = {}
        self.sent = 0
        self.rewinds = 0
        self.connected = False
        self.rules_online = False
        journal.on_commit = self._wake.set

    async def run(self) -> None:
        """Send until `finish`, through every loss of the broker.

        Raises:
            ConfigError: a credential or certificate is missing.
        """
        self._health.degraded["broker"] = "not connected yet"
        await stay_connected(
            self._settings,
            self._serve,
            client_id=f"tagwharf-{self._topics.root.rsplit('/', 1)[1]}-{self._gateway}",
            will=Will(self._topics.device(self._gateway, "status"), encode(self._status("offline", "vanished"))),
            topics=(self._topics.ack(self._gateway), self._topics.rules_status()),
            in_flight=IN_FLIGHT,
            incoming=INCOMING,
            changed=self._changed,
            shown=self._shown,
            notice=partial(self._health.trouble, self._log),
        )

    def finish(self) -> None:
        """Send what is committed, wait a little until it is judged, say goodbye, and let `run` return."""
        self._finishing = True
        self._judged_by_s = asyncio.get_running_loop().time() + JUDGED_WITHIN_S
        self._wake.set()

    async def _serve(self, link: Session) -> None:
        loop = asyncio.get_running_loop()
        flow = Handover(
            self._journal.epoch,
            self._journal.watermark,
            self._settings.window_batches,
            self._settings.acknowledge,
            loop.time(),
        )
        listening = asyncio.create_task(self._listen(link, flow))
        telling = asyncio.create_task(self._tell_ledger(link))
        sending = asyncio.create_task(self._send(link, flow))
        tasks: set[asyncio.Task[None]] = {listening, telling, sending}
        try:
            await self._own_status(link, "online", "started")
            self._on_connected()
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    await task  # `sending` returns when it has finished; the others only raise
            await link.drain()
            await self._own_status(link, "offline", "stopped")
            await link.publish(self._topics.ledger(self._gateway), _encode(self._ledger()), retain=True)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self, link: Session, flow: Handover) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(RETAINED_WITHIN_S)
        while True:
            self._wake.clear()
            flow.check_progress(loop.time())
            self.rewinds += flow.rewinds
            flow.rewinds = 0
            self.rules_online = flow.rules_online
            rows = await self._due(flow)
            if not rows:
                if self._finishing and flow.next > self._journal.last and not self._judging(flow, loop.time()):
                    return
                await self._pause()
                continue
            at = flow.next
            for row in rows:
                if flow.next != at:
                    break  # it was told to go back meanwhile
                limit = flow.limit
                if limit is not None and row.sequence > limit and row.sequence == flow.next:
                    break  # beyond a hole it is sent all the same: how far they received moves with its Resume
                if flow.announce or row.sequence != flow.next:
                    await self._resume(link, flow, row.sequence)
                    if flow.next != at:
                        break
                flow.sent(row.sequence, loop.time())
                at = flow.next
                await link.send(
                    self._topic(row),
                    self._payload(row),
                    retain=row.kind == "status",
                    on_ack=lambda sequence=row.sequence: self._release(flow.acknowledged(sequence)),  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                )
                self.sent += 1

    def _judging(self, flow: Handover, now_s: float) -> bool:
        """Whether a rules daemon is still at what was sent: its word makes the last ledger whole."""
        waits_for_rules = flow.limit is not None
        return waits_for_rules and self._journal.watermark < self._journal.last and now_s < self._judged_by_s

    async def _due(self, flow: Handover) -> list[Row]:
        limit = flow.limit
        if flow.next > self._journal.last or (limit is not None and flow.next > limit):
            return []
        return await self._journal.read(
            flow.next, on_their_way_from=flow.on_their_way_from, on_their_way_to=flow.on_their_way_to
        )

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(LOOK_AGAIN_S):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _resume(self, link: Session, flow: Handover, sequence: int) -> None:
        flow.announce = False
        resume = Resume(gateway=self._gateway, epoch=self._journal.epoch, from_sequence=sequence)
        await link.send(self._topics.resume(self._gateway), _encode(resume))

    async def _listen(self, link: Session, flow: Handover) -> None:
        loop = asyncio.get_running_loop()
        while True:
            message = await link.receive()
            try:
                if message.topic == self._topics.rules_status():
                    flow.heard_rules(decode_rules_status(message.payload), loop.time())
                else:
                    ack = decode_ack(message.payload)
                    if message.retained and self._journal.state.judge == RESTORED:
                        continue  # it may be of a rules daemon that was lost with the journal; a living one repeats it
                    self._behind(ack.epoch, max(ack.sequence, ack.received))
                    self._release(flow.heard_ack(ack, loop.time()))
            except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:  # anybody may have said it
                self._health.trouble(self._log, "message_rejected", topic=message.topic, error=error)
            self._wake.set()

    def _behind(self, epoch: int, received: int) -> None:
        """The rules daemon cannot know sequences that this journal never had, unless the disk has lost some."""
        if epoch == self._journal.epoch and received > self._journal.last and not self._journal.knows(received):
            self._health.trouble(
                self._log,
                "journal_behind_rules",
                level="critical",
                received=received,
                last=self._journal.last,
                advice="the disk lost committed rows: check it; sequences go on after those that were received",
            )
            self._journal.skip_past(received)

    def _release(self, release: Release | None) -> None:
        if release is not None:
            self._journal.release(release.sequence, release.session, release.judged)

    async def _tell_ledger(self, link: Session) -> None:
        loop = asyncio.get_running_loop()
        repeat_at_s = loop.time() + REPEAT_STATUS_S
        while True:
            await link.send(self._topics.ledger(self._gateway), _encode(self._ledger()), retain=True)
            await asyncio.sleep(LEDGER_EVERY_S)
            standing = self._status("online", "started").conditions
            is_due = bool(standing) and loop.time() >= repeat_at_s
            if not self._finishing and (is_due or standing != self._conditions):
                # again and again, because rules that do not know this gateway yet pass over what it says of itself
                repeat_at_s = loop.time() + REPEAT_STATUS_S
                await self._own_status(link, "online", "started")

    async def _own_status(self, link: Session, state: str, reason: str) -> None:
        """The gateway's own status has no sequence: its last will could have none either."""
        status = self._status(state, reason)
        self._conditions = status.conditions
        payload = encode(status)
        await link.publish(self._topics.device(self._gateway, "status"), payload, retain=True)

    def _payload(self, row: Row) -> bytes:
        now_us = self._now_us()
        return row.payload if now_us - row.at_us < LATE_US else sent_late(row.payload, now_us)

    def _topic(self, row: Row) -> str:
        key = (row.device, row.kind)
        topic = self._cache.get(key)
        if topic is None:
            topic = self._cache[key] = self._topics.device(row.device, row.kind)
        return topic

    def _changed(self, reason: str | None) -> None:
        if reason is None:
            self._health.degraded.pop("broker", None)
            self._log.info("broker_connected", host=self._settings.host, port=self._settings.port)
        else:
            self.rules_online = False
            if self.connected or "broker" not in self._health.degraded:
                self._health.trouble(self._log, "broker_lost", error=reason)
            self._health.degraded["broker"] = reason
        self.connected = reason is None
