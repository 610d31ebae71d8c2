"""The driver `modbus_machine`: PLCs and drives of machines by Modbus, as states and signals, set-points and commands.

What a machine does is told in the words of PackML. A machine that does not answer has no state: it is not watched.
"""

from __future__ import annotations

from typing import Final

from readers.bus import Ask, Bus, NoReplyError, Poll, Rank
from readers.control import Attempt, ControlPoint, Order, Shown
from readers.driver import DriverSpec, Kind, LineDefaults, Port, Report
from readers.errors import LinkError
from readers.machines.modbus_machine.machine import Machine
from readers.machines.modbus_machine.panel import Panel, is_done
from readers.machines.modbus_machine.settings import ModbusMachineSettings
from readers.modbus_device import Learnt
from readers.modbus_line import Line
from readers.observations import Condition, Severity

MOST_BACKOFF_S: Final = 10.0
"""A machine that was switched on again is to be seen soon."""


class ModbusMachineDriver:
    """Reads its machines until cancelled, and gives them orders. It is a `Controllable`."""

    def __init__(self, settings: ModbusMachineSettings) -> None:
        self._settings = settings
        self._learnt = {machine.name: Learnt() for machine in settings.machines}
        self._panel: Panel | None = None

    async def run(self, port: Port, report: Report) -> None:
        """Talk until cancelled. A machine that is silent or refuses is a condition, not an error.

        Raises:
            LinkError: the line itself is gone.
        """
        session = _Session(self._settings, self._learnt, port, report)
        self._panel = session.panel
        try:
            await session.bus.run()
        finally:
            self._panel = None

    def control_points(self) -> tuple[ControlPoint, ...]:
        """See `Controllable`."""
        return self._settings.control_points()

    async def observe(self, source: str | None, point: str) -> Shown:
        """See `Controllable`."""
        return await self._open_panel().observe(source, point)

    async def attempt(self, order: Order) -> Attempt:
        """See `Controllable`."""
        return await self._open_panel().attempt(order)

    def is_done(self, order: Order, before: Shown, after: Shown) -> bool | None:
        """See `Controllable`."""
        return is_done(order, before, after)

    def _open_panel(self) -> Panel:
        if self._panel is None:
            raise LinkError("the link to the machines is down")
        return self._panel


class _Session:
    """One open line with its machines."""

    def __init__(
        self, settings: ModbusMachineSettings, learnt: dict[str | None, Learnt], port: Port, report: Report
    ) -> None:
        line_defaults = DRIVER.line
        assert line_defaults is not None
        units = [machine.address for machine in settings.machines]
        self._report = report
        self._is_dead = False
        self._line = Line(port, report, framing=settings.framing, units=units, baud=line_defaults.baud)
        self.bus = Bus(port, on_silent=self._silent, on_answer=self._answers, on_stray=self._line.stray)
        self.bus.most_backoff_s = MOST_BACKOFF_S
        self._machines = {
            each.name: Machine(each, settings, learnt[each.name], self._line) for each in settings.machines
        }
        now_s = port.monotonic_s()
        for machine in self._machines.values():
            ask = _noted(machine, machine.read)
            self.bus.add(Poll(machine.key, Rank.POWER, settings.poll_s, ask, now_s, is_probe=True))
            watchdog = machine.settings.watchdog
            if watchdog is not None:
                toggle = _noted(machine, machine.toggle)
                self.bus.add(Poll(machine.key, Rank.ALARM, watchdog.every_s, toggle, now_s))
        self.panel = Panel(self.bus, self._machines)

    def _answers(self, key: str) -> None:
        del key  # the machine knows already
        if self._is_dead:
            self._is_dead = False
            self._report(Condition("line_silent", active=False, severity=Severity.FAULT))

    def _silent(self, key: str, reason: str) -> None:
        del key, reason  # the machine was told already
        if self.bus.all_silent:
            self._is_dead = True
            self._report(Condition("line_silent", active=True, severity=Severity.FAULT, detail=self._line.silence()))


def _noted(machine: Machine, ask: Ask) -> Ask:
    """The same question, and the machine is told of its silence."""

    async def ask_and_note() -> bool | None:
        try:
            return await ask()
        except NoReplyError as error:
            machine.silent(str(error))
            raise

    return ask_and_note


DRIVER: Final = DriverSpec(
    "modbus_machine",
    Kind.MACHINE,
    ModbusMachineSettings,
    ModbusMachineDriver,
    "PLCs and drives of machines by Modbus RTU or TCP: states, counts, set-points, commands",
    line=LineDefaults(baud=9600),
    tcp_port=502,
    models=(
        "any PLC or drive with Modbus, by a list of its registers",
        "Inovance, Siemens, Delta and Schneider PLCs with a Modbus server",
    ),
)
