"""Orders to the relay of a meter: one attempt, and what the meter shows before and after it.

The meter's 9C says that an order was accepted, not that it was done: the relay's bit in status word 3 and the current
tell. An order whose answer is lost is `UNKNOWN` and is never sent again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from readers.bus import Bus, NoReplyError, Rank
from readers.codecs.dlt645_orders import Command, ControlOrder, Key, control
from readers.codecs.dlt645_status import RELAY_WORD
from readers.codecs.dlt645_status import decode as decode_status
from readers.control import Action, Attempt, Fate, Order, Shown, Value
from readers.credentials import credential
from readers.errors import ConfigError, DeviceRefusedError, FrameError, LinkError
from readers.meters.dlt645.line import RefusedError
from readers.meters.dlt645.meter import IgnoredError, Meter, words
from readers.meters.dlt645.settings import RELAY
from readers.quantities import Quantity

LONGEST_EXPIRY_S: Final = 600
NO_CURRENT_A: Final = Decimal("0.05")  # above what a meter shows for its own noise, below any load worth cutting
_US: Final = 1_000_000
_CURRENTS: Final = 0x0202FF00
_CURRENT_A: Final = 0x02020100
_POWER: Final = 0x02030000
_COMMANDS: Final = {
    Action.TRIP: Command.TRIP,
    Action.PERMIT_CLOSE: Command.PERMIT_CLOSE,
    Action.CLOSE: Command.CLOSE,
    Action.ALARM_ON: Command.ALARM_ON,
    Action.ALARM_OFF: Command.ALARM_OFF,
    Action.PROTECT_ON: Command.PROTECT_ON,
    Action.PROTECT_OFF: Command.PROTECT_OFF,
}
_KNOWN_PASSWORDS: Final = frozenset({"123456", "654321", "012345", "111222", "112233"})


def key_of(name: str, level: int) -> Key:
    """The password and the operator code of a credential: `PASSWORD`, or `PASSWORD OPERATOR`.

    Raises:
        ConfigError: it is missing, is none, or is a password that everybody knows.
    """
    password, _, operator = credential(name).partition(" ")
    try:
        key = Key(password, level, int(operator or "0"))
        key.encode()
    except (ValueError, FrameError) as error:
        raise ConfigError(
            f"credential {name!r}: must be the meters' password of 6 digits, and after a space the operator code of at "
            "most 8 digits where one is wanted"
        ) from error
    if len(set(password)) == 1 or password in _KNOWN_PASSWORDS or int(password) == level:
        raise ConfigError(
            f"credential {name!r} holds a password that meters come with and everybody knows; give the meters one of "
            "their own with their maker's program, and write it into the credential"
        )
    return key


class Relays:
    """The relays of the meters of one open line."""

    def __init__(self, bus: Bus, meters: Mapping[str, Meter], key: Key | None) -> None:
        self._bus = bus
        self._meters = meters
        self._key = key

    async def observe(self, source: str | None, point: str) -> Shown:
        """See `Controllable`.

        Raises:
            ConfigError: there is no such point.
        """
        meter = self._meter(source, point)
        try:
            return await self._bus.once(Rank.CONTROL, lambda: _observe(meter))
        except NoReplyError as error:
            raise LinkError(str(error)) from error

    async def attempt(self, order: Order) -> Attempt:
        """See `Controllable`."""
        try:
            meter = self._meter(order.source, order.point)
        except ConfigError as error:
            return Attempt(Fate.NOT_SENT, str(error))
        if self._key is None:
            detail = "no order can be given to a meter without control_credential in the reader's settings"
            return Attempt(Fate.NOT_SENT, detail)
        if order.action not in _COMMANDS:
            return Attempt(Fate.NOT_SENT, f"a meter's relay has no {order.action}")
        lives_s = (order.expires_at_us - meter.line.now_us()) // _US
        if lives_s > LONGEST_EXPIRY_S:
            detail = (
                f"the order would hold for {lives_s} s; must be at most {LONGEST_EXPIRY_S} s, or whoever records it "
                "can use it again"
            )
            return Attempt(Fate.NOT_SENT, detail)
        sending = _Sending(meter, order, self._key)
        try:
            return await self._bus.once(Rank.CONTROL, sending.send)
        except LinkError as error:
            return Attempt(Fate.UNKNOWN if sending.is_sent else Fate.NOT_SENT, str(error))

    def _meter(self, source: str | None, point: str) -> Meter:
        if source is None or source not in self._meters or point != RELAY:
            raise ConfigError(f"there is no {point} of {source}; the meters of this line are {', '.join(self._meters)}")
        return self._meters[source]


class _Sending:
    """One order on its way."""

    def __init__(self, meter: Meter, order: Order, key: Key) -> None:
        self._meter = meter
        self._order = order
        self._key = replace(key, operator=order.operator) if order.operator else key
        self.is_sent = False

    async def send(self) -> Attempt:
        """Send it once.

        Raises:
            LinkError: the line is gone; `is_sent` tells whether before or after.
        """
        meter, order = self._meter, self._order
        line = meter.line
        try:
            address = await meter.find_address()
            command = ControlOrder(_COMMANDS[order.action], self._key, order.expires_at_us)
            request = control(address, command, meter.utc_offset_min)
        except (NoReplyError, FrameError) as error:
            return Attempt(Fate.NOT_SENT, str(error))
        if line.now_us() >= order.expires_at_us:
            return Attempt(Fate.NOT_SENT, "the order expired before its turn on the line came")
        self.is_sent = True
        reply = await line.order(request, meter.name)
        if reply is None:
            detail = f"meter {address} did not answer the order; it may have carried it out: read its state"
            return Attempt(Fate.UNKNOWN, detail)
        if reply.is_error:
            codes = reply.data.hex(" ").upper()
            return Attempt(Fate.REFUSED, f"meter {address} refused with error {codes} ({words(reply.data[0])})")
        return Attempt(Fate.ACCEPTED, f"meter {address} accepted the order, which says not yet that it is done")


async def _observe(meter: Meter) -> Shown:
    """Read the relay's word, the currents and the power."""
    try:
        status = decode_status(RELAY_WORD, await meter.ask(RELAY_WORD))
    except RefusedError as refusal:
        raise DeviceRefusedError(
            f"meter {meter.name} does not tell the state of its relay: {RELAY_WORD:08X} is refused with error "
            f"{refusal.error:02X} ({words(refusal.error)})"
        ) from refusal
    except IgnoredError as error:
        raise NoReplyError(
            f"meter {meter.name} answers, but not when asked for its relay ({RELAY_WORD:08X})"
        ) from error
    except FrameError as error:
        raise NoReplyError(f"meter {meter.name} answered nonsense for its relay: {error}") from error
    told: dict[str, Value | None] = {
        "is_closed": status.is_relay_closed,
        "is_closing_permitted": status.is_closing_ordered,
        "is_protected": status.is_protected,
        "is_alarm": status.is_pre_trip_alarm,
        "current_a": await _largest(meter, _CURRENTS, Quantity.CURRENT),
        "power_w": await _largest(meter, _POWER, Quantity.ACTIVE_POWER),
    }
    if told["current_a"] is None:
        told["current_a"] = await _largest(meter, _CURRENT_A, Quantity.CURRENT)
    return Shown(meter.line.now_us(), {name: value for name, value in told.items() if value is not None})


async def _largest(meter: Meter, identifier: int, quantity: Quantity) -> Decimal | None:
    """The value that is furthest from zero; None where the meter tells none."""
    try:
        data = await meter.ask(identifier)
        readings = meter.decoded(identifier, data)
    except (RefusedError, IgnoredError, FrameError):
        return None
    values = [each.value for each in readings if each.quantity is quantity and each.value is not None]
    return max(values, key=abs, default=None)


def is_done(order: Order, before: Shown, after: Shown) -> bool | None:
    """See `Controllable`."""
    shown = after.values
    match order.action:
        case Action.TRIP:
            return _is_tripped(shown)
        case Action.CLOSE:
            return _bit(shown, "is_closed")
        case Action.PERMIT_CLOSE:
            return _bit(shown, "is_closed") or _bit(shown, "is_closing_permitted")
        case Action.ALARM_ON:
            return _bit(shown, "is_alarm")
        case Action.ALARM_OFF:
            return _inverse(_bit(shown, "is_alarm"))
        case Action.PROTECT_ON:  # not every meter shows it
            return _bit(shown, "is_protected") or None
        case Action.PROTECT_OFF:
            if _bit(shown, "is_protected"):
                return False
            return True if _bit(before.values, "is_protected") else None
        case _:
            return None


def _is_tripped(shown: Mapping[str, Value]) -> bool | None:
    """The relay says so and the current agrees."""
    is_closed, current_a = _bit(shown, "is_closed"), shown.get("current_a")
    if is_closed is not False:
        return _inverse(is_closed)
    return abs(current_a) <= NO_CURRENT_A if isinstance(current_a, Decimal) else None


def _bit(shown: Mapping[str, Value], name: str) -> bool | None:
    value = shown.get(name)
    return value if isinstance(value, bool) else None


def _inverse(value: bool | None) -> bool | None:  # noqa: FBT001 - a logical operator
    return None if value is None else not value
