"""What no site file can allow: stale commands, numbers out of bounds, starting a machine that does not let us."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from gateway.contract.commands import MOST_AHEAD_US, MOST_LIFE_US, Command
from gateway.control.interlocks import as_text
from readers.control import Action, ControlPoint, Value

US_PER_S: Final = 1_000_000


class RefusedError(Exception):
    """A command is refused before anything has left the gateway; `code` is the fixed word for it."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def check_times(command: Command, now_us: int, newest_us: int) -> None:
    """Refuse what is stale, lives too long or comes from another time; `newest_us` is the latest time ever recorded.

    Raises:
        RefusedError: so it is.
    """
    if now_us < newest_us - MOST_AHEAD_US:
        behind_s = (newest_us - now_us) / US_PER_S
        text = f"the clock of the gateway is {behind_s:.0f} s behind what it was before; set it right"
        raise RefusedError("gateway_clock", text)
    life_us = command.expires_at_us - command.issued_at_us
    if not 0 < life_us <= MOST_LIFE_US:
        most_s = MOST_LIFE_US // US_PER_S
        text = f"it expires {life_us / US_PER_S:.1f} s after its issue; more than 0 and at most {most_s} s are allowed"
        raise RefusedError("life", text)
    if command.issued_at_us > now_us + MOST_AHEAD_US:
        ahead_s = (command.issued_at_us - now_us) / US_PER_S
        text = f"it was issued {ahead_s:.1f} s in the future by the gateway's clock; set the sender's clock right"
        raise RefusedError("sender_clock", text)
    if now_us >= command.expires_at_us:
        late_s = (now_us - command.expires_at_us) / US_PER_S
        text = f"it expired {late_s:.1f} s ago by the gateway's clock, and nothing was sent"
        raise RefusedError("expired", f"{text}; send a new one, and compare the clocks")


def check_value(command: Command, action: Action, point: ControlPoint) -> None:
    """Refuse a value where none belongs, and one out of bounds.

    Raises:
        RefusedError: so it is.
    """
    where = f"{command.device} {command.point}"
    if action is not Action.SET:
        if command.value is not None:
            raise RefusedError("value", f"{where}: {action} takes no value")
        return
    if command.value is None:
        raise RefusedError("value", f"{where}: set needs a value")
    if point.minimum is None or point.maximum is None:
        raise RefusedError("value", f"{where}: its settings give no minimum and maximum, so it cannot be set")
    value = Decimal(command.value)
    if not point.minimum <= value <= point.maximum:
        unit = f" {point.unit}" if point.unit else ""
        bounds = f"{as_text(point.minimum)} to {as_text(point.maximum)}{unit}"
        raise RefusedError("value", f"{where}: {command.value} is out of bounds; allowed: {bounds}")


def built_in(action: Action, point: ControlPoint, shown: Mapping[str, Value], value: Decimal | None) -> None:
    """Interlocks that stand in no site file and can be taken out by none.

    Raises:
        RefusedError: one does not hold.
    """
    if action is Action.START and shown.get("is_remote_enabled") is not True:
        text = "the machine does not say that remote operation is enabled: somebody must enable it at the machine"
        raise RefusedError("remote_disabled", text)
    if action is Action.TRIP and "is_protected" in point.shows and shown.get("is_protected") is not False:
        state = "is protected" if shown.get("is_protected") is True else "does not say whether it is protected"
        raise RefusedError("protected", f"the supply {state}, and is not tripped; lift the protection first")
    if action is Action.SET and point.most_change is not None:
        before = shown.get("value")
        if not isinstance(before, Decimal):
            raise RefusedError("value", "the device does not tell the present value, so the change cannot be bounded")
        if value is None or abs(value - before) > point.most_change:
            unit = f" {point.unit}" if point.unit else ""
            text = (
                f"it is {as_text(before)}{unit}; one order may change it by {as_text(point.most_change)}{unit} at most"
            )
            raise RefusedError("value", text)
