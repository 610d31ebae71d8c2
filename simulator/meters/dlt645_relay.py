"""The relay of a simulated meter, and the passwords before it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from readers.codecs.dlt645 import ErrorBit
from readers.codecs.dlt645_orders import PLAIN_LEVEL, Command, ControlOrder, Key
from simulator.meters.dlt645_behaviour import Behaviour

_US_PER_S: Final = 1_000_000


@dataclass(slots=True)
class Passwords:
    """Counts wrong ones; after too many none is right until the local day is over."""

    wrong: int = 0
    locked_on: int | None = None

    def accepts(self, key: Key, behaviour: Behaviour, today: int) -> bool:
        """Whether the key opens the meter."""
        if self.locked_on == today:
            return False
        self.locked_on = None
        if behaviour.passwords.get(key.level) == key.password:
            self.wrong = 0
            return True
        self.wrong += 1
        if self.wrong >= behaviour.lock_out_after:
            self.wrong, self.locked_on = 0, today
        return False


@dataclass(frozen=True, slots=True)
class Movement:
    """What the relay will do."""

    at_us: int
    closes: bool
    operator: int


@dataclass(slots=True)
class Relay:
    """The relay, and what it was told.

    Attributes:
        is_ordered_closed: the last command; a permit counts as closed while the relay waits for the key.
        permit_by: the operator whose permit waits for the key.
    """

    is_closed: bool = True
    is_ordered_closed: bool = True
    is_protected: bool = False
    is_alarmed: bool = False
    movement: Movement | None = field(default=None)
    permit_by: int | None = None

    def order(self, order: ControlOrder, behaviour: Behaviour, now_us: int) -> ErrorBit | None:
        """Take an order that is allowed and has not expired; an error when the relay will not obey."""
        command = order.command
        if order.key.level != PLAIN_LEVEL or behaviour.wants_security_module:
            return ErrorBit.NOT_AUTHORISED
        if command is Command.TRIP and self.is_protected:
            return ErrorBit.OTHER
        if command in (Command.PROTECT_ON, Command.PROTECT_OFF):
            self.is_protected = command is Command.PROTECT_ON
        elif command in (Command.ALARM_ON, Command.ALARM_OFF):
            self.is_alarmed = command is Command.ALARM_ON
        else:
            self._move(command, order.key.operator, behaviour, now_us)
        return None

    def press_key(self, behaviour: Behaviour, now_us: int) -> bool:
        """Somebody presses the key on the meter; True when it has a permit to close."""
        if self.permit_by is None:
            return False
        self._start(behaviour, now_us, closes=True, operator=self.permit_by)
        return True

    def finish(self) -> Movement | None:
        """The relay has reached its end; None when it was there already."""
        movement, self.movement = self.movement, None
        if movement is None or movement.closes == self.is_closed:
            return None
        self.is_closed = movement.closes
        return movement

    def _move(self, command: Command, operator: int, behaviour: Behaviour, now_us: int) -> None:
        self.is_ordered_closed = command is not Command.TRIP
        self.permit_by = None
        if command is Command.PERMIT_CLOSE and not behaviour.closes_on_permit:
            self.movement = None
            self.permit_by = None if self.is_closed else operator
            return
        self._start(behaviour, now_us, closes=self.is_ordered_closed, operator=operator)

    def _start(self, behaviour: Behaviour, now_us: int, *, closes: bool, operator: int) -> None:
        self.permit_by = None
        if not behaviour.relay_stuck:
            self.movement = Movement(now_us + round(behaviour.relay_delay_s * _US_PER_S), closes, operator)
