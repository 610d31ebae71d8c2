"""Orders to machines: each is written once, and read back with requests of its own.

A machine is started only while its own switch permits it: the bit is read right before the order, on the same turn of
the line.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from readers.bus import Bus, NoReplyError, Rank
from readers.codecs.modbus import Frame, Function, Refusal, write_coil_request
from readers.control import Action, Attempt, Fate, Order, Shown, Value
from readers.errors import ConfigError, DeviceRefusedError, LinkError
from readers.machine_states import STATE, MachineState
from readers.machines.modbus_machine.machine import Machine
from readers.machines.modbus_machine.places import SetPointPlace
from readers.machines.modbus_machine.settings import POINT
from readers.modbus_device import Found, refusal_name
from readers.modbus_line import NotSentError

_NOT_DONE: Final = frozenset(
    {
        Refusal.ILLEGAL_FUNCTION,
        Refusal.ILLEGAL_ADDRESS,
        Refusal.ILLEGAL_VALUE,
        Refusal.BUSY,
        Refusal.GATEWAY_PATH,
    }
)
"""Exceptions that say that nothing was done; the others leave it open. MODBUS V1.1b3, section 7."""
_AT_REST: Final = frozenset({MachineState.STOPPED, MachineState.IDLE, MachineState.ABORTED})


class Panel:
    """What can be ordered of the machines of one open line."""

    def __init__(self, bus: Bus, machines: Mapping[str | None, Machine]) -> None:
        self._bus = bus
        self._machines = machines

    async def observe(self, source: str | None, point: str) -> Shown:
        """See `Controllable`."""
        machine, setpoint = self._find(source, point)
        try:
            return await self._bus.once(Rank.CONTROL, lambda: _observe(machine, setpoint))
        except NoReplyError as error:
            raise LinkError(str(error)) from error

    async def attempt(self, order: Order) -> Attempt:
        """See `Controllable`."""
        machine, setpoint = self._find(order.source, order.point)
        try:
            request = _request(machine, setpoint, order)
        except ValueError as error:
            return Attempt(Fate.NOT_SENT, str(error))
        sending = _Sending(machine, order, request)
        try:
            return await self._bus.once(Rank.CONTROL, sending.send)
        except LinkError as error:
            return Attempt(Fate.UNKNOWN if sending.is_sent else Fate.NOT_SENT, str(error))

    def _find(self, source: str | None, point: str) -> tuple[Machine, SetPointPlace | None]:
        machine = self._machines.get(source)
        if machine is not None and point == POINT and machine.settings.commands.of():
            return machine, None
        for each in () if machine is None else machine.settings.setpoints:
            if machine is not None and each.name == point:
                return machine, each
        raise ConfigError(f"there is no point {point!r} of {source or 'this machine'} that can be controlled")


class _Sending:
    """One order on its way."""

    def __init__(self, machine: Machine, order: Order, request: Frame) -> None:
        self._machine = machine
        self._order = order
        self._request = request
        self.is_sent = False

    async def send(self) -> Attempt:
        """Send it once.

        Raises:
            LinkError: the line is gone; `is_sent` tells whether before or after.
        """
        machine, request = self._machine, self._request
        if self._order.action is Action.START:
            why_not = await _why_not_started(machine)
            if why_not is not None:
                return Attempt(Fate.NOT_SENT, why_not)
        self.is_sent = True
        try:
            answer = await machine.device.order(request, self._order.expires_at_us)
        except NotSentError as error:
            return Attempt(Fate.NOT_SENT, str(error))
        except NoReplyError as error:
            return Attempt(Fate.UNKNOWN, f"{error}; it may have been done: read its state")
        if answer.refusal is not None:
            name = refusal_name(answer.refusal)
            if answer.refusal == Refusal.ACKNOWLEDGE:
                return Attempt(Fate.ACCEPTED, "the machine answers that it is at work on it")
            fate = Fate.REFUSED if answer.refusal in _NOT_DONE else Fate.UNKNOWN
            return Attempt(fate, f"unit {request.unit} answers {name}")
        confirmed = request.data[:4]  # of several registers: the first address and how many
        if answer.data != confirmed:
            return Attempt(Fate.UNKNOWN, f"unit {request.unit} confirms {answer.data.hex()}, not {confirmed.hex()}")
        return Attempt(Fate.ACCEPTED, f"unit {request.unit} accepted it, which says not yet that it is done")


async def _why_not_started(machine: Machine) -> str | None:
    """Why the machine must not be started now; None when its own switch permits it."""
    remote = machine.settings.remote_enabled
    assert remote is not None  # the settings ask for it
    found: Found = {}
    try:
        await machine.device.read([remote.span], found)
    except NoReplyError as error:
        return f"whether remote operation is permitted cannot be read: {error}"
    if remote.is_set(found):
        return None
    return "the machine's own switch does not permit remote operation"


async def _observe(machine: Machine, setpoint: SetPointPlace | None) -> Shown:
    settings = machine.settings
    spans = [] if settings.state is None else [*settings.state.spans]
    if settings.remote_enabled is not None:
        spans.append(settings.remote_enabled.span)
    spans += [each.span for each in settings.signals] if setpoint is None else [setpoint.span]
    found: Found = {}
    await machine.device.read(spans, found)
    values: dict[str, Value | None] = {}
    if setpoint is None:
        values = {each.name: each.value(found) for each in settings.signals}
    else:
        values["value"] = setpoint.value(found)
        if values["value"] is None:
            raise DeviceRefusedError(
                f"unit {settings.address} does not tell set-point {setpoint.name}, {setpoint.span}: check its address"
            )
    if settings.state is not None:
        state, _ = settings.state.state(found)
        values[STATE] = None if state is None else state.value
    if settings.remote_enabled is not None:
        values["is_remote_enabled"] = settings.remote_enabled.is_set(found)
    told = {name: value for name, value in values.items() if value is not None}
    return Shown(machine.device.line.port.now_us(), told)


def _request(machine: Machine, setpoint: SetPointPlace | None, order: Order) -> Frame:
    """The one request of an order.

    Raises:
        ValueError: it cannot be made.
    """
    unit = machine.settings.address
    if setpoint is None:
        command = machine.settings.commands.of().get(order.action)
        if command is None:
            taken = ", ".join(machine.settings.commands.of())
            raise ValueError(f"the machine takes {taken}, and not {order.action.value}")
        if command.table == "coil":
            return write_coil_request(unit, command.address, is_on=bool(command.value))
        return _written(unit, command.address, [command.value])
    if order.action is not Action.SET or order.value is None:
        raise ValueError(f"set-point {setpoint.name} takes `set` with a value only")
    if not setpoint.minimum <= order.value <= setpoint.maximum:
        raise ValueError(f"{order.value:f} is not within {setpoint.minimum:f} to {setpoint.maximum:f}")
    return _written(unit, setpoint.address, setpoint.registers(order.value))


def _written(unit: int, address: int, registers: list[int]) -> Frame:
    data = b"".join(register.to_bytes(2, "big") for register in registers)
    if len(registers) == 1:
        return Frame(unit, Function.WRITE_REGISTER, address.to_bytes(2, "big") + data)
    head = address.to_bytes(2, "big") + len(registers).to_bytes(2, "big") + bytes([len(data)])
    return Frame(unit, Function.WRITE_REGISTERS, head + data)


def is_done(order: Order, before: Shown, after: Shown) -> bool | None:
    """See `Controllable`."""
    if order.action is Action.SET:
        value = after.values.get("value")
        return None if value is None else value == order.value
    state = after.values.get(STATE)
    if order.action is Action.START:
        return None if state is None else state == MachineState.EXECUTE
    if order.action is Action.STOP:
        return None if state is None else state in _AT_REST
    return _is_reset(before, after)


def _is_reset(before: Shown, after: Shown) -> bool | None:
    """A fault is gone, or a counter has fallen; what shows neither before nor after tells nothing."""
    if before.values.get(STATE) == MachineState.ABORTED and STATE in after.values:
        return after.values[STATE] != MachineState.ABORTED
    for name, earlier in before.values.items():
        later = after.values.get(name)
        if name.endswith("_count") and isinstance(earlier, Decimal) and isinstance(later, Decimal) and later < earlier:
            return True
    return None
