"""The sender's side of orders about alarms: which alarms stand, and an order with the outcome that answers it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from gateway.config.models import Mqtt
from gateway.contract.alarm_orders import Action, AlarmOrder, AlarmOutcome, as_alarm_outcome
from gateway.contract.commands import MOST_LIFE_US, fields_of, is_signed, signed
from gateway.contract.events import Alarm, decode_alarm
from gateway.contract.flow import decode_rules_status
from gateway.contract.topics import Topics
from gateway.mqtt import Message, session

LIFE_US: Final = MOST_LIFE_US // 2
WAIT_S: Final = 10.0
"""A commit takes 25 ms; a disk or a broker that is in trouble takes longer."""
UNPROVEN_WAIT_S: Final = 3.0
"""How long to wait for the daemon itself when something else has answered."""
QUIET_S: Final = 0.5
LIST_WITHIN_S: Final = 7.0
"""The daemon repeats its status every five seconds, should the broker have lost the retained one."""
_LOUDEST_FIRST: Final = ("critical", "warning", "info")
_UNREADABLE: Final = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class AlarmSender:
    """Who orders, and on which site."""

    site: str
    person: str
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answered:
    """What came within the time.

    Attributes:
        outcome: the one that proves to be the rules daemon's; None when there was none.
        unproven: what something without the right key said.
    """

    outcome: AlarmOutcome | None
    unproven: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """The alarms that stand, the loudest and then the oldest first. Without a daemon they are as it left them."""

    alarms: list[Alarm]
    is_daemon_online: bool


def make_order(sender: AlarmSender, action: Action, alarm: str, now_us: int, comment: str = "") -> AlarmOrder:
    """A new order with an id of its own; raises msgspec.ValidationError when a field has no right form."""
    fields = {
        "id": uuid.uuid4().hex,
        "alarm": alarm,
        "action": action,
        "by": sender.person,
        "at_us": now_us,
        "expires_at_us": now_us + LIFE_US,
        "comment": comment,
    }
    return msgspec.convert(fields, AlarmOrder, strict=True)


def _nothing() -> None:
    """Nobody wants to know."""


async def send_order(
    settings: Mqtt,
    sender: AlarmSender,
    order: AlarmOrder,
    *,
    within_s: float = WAIT_S,
    leaving: Callable[[], None] = _nothing,
) -> Answered:
    """Send an order and wait for its outcome.

    `leaving` is called right before the order leaves: from then on it may arrive, whatever goes wrong.

    Raises:
        BrokerError: the broker cannot be reached, or the connection broke. ConfigError: a credential is missing.
    """
    topics = Topics(sender.site)
    topic = topics.order(order.alarm)
    answers = (topics.order_outcome(order.alarm),)
    found = Answered(None)
    async with session(settings, client_id=f"tagwharf-alarms-{order.id[:12]}", topics=answers) as link:
        leaving()
        await link.publish(topic, signed(order, sender.key, topic))
        try:
            async with asyncio.timeout(within_s) as limit:
                while found.outcome is None:
                    found = _with(found, await link.receive(), sender, order.id)
                    if found.unproven:
                        soon_s = asyncio.get_running_loop().time() + UNPROVEN_WAIT_S
                        limit.reschedule(min(limit.when() or soon_s, soon_s))
        except TimeoutError:
            pass
    return found


async def standing(settings: Mqtt, site: str, *, within_s: float = LIST_WITHIN_S) -> Standing:
    """The alarms that stand now.

    Raises:
        BrokerError: the broker cannot be reached, or the connection broke. ConfigError: a credential is missing.
    """
    topics = Topics(site)
    alarms: dict[str, Alarm] = {}
    is_online: bool | None = None
    wanted = (topics.alarm("+"), topics.rules_status())
    async with session(settings, client_id=f"tagwharf-alarms-{uuid.uuid4().hex[:12]}", topics=wanted) as link:
        until_s = asyncio.get_running_loop().time() + within_s
        while True:
            wait_s = until_s - asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(wait_s if is_online is None else min(QUIET_S, wait_s)):
                    message = await link.receive()
            except TimeoutError:
                break
            if message.topic == topics.rules_status():
                is_online = _is_online(message)
            else:
                _keep(alarms, message)
    found = sorted(alarms.values(), key=lambda alarm: (_loudness(alarm), alarm.since_us, alarm.id))
    return Standing(found, bool(is_online))


def _with(found: Answered, message: Message, sender: AlarmSender, order_id: str) -> Answered:
    try:
        fields = fields_of(message.payload)
        outcome = as_alarm_outcome(fields)
    except _UNREADABLE:
        return found
    if message.retained or outcome.id != order_id:
        return found
    if not is_signed(fields, sender.key, message.topic):
        return Answered(found.outcome, f"{outcome.state} ({outcome.code}): {outcome.detail}")
    return Answered(outcome, found.unproven)


def _is_online(message: Message) -> bool:
    try:
        return decode_rules_status(message.payload).online
    except _UNREADABLE:
        return False


def _keep(alarms: dict[str, Alarm], message: Message) -> None:
    number = message.topic.rpartition("/")[2]
    try:
        alarm = decode_alarm(message.payload) if message.payload else None
    except _UNREADABLE:
        return
    if alarm is None or alarm.state != "raised":
        alarms.pop(number, None)
    else:
        alarms[number] = alarm


def _loudness(alarm: Alarm) -> int:
    return _LOUDEST_FIRST.index(alarm.severity) if alarm.severity in _LOUDEST_FIRST else len(_LOUDEST_FIRST)
