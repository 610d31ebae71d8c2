"""The desk: decides on every command, and holds each order from arming to its one attempt. No clock, no I/O.

    arm     ──take──► Look ──looked──► Answer(armed)        direct ──take──► Look ──looked──► Act
    confirm ──take──► Look ──looked──► Act ──close──►       anything ──► Answer(refused)

An `Act` is given once for an order, and never before the allow list, the arming, the confirmation, and the interlocks
on a state that was read after the confirmation. One order at a time holds a point.
"""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, auto
from typing import Final

from gateway.config.control import TWO_STEPS, Control, ControlledPoint, Person
from gateway.contract.commands import Command, State
from gateway.control.interlocks import Interlock, failing
from gateway.control.permits import RefusedError, built_in, check_times, check_value
from readers.control import Action, ControlPoint, Order, Shown, Value

US_PER_S: Final = 1_000_000
HOUR_US: Final = 3_600 * US_PER_S
CHECKED_WITHIN_US: Final = 10 * US_PER_S
"""A state that was read longer ago says nothing for an attempt."""


class Stage(Enum):
    """Where an order stands."""

    SHOWING = auto()
    ARMED = auto()
    CHECKING = auto()
    SENDING = auto()


@dataclass(slots=True, eq=False)
class Ticket:
    """One order that holds its point.

    Attributes:
        opened: the command that began it; command: the one that is being answered now.
        until_us: armed until then.
    """

    opened: Command
    command: Command
    rule: ControlledPoint
    point: ControlPoint
    action: Action
    stage: Stage
    nonce: str = ""
    until_us: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """Device and point."""
        return (self.opened.device, self.opened.point)


@dataclass(frozen=True, slots=True)
class Answer:
    """Tell this, and do nothing."""

    command: Command
    state: State
    code: str
    detail: str
    order: str = ""
    shows: Mapping[str, Value] = field(default_factory=dict)
    nonce: str | None = None
    expires_at_us: int | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """Read the state of the point, then call `looked` or `not_shown`."""

    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Act:
    """Record that it is being sent; attempt it once; then call `close`."""

    ticket: Ticket
    order: Order
    before: Shown


Decision = Answer | Look | Act


class Desk:
    """Takes commands whose sender is certain.

    Args:
        points: what the drivers offer, by device and point.
        latest: the fresh value for an interlock on another device: interlock, freshness, now.
        make_nonce: something that nobody can guess, hex.
        newest_us: the latest time that the audit knows; a clock before it is wrong.
    """

    def __init__(
        self,
        control: Control,
        points: Mapping[tuple[str, str], ControlPoint],
        *,
        latest: Callable[[Interlock, int, int], Value | None],
        make_nonce: Callable[[], str],
        newest_us: int = 0,
    ) -> None:
        self._people = {person.name: person for person in control.person}
        self._rules = {(rule.device, rule.point): rule for rule in control.point}
        self._interlocks = {key: rule.parsed_interlocks() for key, rule in self._rules.items()}
        self._points = points
        self._arm_us = round(control.arm_s * US_PER_S)
        self._latest = latest
        self._make_nonce = make_nonce
        self._newest_us = newest_us
        self._tickets: dict[tuple[str, str], Ticket] = {}
        self._taken: dict[str, int] = {}
        self._attempts: dict[tuple[str, str], deque[int]] = {key: deque() for key in self._rules}

    @property
    def is_busy(self) -> bool:
        """Whether an attempt is under way or about to begin."""
        return any(ticket.stage in (Stage.CHECKING, Stage.SENDING) for ticket in self._tickets.values())

    def remember(self, device: str, point: str, at_us: int) -> None:
        """An attempt of an earlier life counts for the rate."""
        if (attempts := self._attempts.get((device, point))) is not None:
            attempts.append(at_us)

    def take(self, command: Command, now_us: int) -> Decision | None:
        """Decide on a command; None when it is the same one again, whose answer is on its way."""
        self._forget(now_us)
        if command.id in self._taken:
            return None
        try:
            check_times(command, now_us, self._newest_us)
            self._newest_us = max(self._newest_us, now_us)
            self._taken[command.id] = command.expires_at_us
            if command.kind == "cancel":
                return self._cancel(command)
            rule, point, action = self._allowed(command)
            if command.kind == "confirm":
                return self._confirm(command, rule, now_us)
            return self._open(command, rule, point, action, now_us)
        except RefusedError as why:
            return Answer(command, "refused", why.code, str(why))

    def looked(self, ticket: Ticket, shown: Shown, now_us: int) -> Decision:
        """The state of the point is read: arm, or let the order go, or refuse."""
        try:
            self._check_state(ticket, shown, now_us)
            if ticket.stage is Stage.SHOWING:
                return self._arm(ticket, shown, now_us)
            return self._act(ticket, shown, now_us)
        except RefusedError as why:
            return self._refuse(ticket, why, shown.values)

    def not_shown(self, ticket: Ticket, why: str) -> Decision:
        """The state of the point cannot be read: nothing is sent blindly."""
        return self._refuse(
            ticket, RefusedError("no_state", f"{why}; nothing was sent: an order needs a device that answers")
        )

    def close(self, ticket: Ticket) -> None:
        """The attempt is over, or was not made: the point is free."""
        if self._tickets.get(ticket.key) is ticket:
            del self._tickets[ticket.key]

    def drop(self, command: Command) -> None:
        """Its answer could not be recorded: what it opened is over."""
        ticket = self._tickets.get((command.device, command.point))
        if ticket is not None and ticket.command is command and ticket.stage is not Stage.SENDING:
            self.close(ticket)

    def expire(self, now_us: int) -> list[Answer]:
        """Orders that were armed and not confirmed in time."""
        late = [each for each in self._tickets.values() if each.stage is Stage.ARMED and now_us >= each.until_us]
        for ticket in late:
            self.close(ticket)
        text = "it was not confirmed in time, and nothing was sent; arm it again"
        return [Answer(each.opened, "expired", "not_confirmed", text, order=each.opened.id) for each in late]

    def _allowed(self, command: Command) -> tuple[ControlledPoint, ControlPoint, Action]:
        """The allow list; everything else is refused."""
        key = (command.device, command.point)
        rule, point, person = self._rules.get(key), self._points.get(key), self._people.get(command.by)
        if rule is None or point is None:
            where = f"{command.device} {command.point}"
            text = f"{where} is not in the allow list: correct the name, or add a [[control.point]]"
            raise RefusedError("not_allowed", text)
        try:
            action = Action(command.action or "")
        except ValueError:
            action = None
        if action is None or action not in rule.actions or action not in point.actions:
            allowed = ", ".join(each for each in rule.actions if each in point.actions)
            asked = command.action or "no action"
            raise RefusedError(
                "not_allowed", f"{command.device} {command.point}: {asked} is not allowed; allowed: {allowed}"
            )
        if person is None or not _may(person, rule, action):
            wanted = rule.close_roles if action is Action.CLOSE else rule.roles
            text = f"{command.by} may not {action} {command.device} {command.point}; the role {' or '.join(wanted)} may"
            raise RefusedError("not_permitted", text)
        check_value(command, action, point)
        if rule.locked:
            raise RefusedError("locked", f"{command.device} {command.point} is locked: {rule.locked}")
        return rule, point, action

    def _open(
        self, command: Command, rule: ControlledPoint, point: ControlPoint, action: Action, now_us: int
    ) -> Decision:
        if command.nonce is not None:
            raise RefusedError("nonce", "a nonce goes with confirm and cancel only")
        if command.kind == "direct" and (rule.two_steps or rule.second_person or action in TWO_STEPS):
            raise RefusedError("two_steps", f"{action} of {rule.device} {rule.point} is armed and confirmed: use arm")
        self._check_rate(rule, now_us)
        self._expire_own(rule, now_us)
        holder = self._tickets.get((rule.device, rule.point))
        if holder is not None:
            text = f"{holder.opened.by} has an order for {rule.device} {rule.point}; wait for its end, or cancel it"
            raise RefusedError("busy", text)
        stage = Stage.SHOWING if command.kind == "arm" else Stage.CHECKING
        ticket = Ticket(command, command, rule, point, action, stage)
        self._tickets[ticket.key] = ticket
        return Look(ticket)

    def _expire_own(self, rule: ControlledPoint, now_us: int) -> None:
        """An order whose time is over does not hold its point, though nobody has told so yet."""
        holder = self._tickets.get((rule.device, rule.point))
        if holder is not None and holder.stage is Stage.ARMED and now_us >= holder.until_us:
            self.close(holder)

    def _confirm(self, command: Command, rule: ControlledPoint, now_us: int) -> Decision:
        ticket = self._armed(command)
        if now_us >= ticket.until_us:
            self.close(ticket)
            raise RefusedError("late", "the time to confirm it is over; arm it again")
        opened = ticket.opened
        if (command.action, command.value) != (opened.action, opened.value):
            armed = f"{opened.action} {opened.value or ''}".strip()
            raise RefusedError("differs", f"{armed} is armed, not {command.action} {command.value or ''}".strip())
        if rule.second_person and command.by == opened.by:
            raise RefusedError("second_person", f"somebody else than {opened.by}, who armed it, must confirm it")
        self._check_rate(rule, now_us)
        ticket.stage, ticket.command = Stage.CHECKING, command
        return Look(ticket)

    def _cancel(self, command: Command) -> Answer:
        person, rule = self._people.get(command.by), self._rules.get((command.device, command.point))
        if person is None or rule is None or not set(person.roles) & set(rule.roles):
            raise RefusedError("not_permitted", f"{command.by} may not order {command.device} {command.point}")
        ticket = self._armed(command)
        self.close(ticket)
        text = f"taken back by {command.by}; nothing was sent"
        return Answer(command, "cancelled", "cancelled", text, order=ticket.opened.id)

    def _armed(self, command: Command) -> Ticket:
        """The order that a nonce belongs to."""
        ticket = self._tickets.get((command.device, command.point))
        if command.nonce is None:
            raise RefusedError("nonce", "the nonce is missing: it stands in the outcome of arm")
        if ticket is None or not hmac.compare_digest(ticket.nonce, command.nonce):
            text = "no order is armed with this nonce: it is over, of another point, or the gateway was restarted"
            raise RefusedError("nonce", f"{text}; arm it again")
        if ticket.stage is not Stage.ARMED:
            raise RefusedError("confirmed", f"it was confirmed already, by {ticket.command.by}")
        return ticket

    def _check_rate(self, rule: ControlledPoint, now_us: int) -> None:
        attempts = self._attempts[rule.device, rule.point]
        while attempts and now_us - attempts[0] >= HOUR_US:
            attempts.popleft()
        where = f"{rule.device} {rule.point}"
        if len(attempts) >= rule.most_per_hour:
            raise RefusedError(
                "rate", f"{where}: {len(attempts)} attempts within an hour; most_per_hour allows no more"
            )
        if attempts and now_us - attempts[-1] < rule.least_pause_s * US_PER_S:
            raise RefusedError("rate", f"{where}: the last attempt is less than {rule.least_pause_s:g} s ago; wait")

    def _check_state(self, ticket: Ticket, shown: Shown, now_us: int) -> None:
        """Everything that depends on what devices show now."""
        rule = ticket.rule
        if self._tickets.get(ticket.key) is not ticket or ticket.stage not in (Stage.SHOWING, Stage.CHECKING):
            raise RefusedError("not_open", "this order is over; begin anew")
        check_times(ticket.command, now_us, 0)
        if not -CHECKED_WITHIN_US <= now_us - shown.at_us <= CHECKED_WITHIN_US:
            raise RefusedError("no_state", "what the device shows was read too long ago; try again")
        built_in(ticket.action, ticket.point, shown.values, _number(ticket.opened.value))
        fresh_us = round(rule.fresh_s * US_PER_S)
        not_held = failing(
            self._interlocks[ticket.key], shown.values, lambda interlock: self._latest(interlock, fresh_us, now_us)
        )
        if not_held:
            raise RefusedError("interlock", f"an interlock does not hold: {'; '.join(not_held)}")

    def _arm(self, ticket: Ticket, shown: Shown, now_us: int) -> Answer:
        ticket.stage, ticket.nonce, ticket.until_us = Stage.ARMED, self._make_nonce(), now_us + self._arm_us
        who = "somebody else must confirm it" if ticket.rule.second_person else "confirm it"
        return Answer(
            ticket.command,
            "armed",
            "armed",
            f"nothing is sent yet; look at what the device shows, then {who} within {self._arm_us / US_PER_S:g} s",
            order=ticket.opened.id,
            shows=shown.values,
            nonce=ticket.nonce,
            expires_at_us=ticket.until_us,
        )

    def _act(self, ticket: Ticket, shown: Shown, now_us: int) -> Act:
        command = ticket.command
        ticket.stage = Stage.SENDING
        self._attempts[ticket.key].append(now_us)
        order = Order(
            point=ticket.point.name,
            source=ticket.point.source,
            action=ticket.action,
            expires_at_us=command.expires_at_us,
            value=_number(ticket.opened.value),
            operator=self._people[command.by].operator_code,
        )
        return Act(ticket, order, shown)

    def _refuse(self, ticket: Ticket, why: RefusedError, shows: Mapping[str, Value] | None = None) -> Answer:
        if ticket.stage is not Stage.SENDING:
            self.close(ticket)
        return Answer(ticket.command, "refused", why.code, str(why), order=ticket.opened.id, shows=shows or {})

    def _forget(self, now_us: int) -> None:
        """Ids of commands that are expired for any clock that is believed."""
        for command_id in [each for each, until_us in self._taken.items() if now_us - until_us > HOUR_US]:
            del self._taken[command_id]


def _may(person: Person, rule: ControlledPoint, action: Action) -> bool:
    roles = set(person.roles)
    return bool(roles & set(rule.roles)) and (action is not Action.CLOSE or bool(roles & set(rule.close_roles)))


def _number(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)
