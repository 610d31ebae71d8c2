"""Orders to the set-points and commands of machines: each goes out once; what it did is read from the machine."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Final

from readers.control import Action, Attempt, Fate, Order, Shown, Value
from readers.driver import Port
from readers.errors import DeviceRefusedError, LinkError
from readers.machine_states import REMOTE_ENABLED, STATE, MachineState
from readers.machines.opcua.settings import NodeSignal, OpcUaSettings, SetPoint
from readers.machines.opcua.values import NoValueError, raw_of, scaled, value_of
from readers.opcua_messages import Answer, Call, Message, Read, Write, encode

ANSWER_WITHIN_S: Final = 10.0  # the port gives the server 4 s for the type of a node, and 4 s for the order
MOST_WAITING: Final = 100
_UNSURE: Final = frozenset({"BadTimeout", "BadRequestTimeout", "BadCommunicationError", "BadNoCommunication"})
"""Words that do not say whether it was done."""


class Panel:
    """Set-points and commands of one server, while its session lasts.

    Attributes:
        signals: what is watched: the signals of the settings, and each set-point as one.
    """

    def __init__(self, settings: OpcUaSettings, port: Port) -> None:
        self._settings = settings
        self._port = port
        self._setpoints = {(each.machine, each.name): each for each in settings.setpoints}
        self._commands = {(each.machine, each.name, Action(each.action)): each for each in settings.commands}
        self._points = {(each.machine, each.name) for each in settings.commands}
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._number = 0
        self.signals = (*settings.signals, *map(_as_signal, settings.setpoints))

    def answered(self, answer: Answer) -> None:
        """An answer has come."""
        waiting = self._waiting.get(answer.request)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def close(self) -> None:
        """The session is over: nothing more is answered."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(LinkError("the session ended before an answer came"))

    async def observe(self, source: str | None, point: str) -> Shown:
        """See `Controllable`."""
        setpoint = self._setpoints.get((source, point))
        if setpoint is not None:
            (sample,) = (await self._read(setpoint.read_node or setpoint.node)).samples or (None,)
            try:
                values: dict[str, Value] = {} if sample is None else {"value": scaled(setpoint, sample)}
            except NoValueError as why:
                raise DeviceRefusedError(f"set-point {point}, {setpoint.node}: {why}") from why
            return Shown(self._port.now_us(), values)
        named = {"machine_state": self._settings.node_of(source, STATE)}
        named["is_remote_enabled"] = self._settings.node_of(source, REMOTE_ENABLED)
        signals = {name: signal for name, signal in named.items() if signal is not None}
        answer = await self._read(*(signal.node for signal in signals.values()))
        values = {}
        for (name, signal), sample in zip(signals.items(), answer.samples, strict=False):
            try:
                values[name] = value_of(signal, sample)
            except NoValueError:
                continue  # absent, as `Shown` has it
        return Shown(self._port.now_us(), values)

    async def attempt(self, order: Order) -> Attempt:
        """See `Controllable`."""
        setpoint = self._setpoints.get((order.source, order.point))
        if setpoint is not None:
            if order.action is not Action.SET or order.value is None:
                return Attempt(Fate.NOT_SENT, f"set-point {order.point} takes `set` with a value only")
            return await self._once(Write(self._next(), setpoint.node, raw_of(setpoint, order.value)), order)
        command = self._commands.get((order.source, order.point, order.action))
        if command is None:
            return Attempt(Fate.NOT_SENT, f"{order.point} does not take {order.action}")
        if command.method is not None and command.owner is not None:
            return await self._once(Call(self._next(), command.owner, command.method), order)
        assert command.node is not None
        value = command.value if isinstance(command.value, bool) else str(command.value)
        return await self._once(Write(self._next(), command.node, value), order)

    async def _once(self, message: Write | Call, order: Order) -> Attempt:
        if self._port.now_us() >= order.expires_at_us:
            return Attempt(Fate.NOT_SENT, "the order has expired")
        try:
            answer = await self._ask(message.request, message)
        except _BusyError as error:
            return Attempt(Fate.NOT_SENT, str(error))
        except LinkError as error:
            return Attempt(Fate.UNKNOWN, str(error))
        if answer.not_sent:
            return Attempt(Fate.NOT_SENT, answer.not_sent)
        if answer.lost or not answer.samples:
            return Attempt(Fate.UNKNOWN, answer.lost or "an answer without a status")
        status = answer.samples[0]
        if not status.level:
            return Attempt(Fate.ACCEPTED, "" if status.status == "Good" else f"the server answers {status.status}")
        fate = Fate.UNKNOWN if status.status in _UNSURE or status.level == 1 else Fate.REFUSED
        return Attempt(fate, f"the server answers {status.status}")

    async def _read(self, *nodes: str) -> Answer:
        number = self._next()
        answer = await self._ask(number, Read(number, nodes))
        if answer.lost or answer.not_sent:
            raise LinkError(f"{self._port.description}: {answer.lost or answer.not_sent}")
        return answer

    async def _ask(self, number: int, message: Message) -> Answer:
        if len(self._waiting) >= MOST_WAITING:
            raise _BusyError(f"{MOST_WAITING} requests wait for the server already")
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._port.send(encode(message))
            async with asyncio.timeout(ANSWER_WITHIN_S):
                answer: Answer = await waiting
        except TimeoutError as error:
            raise LinkError(f"{self._port.description}: no answer within {ANSWER_WITHIN_S:g} s") from error
        finally:
            del self._waiting[number]
        return answer

    def _next(self) -> int:
        self._number += 1
        return self._number


class _BusyError(LinkError):
    """Nothing was sent: too much waits already."""


def is_done(settings: OpcUaSettings, order: Order, before: Shown, after: Shown) -> bool | None:
    """See `Controllable`."""
    if order.action is Action.SET:
        value = after.values.get("value")
        tolerance = next(
            (each.tolerance for each in settings.setpoints if (each.machine, each.name) == (order.source, order.point)),
            Decimal(0),
        )
        if not isinstance(value, Decimal) or order.value is None:
            return None
        return abs(value - order.value) <= tolerance
    state = after.values.get("machine_state")
    if state is None:
        return None
    if order.action is Action.STOP:
        return state in (MachineState.STOPPED, MachineState.ABORTED)
    if order.action is Action.START:
        return state == MachineState.EXECUTE
    was_aborted = before.values.get("machine_state") == MachineState.ABORTED
    return state != MachineState.ABORTED if was_aborted else None


def _as_signal(setpoint: SetPoint) -> NodeSignal:
    return NodeSignal(
        name=setpoint.name,
        node=setpoint.read_node or setpoint.node,
        machine=setpoint.machine,
        unit=setpoint.unit,
        scale=setpoint.scale,
        offset=setpoint.offset,
    )
