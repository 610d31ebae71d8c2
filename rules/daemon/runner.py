"""The rules daemon's shell: the pipeline on a broker, from the first acknowledgement to the last ledger."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from gateway import systemd
from gateway.certificates import Certificates
from gateway.config.models import Mqtt
from gateway.contract.batches import ITEM_KINDS, Condition
from gateway.contract.flow import Ack, RulesStatus
from gateway.contract.topics import RESERVED
from gateway.health import Health
from gateway.logs import get_log
from gateway.mqtt import BrokerError, Message, Session, Will, stay_connected
from readers.tasks import end
from rules.daemon.alarm_desk import AlarmDesk
from rules.daemon.pipeline import Pipeline
from rules.daemon.platform_points import PlatformPoints
from rules.own_events import RULES
from rules.reload import Watcher

BURST: Final = 8  # messages taken in one turn of the loop: some 5 ms of judging
TELL_EVERY_S: Final = 0.1
EARLY_ACK_BATCHES: Final = 100  # a fifth of the usual window: sending never waits for a commit
LEDGER_EVERY_S: Final = 1.0
REPEAT_ACK_S: Final = 5.0  # should one be lost with a broker
DELIVER_WITHIN_S: Final = 5.0
PUBLISH_WITHIN_S: Final = 3.0
COMMIT_WITHIN_S: Final = 20.0
BATCH_KINDS: Final = frozenset({*ITEM_KINDS, "status", "tick"})
LEDGER_FILE: Final = "ledger-rules.json"

_json: Final = msgspec.json.Encoder()


class Runner:
    """Runs a pipeline until it is told to stop. `directory` is where the ledger is kept for those without a broker.

    `reloaders` read files again when they change; `desk` takes the orders of people about alarms; `platform` takes the
    ledgers of gateways, and makes points of how the platform itself does; `certificates` are those of this process.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        mqtt: Mqtt,
        client_id: str,
        health: Health,
        directory: Path,
        reloaders: Sequence[Watcher] = (),
        desk: AlarmDesk | None = None,
        platform: PlatformPoints | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._mqtt = mqtt
        self._client_id = client_id
        self._health = health
        self._reloaders = reloaders
        self._desk = desk
        self._platform = platform
        self._certificates = certificates
        self._ledger_path = directory / LEDGER_FILE
        self._prefix = pipeline.topics.root + "/"
        self._log = get_log(session=pipeline.session)
        self._was_connected = False
        self._told: dict[str, Ack] = {}
        self._stop = asyncio.Event()
        self._finished = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, then bring out what can be brought out in a few seconds.

        Raises:
            sqlite3.Error: the database failed: start anew from what it holds. ConfigError: see `gateway.mqtt`.
        """
        self._health.not_ready.pop("start", None)
        self._health.not_ready["broker"] = "not connected yet"
        systemd.ready(f"judging as session {self._pipeline.session}")
        async with asyncio.TaskGroup() as group:
            commits = group.create_task(self._pipeline.run_commits())
            deliveries = [group.create_task(each.run()) for each in self._pipeline.deliveries.values()]
            broker = group.create_task(self._stay_connected())
            others = [group.create_task(reloader.run()) for reloader in self._reloaders]
            if self._platform is not None:
                others.append(group.create_task(self._platform.run()))
            if self._certificates is not None:
                others.append(group.create_task(self._certificates.run(self._tell_certificates)))
            watchdog = group.create_task(systemd.feed_watchdog(self._health.progress.stalled))
            await stop.wait()
            self._log.info("rules_stopping")
            systemd.stopping()
            self._stop.set()
            async with asyncio.timeout(COMMIT_WITHIN_S):
                await self._pipeline.finish(DELIVER_WITHIN_S)
                await commits
            await self._end_broker(broker)
            await self._pipeline.commit()
            self._write_ledger(_json.encode(self._pipeline.ledger()))
            for task in (*deliveries, *others, watchdog):
                task.cancel()
        self._log.info("rules_stopped", commits=self._pipeline.commits)

    async def _end_broker(self, broker: asyncio.Task[None]) -> None:
        self._finished.set()
        if "broker" not in self._health.not_ready:
            await asyncio.wait({broker}, timeout=PUBLISH_WITHIN_S + 1)
        await end(broker)

    async def _stay_connected(self) -> None:
        topics = self._pipeline.topics
        await stay_connected(
            self._mqtt,
            self._work,
            client_id=self._client_id,
            will=Will(topics.rules_status(), self._status(online=False)),
            # One filter for all, because sequences run over all topics: some brokers keep the order only within a
            # subscription. What we published ourselves comes back with it and is thrown away unread.
            topics=[f"{topics.root}/+/+"],
            changed=self._connection_changed,
            shown=self._certificates.shown_as("mqtt.server") if self._certificates is not None else None,
            notice=partial(self._health.trouble, self._log),
        )

    def _tell_certificates(self, standing: list[Condition]) -> None:
        self._pipeline.alarms.certificates(RULES, standing)

    def _connection_changed(self, reason: str | None) -> None:
        if reason is None:
            self._health.not_ready.pop("broker", None)
            self._log.info("broker_connected")
        elif self._health.not_ready.get("broker") != reason:
            self._health.not_ready["broker"] = reason
            self._health.trouble(self._log, "broker_lost", reason=reason)

    async def _work(self, session: Session) -> None:
        """One session with the broker; returns when the daemon ends."""
        tasks: list[asyncio.Task[None]] = []
        try:
            await self._announce(session)
            tasks = [
                asyncio.create_task(part(session))
                for part in (self._receive, self._tell, self._pipeline.publication.run)
            ]
            stopping = asyncio.create_task(self._stop.wait())
            await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                tasks.pop(0).cancel()
                await self._last_words(session, tasks)
            stopping.cancel()
            for task in tasks:
                if task.done() and not task.cancelled():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()

    async def _announce(self, session: Session) -> None:
        """Say who judges now and what is missing: a broker between us may have lost what was on its way."""
        await session.send(self._pipeline.topics.rules_status(), self._status(online=True), retain=True)
        for flow in self._pipeline.intake.living():
            # A new session already tells the edge to go back; one that only lost its broker must say so.
            await self._acknowledge(session, flow.ack(self._pipeline.session, resend=self._was_connected))
        self._was_connected = True

    async def _receive(self, session: Session) -> None:
        while True:
            await self._pipeline.room()
            self._handle(await session.receive())
            for _ in range(BURST):
                message = session.receive_now()
                if message is None:
                    break
                self._handle(message)
            await self._make_room(session)
            await asyncio.sleep(0)

    async def _make_room(self, session: Session) -> None:
        """Tell a gateway between two commits how much has come, so that its window moves on."""
        for flow in self._pipeline.intake.living():
            told = self._told.get(flow.gateway)
            if told is not None and flow.expected - told.received > EARLY_ACK_BATCHES:
                await self._acknowledge(session, flow.ack(self._pipeline.session))

    def _handle(self, message: Message) -> None:
        if not message.topic.startswith(self._prefix):
            return
        first, _, second = message.topic[len(self._prefix) :].partition("/")
        if first == "order":
            if self._desk is not None:
                self._desk.take(second, message.payload, retained=message.retained)
        elif first == "ledger":
            if self._platform is not None:
                self._platform.ledgers.take(second, message.payload, retained=message.retained)
        elif message.retained:
            if second == "status" and first not in RESERVED:
                self._pipeline.reception.take_retained_status(message.payload, first)
        elif second in BATCH_KINDS and first not in RESERVED:
            self._pipeline.take(message.payload, first)
        elif first == "resume":
            self._pipeline.resume(message.payload)
        elif second == "outcome" and self._pipeline.orders is not None:
            self._pipeline.orders.heard(message.topic, message.payload, self._pipeline.alarms)

    async def _tell(self, session: Session) -> None:
        """Acknowledge after each commit, ask for what is missing, publish the ledger every second."""
        pipeline = self._pipeline
        loop = asyncio.get_running_loop()
        ledger_at_s = repeat_at_s = 0.0
        while True:
            pipeline.committed.clear()
            with contextlib.suppress(TimeoutError):  # then only the clock has something to say
                async with asyncio.timeout(TELL_EVERY_S):
                    await pipeline.committed.wait()
            now_s = loop.time()
            repeat = now_s >= repeat_at_s
            if repeat:
                repeat_at_s = now_s + REPEAT_ACK_S
                if not self._finished.is_set():  # after that the goodbye must be the last word
                    # nats-server can lose a retained message that meets a subscription in the making: say it again.
                    await session.send(pipeline.topics.rules_status(), self._status(online=True), retain=True)
            for flow in pipeline.intake.living():
                asks = flow.asks(now_s)
                told = self._told.get(flow.gateway)
                if asks or repeat or told is None or (told.epoch, told.sequence) != (flow.epoch, flow.watermark):
                    await self._acknowledge(session, flow.ack(pipeline.session, resend=asks))
            if now_s >= ledger_at_s:
                ledger_at_s = now_s + LEDGER_EVERY_S
                if pipeline.orders is not None:
                    pipeline.orders.check(pipeline.alarms)
                await self._publish_ledger(session)

    async def _acknowledge(self, session: Session, ack: Ack) -> None:
        self._told[ack.gateway] = ack
        await session.send(self._pipeline.topics.ack(ack.gateway), _json.encode(ack), retain=True)

    async def _publish_ledger(self, session: Session) -> None:
        ledger = _json.encode(self._pipeline.ledger())
        self._write_ledger(ledger)
        await session.send(self._pipeline.topics.ledger("rules"), ledger, retain=True)

    async def _last_words(self, session: Session, tasks: list[asyncio.Task[None]]) -> None:
        """While the pipeline finishes, acks and events still go out; then the final ledger, and goodbye."""
        finished = asyncio.create_task(self._finished.wait())
        await asyncio.wait({*tasks, finished}, return_when=asyncio.FIRST_COMPLETED)
        if not finished.done():
            finished.cancel()
            return
        try:
            async with asyncio.timeout(PUBLISH_WITHIN_S):
                await self._pipeline.publication.all_sent()
                await session.drain()
                await self._publish_ledger(session)
                await session.send(self._pipeline.topics.rules_status(), self._status(online=False), retain=True)
                await session.drain()
        except (TimeoutError, BrokerError) as error:
            self._log.info("broker_left_early", reason=str(error) or "no acknowledgement in time", kept="on disk")

    def _status(self, *, online: bool) -> bytes:
        return _json.encode(RulesStatus(session=self._pipeline.session, online=online))

    def _write_ledger(self, ledger: bytes) -> None:
        beside = self._ledger_path.with_suffix(".new")
        try:
            beside.write_bytes(ledger)
            beside.replace(self._ledger_path)
        except OSError as error:
            if "ledger" not in self._health.degraded:
                self._health.trouble(self._log, "ledger_not_written", file=str(self._ledger_path), error=error)
            self._health.degraded["ledger"] = f"{self._ledger_path}: {error}"
        else:
            self._health.degraded.pop("ledger", None)
