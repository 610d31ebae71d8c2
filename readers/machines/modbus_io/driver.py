"""The driver `modbus_io`: modules of inputs and outputs, for loops, photo-eyes, barriers and stack lights, as signals.

Each round reads what the site file names, in as few requests as the addresses allow. One RS-485 line may carry several
modules; one that does not answer is asked seldom, so that the others are not slowed down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from readers.bus import NoReplyError
from readers.codecs.modbus import Frame, Function, Refusal, bits_of, read_request, registers_of, write_coil_request
from readers.control import Attempt, ControlPoint, Fate, Order, Shown
from readers.driver import DriverSpec, Kind, LineDefaults, Port, Report
from readers.errors import DeviceRefusedError, LinkError
from readers.machines.modbus_io.panel import Panel, is_done
from readers.machines.modbus_io.settings import (
    ANSWER_WITHIN_S,
    BITS,
    TRIES,
    ModbusIoSettings,
    Module,
    Request,
    Table,
    requests,
)
from readers.modbus_device import refusal_name
from readers.modbus_line import Framing, Line, reply_delay
from readers.observations import Condition, Severity, Signal, Signals, Watching

ASK_AGAIN_S: Final = 5.0  # a module that did not answer
_HALF: Final = 1 << 15
_FUNCTIONS: Final = {
    Table.DISCRETE: Function.READ_DISCRETE_INPUTS,
    Table.COIL: Function.READ_COILS,
    Table.INPUT: Function.READ_INPUT_REGISTERS,
    Table.HOLDING: Function.READ_HOLDING_REGISTERS,
}


class ModbusIoDriver:
    """Asks in rounds until cancelled, and carries out orders between two questions."""

    def __init__(self, settings: ModbusIoSettings) -> None:
        self._settings = settings
        self._panel: Panel | None = None

    async def run(self, port: Port, report: Report) -> None:
        """Ask until cancelled.

        Raises:
            LinkError: no module answers. DeviceRefusedError: a module does not have what the site file names.
        """
        line_defaults = DRIVER.line
        assert line_defaults is not None
        units = [module.address for module in self._settings.modules]
        framing = Framing(self._settings.framing)
        line = Line(port, report, framing=framing, units=units, baud=line_defaults.baud)
        self._panel = Panel(self._settings, line)
        try:
            await self._rounds(line)
        finally:
            panel, self._panel = self._panel, None
            await panel.close()

    def control_points(self) -> tuple[ControlPoint, ...]:
        """See `Controllable`."""
        return self._settings.control_points()

    async def observe(self, source: str | None, point: str) -> Shown:
        """See `Controllable`."""
        if self._panel is None:
            raise LinkError("the link to the modules is down")
        return await self._panel.observe(source, point)

    async def attempt(self, order: Order) -> Attempt:
        """See `Controllable`."""
        if self._panel is None:
            return Attempt(Fate.NOT_SENT, "the link to the modules is down")
        return await self._panel.attempt(order)

    def is_done(self, order: Order, before: Shown, after: Shown) -> bool | None:
        """See `Controllable`."""
        return is_done(order, before, after)

    async def _rounds(self, line: Line) -> None:
        port = line.port
        modules = [_ModuleState(module, self._settings, line) for module in self._settings.modules]
        while True:
            began_s = port.monotonic_s()
            for module in modules:
                await module.visit()
            if not any(module.answers for module in modules):
                raise LinkError(line.silence())
            await port.pause(max(0.001, began_s + self._settings.poll_s - port.monotonic_s()))


@dataclass(slots=True)
class _Seen:
    """What is known of one signal."""

    told: bool | Decimal | None = None
    candidate: bool | None = None
    since_s: float = 0.0


@dataclass(slots=True)
class _ModuleState:
    """One module: what it said last, and whether it answers."""

    module: Module
    settings: ModbusIoSettings
    line: Line
    answers: bool = True
    _is_watching: bool = False
    _next_s: float = 0.0
    _told_all_s: float = float("-inf")
    _is_busy: bool = False
    _seen: dict[str, _Seen] = field(default_factory=dict)

    async def visit(self) -> None:
        """Read the module once, if it is due.

        Raises:
            DeviceRefusedError: it does not have what is named.
        """
        port = self.line.port
        if not self.answers and port.monotonic_s() < self._next_s:
            return
        try:
            if not self._is_watching:
                await self._set_outputs()
            values = [(request, await self._read(request)) for request in requests(self.module)]
        except NoReplyError:
            self._silent(port.monotonic_s())
            return
        self.answers = True
        if not self._is_watching:
            self._is_watching = True
            self.line.report(Watching(source=self.module.name))
        if all(found is not None for _, found in values):
            self._busy(is_busy=False)
            self._tell(dict(_by_address(values)), port.monotonic_s())

    async def _read(self, request: Request) -> Sequence[int] | None:
        """Values of a run, None while the module is busy."""
        function = _FUNCTIONS[request.table]
        answer = await self._ask(read_request(self.module.address, function, request.address, request.count))
        if answer.refusal is not None:
            self._refused(
                answer.refusal, f"{request.table.value} {request.address} to {request.address + request.count - 1}"
            )
            return None
        return bits_of(answer, request.count) if request.table in BITS else registers_of(answer, request.count)

    async def _ask(self, request: Frame) -> Frame:
        return await self.line.ask(request, tries=TRIES, delay=reply_delay(ANSWER_WITHIN_S), source=self.module.name)

    async def _set_outputs(self) -> None:
        for output in self.module.outputs:
            if output.initial is None:
                continue
            request = write_coil_request(self.module.address, output.address, is_on=output.initial)
            answer = await self._ask(request)
            if answer.refusal is not None:
                self._refused(answer.refusal, f"output {output.name}, coil {output.address}")
            elif answer.data != request.data:
                detail = f"coil {output.address}: {request.data.hex()} asked, {answer.data.hex()} confirmed"
                source = self.module.name
                self.line.report(
                    Condition("setting_differs", active=True, key=output.name, detail=detail, source=source)
                )

    def _refused(self, refusal: int, what: str) -> None:
        name = refusal_name(refusal)
        if refusal in (Refusal.ILLEGAL_FUNCTION, Refusal.ILLEGAL_ADDRESS, Refusal.ILLEGAL_VALUE):
            raise DeviceRefusedError(
                f"{self.line.port.description}: unit {self.module.address} answers {name} to {what}: "
                "check table and address; addresses count from 0 here, in many manuals from 1 or with a leading 3xxxx"
            )
        self._busy(is_busy=True, detail=f"{name} to {what}")

    def _busy(self, *, is_busy: bool, detail: str = "") -> None:
        if is_busy != self._is_busy:
            self._is_busy = is_busy
            self.line.report(
                Condition("module_fault", is_busy, Severity.WARNING, detail=detail, source=self.module.name)
            )

    def _silent(self, now_s: float) -> None:
        self._next_s = now_s + ASK_AGAIN_S
        self.answers = False
        if self._is_watching:
            self._is_watching = False
            self._seen.clear()
            self._told_all_s = float("-inf")
            self.line.report(Watching(source=self.module.name, active=False))

    def _tell(self, values: dict[tuple[Table, int], int], now_s: float) -> None:
        everything = now_s - self._told_all_s >= self.settings.repeat_s
        signals = [
            *self._inputs(values, now_s, everything=everything),
            *self._outputs(values, everything=everything),
            *self._setpoints(values, everything=everything),
        ]
        if everything:
            self._told_all_s = now_s
        if signals:
            self.line.report(Signals(self.line.port.now_us(), signals, source=self.module.name))

    def _inputs(self, values: dict[tuple[Table, int], int], now_s: float, *, everything: bool) -> Iterator[Signal]:
        for each in self.module.inputs:
            raw = values[each.table, each.address]
            seen = self._seen.setdefault(each.name, _Seen())
            if each.is_bit:
                state = bool(raw if each.bit is None else raw >> each.bit & 1) != each.inverted
                changed = _settled(seen, state, each.debounce_s, now_s)
                value: bool | Decimal = state if changed or not isinstance(seen.told, bool) else seen.told
            else:
                number = raw - 2 * _HALF if each.signed and raw >= _HALF else raw
                value = number * each.scale + each.offset
                changed = not isinstance(seen.told, Decimal) or abs(value - seen.told) > each.step
            if changed or everything:
                seen.told = value
                yield Signal(each.name, value, each.unit)

    def _outputs(self, values: dict[tuple[Table, int], int], *, everything: bool) -> Iterator[Signal]:
        for each in self.module.outputs:
            state = bool(values[Table.COIL, each.address])
            seen = self._seen.setdefault(each.name, _Seen())
            if seen.told is not state or everything:
                seen.told = state
                yield Signal(each.name, state)

    def _setpoints(self, values: dict[tuple[Table, int], int], *, everything: bool) -> Iterator[Signal]:
        for each in self.module.setpoints:
            value = each.value_of(values[Table.HOLDING, each.address])
            seen = self._seen.setdefault(each.name, _Seen())
            if seen.told != value or everything:
                seen.told = value
                yield Signal(each.name, value, each.unit)


def _settled(seen: _Seen, state: bool, debounce_s: float, now_s: float) -> bool:  # noqa: FBT001 - the state itself
    """Whether a bit has a new state that has lasted long enough; the first state counts at once."""
    if seen.told is None:
        return True
    if state is seen.told:
        seen.candidate = None
        return False
    if seen.candidate is not state:
        seen.candidate, seen.since_s = state, now_s
    if now_s - seen.since_s < debounce_s:
        return False
    seen.candidate = None
    return True


def _by_address(values: Sequence[tuple[Request, Sequence[int] | None]]) -> Iterator[tuple[tuple[Table, int], int]]:
    for request, found in values:
        for index, value in enumerate(found or ()):
            yield (request.table, request.address + index), value


DRIVER: Final = DriverSpec(
    "modbus_io",
    Kind.MACHINE,
    ModbusIoSettings,
    ModbusIoDriver,
    "modules of inputs and outputs that speak Modbus RTU or TCP: loops, photo-eyes, barriers, stack lights",
    line=LineDefaults(baud=9600),
    tcp_port=502,
    models=(
        "Advantech ADAM-4000 and 6000",
        "Moxa ioLogik",
        "WAGO",
        "Waveshare relay boards",
        "any other Modbus module",
    ),
)
