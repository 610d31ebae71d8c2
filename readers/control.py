"""Control: what a driver lets the gateway switch and set, one attempt at a time, read back afterwards.

A driver that can control makes its `Driver` a `Controllable`. While `run` talks, the gateway calls these methods on the
same event loop; the driver gives an order the right of way on its line. Who may order what, arming, confirming,
interlocks, the audit and the verdict are the gateway's: a driver never decides, never repeats, never waits for effects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, runtime_checkable


class Action(StrEnum):
    """What may be ordered of a control point."""

    TRIP = "trip"
    """Open a breaker or the relay of a meter: the load loses its power."""
    PERMIT_CLOSE = "permit_close"
    """Let a person at the meter close it by its key."""
    CLOSE = "close"
    """Close a breaker or relay from here."""
    ALARM_ON = "alarm_on"
    ALARM_OFF = "alarm_off"
    PROTECT_ON = "protect_on"
    """Keep the supply whatever happens: the meter refuses to trip (保电)."""
    PROTECT_OFF = "protect_off"
    ON = "on"
    OFF = "off"
    PULSE = "pulse"
    """On for a moment that the point's settings tell, then off; the device itself keeps the time where it can."""
    SET = "set"
    """Write a number within the point's bounds."""
    FREEZE = "freeze"
    """Have a meter take a snapshot of its registers."""
    STOP = "stop"
    RESET = "reset"
    START = "start"
    """Only where the machine itself says that remote operation is enabled."""


@dataclass(frozen=True, slots=True)
class ControlPoint:
    """One thing that can be controlled.

    Attributes:
        name: unique among those of its source; `relay`, the name of an output, of a set-point.
        source: the device behind the reader's line; None when the reader is the device.
        minimum, maximum: bounds of `set`, in `unit`.
        most_change: how far one `set` may move the value, in `unit`; None for no limit within the bounds.
        shows: names of the values that `observe` brings, for the site file's interlocks to be checked against.
        settles_s: how long the device may take until the effect can be read back.
    """

    name: str
    source: str | None
    actions: tuple[Action, ...]
    unit: str | None = None
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    most_change: Decimal | None = None
    shows: tuple[str, ...] = ()
    settles_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Order:
    """One order to one point.

    Attributes:
        expires_at_us: host time after which the device itself must not carry it out, where the protocol can say so.
        operator: a number that protocols carry as who ordered (DL/T 645: operator code); never a secret.
    """

    point: str
    source: str | None
    action: Action
    expires_at_us: int
    value: Decimal | None = None
    operator: int = 0


class Fate(StrEnum):
    """What became of the one attempt."""

    NOT_SENT = "not_sent"
    """Certainly nothing left the gateway: the order may be given again."""
    REFUSED = "refused"
    """The device said no; nothing was done."""
    ACCEPTED = "accepted"
    """The device said yes, which is not yet done."""
    UNKNOWN = "unknown"
    """Sent, and no answer that counts: it may have been done or not."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The outcome of `Controllable.attempt`; `detail` says to a person what the device answered."""

    fate: Fate
    detail: str = ""


Value = bool | Decimal | str


@dataclass(frozen=True, slots=True)
class Shown:
    """The state of a point as read from the device just now.

    Attributes:
        values: by name, as `ControlPoint.shows` lists; a name is absent when the device did not tell it.
            Of a meter relay: `is_closed`, `is_protected`, `current_a`, `power_w`; of an output: `is_on`; of a
            set-point: `value`; of a machine: `machine_state`, `is_remote_enabled`.
    """

    at_us: int
    values: Mapping[str, Value] = field(default_factory=dict)


@runtime_checkable
class Controllable(Protocol):
    """A driver with control points. Its `run` must be running, else every call raises LinkError."""

    def control_points(self) -> tuple[ControlPoint, ...]:
        """What can be controlled, as the settings say."""

    async def observe(self, source: str | None, point: str) -> Shown:
        """Read the state of a point from the device now; before an order and after it.

        Raises:
            LinkError: the device does not answer. DeviceRefusedError: it will not tell.
        """

    async def attempt(self, order: Order) -> Attempt:
        """Carry out an order once. Never repeats it, and never raises for what the line or the device does."""

    def is_done(self, order: Order, before: Shown, after: Shown) -> bool | None:
        """Whether what was read back shows the effect: True, False, or None when it tells neither."""
