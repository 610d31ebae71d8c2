"""What every shape of rule stands on: what caused an item, what a rule makes of it, and the state of its alarms."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from gateway.config.rules import RuleBase, RuleHead
from gateway.contract.events import Alarm, Event, Evidence, Scalar, event_id
from rules.alarms import Source, policy_of
from rules.language.chooser import texts_asked
from rules.language.expressions import Expression, Test
from rules.language.vocabulary import FIELDS, Fields, fields_of, identity_of
from rules.lookups import LookUps

MOST_KEYS: Final = 200_000
"""States of one rule at most: about 100 MB. Items of further keys are counted and raise nothing."""

CARRIED: Final[dict[str, tuple[str, ...]]] = {
    "card": ("result", "technology", "part", "kind", "class", "registry"),
    "reading": ("quantity", "value", "unit", "phase", "tariff", "quality"),
    "signal": ("name", "value", "unit"),
    "status": ("state", "reason"),
}
"""What the event or alarm of a rule on raw items tells of the item."""
_SHOWN: Final = ("name", "kind", "class", "result", "zone", "direction", "read_point", "device", "verdict", "reasons")
"""What an alarm shows of a tag, a card, or an event."""


class Clock(Protocol):
    """The time of one gateway, as timers need it."""

    name: str

    @property
    def clock_us(self) -> int:
        """Now."""

    def passed_us(self, on: str, source: str) -> int:
        """Time that counts for such items of this source: watched time, or that in which the gateway lived."""

    def is_silenced(self, on: str, source: str) -> bool:
        """Whether the source is known to be offline, so that its last word cannot be trusted to stand."""

    def wake(self, at_us: int, rule: int, key: str) -> None:
        """Call the rule's `wake` with this key when the time has come."""


class Cause:
    """One item on its way through the rules.

    Attributes:
        source: what has to be watched for silence to mean something: a meter, a read point, a device.
        event: the event that the item is, if it is one; its evidence and id go on.
    """

    __slots__ = ("at_us", "clock", "event", "index", "is_historical", "make", "raise_", "sequence", "source", "where")

    def __init__(
        self,
        clock: Clock,
        where: tuple[str, int],
        sequence: int,
        make: Callable[[Event], None],
        raise_: Callable[[Alarm, Source], None],
    ) -> None:
        self.clock = clock
        self.where = where
        self.sequence = sequence
        self.make = make
        self.raise_ = raise_
        self.at_us = 0
        self.index = 0
        self.source = ""
        self.is_historical = False
        self.event: Event | None = None

    @property
    def origin(self) -> tuple[Scalar, ...]:
        """What makes the ids of events unique."""
        return (*self.where, self.sequence, self.index) if self.event is None else (self.event.id,)

    def evidence(self, fields: Fields) -> Evidence:
        """What the item rests on."""
        if self.event is not None:
            return self.event.evidence
        gateway, epoch = self.where
        if "card" in fields:
            return Evidence(
                gateway=gateway,
                epoch=epoch,
                sequence_from=self.sequence,
                sequence_to=self.sequence,
                reads=1,
                read_points=(str(fields["read_point"]),),
                last_seen_at_us=self.at_us,
            )
        if "epc" not in fields:
            return Evidence(gateway=gateway, epoch=epoch, sequence_from=self.sequence, sequence_to=self.sequence)
        count, rssi_dbm = fields["count"], fields.get("rssi_dbm")
        return Evidence(
            gateway=gateway,
            epoch=epoch,
            sequence_from=self.sequence,
            sequence_to=self.sequence,
            reads=count if isinstance(count, int) else 1,
            read_points=(str(fields["read_point"]),),
            rssi_max_dbm=rssi_dbm if isinstance(rssi_dbm, float) else None,
            last_seen_at_us=self.at_us,
        )


class Raised(msgspec.Struct, array_like=True):
    """An alarm that is raised, as it survives a restart: enough to clear it even when its rule is gone."""

    subject: str
    severity: str
    since_us: int
    evidence: Evidence


class Shape:
    """What every rule does.

    Attributes:
        on: what it looks at; emits: the type of event that it makes, if any.
        owner: its name with a hash of its definition: the owner of its state.
        asked: the fields that must hold one of some texts for an item to concern it; the index finds it by them.
        asked_first: those for an item to concern it while it has no state.
        is_free: items that do not fulfil the condition mean nothing to it.
        lookups: what it looks up of its items, before it judges them; the rulebook gives it.
        select: whether an item concerns it; None when every item does.
        test: whether the condition is true of it.
    """

    def __init__(self, rule: RuleBase, number: int, *, is_free: bool) -> None:
        """Compile the rule; `is_free` when items that do not fulfil the condition mean nothing to it.

        Raises:
            ExpressionError: the condition cannot be used.
        """
        self.rule = rule
        self.number = number
        self.on = rule.on
        self.is_free = is_free
        self.lookups: LookUps | None = None
        self.emits = rule.emit or (None if rule.alarm else rule.name)
        self.owner = f"{rule.name}.{fingerprint(rule)}"
        self.when = self.expression(rule.when)
        chosen, rest = self.when.split(identity_of(rule.on))
        if is_free:
            chosen, rest = chosen + rest, []
        self.asked, _ = texts_asked(chosen, rule.lookup)
        self.asked_first, _ = texts_asked(chosen + rest, rule.lookup)
        self.select: Test | None = self.when.all_of(chosen) if chosen else None
        self.test: Test = self.when.all_of(rest)
        self.refused = 0
        self._policy = policy_of(rule.alarm)

    def expression(self, text: str) -> Expression:
        """Compile a condition on what this rule looks at."""
        return Expression(text, fields_of(self.on), is_open=self.on not in FIELDS or bool(self.rule.lookup))

    def event(self, at_us: int, fields: Fields, cause: Cause, evidence: Evidence, *origin: Scalar) -> Event:
        """The event that the rule makes."""
        assert self.emits is not None
        subject = _text(fields, "subject") or ""
        carried: dict[str, Scalar] = {
            name: value
            for name in CARRIED.get(self.on, ("kind", "class"))
            if (value := fields.get(name)) is not None and not isinstance(value, list)
        }
        if cause.event is not None:
            carried = cause.event.fields | carried
        if self.lookups is not None:
            carried = self.lookups.stamp(carried, fields)
        return Event(
            id=event_id(self.emits, self.rule.name, subject, *origin),
            type=self.emits,
            at_us=at_us,
            subject=subject,
            evidence=evidence,
            name=None if self.on == "signal" else _text(fields, "name"),
            zone=_text(fields, "zone"),
            from_zone=_text(fields, "from_zone"),
            read_point=_text(fields, "read_point"),
            direction=_text(fields, "direction"),
            rule=self.rule.name,
            device=_text(fields, "device"),
            historical=cause.is_historical,
            fields=carried,
        )

    def raised(self, subject: str, since_us: int, evidence: Evidence) -> Raised:
        """The state of an alarm of this rule."""
        assert self.rule.alarm is not None
        return Raised(subject, self.rule.alarm.severity.value, since_us, evidence)

    def source(self, key: str) -> Source:
        """Whose alarm that of a key is."""
        return Source(self.owner, key, self._policy)

    def details(self, fields: Fields) -> dict[str, Scalar]:
        """Values of an item that the alarm shows."""
        shown = details(self.on, fields)
        return shown if self.lookups is None else shown | self.lookups.told(fields)

    def message(self) -> str:
        """What the operator reads."""
        return (self.rule.alarm.message if self.rule.alarm else "") or self.rule.name


def alarm_of(
    rule: str, key: str, raised: Raised, state: str, at_us: int, message: str, fields: dict[str, Scalar] | None = None
) -> Alarm:
    """An alarm, raised or cleared."""
    return Alarm(
        id=event_id("alarm", rule, key),
        rule=rule,
        severity=raised.severity,
        subject=raised.subject,
        state=state,
        since_us=raised.since_us,
        at_us=at_us,
        message=message,
        evidence=raised.evidence,
        fields=fields or {},
    )


def details(on: str, fields: Fields) -> dict[str, Scalar]:
    """Values of an item that an alarm shows."""
    names = CARRIED[on] if on in CARRIED and on != "card" else _SHOWN
    return {name: value for name in names if (value := fields.get(name)) is not None and not isinstance(value, list)}


def fingerprint(rule: RuleHead) -> str:
    """Changes whenever the rule's definition does, so that state of another definition is never taken up."""
    return hashlib.blake2b(rule.model_dump_json(exclude_defaults=True).encode(), digest_size=4).hexdigest()


def _text(fields: Fields, name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) else None
