"""The relay of a meter: the object Disconnect control, as signals, and orders to it.

    control state:  0 disconnected    1 connected    2 ready for reconnection: a person at the meter may close it
    control mode:   remote_reconnect closes at once in modes 2 and 4, and only permits it in modes 1, 3, 5 and 6;
                    in mode 0 the relay cannot be opened

An order is one call of a method. Its answer says that the meter has taken it; what the relay does is read afterwards.

Source: DLMS UA Blue Book Ed. 12.2, section 4.5.8 (Disconnect control); the table of modes from memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from readers.bus import Bus, NoReplyError, Rank
from readers.codecs.dlms_data import Denied, Result, Structure
from readers.codecs.dlms_values import ScalerUnit
from readers.control import Action, Attempt, Fate, Order, Shown, Value
from readers.errors import ConfigError, DeviceRefusedError, FrameError, LinkError
from readers.meters.dlms.association import AssociationRefusedError, Attribute, LostError, ServiceError
from readers.meters.dlms.meter import RESULTS, Meter, why
from readers.meters.dlms.settings import ORDERS, POINT
from readers.obis import ObisCode
from readers.observations import Signal, Signals
from readers.quantities import Quantity

NO_CURRENT_A: Final = Decimal("0.05")  # above what a meter shows for its own noise, below any load worth cutting
RELAY: Final = ObisCode(0, 0, 96, 3, 10)
CLASS: Final = 70
STATES: Final = {0: "disconnected", 1: "connected", 2: "ready_for_reconnection"}
CLOSES_AT_ONCE: Final = (2, 4)
ONLY_PERMITS: Final = (1, 3, 5, 6)
_READY: Final = 2
_REMOTE_DISCONNECT, _REMOTE_RECONNECT = 1, 2
_NOTHING: Final = b"\x0f\x00"  # the parameter of both methods: the integer 0
_OUTPUT, _STATE, _MODE = (Attribute(CLASS, RELAY, number) for number in (2, 3, 4))
_CURRENTS: Final = tuple(ObisCode(1, 0, c, 7, 0) for c in (31, 51, 71))
_IMPORT, _EXPORT = ObisCode(1, 0, 1, 7, 0), ObisCode(1, 0, 2, 7, 0)


class RelayWatch:
    """Reads the relay of one meter, and tells what has changed."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._told: dict[str, Signal] = {}
        self._is_absent = False

    async def ask(self) -> bool:
        """Read it. False: the meter has none.

        Raises:
            NoReplyError, AssociationRefusedError, LinkError: as `Meter.get`.
        """
        if self._is_absent:
            return False
        output, state = await self._meter.get([_OUTPUT, _STATE])
        if isinstance(output, Denied) and isinstance(state, Denied):
            self._is_absent = True
            return True
        signals: list[Signal] = []
        if isinstance(output, bool):
            signals.append(Signal("relay_closed", output))
        if isinstance(state, int) and state in STATES:
            signals.append(Signal("relay_state", STATES[state]))
        changed = [signal for signal in signals if self._told.get(signal.name) != signal]
        if changed:
            self._told |= {signal.name: signal for signal in changed}
            self._meter.report(Signals(self._meter.now_us(), changed, self._meter.name))
        return True


class Relays:
    """The relays of the meters behind one open port."""

    def __init__(self, bus: Bus, meters: Mapping[str, Meter], *, may_order: bool) -> None:
        self._bus = bus
        self._meters = meters
        self._may_order = may_order

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
        except AssociationRefusedError as error:
            raise DeviceRefusedError(str(error)) from error

    async def attempt(self, order: Order) -> Attempt:
        """See `Controllable`."""
        try:
            meter = self._meter(order.source, order.point)
        except ConfigError as error:
            return Attempt(Fate.NOT_SENT, str(error))
        if not self._may_order:
            return Attempt(Fate.NOT_SENT, "no order can be given without relay_orders in the reader's settings")
        if order.action not in ORDERS:
            return Attempt(Fate.NOT_SENT, f"a meter's relay has no {order.action}")
        sending = _Sending(meter, order)
        try:
            return await self._bus.once(Rank.CONTROL, sending.send)
        except LinkError as error:
            return Attempt(Fate.UNKNOWN if sending.is_sent else Fate.NOT_SENT, str(error))

    def _meter(self, source: str | None, point: str) -> Meter:
        if source is None or source not in self._meters or point != POINT:
            raise ConfigError(f"there is no {point} of {source}; the meters here are {', '.join(self._meters)}")
        return self._meters[source]


class _Sending:
    """One order on its way."""

    def __init__(self, meter: Meter, order: Order) -> None:
        self._meter = meter
        self._order = order
        self.is_sent = False

    async def send(self) -> Attempt:
        """Send it once.

        Raises:
            LinkError: the port is gone; `is_sent` tells whether before or after.
        """
        meter, name = self._meter, self._meter.name
        try:
            (mode,) = await meter.get([_MODE])
            method, unfit = _method(self._order.action, mode)
            if unfit:
                return Attempt(Fate.NOT_SENT, f"meter {name}: {unfit}")
            if meter.now_us() >= self._order.expires_at_us:
                return Attempt(Fate.NOT_SENT, "the order expired before its turn on the line came")
            result = await meter.act(CLASS, RELAY, method, _NOTHING, self._sending)
        except (NoReplyError, AssociationRefusedError, FrameError, LostError) as error:
            if not self.is_sent:
                return Attempt(Fate.NOT_SENT, str(error))
            return Attempt(Fate.UNKNOWN, f"{error}; it may have carried the order out: read its state")
        except ServiceError as error:
            return Attempt(Fate.REFUSED, f"meter {name} refused the order: {error}")
        if result:
            return Attempt(Fate.REFUSED, f"meter {name} refused the order: {RESULTS.get(result, 'result')} ({result})")
        return Attempt(Fate.ACCEPTED, f"meter {name} accepted the order, which says not yet that it is done")

    def _sending(self) -> None:
        self.is_sent = True


def _method(action: Action, mode: Result) -> tuple[int, str]:
    """The method that an action is in that control mode, and why it is none."""
    if isinstance(mode, bool) or not isinstance(mode, int) or not 0 <= mode <= max(ONLY_PERMITS):
        told = why(mode) if isinstance(mode, Denied) else f"{mode!s:.40}"
        return 0, f"its control mode is unknown ({told}), so nobody knows what an order would do"
    if mode == 0:
        return 0, "its control mode is 0: the relay takes no orders"
    if action is Action.TRIP:
        return _REMOTE_DISCONNECT, ""
    if action is Action.CLOSE and mode not in CLOSES_AT_ONCE:
        return 0, f"in control mode {mode} it can only be permitted to close; order permit_close"
    if action is Action.PERMIT_CLOSE and mode not in ONLY_PERMITS:
        return 0, f"in control mode {mode} it would close at once; order close"
    return _REMOTE_RECONNECT, ""


async def _observe(meter: Meter) -> Shown:
    output, state, mode = await meter.get([_OUTPUT, _STATE, _MODE])
    if isinstance(output, Denied):
        raise DeviceRefusedError(f"meter {meter.name} does not tell the state of its relay: {why(output)}")
    values: dict[str, Value] = {}
    if isinstance(output, bool):
        values["is_closed"] = output
    if isinstance(state, int) and state in STATES:
        values["is_closing_permitted"] = state == _READY
    if isinstance(mode, int):
        values["control_mode"] = Decimal(mode)
    current_a = [
        abs(value) for code in _CURRENTS if (value := await _measured(meter, code, Quantity.CURRENT)) is not None
    ]
    if current_a:
        values["current_a"] = max(current_a)
    power_w = [await _measured(meter, code, Quantity.ACTIVE_POWER) for code in (_IMPORT, _EXPORT)]
    if power_w[0] is not None:
        values["power_w"] = power_w[0] - (power_w[1] or 0)
    return Shown(meter.now_us(), values)


async def _measured(meter: Meter, code: ObisCode, quantity: Quantity) -> Decimal | None:
    raw, scaler = await meter.get([Attribute(3, code, 2), Attribute(3, code, 3)])
    if isinstance(raw, Denied) or not isinstance(scaler, Structure):
        return None
    try:
        return ScalerUnit.of(scaler).value(raw, quantity)
    except FrameError as error:
        meter.reject(error)
        return None


def is_done(order: Order, after: Shown) -> bool | None:
    """See `Controllable`."""
    is_closed, may_close = after.values.get("is_closed"), after.values.get("is_closing_permitted")
    if not isinstance(is_closed, bool):
        return None
    match order.action:
        case Action.TRIP:
            if is_closed:
                return False
            current_a = after.values.get("current_a")
            return current_a <= NO_CURRENT_A if isinstance(current_a, Decimal) else None
        case Action.CLOSE:
            return is_closed
        case Action.PERMIT_CLOSE:
            return is_closed or (may_close if isinstance(may_close, bool) else None)
        case _:
            return None
