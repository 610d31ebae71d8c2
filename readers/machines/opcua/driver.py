"""Watches the nodes of an OPC UA server and tells them as signals, machine by machine.

A machine is watched while its state is known, or, without a signal `machine_state`, while any of its nodes has a value:
a server may well go on answering for a controller that it has lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from readers.codecs.opcua import RUNNING, Decoder, security_of, server_state
from readers.control import Attempt, ControlPoint, Fate, Order, Shown, Value
from readers.driver import Port, Report
from readers.errors import FrameError, LinkError
from readers.machine_states import STATE
from readers.machines.opcua.panel import Panel, is_done
from readers.machines.opcua.settings import NodeSignal, OpcUaSettings
from readers.machines.opcua.values import NoValueError, value_of
from readers.observations import Condition, DeviceInfo, InForce, Rejected, Severity, Signal, Signals, Watching
from readers.opcua_messages import (
    Alive,
    Answer,
    Browse,
    Change,
    Data,
    Found,
    Item,
    Message,
    Missed,
    Open,
    Sample,
    Server,
    Watch,
    Watched,
    encode,
)

FIRST_WORD_WITHIN_S: Final = 30.0
SILENT_AFTER_S: Final = 20.0  # the port says every 5 s that the server answers
LISTEN_S: Final = 1.0
MOST_FOUND: Final = 40
CLOCK_TOLERANCE_US: Final = 2_000_000
_NOTHING: Final = "nothing has come yet"
_MOST_BAD: Final = 3  # frames of the port in a row that make no sense


class OpcUaDriver:
    """Watches one server until cancelled, and carries out orders meanwhile."""

    def __init__(self, settings: OpcUaSettings) -> None:
        self._settings = settings
        self._panel: Panel | None = None

    async def run(self, port: Port, report: Report) -> None:
        """Watch until cancelled.

        Raises:
            LinkError: the session ended, or cannot begin. ReaderBusyError: the server has too many sessions.
            ConfigError: a certificate, a key or a credential is wrong.
        """
        self._panel = Panel(self._settings, port)
        try:
            await _Session(self._settings, port, report, self._panel).talk()
        finally:
            panel, self._panel = self._panel, None
            panel.close()

    def control_points(self) -> tuple[ControlPoint, ...]:
        """See `Controllable`."""
        return self._settings.control_points()

    async def observe(self, source: str | None, point: str) -> Shown:
        """See `Controllable`."""
        if self._panel is None:
            raise LinkError("there is no session with the server")
        return await self._panel.observe(source, point)

    async def attempt(self, order: Order) -> Attempt:
        """See `Controllable`."""
        if self._panel is None:
            return Attempt(Fate.NOT_SENT, "there is no session with the server")
        return await self._panel.attempt(order)

    def is_done(self, order: Order, before: Shown, after: Shown) -> bool | None:
        """See `Controllable`."""
        return is_done(self._settings, order, before, after)


@dataclass(slots=True)
class _Part:
    """One watched node: what it said last, and why it says nothing."""

    signal: NodeSignal
    told: Value | None = None
    fault: str = _NOTHING


@dataclass(slots=True)
class _Machine:
    name: str | None
    parts: list[_Part] = field(default_factory=list)
    is_watched: bool | None = None
    told_all_s: float = float("-inf")

    @property
    def lives(self) -> bool:
        """Whether what it does is known."""
        states = [part for part in self.parts if part.signal.name == STATE] or self.parts
        return any(part.told is not None for part in states)


class _Session:
    """One conversation."""

    def __init__(self, settings: OpcUaSettings, port: Port, report: Report, panel: Panel) -> None:
        self._settings = settings
        self._port = port
        self._report = report
        self._panel = panel
        self._decoder = Decoder()
        self._parts = [_Part(signal) for signal in panel.signals]
        self._machines: dict[str | None, _Machine] = {}
        for part in self._parts:
            name = part.signal.machine
            self._machines.setdefault(name, _Machine(name)).parts.append(part)
        self._state: int | None = None
        self._is_clock_off = False
        self._heard_s = port.monotonic_s()
        self._bad = 0

    async def talk(self) -> None:
        settings = self._settings
        await self._port.send(encode(Open(settings.security.policy, settings.message_mode)))
        is_open = False
        while True:
            for message in await self._hear():
                if isinstance(message, Server):
                    is_open = True
                    self._met(message)
                    await self._begin()
                elif is_open:
                    self._take(message)
            silent_s = self._port.monotonic_s() - self._heard_s
            if silent_s > (SILENT_AFTER_S if is_open else FIRST_WORD_WITHIN_S):
                raise LinkError(f"{self._port.description}: nothing came for {silent_s:.0f} s")
            if is_open:
                self._repeat()

    async def _hear(self) -> Sequence[Message]:
        data = await self._port.receive(LISTEN_S)
        messages = self._decoder.feed(data)
        for reason, count in self._decoder.take_rejects().items():
            self._report(Rejected(reason, count, sample=self._decoder.reject_sample))
            self._bad += 1
        if messages:
            self._heard_s = self._port.monotonic_s()
            self._bad = 0
        if self._bad > _MOST_BAD:
            raise FrameError("json", f"{self._port.description}: what comes is none of the port's messages")
        return messages

    async def _begin(self) -> None:
        if not self._parts:
            await self._port.send(encode(Browse(MOST_FOUND)))
            return
        items = tuple(
            Item(number, part.signal.node, part.signal.sampling_ms, part.signal.queue, _deadband(part.signal))
            for number, part in enumerate(self._parts)
        )
        await self._port.send(encode(Watch(self._settings.publish_ms, items)))

    def _met(self, server: Server) -> None:
        self._report(DeviceInfo(server.manufacturer, server.product, server.version, server.uri))
        values = {"security": security_of(server.policy, server.mode)}
        if server.fingerprint:
            values["server_certificate_sha256"] = server.fingerprint
        values |= {f"namespace_{number}": uri for number, uri in enumerate(server.namespaces[:MOST_FOUND])}
        self._report(InForce(values))
        self._life(server.state, server.offset_us)

    def _take(self, message: Message) -> None:
        if isinstance(message, Data):
            self._data(message.changes)
        elif isinstance(message, Answer):
            self._panel.answered(message)
        elif isinstance(message, Alive):
            self._life(message.state, message.offset_us)
        elif isinstance(message, Watched):
            self._watched(message)
        elif isinstance(message, Missed):
            self._report(Rejected(message.reason, message.count, message.count))
        elif isinstance(message, Found):
            nodes = {f"node {node}": name for node, name in message.nodes}
            self._report(InForce(nodes))
            detail = "settings.signals names no node; what the server has is shown as its nodes"
            self._report(Condition("nothing_watched", True, Severity.FAULT, detail=detail))  # noqa: FBT003 - it holds

    def _life(self, state: int, offset_us: int | None) -> None:
        if state != self._state:
            is_wrong = state != RUNNING
            if is_wrong or self._state is not None:
                self._report(Condition("server_state", is_wrong, Severity.FAULT, detail=server_state(state)))
            self._state = state
        is_off = offset_us is not None and abs(offset_us) > CLOCK_TOLERANCE_US
        if is_off != self._is_clock_off:
            self._is_clock_off = is_off
            detail = f"the server's clock is {-(offset_us or 0) / 1e6:+.1f} s from this host's"
            self._report(Condition("clock_differs", is_off, Severity.INFO, detail=detail))

    def _watched(self, watched: Watched) -> None:
        self._report(InForce({"publish_ms": str(watched.publish_ms)}))
        for handle, why in watched.refused.items():
            if 0 <= handle < len(self._parts):
                self._fault(self._parts[handle], f"the server does not watch it: {why}")
        for handle in watched.unfiltered:
            if 0 <= handle < len(self._parts):
                signal = self._parts[handle].signal
                detail = f"{signal.node}: the server knows no deadband here; it is kept by the gateway"
                self._report(
                    Condition("setting_differs", True, Severity.INFO, f"{signal.name}.deadband", detail, signal.machine)  # noqa: FBT003 - it holds
                )
        for machine in self._machines.values():
            self._judge(machine)

    def _data(self, changes: Sequence[Change]) -> None:
        told: dict[str | None, list[Signal]] = {}
        for change in changes:
            if not 0 <= change.handle < len(self._parts):
                self._report(Rejected("unknown_handle"))
                continue
            part = self._parts[change.handle]
            if change.sample.overflowed:
                self._report(Rejected("queue_overflow", reads_lost=1, source=part.signal.machine))
            if (signal := self._changed(part, change.sample)) is not None:
                told.setdefault(part.signal.machine, []).append(signal)
        for machine in self._machines.values():
            self._judge(machine)
            if (signals := told.get(machine.name)) is not None:
                self._report(Signals(self._port.now_us(), signals, source=machine.name))

    def _changed(self, part: _Part, sample: Sample) -> Signal | None:
        try:
            value = value_of(part.signal, sample)
        except NoValueError as why:
            self._fault(part, str(why))
            return None
        before, part.told = part.told, value
        if part.fault:
            is_new = part.fault == _NOTHING
            part.fault = ""
            if not is_new:
                self._condition(part, is_active=False)
        elif before == value or _is_near(before, value, part.signal.deadband):
            part.told = before
            return None
        return Signal(part.signal.name, value, part.signal.unit)

    def _fault(self, part: _Part, why: str) -> None:
        part.told = None
        if part.fault != why:
            part.fault = why
            self._condition(part, is_active=True)

    def _condition(self, part: _Part, *, is_active: bool) -> None:
        signal = part.signal
        detail = f"{signal.node}: {part.fault}" if is_active else ""
        self._report(Condition("no_value", is_active, Severity.WARNING, signal.name, detail, signal.machine))

    def _judge(self, machine: _Machine) -> None:
        lives = machine.lives and self._state == RUNNING
        if lives is not machine.is_watched:
            machine.is_watched = lives
            self._report(Watching(source=machine.name, active=lives))

    def _repeat(self) -> None:
        now_s = self._port.monotonic_s()
        for machine in self._machines.values():
            if machine.told_all_s == float("-inf"):
                machine.told_all_s = now_s
            if now_s - machine.told_all_s < self._settings.repeat_s:
                continue
            machine.told_all_s = now_s
            parts = [(part.signal, part.told) for part in machine.parts]
            signals = [Signal(signal.name, told, signal.unit) for signal, told in parts if told is not None]
            if signals:
                self._report(Signals(self._port.now_us(), signals, source=machine.name))


def _deadband(signal: NodeSignal) -> str:
    return f"{signal.deadband / abs(signal.scale):f}" if signal.deadband else ""


def _is_near(before: Value | None, value: Value, deadband: Decimal) -> bool:
    return (
        bool(deadband)
        and isinstance(before, Decimal)
        and isinstance(value, Decimal)
        and abs(value - before) <= deadband
    )
