"""Orders to the outputs and set-points of modules: each is written once, and read back with a request of its own.

A pulse that the gateway ends is ended whatever becomes of its beginning: also when no answer came, when the driver is
stopped, and, by `initial = false`, when the next link opens after a power cut.
"""

from __future__ import annotations

import asyncio
import contextlib
from decimal import Decimal
from typing import Final

from readers.bus import NoReplyError
from readers.codecs.modbus import (
    Frame,
    Function,
    Refusal,
    bits_of,
    read_request,
    registers_of,
    write_coil_request,
)
from readers.control import Action, Attempt, Fate, Order, Shown, Value
from readers.errors import DeviceRefusedError, LinkError
from readers.machines.modbus_io.settings import (
    ANSWER_WITHIN_S,
    TRIES,
    ModbusIoSettings,
    Module,
    Output,
    SetPoint,
)
from readers.modbus_device import refusal_name
from readers.modbus_line import Line, NotSentError, reply_delay

END_AGAIN_S: Final = 0.5
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


class Panel:
    """The outputs and set-points on one line, while its link lasts."""

    def __init__(self, settings: ModbusIoSettings, line: Line) -> None:
        self._line = line
        self._parts: dict[tuple[str | None, str], tuple[Module, Output | SetPoint]] = {}
        for module in settings.modules:
            self._parts |= {(module.name, each.name): (module, each) for each in module.outputs}
            self._parts |= {(module.name, each.name): (module, each) for each in module.setpoints}
        self._pulses: dict[tuple[str | None, str], int] = {}
        self._ending: dict[tuple[str | None, str], asyncio.Task[None]] = {}

    async def observe(self, source: str | None, point: str) -> Shown:
        """See `Controllable`."""
        module, part = self._parts[source, point]
        if isinstance(part, Output):
            values: dict[str, Value] = {"is_on": await self._is_on(module, part)}
            if part.pulse_s is not None:
                values["pulses"] = Decimal(self._pulses.get((source, point), 0))
        else:
            request = read_request(module.address, Function.READ_HOLDING_REGISTERS, part.address, 1)
            answer = await self._read(module, request, f"set-point {part.name}, holding register {part.address}")
            values = {"value": part.value_of(registers_of(answer, 1)[0])}
        return Shown(self._line.port.now_us(), values)

    async def attempt(self, order: Order) -> Attempt:
        """See `Controllable`."""
        key = (order.source, order.point)
        module, part = self._parts[key]
        if isinstance(part, SetPoint):
            if order.action is not Action.SET or order.value is None:
                return Attempt(Fate.NOT_SENT, f"set-point {part.name} takes `set` with a value only")
            register = part.register_of(order.value)
            if register is None:
                return Attempt(Fate.NOT_SENT, f"{order.value:f} cannot be written: {part.resolution()}")
            data = part.address.to_bytes(2, "big") + register.to_bytes(2, "big")
            return await self._write(module, Frame(module.address, Function.WRITE_REGISTER, data), order)
        if order.action not in part.actions:
            return Attempt(Fate.NOT_SENT, f"output {part.name} takes {', '.join(part.actions)} only")
        if key in self._ending:
            return Attempt(Fate.NOT_SENT, f"a pulse of output {part.name} is not over yet")
        request = write_coil_request(module.address, part.address, is_on=order.action is not Action.OFF)
        done = Attempt(Fate.UNKNOWN)
        try:
            done = await self._write(module, request, order)
        finally:  # also when whoever waits for it has had enough
            if order.action is Action.PULSE and done.fate in (Fate.ACCEPTED, Fate.UNKNOWN):
                self._ending[key] = asyncio.create_task(self._pulse(key, module, part))
        return done

    async def close(self) -> None:
        """End what pulses now: nobody would do it later. The line is closed after that."""
        pulsing = list(self._ending)
        for task in list(self._ending.values()):
            task.cancel()
        await asyncio.gather(*self._ending.values(), return_exceptions=True)
        for key in pulsing:
            module, part = self._parts[key]
            if isinstance(part, Output) and part.pulse_by == "gateway":
                request = write_coil_request(module.address, part.address, is_on=False)
                with contextlib.suppress(LinkError, NoReplyError):  # then `initial` does it when the link is back
                    await self._ask(module, request, tries=1)
        self._line.close()

    async def _pulse(self, key: tuple[str | None, str], module: Module, output: Output) -> None:
        """See that it is on, end it in time, see that it is off."""
        port = self._line.port
        ends_s = port.monotonic_s() + (output.pulse_s or 0.0)
        try:
            was_on = False
            with contextlib.suppress(LinkError, DeviceRefusedError):  # then there is no proof, and no count
                was_on = await self._is_on(module, output, tries=1)
            await port.pause(max(0.0, ends_s - port.monotonic_s()))
            with contextlib.suppress(LinkError, DeviceRefusedError):  # the same; the link is being opened anew
                if output.pulse_by == "gateway":
                    await self._switch_off(module, output)
                if was_on and not await self._is_on(module, output):
                    self._pulses[key] = self._pulses.get(key, 0) + 1
        finally:
            del self._ending[key]

    async def _switch_off(self, module: Module, output: Output) -> None:
        """Until the module confirms it: a barrier must not stay open."""
        request = write_coil_request(module.address, output.address, is_on=False)
        while True:
            with contextlib.suppress(NoReplyError):
                answer = await self._ask(module, request)
                if answer.data == request.data and answer.refusal is None:
                    return
            await self._line.port.pause(END_AGAIN_S)

    async def _write(self, module: Module, request: Frame, order: Order) -> Attempt:
        try:
            answer = await self._ask(module, request, tries=1, until_us=order.expires_at_us)
        except NotSentError as error:
            return Attempt(Fate.NOT_SENT, str(error))
        except (LinkError, NoReplyError) as error:
            return Attempt(Fate.UNKNOWN, str(error))
        if answer.refusal is not None:
            name = refusal_name(answer.refusal)
            if answer.refusal == Refusal.ACKNOWLEDGE:
                return Attempt(Fate.ACCEPTED, "the module answers that it is at work on it")
            fate = Fate.REFUSED if answer.refusal in _NOT_DONE else Fate.UNKNOWN
            return Attempt(fate, f"unit {request.unit} answers {name}")
        if answer.data != request.data:
            return Attempt(Fate.UNKNOWN, f"unit {request.unit} confirms {answer.data.hex()}, not {request.data.hex()}")
        return Attempt(Fate.ACCEPTED)

    async def _is_on(self, module: Module, output: Output, tries: int = TRIES) -> bool:
        request = read_request(module.address, Function.READ_COILS, output.address, 1)
        answer = await self._read(module, request, f"output {output.name}, coil {output.address}", tries)
        return bits_of(answer, 1)[0]

    async def _read(self, module: Module, request: Frame, what: str, tries: int = TRIES) -> Frame:
        try:
            answer = await self._ask(module, request, tries=tries)
        except NoReplyError as error:
            raise LinkError(str(error)) from error
        if answer.refusal is not None:
            raise DeviceRefusedError(f"unit {request.unit} answers {refusal_name(answer.refusal)} to {what}")
        return answer

    async def _ask(self, module: Module, request: Frame, *, tries: int = TRIES, until_us: int | None = None) -> Frame:
        delay = reply_delay(ANSWER_WITHIN_S)
        return await self._line.ask(request, tries=tries, delay=delay, until_us=until_us, source=module.name)


def is_done(order: Order, before: Shown, after: Shown) -> bool | None:
    """See `Controllable`."""
    if order.action is Action.SET:
        value = after.values.get("value")
        return None if value is None else value == order.value
    is_on = after.values.get("is_on")
    if is_on is None:
        return None
    if order.action is not Action.PULSE:
        return is_on is (order.action is Action.ON)
    if is_on:
        return False
    pulses, earlier = after.values.get("pulses"), before.values.get("pulses")
    was_seen = isinstance(pulses, Decimal) and isinstance(earlier, Decimal) and pulses > earlier
    return True if was_seen else None
