"""Asks an MTConnect agent for what is new, in the order of its sequence numbers, and tells it as signals.

The agent keeps what it hears in a ring buffer, so that a question that comes late loses nothing until the buffer is
full; what it has lost then is counted. An agent that has started again counts anew, and is asked for everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from readers.codecs.mtconnect import OUT_OF_RANGE, Decoder, Device, Document, Observation, read_document
from readers.control import Value
from readers.driver import Port, Report
from readers.errors import SHOWN_FRAME_BYTES, DeviceRefusedError, FrameError, LinkError
from readers.http_messages import Answer, request
from readers.machine_states import ALARM, STATE, MachineState
from readers.machines.mtconnect.items import EMERGENCY_STOP, NoValueError, Told, items_of, value_of
from readers.machines.mtconnect.settings import MtConnectSettings
from readers.observations import Condition, DeviceInfo, InForce, Rejected, Severity, Signal, Signals, Watching

ANSWER_WITHIN_S: Final = 15.0  # the port gives the server 10 s
CLOCK_TOLERANCE_US: Final = 5_000_000
MOST_STANDING: Final = 50
"""Conditions of a machine that are told at once."""
_OK: Final = 200
_AGENT: Final = "Agent"
_LEVELS: Final = {"Warning": Severity.WARNING, "Fault": Severity.FAULT}


class MtConnectDriver:
    """Asks one agent until cancelled."""

    def __init__(self, settings: MtConnectSettings) -> None:
        self._settings = settings

    async def run(self, port: Port, report: Report) -> None:
        """Ask until cancelled.

        Raises:
            LinkError: the agent does not answer. FrameError: what it answers is no document of an agent.
            DeviceRefusedError: it has several devices, or not the data items that the settings name.
        """
        session = _Session(self._settings, port, report)
        while True:
            await session.begin()
            while await session.follow():
                await port.pause(self._settings.poll_s)


@dataclass(slots=True)
class _Part:
    """One data item: what it said last, and why it says nothing."""

    told: Told
    value: Value | None = None
    fault: str = ""


class _Session:
    def __init__(self, settings: MtConnectSettings, port: Port, report: Report) -> None:
        self._settings = settings
        self._port = port
        self._report = report
        self._decoder = Decoder()
        self._parts: dict[str, _Part] = {}
        self._standing: dict[tuple[str, str], str] = {}
        self._alarm: str | None = None
        self._device = ""
        self._instance = 0
        self._next = 0
        self._is_watched: bool | None = None
        self._is_clock_off = False
        self._told_all_s = float("-inf")

    async def begin(self) -> None:
        """Learn what there is, and everything that it says now."""
        probed = await self._document("/probe", "MTConnectDevices")
        device = self._the_device(probed)
        self._device, self._parts = device.name, {}
        told = items_of(device, self._settings.signals)
        self._parts = {item: _Part(each) for item, each in told.items()}
        self._report(DeviceInfo(device.manufacturer, device.model or device.name, probed.header.version, device.serial))
        self._report(InForce({each.name: item for item, each in told.items()}))
        current = await self._document("/current", "MTConnectStreams")
        self._instance, self._next = current.header.instance, current.header.following
        self._clock(current)
        self._take(current.observations, everything=True)

    async def follow(self) -> bool:
        """Take what is new; False when the agent has started again, or has lost what was asked for."""
        document = self._read(await self._ask(f"/sample?from={self._next}&count={self._settings.count}"))
        header = document.header
        if document.root == "MTConnectError" and self._is_lost(document):
            return False
        self._require(document, "MTConnectStreams")
        if header.instance != self._instance:
            self._report(Rejected("agent_restarted"))
            return False
        if header.first > self._next:
            self._report(Rejected("sequence_gap", header.first - self._next, header.first - self._next))
        found = [each for each in document.observations if each.sequence >= self._next]
        self._next = max(self._next, header.following)
        self._clock(document)
        self._take(sorted(found, key=lambda each: each.sequence), everything=False)
        return True

    def _is_lost(self, document: Document) -> bool:
        """Whether the agent has lost what was asked for, or counts anew."""
        if document.header.instance and document.header.instance != self._instance:
            self._report(Rejected("agent_restarted"))
            return True
        if OUT_OF_RANGE in {code for code, _ in document.errors}:
            lost = max(1, document.header.first - self._next)
            self._report(Rejected("sequence_gap", lost, lost))
            return True
        return False

    async def _ask(self, path: str) -> Answer:
        port = self._port
        await port.send(request(path))
        until_s = port.monotonic_s() + ANSWER_WITHIN_S
        while (left_s := until_s - port.monotonic_s()) > 0:
            answers = self._decoder.feed(await port.receive(left_s))
            for reason, count in self._decoder.take_rejects().items():
                self._report(Rejected(reason, count, sample=self._decoder.reject_sample))
            if answers:
                return answers[-1]
        raise LinkError(f"{port.description}: no answer to {path} within {ANSWER_WITHIN_S:g} s")

    def _read(self, answer: Answer) -> Document:
        """The document of an answer.

        Raises:
            LinkError: the server answers that it cannot. FrameError: it is no document of an agent.
        """
        try:
            return read_document(answer.body)
        except FrameError as error:
            self._report(Rejected(error.reason, sample=answer.body[:SHOWN_FRAME_BYTES]))
            if answer.status == _OK:
                raise
            where = self._port.description
            raise LinkError(f"{where}: the server answers {answer.status}; is it an MTConnect agent?") from error

    def _require(self, document: Document, root: str) -> None:
        if document.root != root:
            self._report(Rejected("agent_error" if document.errors else "root"))
        if document.root == "MTConnectError":
            where = self._port.description
            said = "; ".join(f"{code} {text}".strip() for code, text in document.errors)
            raise LinkError(f"{where}: the agent answers {said or 'an error'}; check the device in the port's path")
        if document.root != root:
            raise FrameError("root", f"{root} was asked for, {document.root} came")

    async def _document(self, path: str, root: str) -> Document:
        document = self._read(await self._ask(path))
        self._require(document, root)
        return document

    def _the_device(self, probed: Document) -> Device:
        """The one device; editions from 1.7 on have an `Agent` beside it, which is none."""
        devices = [each for each in probed.devices if each.name != _AGENT and not each.name.startswith("agent_")]
        devices = devices or probed.devices
        if len(devices) == 1:
            return devices[0]
        where = self._port.description
        names = ", ".join(each.name for each in devices)
        raise DeviceRefusedError(
            f"{where}: the agent has {f'devices {names}' if names else 'no device'}; a reader is one of them: name it "
            f"in the port, as in {where}/{devices[0].name if devices else 'NAME'}"
        )

    def _take(self, observations: list[Observation], *, everything: bool) -> None:
        told: list[Signal] = []
        for each in observations:
            if each.device and each.device != self._device:
                continue
            if each.category == "CONDITION":
                self._condition(each)
            elif (part := self._parts.get(each.item)) is not None:
                told += self._changed(part, each)
        if (alarm := self._alarm_text()) != self._alarm:
            self._alarm = alarm
            told.append(Signal(ALARM, alarm))
        self._judge()
        now_s = self._port.monotonic_s()
        if everything or now_s - self._told_all_s >= self._settings.repeat_s:
            self._told_all_s = now_s
            names = {each.name for each in told}
            told += [each for each in self._all() if each.name not in names]
        if told:
            self._report(Signals(self._port.now_us(), told))

    def _all(self) -> list[Signal]:
        found = [self._signal(part) for part in self._parts.values()]
        return [each for each in found if each is not None]

    def _changed(self, part: _Part, observation: Observation) -> list[Signal]:
        try:
            value = value_of(part.told, observation.text)
        except NoValueError as why:
            part.value = None
            if part.fault != str(why):
                part.fault = str(why)
                self._no_value(part, is_active=True)
            return []
        if part.fault:
            part.fault = ""
            self._no_value(part, is_active=False)
        if part.value == value:
            return []
        part.value = value
        changed = [self._signal(part)]
        if part.told.name == EMERGENCY_STOP:
            changed += [self._signal(each) for each in self._parts.values() if each.told.name == STATE]
        return [each for each in changed if each is not None]

    def _signal(self, part: _Part) -> Signal | None:
        value = part.value
        if value is None:
            return None
        if part.told.name == STATE and self._is_stopped_hard():
            value = MachineState.ABORTED.value
        return Signal(part.told.name, value, part.told.unit)

    def _is_stopped_hard(self) -> bool:
        return any(part.told.name == EMERGENCY_STOP and part.value is True for part in self._parts.values())

    def _no_value(self, part: _Part, *, is_active: bool) -> None:
        detail = part.fault if is_active else ""
        self._report(Condition("no_value", is_active, Severity.WARNING, part.told.name, detail))

    def _condition(self, observation: Observation) -> None:
        key = (observation.item, observation.native_code)
        level = _LEVELS.get(observation.kind)
        if level is None:  # Normal ends one with its code, or all of this item; Unavailable says nothing of any
            ended = [each for each in self._standing if each == key or (each[0] == key[0] and not key[1])]
            for each in ended:
                del self._standing[each]
                self._report(Condition("machine_condition", False, key=":".join(filter(None, each))))  # noqa: FBT003 - it ended
            return
        if key not in self._standing and len(self._standing) >= MOST_STANDING:
            self._report(Rejected("too_many_conditions"))
            return
        text = " ".join(filter(None, (observation.type, observation.native_code, observation.text)))
        self._standing[key] = text if level is Severity.FAULT else ""
        self._report(Condition("machine_condition", True, level, ":".join(filter(None, key)), text))  # noqa: FBT003 - it stands

    def _alarm_text(self) -> str:
        return next((text for text in reversed(self._standing.values()) if text), "")

    def _judge(self) -> None:
        states = [part for part in self._parts.values() if part.told.name == STATE] or list(self._parts.values())
        lives = any(part.value is not None for part in states)
        if lives is not self._is_watched:
            self._is_watched = lives
            self._report(Watching(active=lives))

    def _clock(self, document: Document) -> None:
        created_us = document.header.created_us
        off_us = 0 if created_us is None else created_us - self._port.now_us()
        is_off = abs(off_us) > CLOCK_TOLERANCE_US
        if is_off != self._is_clock_off:
            self._is_clock_off = is_off
            detail = f"the agent's clock is {off_us / 1e6:+.1f} s from this host's"
            self._report(Condition("clock_differs", is_off, Severity.INFO, detail=detail))
