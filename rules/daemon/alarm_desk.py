"""Where people order alarms about: who sent it, whether he may, whether it is new, and what became of it.

    order/{alarm} ──► proven? fresh? allowed? new? ──► the engine's alarms, or our own
                      next commit ──► alarms/{alarm}, order-outcome/{alarm}

An order stands in no journal. What it does is as durable as the commit that tells its outcome. Where no outcome comes,
it did nothing, or the broker has lost the answer: the alarm shows which.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final, Literal, Protocol

from gateway.config import ConfigError
from gateway.config.control import Person
from gateway.config.models import SiteFile
from gateway.contract.alarm_orders import AlarmOrder, AlarmOutcome, as_alarm_order
from gateway.contract.commands import MOST_AHEAD_US, MOST_LIFE_US
from gateway.contract.events import Alarm
from gateway.contract.topics import NAME, Topics
from gateway.control.outbox import Quota
from gateway.control.people import UNREADABLE, People, StrangerError, claimed
from gateway.health import Health
from gateway.logs import get_log
from rules.alarms import Answer
from rules.outputs import Outputs
from rules.own_events import OwnAlarms

MOST_PER_MINUTE: Final = 60
"""Orders of one person, and answers to strangers."""
_NS_PER_US: Final = 1_000


class Judge(Protocol):
    """The engine, as the desk sees it."""

    def is_new(self, order: AlarmOrder, now_us: int, /) -> bool:
        """Whether it was never taken before; from now on it was."""

    def order(self, order: AlarmOrder, /) -> Answer:
        """Take it."""


def _now_us() -> int:
    return time.time_ns() // _NS_PER_US


class AlarmDesk:
    """Takes the orders of people about alarms.

    Args:
        own: the alarms of the daemon itself.
        tell: lets outputs out with the next commit, together with the state of the judge.
        secret: gives the secret of a credential's name.

    Raises:
        ConfigError: a person's key is no key, or that of somebody else, too. One that is not there is no fault: the
            person cannot order, and the log tells so.
    """

    def __init__(
        self,
        site: SiteFile,
        judge: Judge,
        own: OwnAlarms,
        tell: Callable[[Outputs], None],
        health: Health,
        *,
        secret: Callable[[str], str],
        now_us: Callable[[], int] = _now_us,
    ) -> None:
        self._topics = Topics(site.site.name)
        self._judge = judge
        self._own = own
        self._tell = tell
        self._health = health
        self._now_us = now_us
        self._log = get_log()
        known = list(self._with_keys(site.control.person, secret))
        self._people = People(known, secret)
        roles = set(site.rules.alarm_roles)
        self._allowed = {each.name for each in known if not roles or roles & set(each.roles)}
        self._quotas = {each.name: Quota(MOST_PER_MINUTE) for each in known}
        self._strangers = Quota(MOST_PER_MINUTE)
        self._told: set[str] = set()
        self._counter = health.counter(
            "alarm_orders_total", "Orders of people about alarms; `done`, or why not", ("code",)
        )

    def take(self, alarm: str, payload: bytes, *, retained: bool) -> None:
        """Take a message that came on the topic of orders about this alarm."""
        if not payload:
            return  # nothing is what a retained message is deleted with
        if NAME.fullmatch(alarm) is None:
            self._stranger("", payload, "malformed", "its topic names no alarm")
            return
        topic = self._topics.order(alarm)
        try:
            if retained:
                text = "a retained order is never taken; send it without retain, and delete the retained one"
                raise StrangerError("retained", text)  # noqa: TRY301  # one way to refuse what is nobody's
            order = as_alarm_order(self._people.proven(topic, payload))
            if order.alarm != alarm:
                raise StrangerError("topic", "its alarm is not that of its topic")  # noqa: TRY301  # as above
        except StrangerError as why:
            self._stranger(alarm, payload, why.code, str(why))
        except UNREADABLE as error:
            self._stranger(alarm, payload, "malformed", f"it is no order: {error}")
        else:
            self._answer(order, self._judged(order))

    def _with_keys(self, people: Iterable[Person], secret: Callable[[str], str]) -> Iterable[Person]:
        for each in people:
            try:
                secret(each.key_credential)
            except ConfigError as error:
                self._health.trouble(
                    self._log,
                    "alarm_person_without_key",
                    person=each.name,
                    reason=str(error),
                    more="cannot order alarms",
                )
            else:
                yield each

    def _judged(self, order: AlarmOrder) -> Answer:
        """What becomes of an order of a known person."""
        code, text = self._against(order, self._now_us())
        if code:
            return Answer(None, code, text)
        return (self._own if self._own.has(order.alarm) else self._judge).order(order)

    def _against(self, order: AlarmOrder, now_us: int) -> tuple[str, str]:
        """What is against an order before anybody looks at the alarm; empty when nothing is."""
        if not self._quotas[order.by].take(now_us):
            return "rate", f"{order.by} sent more than {MOST_PER_MINUTE} orders within a minute; wait"
        if not 0 < order.expires_at_us - order.at_us <= MOST_LIFE_US:
            return "lifetime", f"it must expire within {MOST_LIFE_US // 1_000_000} s of its issue"
        if order.at_us > now_us + MOST_AHEAD_US:
            return "ahead", "it comes from the future; compare the clocks of your computer and the rules daemon's"
        if order.expires_at_us <= now_us:
            return "expired", "it came too late; send it again, and compare the clocks if that does not help"
        if order.by not in self._allowed:
            return "role", f"{order.by} has none of the roles in rules.alarm_roles"
        if not self._judge.is_new(order, now_us):
            return "replayed", "an order of this id was taken before; give each an id of its own"
        return "", ""

    def _answer(self, order: AlarmOrder, answer: Answer) -> None:
        state: Literal["done", "refused"] = "refused" if answer.code else "done"
        self._counter.labels(answer.code or state).inc()
        self._log.info(
            "alarm_ordered", alarm=order.alarm, action=order.action, by=order.by, state=state, code=answer.code
        )
        outcome = AlarmOutcome(
            id=order.id,
            alarm=order.alarm,
            state=state,
            at_us=self._now_us(),
            by=order.by,
            action=order.action,
            code=answer.code,
            detail=answer.detail,
        )
        self._let_out(outcome, answer.alarm)

    def _stranger(self, alarm: str, payload: bytes, code: str, text: str) -> None:
        """Count it, log the first of its kind, and answer whoever it is, within bounds; nothing of it is believed."""
        self._counter.labels(code).inc()
        if code not in self._told:
            self._told.add(code)
            self._health.trouble(self._log, "alarm_order_refused", code=code, reason=text, more="counted only")
        number, _ = claimed(payload)
        now_us = self._now_us()
        if alarm and number and self._strangers.take(now_us):
            outcome = AlarmOutcome(id=number, alarm=alarm, state="refused", at_us=now_us, code=code, detail=text)
            self._let_out(outcome, None)

    def _let_out(self, outcome: AlarmOutcome, alarm: Alarm | None) -> None:
        topic = self._topics.order_outcome(outcome.alarm)
        alarms = [] if alarm is None else [alarm]
        self._tell(Outputs(outcome.at_us, alarms=alarms, answers=[(topic, self._people.payload(outcome, topic))]))
