"""The alarms that stand. Whatever a rule raises or clears goes through here, and so do the orders of people.

    raised ──► its condition ends ──► cleared                                        without `latch`
    raised ──► its condition ends ──► ended ──► a person clears it ──► cleared       with `latch`
               ended ──► the condition returns ──► raised: the same alarm, told anew, acknowledged no longer
    raised or ended ──► nobody acknowledges it in time ──► escalated: louder, once
                        a person escalates it ──► one severity louder, acknowledged no longer

Pure, and part of the engine's state. Times are those of the gateway that raised the alarm, but for what a person did.
"""

from __future__ import annotations

import heapq
from collections.abc import Container, Mapping
from typing import Final, NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from gateway.config.rules import AlarmSettings, Severity
from gateway.contract.alarm_orders import AlarmOrder
from gateway.contract.events import Alarm
from rules.state import State

ALARM_KINDS: Final = frozenset({"alarm", "order"})
MOST_ALARMS: Final = 50_000
"""Alarms that stand at most, of all rules: about 50 MB. Further ones are counted and not told."""
ORDER_KEPT_US: Final = 86_400_000_000
"""How long an order is remembered: longer than any clock is set back, and it expires within a minute."""
MOST_ORDERS: Final = 10_000

RAISED: Final = "raised"
CLEARED: Final = "cleared"
_BOOK: Final = "book"
_LOUDNESS: Final = {severity.value: at for at, severity in enumerate(Severity)}


class Policy(msgspec.Struct, array_like=True, frozen=True):
    """What a rule asks for its alarm: see `AlarmSettings`."""

    latch: bool = False
    within_us: int | None = None
    escalate_to: str = Severity.CRITICAL.value


class Source(NamedTuple):
    """Whose alarm it is: the owner of the rule's state, the key there, and what the rule asks for."""

    owner: str
    key: str
    policy: Policy


class Standing(msgspec.Struct, array_like=True):
    """An alarm that stands.

    Attributes:
        gateway: whose clock its timer runs on.
        due_us: when it escalates; None when it does not.
    """

    gateway: str
    owner: str
    key: str
    policy: Policy
    alarm: Alarm
    due_us: int | None = None


class Taken(msgspec.Struct, array_like=True):
    """An order that was taken, so that it is not taken again."""

    at_us: int


class Answer(NamedTuple):
    """What became of an order: the new state of the alarm, if there is one. `code` is empty when it was done."""

    alarm: Alarm | None
    code: str = ""
    detail: str = ""


class Holder(Protocol):
    """A rule, as the book asks it about its alarms."""

    def is_standing(self, key: str) -> bool:
        """Whether the condition is known to hold now, so that nobody can clear its alarm."""

    def let_go(self, key: str) -> None:
        """A person cleared the alarm: what fulfils the rule next raises it again."""


class AlarmBook:
    """All alarms of the rules of one engine.

    Attributes:
        refused: alarms beyond `MOST_ALARMS`.
    """

    def __init__(self, state: State) -> None:
        self.rows = state.table("alarm", _BOOK, Standing)
        self.refused = 0
        self._orders = state.table("order", _BOOK, Taken)
        self._timers: dict[str, list[tuple[int, str]]] = {}

    def take(self, alarm: Alarm, source: Source, gateway: str, clock_us: int) -> Alarm | None:
        """A rule raised or cleared an alarm; returns what is to be told, None when it is nothing new."""
        row = self.rows.rows.get(alarm.id)
        if alarm.state == CLEARED:
            if row is None:
                return alarm  # state was lost: whoever was told that it stands is told that it is over
            return self._end(row, alarm) if row.policy.latch else self._clear(row, alarm)
        if row is not None:
            return self._again(row, alarm, source, gateway, clock_us)
        if len(self.rows.rows) >= MOST_ALARMS:
            self.refused += 1
            return None
        row = Standing(gateway, source.owner, source.key, source.policy, alarm)
        self._plan(row, clock_us)
        self.rows.put(alarm.id, row)
        return alarm

    def escalate(self, gateway: str, clock_us: int) -> list[Alarm]:
        """The gateway's clock moved on; returns the alarms that nobody has acknowledged in time."""
        timers, told = self._timers.get(gateway, []), []
        while timers and timers[0][0] <= clock_us:
            due_us, number = heapq.heappop(timers)
            row = self.rows.rows.get(number)
            if row is None or row.due_us != due_us or row.gateway != gateway:
                continue  # it was acknowledged, cleared, or planned anew since
            row.due_us = None
            louder = max(row.alarm.severity, row.policy.escalate_to, key=_LOUDNESS.__getitem__)
            told.append(self._tell(row, severity=louder, escalated=True, at_us=clock_us))
        return told

    def order(self, order: AlarmOrder, holders: Mapping[str, Holder], clocks: Mapping[str, int]) -> Answer:
        """A person ordered this; `holders` are the rules by the owners of their state, `clocks` those of gateways."""
        row = self.rows.rows.get(order.alarm)
        if row is None:
            return Answer(None, "unknown", "no such alarm stands; its condition ended, or somebody cleared it")
        holder = holders.get(row.owner)
        if order.action == "clear" and holder is not None and holder.is_standing(row.key):
            return Answer(None, "standing", "its condition still holds; mend that, and acknowledge it meanwhile")
        answer = answered(row.alarm, order)
        if answer.alarm is not None:
            self.rows.dirty.add(order.alarm)
            before, row.alarm = row.alarm, answer.alarm
            if order.action == "escalate":
                self._plan_anew(row, clocks, was_seen=before.acknowledged_by is not None)
            elif row.alarm.acknowledged_by is not None:
                row.due_us = None
            if answer.alarm.state == CLEARED:
                self.rows.drop(order.alarm)
                if holder is not None:
                    holder.let_go(row.key)
        return answer

    def remember(self, order: AlarmOrder, now_us: int) -> bool:
        """Whether an order is new; from now on it is not."""
        taken = self._orders.rows
        if order.id in taken:
            return False
        oldest_first = sorted(taken, key=lambda number: (taken[number].at_us, number))
        for place, number in enumerate(oldest_first):
            if len(oldest_first) - place < MOST_ORDERS and taken[number].at_us > now_us - ORDER_KEPT_US:
                break
            self._orders.drop(number)
        self._orders.put(order.id, Taken(now_us))
        return True

    def bury(self, owners: Container[str], clock_us: int) -> list[Alarm]:
        """Clear the alarms of rules that are gone, or are others now."""
        told = []
        for row in sorted(self.rows.rows.values(), key=lambda row: (row.alarm.rule, row.key)):
            if row.owner not in owners:
                message = f"{row.alarm.rule}: the rule was changed or removed"
                told.append(self._clear(row, replace(row.alarm, message=message, at_us=clock_us)))
        return told

    def load(self, kind: str, rest: str, value: bytes) -> None:
        """Put back an entry of one of `ALARM_KINDS`.

        Raises:
            msgspec.ValidationError, msgspec.DecodeError: it is none of this version.
        """
        (self.rows if kind == "alarm" else self._orders).load(rest, value)

    def restore(self) -> None:
        """Wind up the timers of what was loaded."""
        self._timers = {}
        for number, row in self.rows.rows.items():
            if row.due_us is not None:
                heapq.heappush(self._timers.setdefault(row.gateway, []), (row.due_us, number))

    def set_back(self, gateway: str, by_us: int) -> None:
        """A gateway's clock was set back: the times of its alarms move with it."""
        for number, row in self.rows.rows.items():
            if row.gateway == gateway:
                row.due_us = None if row.due_us is None else row.due_us - by_us
                row.alarm = replace(row.alarm, at_us=row.alarm.at_us - by_us)
                self.rows.dirty.add(number)
        if gateway in self._timers:
            self._timers[gateway] = [(due_us - by_us, number) for due_us, number in self._timers[gateway]]

    def counters(self) -> dict[str, int]:
        """Alarms that stand now, and those that were too many."""
        return {"alarms": len(self.rows.rows), "alarms_refused": self.refused}

    def _end(self, row: Standing, alarm: Alarm) -> Alarm | None:
        """The condition of a latched alarm ended."""
        if row.alarm.ended:
            return None
        return self._tell(row, ended=True, message=alarm.message, at_us=alarm.at_us)

    def _clear(self, row: Standing, alarm: Alarm) -> Alarm:
        self.rows.drop(alarm.id)
        at_us = _after(row.alarm, alarm.at_us)
        return replace(row.alarm, state=CLEARED, message=alarm.message, fields=alarm.fields, at_us=at_us)

    def _again(self, row: Standing, alarm: Alarm, source: Source, gateway: str, clock_us: int) -> Alarm | None:
        """It stands, and is raised again: because its condition has returned, or because it says something else."""
        before = row.alarm
        has_returned, was_seen = before.ended, before.ended and before.acknowledged_by is not None
        is_louder = before.escalated and not was_seen
        severity = alarm.severity
        if is_louder:
            severity = max(severity, before.severity, key=_LOUDNESS.__getitem__)
        now = (severity, alarm.message, alarm.fields)
        if not has_returned and now == (before.severity, before.message, before.fields):
            return None
        row.policy = source.policy
        told = self._tell(
            row,
            severity=severity,
            message=alarm.message,
            fields=alarm.fields,
            evidence=alarm.evidence,
            ended=False,
            escalated=is_louder,
            escalated_by=before.escalated_by if is_louder else None,
            acknowledged_at_us=None if was_seen else before.acknowledged_at_us,
            acknowledged_by=None if was_seen else before.acknowledged_by,
            at_us=alarm.at_us,
        )
        if was_seen:
            row.gateway = gateway
            self._plan(row, clock_us)
        return told

    def _tell(self, row: Standing, *, at_us: int, **changes: object) -> Alarm:
        row.alarm = replace(row.alarm, at_us=_after(row.alarm, at_us), **changes)
        self.rows.dirty.add(row.alarm.id)
        return row.alarm

    def _plan(self, row: Standing, clock_us: int) -> None:
        if row.policy.within_us is not None:
            row.due_us = clock_us + row.policy.within_us
            heapq.heappush(self._timers.setdefault(row.gateway, []), (row.due_us, row.alarm.id))

    def _plan_anew(self, row: Standing, clocks: Mapping[str, int], *, was_seen: bool) -> None:
        """A person escalated it: its time to acknowledge goes on, or begins again, while it could be louder still."""
        if _LOUDNESS[row.alarm.severity] >= _LOUDNESS[row.policy.escalate_to]:
            row.due_us = None
        elif was_seen and row.gateway in clocks:
            self._plan(row, clocks[row.gateway])


def policy_of(settings: AlarmSettings | None) -> Policy:
    """What the site file asks for an alarm."""
    if settings is None:
        return Policy()
    within_s = settings.acknowledge_within_s
    within_us = None if within_s is None else round(within_s * 1e6)
    return Policy(settings.latch, within_us, settings.escalate_to.value)


def answered(alarm: Alarm, order: AlarmOrder) -> Answer:
    """What an order makes of an alarm that stands, when nothing is against it."""
    changes: dict[str, object] = {"at_us": _after(alarm, order.at_us)}
    if order.action == "escalate":
        if (louder := _LOUDNESS[alarm.severity] + 1) == len(_LOUDNESS):
            return Answer(None, "loudest", f"it is {alarm.severity} already; go and tell somebody")
        changes |= {"severity": list(_LOUDNESS)[louder], "escalated": True, "escalated_by": order.by}
        changes |= {"acknowledged_at_us": None, "acknowledged_by": None}
    if order.comment:
        changes |= {"comment": order.comment, "comment_by": order.by}
    if order.action in {"acknowledge", "clear"} and alarm.acknowledged_by is None:
        changes |= {"acknowledged_at_us": order.at_us, "acknowledged_by": order.by}
    if order.action == "clear":
        changes |= {"state": CLEARED, "message": f"{alarm.message}: cleared by {order.by}"}
    if len(changes) > 1:
        return Answer(replace(alarm, **changes))
    if order.action == "comment":
        return Answer(None, "comment", "there is nothing to say in it; give a comment")
    return Answer(None, "", f"{alarm.acknowledged_by} has acknowledged it already")


def _after(alarm: Alarm, at_us: int) -> int:
    """The time of the next state of an alarm: each is later than the one before, whosever clock tells it."""
    return max(at_us, alarm.at_us + 1)
