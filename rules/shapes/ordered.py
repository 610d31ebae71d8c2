"""What every rule does that takes items in the order of event time: its inputs, its alarms, the events it makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec
from msgspec.structs import replace

from gateway.config.rules import AlarmSettings, Input, LookUp, OrderedHead, Outcome, SessionRule
from gateway.contract.events import Alarm, Event, Scalar, event_id
from rules.alarms import Policy, Source, policy_of
from rules.item import Item, joined
from rules.language.chooser import texts_asked
from rules.language.expressions import Expression, Test, asked_of, conjuncts
from rules.language.vocabulary import FIELDS, Fields, fields_of
from rules.lookups import LookUps, is_looked_up
from rules.shapes.prepared import Preparation
from rules.shapes.shape import Raised, alarm_of, fingerprint
from rules.state import State, Table

_CARRIED: Final = ("kind", "class")
_NOTHING: Final[Mapping[str, LookUp]] = {}


class Turn(Protocol):
    """The moment at which a rule takes an item or wakes up, and what it can do then.

    Attributes:
        gateway: whose clock this is.
        now_us: the moment, in event time; the same for one replay as for another. It never goes back: an item that is
            known before it came later than `lateness_s`. clock_us: what the gateway's clock shows meanwhile.
        is_historical: it comes from a backlog: too late to act upon.
    """

    gateway: str
    now_us: int
    clock_us: int
    is_historical: bool

    def make(self, event: Event) -> None:
        """An event was made."""

    def raise_(self, alarm: Alarm, source: Source) -> None:
        """An alarm of a rule was raised or cleared."""

    def wake(self, due_us: int, rule: int, key: str) -> None:
        """Call the rule's `wake` with this key then, on this gateway's clock."""

    def counted_us(self, names: str, at_us: int | None = None) -> int:
        """Time that counts up to now: watched time of a `rules.presence.watched.joint`, time alive of none.

        Or up to a moment between `KEPT_US` before now and the clock; an earlier or later one counts as that.
        """


class Timers(Protocol):
    """Where a rule winds up its timers again after a restart."""

    def wake(self, due_us: int, rule: int, key: str) -> None:
        """As of a turn."""


class Intake:
    """One input of a rule, compiled.

    Attributes:
        role: its name within the rule, such as `entry`.
        asked: the fields that must hold one of some texts; the index finds it by them.
        wants: whether an item is one of its.
        preparation: what an item goes through first; None when it is taken as it is. The rulebook gives it.
    """

    def __init__(
        self,
        role: str,
        source: Input,
        default_key: str,
        places: Mapping[str, list[str]],
        lookup: Mapping[str, LookUp] = _NOTHING,
    ) -> None:
        """Compile it; `lookup` is what is looked up of its items.

        Raises:
            ExpressionError: its condition cannot be used.
        """
        self.role = role
        self.on = source.on
        self.preparation: Preparation | None = None
        self.when = Expression(source.when, fields_of(source.on), is_open=source.on not in FIELDS or bool(lookup))
        self.asked, others = texts_asked(conjuncts(self.when.node), lookup)
        self.wants: Test = self.when.test
        self._key = source.key or default_key
        early = [part for part in others if not any(is_looked_up(name, lookup) for name in asked_of(part))]
        self._early = self.when.all_of(early) if early else None
        self._is_key_looked_up = is_looked_up(self._key, lookup)
        self._places = {value: place for place, values in places.items() for value in (place, *values)}

    def may_want(self, fields: Fields) -> bool:
        """Whether an item that has what is asked may be one of its, as far as can be told before look-ups."""
        if self._early is not None and not self._early(fields):
            return False
        return self._is_key_looked_up or self.key(fields) is not None

    def taken(self, item: Item) -> tuple[str, Item] | None:
        """The key of an item that has what is asked, and how the rule sees it; None when it is none of its."""
        if self._early is not None and not self._early(item.fields):
            return None
        if self.preparation is not None:
            fields = self.preparation.of(item.fields, item.at_us)
            if fields is None or not self.wants(fields):
                return None
            item = replace(item, fields=fields)
        key = self.key(item.fields)
        return None if key is None else (key, item)

    def key(self, fields: Fields) -> str | None:
        """The key of an item; None when it has none, and does not concern the rule."""
        value = fields.get(self._key)
        if value is None or isinstance(value, list):
            return None
        key = str(value)
        return self._places.get(key) if self._places else key


class AlarmRow(msgspec.Struct, array_like=True):
    """A raised alarm; one that began in a backlog is `is_untold` until the present is reached."""

    gateway: str
    raised: Raised
    message: str
    shown: dict[str, Scalar]
    policy: Policy
    is_untold: bool = False


class Ordered:
    """What every such rule does.

    Attributes:
        number: its place in the site file; emits: the type of event that it makes, if any.
        owner: its name with a hash of its definition: the owner of its state.
        rows: its states by key, of a kind of each shape.
        intakes: what it takes.
        lookups: what it looks up: of each item before it is taken, but a session of what it has collected.
        refused: items of keys beyond `most_keys`.
        untold: keys of alarms that began in a backlog.
    """

    rows: Table[Any]

    def __init__(self, rule: OrderedHead, number: int, state: State, inputs: Mapping[str, Input | None]) -> None:
        """Compile the inputs, by their roles; an absent one is None.

        Raises:
            ExpressionError: a condition cannot be used.
        """
        self.rule = rule
        self.number = number
        self.lookups: LookUps | None = None
        self._looks_up = _NOTHING if isinstance(rule, SessionRule) else rule.lookup
        self.emits = rule.emit or (None if rule.alarm else rule.name)
        self.owner = f"{rule.name}.{fingerprint(rule)}"
        self.intakes = [
            Intake(role, source, rule.key, rule.places, self._looks_up)
            for role, source in inputs.items()
            if source is not None
        ]
        self.alarms = state.table("raised", self.owner, AlarmRow)
        self._most_keys = rule.most_keys
        self.refused = 0
        self.untold: set[str] = set()

    def prepare(self, preparation: Preparation) -> None:
        """Have the items go through this first."""
        self.lookups = preparation.lookups
        of_items = preparation if self._looks_up else Preparation(None, preparation.planned)
        for intake in self.intakes:
            intake.preparation = of_items

    def take(self, role: str, key: str, item: Item, turn: Turn) -> None:
        """An item of one of the inputs; they come in order, but for those that were later than `lateness_s`."""
        raise NotImplementedError

    def wake(self, key: str, due_us: int, turn: Turn) -> None:
        """A timer has come; one that was planned anew since is not this one."""
        raise NotImplementedError

    def restore(self, timers: Mapping[str, Timers]) -> None:
        """Wind up the timers again, by gateway; those of the shape call this, too."""
        del timers  # alarms have none
        self.untold = {key for key, row in self.alarms.rows.items() if row.is_untold}

    def set_back(self, gateway: str, by_us: int) -> None:
        """A gateway's clock was set back: the times of its keys move with it."""
        raise NotImplementedError

    def event(
        self, kind: str, key: str, at_us: int, items: list[Item], turn: Turn, fields: dict[str, Scalar], *origin: Scalar
    ) -> Event:
        """The event that rests on these items; the last of them says where it was and what it is called.

        `origin` makes its id unique beside rule and key, and must be the same at every replay.
        """
        last = items[-1]
        return Event(
            id=event_id(kind, self.rule.name, key, *origin),
            type=kind,
            at_us=at_us,
            subject=key,
            evidence=items[0].evidence if len(items) == 1 else joined(item.evidence for item in items),
            name=None if last.on == "signal" else last.text("name"),
            zone=last.text("zone"),
            from_zone=last.text("from_zone"),
            read_point=last.text("read_point"),
            direction=last.text("direction"),
            rule=self.rule.name,
            device=last.text("device"),
            historical=turn.is_historical or last.is_historical,
            fields=last.scalars(_CARRIED) | self._looked_up(last) | fields,
        )

    def _looked_up(self, item: Item) -> dict[str, Scalar]:
        return self.lookups.told(item.fields) if self.lookups is not None and self._looks_up else {}

    def fulfil(self, key: str, event: Event, turn: Turn) -> None:
        """Make what the rule makes when it fires: its event, its alarm, or both."""
        self._outcome(key, event, self.emits, self.rule.alarm, turn)

    def fail(self, key: str, outcome: Outcome | None, event: Event, turn: Turn) -> None:
        """Make what an outcome makes, of the event with its `emit` as type."""
        if outcome is not None:
            self._outcome(key, event, outcome.emit, outcome.alarm, turn)

    def has_room(self) -> bool:
        """Whether another key may begin; what stands of keys that are gone takes room, too."""
        return max(len(self.rows.rows), len(self.alarms.rows)) < self._most_keys

    def is_raised(self, key: str) -> bool:
        """Whether an alarm stands for this key."""
        return key in self.alarms.rows

    def lower(self, key: str, turn: Turn, why: str) -> None:
        """What raised the alarm of this key is over."""
        row = self.alarms.rows.get(key)
        if row is None:
            return
        self.alarms.drop(key)
        self.untold.discard(key)
        if not row.is_untold:
            message = f"{row.message}: {why}" if why else row.message
            alarm = alarm_of(self.rule.name, key, row.raised, "cleared", turn.now_us, message, row.shown)
            turn.raise_(alarm, Source(self.owner, key, row.policy))

    def is_standing(self, key: str) -> bool:
        """Whether the condition is known to hold now, so that nobody can clear its alarm; for shapes that know."""
        del key  # what happened, or did not, has no end of its own
        return False

    def let_go(self, key: str) -> None:
        """A person cleared the alarm: what fulfils the rule next raises it again."""
        self.alarms.drop(key)
        self.untold.discard(key)

    def catch_up(self, gateway: str, turn: Turn) -> None:
        """The present is reached: raise the alarms that began in a backlog and still stand."""
        for key in sorted(self.untold):
            row = self.alarms.rows[key]
            if row.gateway == gateway:
                self.untold.discard(key)
                row.is_untold = False
                self.alarms.dirty.add(key)
                self._tell(key, row, turn)

    def _outcome(self, key: str, event: Event, emit: str | None, alarm: AlarmSettings | None, turn: Turn) -> None:
        if emit is not None:
            turn.make(event)
        if alarm is None or key in self.alarms.rows:
            return
        raised = Raised(event.subject, alarm.severity.value, event.at_us, event.evidence)
        message = alarm.message or self.rule.name
        row = AlarmRow(turn.gateway, raised, message, dict(event.fields), policy_of(alarm), event.historical)
        self.alarms.put(key, row)
        if row.is_untold:
            self.untold.add(key)
        else:
            self._tell(key, row, turn)

    def _tell(self, key: str, row: AlarmRow, turn: Turn) -> None:
        alarm = alarm_of(self.rule.name, key, row.raised, "raised", turn.now_us, row.message, row.shown)
        turn.raise_(alarm, Source(self.owner, key, row.policy))
