"""Orders that rules give to devices: a barrier that opens for a truck that may pass.

They take the safe path of the orders of people: a command that is signed with the key of a person of the site file,
which stands for the rules; the gateway allows what its `[[control.point]]`s allow, checks their interlocks, and does
nothing twice. An order is given once, soon after its event or never: what comes from a backlog orders nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from gateway.config.rules import Order
from gateway.contract.commands import FINAL, Command, Outcome, as_outcome, fields_of, is_signed, signed
from gateway.contract.events import Event, event_id
from gateway.contract.topics import Topics
from rules.language.expressions import Expression
from rules.language.vocabulary import FIELDS, event_fields
from rules.language.vocabulary import fields_of as fields_of_item
from rules.outputs import Outputs
from rules.own_events import OwnAlarms

ORDER_FAILED: Final = "order_failed"
ANSWER_WITHIN_US: Final = 30_000_000
MOST_WAITING: Final = 1_000


class Giver:
    """One `[[order]]`, compiled."""

    def __init__(self, order: Order, key: bytes) -> None:
        self.order = order
        self.key = key
        when = Expression(order.when, fields_of_item(order.on), is_open=order.on not in FIELDS)
        self.wants = when.test


class Orders:
    """All orders of a site.

    Attributes:
        given: how many; late: events that came too late to act upon.

    Args:
        keys: of the people in whose names orders are given.

    Raises:
        ExpressionError: a condition cannot be used.
    """

    def __init__(
        self, orders: Iterable[Order], keys: Mapping[str, bytes], topics: Topics, now_us: Callable[[], int]
    ) -> None:
        self._topics = topics
        self._now_us = now_us
        self._givers: dict[str, list[Giver]] = {}
        for order in orders:
            self._givers.setdefault(order.on, []).append(Giver(order, keys[order.person]))
        self._waiting: dict[str, tuple[Giver, int]] = {}
        self.given = 0
        self.late = 0

    def messages(self, outputs: Sequence[Outputs]) -> list[tuple[str, bytes]]:
        """The commands that these outputs lead to, with their topics."""
        if not self._givers:
            return []
        now_us = self._now_us()
        return [
            self._command(giver, event, now_us)
            for output in outputs
            for event in output.events
            for giver in self._givers.get(event.type, ())
            if giver.wants(event_fields(event)) and self._is_fresh(giver, event, output, now_us)
        ]

    def heard(self, topic: str, payload: bytes, alarms: OwnAlarms) -> None:
        """Something came on the topic of an outcome; what does not prove to be the gateway's is no answer."""
        try:
            fields = fields_of(payload)
            outcome = as_outcome(fields)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return
        found = self._waiting.get(outcome.id)
        if found is None or outcome.state not in FINAL or not is_signed(fields, found[0].key, topic):
            return
        del self._waiting[outcome.id]
        self._answered(found[0].order, outcome, alarms)

    def check(self, alarms: OwnAlarms) -> None:
        """Tell of orders that nobody has answered in time."""
        now_us = self._now_us()
        for number, (giver, until_us) in list(self._waiting.items()):
            if now_us >= until_us:
                del self._waiting[number]
                order = giver.order
                message = f"order {order.name!r}: gateway {order.gateway!r} did not answer; look whether it runs"
                alarms.put(ORDER_FAILED, order.name, message)

    def _is_fresh(self, giver: Giver, event: Event, output: Outputs, now_us: int) -> bool:
        if not event.historical and now_us - output.caused_at_us <= giver.order.within_s * 1e6:
            return True
        self.late += 1
        return False

    def _command(self, giver: Giver, event: Event, now_us: int) -> tuple[str, bytes]:
        order = giver.order
        command = Command(
            id=event_id("order", order.name, event.id),
            gateway=order.gateway,
            issued_at_us=now_us,
            expires_at_us=now_us + round(order.within_s * 1e6),
            by=order.person,
            kind="direct",
            device=order.device,
            point=order.point,
            action=order.action.value,
            value=order.value,
            reason=f"rule {event.rule or event.type}: event {event.id}",
        )
        self.given += 1
        if len(self._waiting) < MOST_WAITING:
            self._waiting[command.id] = giver, command.expires_at_us + ANSWER_WITHIN_US
        topic = self._topics.device(order.device, "command")
        return topic, signed(command, giver.key, topic)

    def _answered(self, order: Order, outcome: Outcome, alarms: OwnAlarms) -> None:
        if outcome.state == "verified":
            alarms.clear(ORDER_FAILED, order.name, f"order {order.name!r} was carried out")
            return
        what = f"{order.action.value} of {order.device}/{order.point}"
        message = f"order {order.name!r}: {what} is {outcome.state} ({outcome.code}): {outcome.detail}"
        alarms.put(ORDER_FAILED, order.name, message)
