"""Plays an MTConnect agent before a warping machine: the twin of the driver `mtconnect`.

Its ring buffer, its sequence numbers and its instance id are those of a real agent. `serve` speaks the messages of the
driver's port, in any time; `serve_http` speaks HTTP/1.1.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape, quoteattr

from readers.driver import Port
from readers.http_messages import Answer, encode, paths
from readers.machine_states import MachineState
from simulator.world.warping import Spell, StopReason, WarpingMachine

DEVICE: Final = "mtconnect"
UNAVAILABLE: Final = "UNAVAILABLE"
EXECUTION: Final[Mapping[MachineState, str]] = {
    MachineState.EXECUTE: "ACTIVE",
    MachineState.IDLE: "READY",
    MachineState.HELD: "INTERRUPTED",
    MachineState.STOPPED: "STOPPED",
    MachineState.ABORTED: "STOPPED",
}
ITEMS: Final = (
    ("avail", "EVENT", "AVAILABILITY", "", "Availability"),
    ("exec", "EVENT", "EXECUTION", "", "Execution"),
    ("mode", "EVENT", "CONTROLLER_MODE", "", "ControllerMode"),
    ("estop", "EVENT", "EMERGENCY_STOP", "", "EmergencyStop"),
    ("total", "EVENT", "PART_COUNT", "ALL", "PartCount"),
    ("bad", "EVENT", "PART_COUNT", "BAD", "PartCount"),
    ("speed", "SAMPLE", "LINEAR_FEEDRATE", "", "LinearFeedrate"),
    ("system", "CONDITION", "SYSTEM", "", ""),
)
"""Id, category, type, subtype, and element of each data item."""
SPOKEN: Final = {item: element for item, _, _, _, element in ITEMS}
_GROUPS: Final = {"EVENT": "Events", "SAMPLE": "Samples", "CONDITION": "Condition"}
_IDLE_S: Final = 1.0
_MOST_HEAD_BYTES: Final = 16 << 10
_HTTP: Final = re.compile(rb"GET (\S+) HTTP/1\.[01]\r\n")
_US_PER_S: Final = 1_000_000


class _Kept(NamedTuple):
    sequence: int
    at_us: int
    item: str
    value: str


@dataclass(slots=True)
class Agent:
    """An agent, its devices all before one machine.

    Attributes:
        size: observations that its buffer holds.
        names: of its devices; the first is the machine, the others are always unavailable.
        lost: it has no connection to the machine.
        says: instead of a document, to every question.
    """

    machine: WarpingMachine
    size: int = 128
    names: tuple[str, ...] = ("Warper-1",)
    instance: int = 1_795_000_000
    lost: bool = False
    says: Answer | None = None
    _buffer: deque[_Kept] = field(init=False)
    _latest: dict[str, _Kept] = field(init=False)
    _next: int = field(init=False, default=1)
    _told: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.restart(self.instance)

    def restart(self, instance: int) -> None:
        """The agent is started again, and knows nothing of before."""
        self.instance, self._next = instance, 1
        self._buffer, self._latest = deque(maxlen=self.size), {}
        for item, *_ in ITEMS:
            self._add(0, item, UNAVAILABLE)
        self._told = max(0, len(self.machine.truth) - 1)

    def answer(self, path: str, now_us: int) -> Answer:
        """What it answers to a question."""
        self._hear(now_us)
        if self.says is not None:
            return self.says
        parts = urlsplit(path)
        *folders, kind = parts.path.strip("/").split("/")
        if any(folder not in self.names for folder in folders):
            return self._error("NO_DEVICE", f"Could not find the device '{folders[0]}'", now_us, 404)
        names = tuple(folders) or self.names
        if kind == "probe":
            return self._probe(names, now_us)
        if kind == "current":
            return self._streams(names, self._latest.values(), self._next, now_us)
        if kind == "sample":
            return self._sample(names, parse_qs(parts.query), now_us)
        return self._error("UNSUPPORTED", f"The path {parts.path} is not known", now_us, 404)

    def _hear(self, now_us: int) -> None:
        machine = self.machine
        machine.advance(now_us)
        if self.lost:
            for item in SPOKEN:
                self._change(now_us, item, UNAVAILABLE)
            self._told = len(machine.truth) - 1
            return
        spells = machine.truth[self._told :]
        self._told = len(machine.truth) - 1
        self._change(now_us, "avail", "AVAILABLE")
        self._change(now_us, "mode", "AUTOMATIC")
        for spell in spells:
            self._spell(max(spell.from_us, self._buffer[-1].at_us if self._buffer else 0), spell)
        self._change(now_us, "total", str(machine.total_m))
        self._change(now_us, "bad", str(machine.bad_m))
        self._change(now_us, "speed", str(machine.speed_m_per_min))

    def _spell(self, at_us: int, spell: Spell) -> None:
        self._change(at_us, "exec", EXECUTION[spell.state])
        self._change(at_us, "estop", "TRIGGERED" if spell.state is MachineState.ABORTED else "ARMED")
        if spell.reason is StopReason.DRIVE_FAULT:
            self._change(at_us, "system", "Fault:4711:The drive has tripped")
        elif spell.reason is StopReason.YARN_BREAK:
            self._change(at_us, "system", "Warning:17:Yarn break")
        else:
            self._change(at_us, "system", "Normal::")

    def _change(self, at_us: int, item: str, value: str) -> None:
        if self._latest[item].value != value:
            self._add(at_us, item, value)

    def _add(self, at_us: int, item: str, value: str) -> None:
        kept = self._latest[item] = _Kept(self._next, at_us, item, value)
        self._buffer.append(kept)
        self._next += 1

    def _sample(self, names: tuple[str, ...], query: Mapping[str, list[str]], now_us: int) -> Answer:
        first = self._buffer[0].sequence
        start, count = int(query.get("from", [str(first)])[0]), int(query.get("count", ["100"])[0])
        if not first <= start <= self._next:
            text = f"'from' must be from {first} to {self._next}"
            return self._error("OUT_OF_RANGE", text, now_us, 404)
        found = [kept for kept in self._buffer if kept.sequence >= start][:count]
        following = found[-1].sequence + 1 if found else self._next
        return self._streams(names, found, following, now_us)

    def _probe(self, names: tuple[str, ...], now_us: int) -> Answer:
        found = []
        for name in names:
            items = "".join(
                f'<DataItem id={quoteattr(item)} category="{category}" type="{kind}"'
                f"{f' subType={quoteattr(sub)}' if sub else ''}/>"
                for item, category, kind, sub, _ in ITEMS
            )
            found.append(
                f'<Device id="d" name={quoteattr(name)} uuid={quoteattr(name)}>'
                '<Description manufacturer="Twin" model="W-600" serialNumber="0815"/>'
                f"<DataItems>{items}</DataItems></Device>"
            )
        return self._document("Devices", f"<Devices>{''.join(found)}</Devices>", self._next, now_us)

    def _streams(self, names: tuple[str, ...], kept: Iterable[_Kept], following: int, now_us: int) -> Answer:
        mine = list(kept)
        found = []
        for name in names:
            told = mine if name == self.names[0] else []
            streams = "".join(self._groups(told))
            stream = f'<ComponentStream component="Path" componentId="p">{streams}</ComponentStream>' if streams else ""
            found.append(f"<DeviceStream name={quoteattr(name)} uuid={quoteattr(name)}>{stream}</DeviceStream>")
        return self._document("Streams", f"<Streams>{''.join(found)}</Streams>", following, now_us)

    def _groups(self, kept: list[_Kept]) -> Iterator[str]:
        for category, group in _GROUPS.items():
            ids = {item: sub for item, each, _, sub, _ in ITEMS if each == category}
            told = "".join(_element(each, category, ids[each.item]) for each in kept if each.item in ids)
            if told:
                yield f"<{group}>{told}</{group}>"

    def _error(self, code: str, text: str, now_us: int, status: int) -> Answer:
        body = f'<Errors><Error errorCode="{code}">{escape(text)}</Error></Errors>'
        return self._document("Error", body, self._next, now_us, status)

    def _document(self, kind: str, body: str, following: int, now_us: int, status: int = 200) -> Answer:
        header = (
            f'<Header creationTime="{_time(now_us)}" sender="twin" instanceId="{self.instance}" version="1.4.0.0" '
            f'bufferSize="{self.size}" firstSequence="{self._buffer[0].sequence}" '
            f'lastSequence="{self._next - 1}" nextSequence="{following}"/>'
        )
        name = f"MTConnect{kind}"
        start = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} xmlns="urn:mtconnect.org:{name}:1.4">'
        return Answer(status, f"{start}{header}{body}</{name}>".encode())


def _element(kept: _Kept, category: str, sub: str) -> str:
    common = f'dataItemId={quoteattr(kept.item)} sequence="{kept.sequence}" timestamp="{_time(kept.at_us)}"'
    if category == "CONDITION":
        if kept.value == UNAVAILABLE:
            return f'<Unavailable {common} type="SYSTEM"/>'
        level, code, text = kept.value.split(":", 2)
        native = f' nativeCode="{code}"' if code else ""
        return f'<{level} {common} type="SYSTEM"{native}>{escape(text)}</{level}>'
    sub_type = f' subType="{sub}"' if sub else ""
    return f"<{SPOKEN[kept.item]} {common}{sub_type}>{escape(kept.value)}</{SPOKEN[kept.item]}>"


def _time(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / _US_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def serve(port: Port, agent: Agent) -> None:
    """Answer the messages of the driver's port until the link ends.

    Raises:
        LinkError: the link ended.
    """
    while True:
        for path in paths(await port.receive(_IDLE_S)):
            await port.send(encode(agent.answer(path, port.now_us())))


async def serve_http(port: Port, agent: Agent) -> None:
    """Answer HTTP/1.1 on a connection that is kept, until it ends.

    Raises:
        LinkError: the link ended.
    """
    held = b""
    while True:
        held += await port.receive(_IDLE_S)
        while b"\r\n\r\n" in held:
            head, _, held = held.partition(b"\r\n\r\n")
            asked = _HTTP.match(head + b"\r\n")
            answer = agent.answer(asked[1].decode(), port.now_us()) if asked else Answer(400, b"")
            lines = f"HTTP/1.1 {answer.status} Answer\r\nContent-Type: text/xml\r\nContent-Length: {len(answer.body)}"
            await port.send(lines.encode() + b"\r\n\r\n" + answer.body)
        if len(held) > _MOST_HEAD_BYTES:
            return
