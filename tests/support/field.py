"""The devices of a site, in a thread of the test's own, each behind a fault proxy; and what they really said.

The port gate of the simulator with denser traffic, and beside it readers of the test's own. Nothing moves before
`begin`, so that a slow machine has the gateway connected by then.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from readers.driver import Port
from simulator import scenario
from simulator.device import Radio, Sighting
from simulator.faults import FaultProxy, Kind, Plan
from simulator.llrp.identities import IDENTITIES
from simulator.llrp.reader import SimulatedReader
from simulator.meters import dlt645
from simulator.rfid import m100
from simulator.scenario_file import ScenarioFile, load
from simulator.server import DeviceServer

US_PER_S: Final = 1_000_000
READY_WITHIN_S: Final = 20.0
LANES_EVERY_S: Final = 1.5
"""Mean time between two trucks of a lane: short enough that every fault meets some of them."""
Serve = Callable[[Port], Awaitable[None]]


class Counted(NamedTuple):
    """A read of `CountingRadio`, computed from its number alone."""

    at_us: int
    rssi_dbm: float


class CountingRadio:
    """Every read is of a tag of its own, whose EPC is its number: what is lost, doubled or altered shows."""

    def __init__(self, reads_per_s: float, prefix: bytes = b"\x30\x74\xc0\xde") -> None:
        """`prefix`: the first 4 of 12 bytes of each EPC."""
        self.prefix = prefix
        self.gap_us = round(US_PER_S / reads_per_s)
        self.from_us = self.until_us = 0

    def begin(self, from_us: int, until_us: int) -> None:
        """Let tags come in this time."""
        self.from_us, self.until_us = from_us, until_us

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        """See `simulator.device.Radio`."""
        start_us, until_us = max(start_us, self.from_us), min(until_us, self.until_us)
        return [
            Sighting(read.at_us, antenna_port, self.prefix + number.to_bytes(8, "big"), read.rssi_dbm)
            for number in range(-(-start_us // self.gap_us), -(-until_us // self.gap_us))
            for read in (self.read(number),)
        ]

    def read(self, number: int) -> Counted:
        """The read of that number."""
        return Counted(number * self.gap_us, -70.0 + number % 40)

    def numbers(self) -> range:
        """All that could be read."""
        return range(-(-self.from_us // self.gap_us), -(-self.until_us // self.gap_us))

    def number(self, epc: str) -> int | None:
        """The number of an EPC in hex, None if it is no tag of this radio."""
        prefix = self.prefix.hex().upper()
        return int(epc.removeprefix(prefix), 16) if epc.startswith(prefix) and len(epc) == 24 else None


class LateRadio:
    """A radio that is empty until the world begins."""

    def __init__(self) -> None:
        self.inner: Radio | None = None

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        """See `simulator.device.Radio`."""
        return [] if self.inner is None else self.inner.heard(antenna_port, start_us, until_us)


class EchoRadio:
    """The same EPCs over and over, one every `gap_us`, at all antennas alike."""

    def __init__(self, epcs: Iterable[bytes], gap_us: int = 20_000) -> None:
        self.epcs = list(epcs)
        self._gap_us = gap_us

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        """See `simulator.device.Radio`."""
        numbers = range(-(-start_us // self._gap_us), -(-until_us // self._gap_us))
        return [Sighting(n * self._gap_us, antenna_port, self.epcs[n % len(self.epcs)], -50.0) for n in numbers]


@dataclass(frozen=True)
class Device:
    """One device: what answers a connection, and its table in the site file, with `${name}` for its address."""

    name: str
    serve: Serve
    table: str = ""


def counting_reader(radio: CountingRadio, *, keepalive_s: float = 5.0) -> Device:
    """An LLRP reader with that radio."""
    return llrp_reader("counter", radio, keepalive_s=keepalive_s)


def llrp_reader(name: str, radio: Radio, *, identity: str = "impinj", keepalive_s: float = 5.0) -> Device:
    """An LLRP reader with one antenna, whose read point has its name."""
    table = f"""
[[reader]]
name = "{name}"
driver = "llrp"
port = "tcp://${{{name}}}"
read_points = {{ 1 = "{name}" }}
settings = {{ profile = "gate", antennas = [1], keepalive_s = {keepalive_s} }}
"""
    return Device(name, SimulatedReader(IDENTITIES[identity], radio).serve, table)


def m100_reader(name: str, radio: Radio) -> Device:
    """A serial reader behind a TCP converter, whose read point has its name."""
    table = f"""
[[reader]]
name = "{name}"
driver = "m100"
port = "socket://${{{name}}}"
read_points = {{ 1 = "{name}" }}
"""
    return Device(name, lambda port: m100.serve(port, radio), table)


@dataclass
class Field:
    """Devices that are served.

    Attributes:
        truth: what `simulator.scenario` says of the gate; `passages` is empty until `begin`.
        counting: the radio of the reader `counter`.
        ends_s: when all traffic is over, by time.monotonic.
        proxies: the fault proxy of each device.
    """

    seed: int
    counting: CountingRadio
    plans: Mapping[str, Plan] = field(default_factory=dict)
    truth: dict[str, Any] = field(default_factory=lambda: {"passages": [], "papers": []})
    ends_s: float = 0.0
    proxies: dict[str, FaultProxy] = field(default_factory=dict)
    tables: str = ""
    _radios: dict[str, LateRadio] = field(default_factory=dict)
    _file: ScenarioFile | None = None
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _failures: list[BaseException] = field(default_factory=list)

    def begin(self, traffic_s: float) -> None:
        """Let trucks and tags come for so long."""
        start_us = time.time_ns() // 1000
        self.counting.begin(start_us, start_us + round(traffic_s * US_PER_S))
        if self._file is not None:
            world = scenario.build(self._file, self.seed, start_us, traffic_s)
            for name, radio in self._radios.items():
                radio.inner = world.radio(name)
            self.truth = world.truth()
        self.ends_s = time.monotonic() + traffic_s

    def stop_traffic(self) -> None:
        """Let nothing more come, sooner than was said; trucks are forgotten."""
        self.counting.until_us = time.time_ns() // 1000
        for radio in self._radios.values():
            radio.inner = None
        self.ends_s = time.monotonic()

    def strike(self, device: str, kind: Kind) -> None:
        """Let an ending happen now to the open connections of a device."""
        self._loop.call_soon_threadsafe(self.proxies[device].strike, kind)

    def strike_out(self, device: str) -> None:
        """End the connections of a device and let none come again."""
        self.refuse(device, refusing=True)
        self.strike(device, Kind.CUT)

    def refuse(self, device: str, *, refusing: bool) -> None:
        """Reset new connections to a device, or no more."""
        self.proxies[device].refusing = refusing

    def epcs(self) -> set[str]:
        """Every EPC of the gate that exists."""
        return {thing["epc"] for thing in itertools.chain(self.truth["passages"], self.truth["papers"])}

    def gate_devices(self) -> list[Device]:
        """The devices of the port gate, empty until the world begins; their tables are in its site file."""
        file = load("port_gate")
        lanes = [lane.model_copy(update={"every_s": LANES_EVERY_S}) for lane in file.lane]
        self._file = file.model_copy(update={"lane": lanes})
        devices = []
        for part in file.reader:
            radio = self._radios[part.name] = LateRadio()
            if part.twin == "llrp":
                devices.append(Device(part.name, SimulatedReader(IDENTITIES[part.identity], radio).serve))
            else:
                devices.append(Device(part.name, m100_reader(part.name, radio).serve))
        now_us = time.time_ns() // 1000
        for line in file.line:
            loads = scenario.build(file, self.seed, now_us, 1.0).loads[line.name]
            devices.append(Device(line.name, lambda port, loads=loads: dlt645.serve(port, loads, baud=9600)))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        return devices

    @property
    def addresses(self) -> dict[str, str]:
        """HOST:PORT of each device, as the gateway is to see it: the proxy's."""
        return {name: f"127.0.0.1:{proxy.port}" for name, proxy in self.proxies.items()}

    @contextmanager
    def serving(self, devices: Sequence[Device]) -> Iterator[None]:
        """Serve them until the end; a defect of a twin fails the test."""
        ready, stop = threading.Event(), asyncio.Event()

        async def main() -> None:
            async with AsyncExitStack() as stack:
                servers = []
                for device in devices:
                    server = await stack.enter_async_context(DeviceServer(device.serve))
                    servers.append(server)
                    proxy = FaultProxy(server.port, self.plans.get(device.name), seed=self.seed)
                    self.proxies[device.name] = await stack.enter_async_context(proxy)
                ready.set()
                await stop.wait()
                self._failures += [failure for server in servers for failure in server.failures]

        def run() -> None:
            try:
                self._loop.run_until_complete(main())
            finally:
                self._loop.close()

        thread = threading.Thread(target=run, name="field")
        thread.start()
        try:
            assert ready.wait(READY_WITHIN_S), "the simulated devices do not get ready"
            yield
        finally:
            self._loop.call_soon_threadsafe(stop.set)
            thread.join(READY_WITHIN_S)
        assert not self._failures, self._failures
