"""One machine: its signals, told when they change, and its watchdog."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from readers.codecs.modbus import Frame, Function
from readers.codecs.modbus_blocks import Limits, Span
from readers.machine_states import MODE, REMOTE_ENABLED, STATE
from readers.machines.modbus_machine.settings import Machine as MachineSettings
from readers.machines.modbus_machine.settings import ModbusMachineSettings
from readers.modbus_device import Device, Found, Learnt, refusal_name
from readers.modbus_line import Line, reply_delay
from readers.observations import Severity, Signal, Signals


class Machine:
    """One machine while a link lasts."""

    def __init__(self, settings: MachineSettings, common: ModbusMachineSettings, learnt: Learnt, line: Line) -> None:
        self.settings = settings
        self.key = settings.name or ""
        self._line = line
        self._repeat_s = common.repeat_s
        self._spans = settings.spans()
        self._told: dict[str, bool | Decimal | str] = {}
        self._told_all_s = float("-inf")
        self._unknown_state = ""
        self._tick = 0
        self._is_watchdog_refused = False
        self.device = Device(
            settings.name,
            settings.address,
            line,
            kind="machine",
            limits=Limits(settings.most_registers, settings.gap),
            learnt=learnt,
            delay=reply_delay(common.answer_within_s),
            named=self._named,
        )

    async def read(self) -> bool:
        """Read all of it and tell what changed.

        Raises:
            NoReplyError: the machine is silent. LinkError: the line is gone.
        """
        found: Found = {}
        asked = await self.device.read(self._spans, found)
        now_s = self._line.port.monotonic_s()
        everything = now_s - self._told_all_s >= self._repeat_s
        signals = [each for each in self._signals(found) if everything or self._is_news(each)]
        if everything:
            self._told_all_s = now_s
        self._told |= {signal.name: signal.value for signal in signals}
        if signals:
            self._line.report(Signals(self._line.port.now_us(), signals, self.settings.name))
        return asked

    async def toggle(self) -> bool:
        """Toggle the watchdog register.

        Raises:
            NoReplyError: the machine is silent. LinkError: the line is gone.
        """
        watchdog = self.settings.watchdog
        assert watchdog is not None
        if not self.device.watched:
            return False  # whether it answers is found out by reading
        self._tick ^= 1
        data = watchdog.address.to_bytes(2, "big") + self._tick.to_bytes(2, "big")
        answer = await self.device.write(Frame(self.settings.address, Function.WRITE_REGISTER, data))
        is_refused = answer.refusal is not None
        if is_refused != self._is_watchdog_refused:
            self._is_watchdog_refused = is_refused
            detail = f"holding register {watchdog.address}: {refusal_name(answer.refusal)}" if is_refused else ""
            self.device.condition("watchdog_refused", "", detail, active=is_refused, severity=Severity.FAULT)
        return True

    def silent(self, detail: str) -> None:
        """It does not answer: it has no state, and everything is news when it does again."""
        self._told.clear()
        self._told_all_s = float("-inf")
        self._unknown_state = ""
        self._is_watchdog_refused = False
        self.device.silent(detail)

    def _named(self, span: Span) -> str:
        settings = self.settings
        for each in settings.told():
            if each.span == span:
                return each.name
        named = ((STATE, settings.state), (MODE, settings.mode), (REMOTE_ENABLED, settings.remote_enabled))
        for name, place in named:
            if place is not None and span in getattr(place, "spans", (getattr(place, "span", None),)):
                return name
        return str(span)

    def _signals(self, found: Found) -> Iterator[Signal]:
        settings = self.settings
        if settings.state is not None:
            state, unknown = settings.state.state(found)
            self._tell_unknown(unknown)
            if state is not None:
                yield Signal(STATE, state.value)
        mode = None if settings.mode is None else settings.mode.mode(found)
        if mode is not None:
            yield Signal(MODE, mode.value)
        is_enabled = None if settings.remote_enabled is None else settings.remote_enabled.is_set(found)
        if is_enabled is not None:
            yield Signal(REMOTE_ENABLED, is_enabled)
        for each in settings.told():
            value = each.value(found)
            if value is not None:
                yield Signal(each.name, value, each.unit)

    def _tell_unknown(self, unknown: str) -> None:
        """A number that stands for no state is no state: the last one must not stand either."""
        if unknown == self._unknown_state:
            return
        if unknown:
            self._told.pop(STATE, None)  # it is news when it comes back
        self._unknown_state = unknown
        self.device.condition("state_unknown", "", unknown, active=bool(unknown))

    def _is_news(self, signal: Signal) -> bool:
        told = self._told.get(signal.name)
        if told is None:
            return True
        if isinstance(told, Decimal) and isinstance(signal.value, Decimal):
            return abs(signal.value - told) > self._steps.get(signal.name, 0)
        return told != signal.value

    @property
    def _steps(self) -> dict[str, Decimal]:
        return {each.name: each.step for each in self.settings.signals}
