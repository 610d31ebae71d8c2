"""A small LLRP client in memory, for tests of the simulated reader: it speaks by the reader's own codec."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from readers.errors import LinkError
from readers.ports.memory import MemoryPort, pair
from simulator.device import Sighting
from simulator.llrp.codec import Bits, Decoder, Frame, Node, decode, encode, node
from simulator.llrp.reader import SimulatedReader

ANSWER_WITHIN_S = 5.0
FLAGS = {
    "EnableROSpecID": 0,
    "EnableSpecIndex": 0,
    "EnableInventoryParameterSpecID": 0,
    "EnableAntennaID": 0,
    "EnableChannelIndex": 0,
    "EnablePeakRSSI": 0,
    "EnableFirstSeenTimestamp": 0,
    "EnableLastSeenTimestamp": 0,
    "EnableTagSeenCount": 0,
    "EnableAccessSpecID": 0,
}


class Beat:
    """Reads tag `n % tags` on every antenna that listens, every `gap_us`; remembers what it was asked."""

    def __init__(self, gap_us: int = 10_000, tags: int = 5) -> None:
        self.gap_us = gap_us
        self.tags = tags
        self.asked: list[tuple[int, int, int]] = []

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> list[Sighting]:
        self.asked.append((antenna_port, start_us, until_us))
        numbers = range(-(-start_us // self.gap_us), -(-until_us // self.gap_us))
        return [
            Sighting(n * self.gap_us, antenna_port, self.epc(n % self.tags), -50.0 - n % self.tags, phase_deg=45.0)
            for n in numbers
        ]

    @staticmethod
    def epc(number: int) -> bytes:
        return bytes.fromhex("3034") + number.to_bytes(10, "big")


class Client:
    """One connection. Messages that are no answer to a request gather in `heard`."""

    def __init__(self, port: MemoryPort) -> None:
        self.port = port
        self.heard: list[Node] = []
        self.frames: list[Frame] = []
        self._decoder = Decoder()
        self._next_id = 1000

    async def listen(self, seconds: float) -> list[Node]:
        """What comes in this time, without the answers; it is kept in `heard` too."""
        before = len(self.heard)
        until_s = self.port.monotonic_s() + seconds
        while (left_s := until_s - self.port.monotonic_s()) > 0:
            self._take(await self.port.receive(left_s))
        return self.heard[before:]

    async def send(self, message: Node, *, version: int = 1) -> int:
        self._next_id += 1
        await self.port.send(encode(message, self._next_id, version))
        return self._next_id

    async def ask(self, message: Node, *, version: int = 1) -> Node:
        """The answer to a request, by its id."""
        wanted = await self.send(message, version=version)
        until_s = self.port.monotonic_s() + ANSWER_WITHIN_S
        while (left_s := until_s - self.port.monotonic_s()) > 0:
            for frame in self._take(await self.port.receive(left_s)):
                if frame.message_id == wanted:
                    answer = decode(frame)
                    self.heard = [each for each in self.heard if each != answer]
                    return answer
        raise AssertionError(f"no answer to {message.name}")

    async def demand(self, message: Node) -> Node:
        """The answer to a request that must be carried out."""
        answer = await self.ask(message)
        assert status(answer) == (0, ""), answer.one("LLRPStatus")
        return answer

    def _take(self, data: bytes) -> list[Frame]:
        frames = list(self._decoder.feed(data))
        self.frames += frames
        self.heard += [decode(frame) for frame in frames]
        return frames

    def reads(self) -> list[Node]:
        """All TagReportData so far."""
        return [tag for message in self.heard for tag in message.all("TagReportData")]

    def events(self, name: str) -> list[Node]:
        """All events of that name so far."""
        data = [m.need("ReaderEventNotificationData") for m in self.heard if m.name == "READER_EVENT_NOTIFICATION"]
        return [event for each in data for event in each.all(name)]


@asynccontextmanager
async def connected(reader: SimulatedReader) -> AsyncIterator[Client]:
    """A client that has had its connection event; the link ends with the block."""
    near, far = pair()
    served = asyncio.create_task(reader.serve(far))
    client = Client(near)
    with contextlib.suppress(LinkError):  # a client that is refused finds the link closed behind the event
        await client.listen(0.001)
    try:
        yield client
    finally:
        await near.close()
        await served


def status(answer: Node) -> tuple[int, str]:
    """Code and text of LLRPStatus."""
    found = answer.need("LLRPStatus")
    return found.number("StatusCode"), str(found.fields["ErrorDescription"])


def detail(answer: Node) -> list[tuple[str, int, int]]:
    """The chain of errors below LLRPStatus: (name, parameter type or field number, code)."""
    chain = []
    at: Node | None = answer.need("LLRPStatus")
    while at is not None:
        deeper = at.one("ParameterError") or at.one("FieldError")
        if deeper is not None:
            which = "ParameterType" if deeper.name == "ParameterError" else "FieldNum"
            chain.append((deeper.name, deeper.number(which), deeper.number("ErrorCode")))
        at = deeper
    return chain


def report_spec(*vendor: Node, trigger: int = 1, n: int = 1, memory: Node | None = None, **flags: int) -> Node:
    selector = Node("TagReportContentSelector", {**FLAGS, **flags}, [memory] if memory else [])
    return node("ROReportSpec", selector, *vendor, ROReportTrigger=trigger, N=n)


def ai_spec(
    ports: tuple[int, ...] = (1,), *configurations: Node, stop: Node | None = None, spec_id: int = 1, protocol: int = 1
) -> Node:
    stop = stop or node("AISpecStopTrigger", AISpecStopTriggerType=0, DurationTrigger=0)
    inventory = node("InventoryParameterSpec", *configurations, InventoryParameterSpecID=spec_id, ProtocolID=protocol)
    return node("AISpec", stop, inventory, AntennaIDs=ports)


def rospec(
    *parts: Node,
    rospec_id: int = 1,
    priority: int = 0,
    state: int = 0,
    start: Node | int = 1,
    duration_ms: int = 0,
    report: Node | None = None,
) -> Node:
    """A ROSpec: immediate start, no stop, antenna 1, each read reported with antenna and time, by default."""
    report = report or report_spec(EnableAntennaID=1, EnableFirstSeenTimestamp=1)
    started = start if isinstance(start, Node) else node("ROSpecStartTrigger", ROSpecStartTriggerType=start)
    stopped = node("ROSpecStopTrigger", ROSpecStopTriggerType=int(duration_ms > 0), DurationTriggerValue=duration_ms)
    boundary = node("ROBoundarySpec", started, stopped)
    parts = parts or (ai_spec(),)
    return node("ROSpec", boundary, *parts, report, ROSpecID=rospec_id, Priority=priority, CurrentState=state)


def target(bit: int = 32, mask: bytes = b"", data: bytes = b"", *, bank: int = 1, match: int = 1) -> Node:
    """C1G2TargetTag; by default any tag."""
    bits = 8 * len(mask)
    return node(
        "C1G2TargetTag", MB=bank, Match=match, Pointer=bit, TagMask=Bits(bits, mask), TagData=Bits(8 * len(data), data)
    )


def read_op(opspec_id: int = 1, bank: int = 2, word: int = 0, words: int = 2, password: int = 0) -> Node:
    return node("C1G2Read", OpSpecID=opspec_id, AccessPassword=password, MB=bank, WordPointer=word, WordCount=words)


def accessspec(
    *operations: Node,
    spec_id: int = 1,
    rospec_id: int = 0,
    antenna: int = 0,
    count: int = 0,
    at_its_end: int = 0,
    targets: tuple[Node, ...] = (),
    state: int = 0,
    protocol: int = 1,
) -> Node:
    """An AccessSpec: reads two words of the TID of every tag, for ever, by default."""
    return node(
        "AccessSpec",
        node("AccessSpecStopTrigger", AccessSpecStopTrigger=int(count > 0), OperationCountValue=count),
        node("AccessCommand", node("C1G2TagSpec", *(targets or (target(),))), *(operations or (read_op(),))),
        node("AccessReportSpec", AccessReportTrigger=at_its_end),
        AccessSpecID=spec_id,
        AntennaID=antenna,
        ProtocolID=protocol,
        CurrentState=state,
        ROSpecID=rospec_id,
    )


async def run_rospec(client: Client, tree: Node) -> None:
    """Add and enable."""
    await client.demand(node("ADD_ROSPEC", tree))
    await client.demand(node("ENABLE_ROSPEC", ROSpecID=tree.number("ROSpecID")))


def configuration(*parameters: Node, reset: int = 0) -> Node:
    return node("SET_READER_CONFIG", *parameters, ResetToFactoryDefault=reset)


def hold(on: int = 1) -> Node:
    return configuration(node("EventsAndReports", HoldEventsAndReportsUponReconnect=on))


def keepalive(period_ms: int) -> Node:
    return configuration(node("KeepaliveSpec", KeepaliveTriggerType=1, PeriodicTriggerValue=period_ms))


def switch_events(events: Sequence[int]) -> Node:
    states = [node("EventNotificationState", EventType=event, NotificationState=1) for event in events]
    return configuration(node("ReaderEventNotificationSpec", *states))
