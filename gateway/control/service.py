"""Commands at work: hears them on MQTT, asks the desk, moves the devices, keeps the audit and tells the outcome.

What a message may cause is decided before anything waits; a record is on the disk before an attempt begins. A message
of nobody is counted, and told in the audit once a minute at the most, so that a stranger cannot fill the disk.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.config.control_checks import offered_points
from gateway.config.load import driver_settings
from gateway.config.models import SiteFile
from gateway.contract.commands import Command, Outcome
from gateway.contract.topics import Topics
from gateway.control.attempt import Hand, NoStateError
from gateway.control.audit import Audit, AuditError
from gateway.control.desk import Act, Answer, Decision, Desk, Look, Ticket
from gateway.control.interlocks import as_text
from gateway.control.latest import Latest
from gateway.control.outbox import Outbox, Quota
from gateway.control.people import People, StrangerError, claimed
from gateway.credentials import credential
from gateway.health import Health
from gateway.logs import get_log
from gateway.mqtt import Message, Session, stay_connected
from readers.control import Controllable, ControlPoint, Value
from readers.observations import Observation
from readers.tasks import end

INCOMING: Final = 200
NOT_YET: Final = "not connected yet"
EXPIRE_EVERY_S: Final = 0.5
FINISH_WITHIN_S: Final = 10.0
RETURNS_WITHIN_S: Final = 120.0
"""How long a device may take to come back after a restart, to be asked what it shows."""
MOST_PER_MINUTE: Final = 60
"""Commands of one person, and answers to strangers."""


def now_us() -> int:
    """The host's UTC time."""
    return time.time_ns() // 1_000


@dataclass(frozen=True, slots=True)
class Controlled:
    """A point of the allow list that a driver offers; `reader` is the one whose driver serves it."""

    reader: str
    point: ControlPoint


def controlled_points(site: SiteFile) -> dict[tuple[str, str], Controlled]:
    """The points of the allow list that the drivers of a site file offer.

    Raises:
        ConfigError: settings of a reader are wrong.
    """
    offered = {
        key: Controlled(reader.name, point)
        for reader in site.reader
        for key, point in offered_points(driver_settings(reader), reader.name).items()
    }
    listed = [(rule.device, rule.point) for rule in site.control.point]
    return {key: offered[key] for key in listed if key in offered}


class ControlService:
    """Takes the commands of one gateway.

    Args:
        points: the allow list as the drivers offer it, by device and point.
        live: the running driver of a reader, None while its link is down.
        is_online: whether a device has proven itself.

    Raises:
        ConfigError: a person's key is missing or no key. AuditError: the audit cannot be opened.
    """

    def __init__(
        self,
        site: SiteFile,
        state_dir: Path,
        health: Health,
        points: Mapping[tuple[str, str], Controlled],
        *,
        live: Callable[[str], Controllable | None],
        is_online: Callable[[str], bool],
        clock: Callable[[], int] = now_us,
    ) -> None:
        self._settings = site.mqtt
        self._gateway = site.site.gateway
        self._client_id = f"tagwharf-{site.site.name}-{self._gateway}-control"
        self._topics = Topics(site.site.name)
        self._devices = {self._topics.device(device, "command"): device for device, _ in points}
        self._health = health
        self._now_us = clock
        self._log = get_log()
        self._people = People(site.control.person, credential)
        self._hands = {
            key: Hand(each.point, lambda reader=each.reader: live(reader), health)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            for key, each in points.items()
        }
        interlocks = [each for rule in site.control.point for each in rule.parsed_interlocks()]
        self._latest = Latest(interlocks, is_online)
        self._audit = Audit(state_dir)
        self._desk = Desk(
            site.control,
            {key: each.point for key, each in points.items()},
            latest=self._latest.value,
            make_nonce=lambda: secrets.token_hex(8),
            newest_us=self._audit.newest_us(),
        )
        for attempt in self._audit.attempts(self._now_us()):
            self._desk.remember(attempt.device, attempt.point, attempt.at_us)
        self._outbox = Outbox(self._topics, self._people, health)
        self._working: set[asyncio.Task[None]] = set()
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._is_finishing = False
        self._strangers = 0
        self._quotas = {person.name: Quota(MOST_PER_MINUTE) for person in site.control.person}
        self._answers, self._records = Quota(MOST_PER_MINUTE), Quota(1)
        self._refused = health.counter("commands_rejected_total", "Messages that prove no sender", ("code",))
        if self._audit.fault:
            health.degraded["control_audit"] = self._audit.fault
            health.trouble(self._log, "control_audit_broken", level="critical", error=self._audit.fault)

    def observed(self, reader: str, observation: Observation) -> None:
        """What a driver reports, for interlocks."""
        self._latest.take(reader, observation)

    async def run(self) -> None:
        """Take commands until cancelled, through every loss of the broker.

        Raises:
            ConfigError: a credential or certificate of the broker is missing. Anything else is a bug.
        """
        self._health.degraded["control"] = NOT_YET
        await self._recover()
        serving = asyncio.create_task(
            stay_connected(
                self._settings,
                self._serve,
                client_id=self._client_id,
                topics=sorted(self._devices),
                incoming=INCOMING,
                changed=self._changed,
            )
        )
        expiring = asyncio.create_task(self._expire_forever())
        waiting: set[asyncio.Future[None]] = {serving, expiring, self._broken}
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                await each
        finally:
            await end(serving, expiring, *self._working)
            self._audit.close()

    async def finish(self) -> None:
        """Take no more, and wait a little for what is on its way."""
        self._is_finishing = True
        if self._working and self._desk.is_busy:
            await asyncio.wait(self._working, timeout=FINISH_WITHIN_S)

    async def _serve(self, link: Session) -> None:
        telling = asyncio.create_task(self._outbox.send(link))
        try:
            while True:
                await self._hear(await link.receive())
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    async def _hear(self, message: Message) -> None:
        """Take one message: who sent it, whether it is new, what the desk says."""
        device = self._devices.get(message.topic)
        if device is None or not message.payload:  # nothing is what a retained message is deleted with
            return
        try:
            if message.retained:
                text = "a retained command is never carried out; send it without retain, and delete the retained one"
                raise StrangerError("retained", text)  # noqa: TRY301  # one way to refuse what is nobody's
            command = self._people.command(message.topic, message.payload)
            if command.device != device:
                raise StrangerError("topic", "its device is not that of its topic")  # noqa: TRY301  # one way to refuse what is nobody's
        except StrangerError as why:
            await self._stranger(device, message.payload, why)
            return
        if command.gateway == self._gateway:
            await self._take(command)

    async def _take(self, command: Command) -> None:
        at_us = self._now_us()
        if not self._quotas[command.by].take(at_us):
            text = f"{command.by} sent more than {MOST_PER_MINUTE} commands within a minute; wait"
            self._outbox.put(self._outcome(Answer(command, "refused", "rate", text)))
            return
        try:
            recorded = await asyncio.to_thread(self._audit.last, command.id)
        except AuditError as error:
            self._no_audit(error)
            self._outbox.put(self._outcome(_unrecorded(command)))
            return
        if recorded is not None:
            self._outbox.put(msgspec.structs.replace(recorded, by=command.by))
        elif self._is_finishing:
            text = "the gateway is stopping; send it again later"
            self._outbox.put(self._outcome(Answer(command, "refused", "stopping", text)))
        elif (decision := self._desk.take(command, self._now_us())) is not None:
            self._start(self._carry(decision))

    async def _carry(self, decision: Decision) -> None:
        """Follow an order to its end."""
        while isinstance(decision, Look):
            decision = await self._look(decision.ticket)
        if isinstance(decision, Answer):
            await self._answer(decision)
            return
        try:
            await self._act(decision)
        finally:
            self._desk.close(decision.ticket)

    async def _look(self, ticket: Ticket) -> Decision:
        try:
            shown = await self._hands[ticket.key].look()
        except NoStateError as why:
            return self._desk.not_shown(ticket, str(why))
        return self._desk.looked(ticket, shown, self._now_us())

    async def _answer(self, answer: Answer) -> None:
        outcome = self._outcome(answer)
        recorded = await self._record(outcome, answer.command)
        if recorded is not None:
            self._outbox.put(recorded)
            return
        self._desk.drop(answer.command)
        self._outbox.put(self._outcome(_unrecorded(answer.command)))

    async def _act(self, act: Act) -> None:
        """Record, attempt once, read back, record."""
        hand, command = self._hands[act.ticket.key], act.ticket.command
        order = act.ticket.opened.id
        text = "the order leaves the gateway now; it is not repeated"
        sending = Answer(command, "sending", "sending", text, order=order, shows=act.before.values)
        recorded = await self._record(self._outcome(sending), command)
        if recorded is None:
            self._outbox.put(self._outcome(_unrecorded(command)))
            return
        self._outbox.put(recorded)
        attempt = await hand.attempt(act.order)
        verdict = await hand.judge(act.order, act.before, attempt)
        shows = verdict.shown.values if verdict.shown else {}
        outcome = self._outcome(Answer(command, verdict.state, verdict.code, verdict.detail, order=order, shows=shows))
        self._outbox.put(await self._record(outcome) or outcome)

    async def _recover(self) -> None:
        """What was on its way when the gateway ended is not known to be done, and is never sent again."""
        if self._audit.fault:
            return
        for lost in await asyncio.to_thread(self._audit.unfinished):
            text = "the gateway ended while it was on its way, and it is not sent again; look at the device"
            outcome = msgspec.structs.replace(
                lost, state="unknown", code="restarted", detail=text, at_us=self._now_us(), shows={},
                audit_sequence=None, audit_hash=None,
            )  # fmt: skip
            self._health.trouble(self._log, "command_unknown", id=lost.id, device=lost.device, point=lost.point)
            self._outbox.put(await self._record(outcome) or outcome)
            if (hand := self._hands.get((lost.device, lost.point))) is not None:
                self._start(self._look_again(outcome, hand))

    async def _look_again(self, outcome: Outcome, hand: Hand) -> None:
        """Tell what the device shows once it is back: no proof of what was done, but something to go by."""
        until_s = asyncio.get_running_loop().time() + RETURNS_WITHIN_S
        while asyncio.get_running_loop().time() < until_s:
            await asyncio.sleep(EXPIRE_EVERY_S)
            try:
                shown = await hand.look()
            except NoStateError:
                continue
            text = "this is what the device shows after the restart; whether the order made it so is not known"
            shows = _shows(shown.values)
            told = msgspec.structs.replace(outcome, code="read_back", detail=text, shows=shows, at_us=self._now_us())
            self._outbox.put(await self._record(told) or told)
            return

    async def _expire_forever(self) -> None:
        while True:
            for answer in self._desk.expire(self._now_us()):
                await self._answer(answer)
            await asyncio.sleep(EXPIRE_EVERY_S)

    async def _stranger(self, device: str, payload: bytes, why: StrangerError) -> None:
        """Count it; tell it once a minute, and the sender a little more often."""
        command_id, gateway = claimed(payload)
        if gateway not in ("", self._gateway):
            return
        self._refused.labels(why.code).inc()
        self._strangers += 1
        at_us = self._now_us()
        outcome = Outcome(
            gateway=self._gateway,
            id=command_id,
            state="refused",
            at_us=at_us,
            device=device,
            point="",
            code=why.code,
            detail=str(why),
        )
        if command_id and self._answers.take(at_us):
            self._outbox.put(outcome)
        if self._records.take(at_us):
            many = f"{self._strangers} messages since the last such record that prove no sender, the latest: {why}"
            self._strangers = 0
            self._health.trouble(self._log, "command_rejected", device=device, code=why.code, error=str(why))
            await self._record(msgspec.structs.replace(outcome, id="", detail=many))

    async def _record(self, outcome: Outcome, command: Command | None = None) -> Outcome | None:
        """The outcome as it stands in the audit, on the disk; None when it could not be written."""
        try:
            recorded = await asyncio.to_thread(self._audit.append, outcome, command)
        except AuditError as error:
            self._no_audit(error)
            return None
        self._log.info(
            "command_told",
            id=recorded.id,
            by=recorded.by,
            device=recorded.device,
            point=recorded.point,
            action=recorded.action,
            state=recorded.state,
            code=recorded.code,
            audit=f"{recorded.audit_sequence}:{recorded.audit_hash}",
        )
        return recorded

    def _no_audit(self, error: AuditError) -> None:
        self._health.degraded["control_audit"] = str(error)
        self._health.trouble(self._log, "control_audit_failed", level="critical", error=error)

    def _outcome(self, answer: Answer) -> Outcome:
        command = answer.command
        return Outcome(
            gateway=self._gateway,
            id=command.id,
            state=answer.state,
            at_us=self._now_us(),
            device=command.device,
            point=command.point,
            order=answer.order,
            by=command.by,
            action=command.action,
            value=command.value,
            code=answer.code,
            detail=answer.detail,
            shows=_shows(answer.shows),
            nonce=answer.nonce,
            expires_at_us=answer.expires_at_us,
        )

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._working.add(task)
        task.add_done_callback(self._worked)

    def _worked(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not self._broken.done():
            self._broken.set_exception(error)  # a bug: the daemon ends, and its next life says `unknown`

    def _changed(self, reason: str | None) -> None:
        if reason is None:
            self._health.degraded.pop("control", None)
            self._log.info("control_connected", devices=len(self._devices))
        else:
            if self._health.degraded.get("control") in (None, NOT_YET):
                self._health.trouble(self._log, "control_disconnected", error=reason)
            self._health.degraded["control"] = reason


def _shows(values: Mapping[str, Value]) -> dict[str, bool | str]:
    return {name: value if isinstance(value, bool) else as_text(value) for name, value in values.items()}


def _unrecorded(command: Command) -> Answer:
    text = "the audit cannot be written, so nothing is sent: look at the log and the disk of the gateway"
    return Answer(command, "refused", "audit", text)
