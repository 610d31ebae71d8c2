"""The sender's side: makes a signed command, sends it, and waits for an outcome that proves to be the gateway's."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from gateway.config.models import Mqtt
from gateway.contract.commands import (
    FINAL,
    MOST_LIFE_US,
    Command,
    Kind,
    Outcome,
    as_outcome,
    fields_of,
    is_signed,
    signed,
)
from gateway.contract.topics import Topics
from gateway.mqtt import Message, session

LIFE_US: Final = MOST_LIFE_US // 2
WAIT_S: Final = 120.0
"""Reading the state, a minute to settle, reading it back from a device that does not answer."""
ARM_WAIT_S: Final = 20.0
UNPROVEN_WAIT_S: Final = 3.0
"""How long to wait for the gateway itself when something else has answered."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends, and where to."""

    site: str
    gateway: str
    person: str
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Heard:
    """What came within the time.

    Attributes:
        outcome: the last one that proves to be the gateway's; None when there was none.
        unproven: what something without the right key said.
    """

    outcome: Outcome | None
    unproven: str = ""


def make(sender: Sender, kind: Kind, device: str, point: str, now_us: int, **more: str | None) -> Command:
    """A new command with an id of its own; raises msgspec.ValidationError when a field has no right form."""
    fields = {
        "id": uuid.uuid4().hex,
        "gateway": sender.gateway,
        "issued_at_us": now_us,
        "expires_at_us": now_us + LIFE_US,
        "by": sender.person,
        "kind": kind,
        "device": device,
        "point": point,
        **{name: value for name, value in more.items() if value is not None},
    }
    return msgspec.convert(fields, Command, strict=True)


def _nothing() -> None:
    """Nobody wants to know."""


async def send(
    settings: Mqtt,
    sender: Sender,
    command: Command,
    *,
    within_s: float,
    told: Callable[[Outcome], None],
    leaving: Callable[[], None] = _nothing,
) -> Heard:
    """Send a command and wait for the outcome that ends it, or for `armed`; `told` hears each on its way.

    `leaving` is called right before the command leaves: from then on it may arrive, whatever goes wrong.

    Raises:
        BrokerError: the broker cannot be reached, or the connection broke. ConfigError: a credential is missing.
    """
    topics = Topics(sender.site)
    answers = topics.device(command.device, "outcome")
    topic = topics.device(command.device, "command")
    heard = Heard(None)
    async with session(settings, client_id=f"tagwharf-command-{command.id[:12]}", topics=(answers,)) as link:
        leaving()
        await link.publish(topic, signed(command, sender.key, topic))
        try:
            async with asyncio.timeout(within_s) as limit:
                while heard.outcome is None or heard.outcome.state not in {*FINAL, "armed"}:
                    before, heard = heard.outcome, _with(heard, await link.receive(), sender, command.id)
                    if heard.outcome is not None and heard.outcome is not before:
                        told(heard.outcome)
                    if heard.outcome is None and heard.unproven:
                        soon_s = asyncio.get_running_loop().time() + UNPROVEN_WAIT_S
                        limit.reschedule(min(limit.when() or soon_s, soon_s))
        except TimeoutError:
            pass
    return heard


def _with(heard: Heard, message: Message, sender: Sender, command_id: str) -> Heard:
    try:
        fields = fields_of(message.payload)
        outcome = as_outcome(fields)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return heard
    if message.retained or outcome.id != command_id:
        return heard
    if not is_signed(fields, sender.key, message.topic):
        return Heard(heard.outcome, f"{outcome.state} ({outcome.code}): {outcome.detail}")
    return Heard(outcome, heard.unproven)
