"""What twins of readers that publish do alike: they write what the radio hears, and signs of life."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from readers.codecs.iot_json import Event, State, encode
from readers.driver import Port
from readers.observations import TagRead
from simulator.device import Radio, Sighting

Say = Callable[[Event], bytes]
"""The JSON text of an event."""


@dataclass(frozen=True, slots=True)
class Reader:
    """How the played reader is set.

    Attributes:
        antennas: the antenna ports that it reads with, all at the same time.
        report_s: how often it writes what it has read.
        alive_s: how often it gives a sign of life; 0 for never.
        clock_offset_us: reader time minus host time.
        runs_until_s: its inventory is stopped after so long; None for never.
        omits: fields that its settings leave out: `rssi_dbm`, `tid`, `pc_bits`, `phase_deg`.
        unplugged: antenna ports whose antenna is not there: they hear nothing.
    """

    antennas: tuple[int, ...] = (1, 2, 3, 4)
    report_s: float = 0.1
    alive_s: float = 60.0
    clock_offset_us: int = 0
    runs_until_s: float | None = None
    omits: frozenset[str] = frozenset()
    unplugged: frozenset[int] = frozenset()


async def publish(port: Port, radio: Radio, reader: Reader, say: Say, *, tells_state: bool) -> None:
    """Write what the radio hears until the link ends, one record an event.

    With `tells_state` the start and the stop of the inventory, and antennas that are not there, are events of their
    own; else signs of life tell them.

    Raises:
        LinkError: the link ended.
    """

    def now(state: State | None, connected: Iterable[int] = (), disconnected: Iterable[int] = ()) -> bytes:
        at_us = port.now_us() + reader.clock_offset_us
        event = Event(at_us, state=state, connected=frozenset(connected), disconnected=frozenset(disconnected))
        return encode(say(event))

    there = set(reader.antennas) - reader.unplugged
    is_running = True
    if tells_state:
        await port.send(now(State.RUNNING))
        for unplugged in sorted(reader.unplugged):
            await port.send(now(None, disconnected={unplugged}))
    began_s = alive_s = port.monotonic_s()
    start_us = port.now_us()
    while True:
        await port.receive(0)
        await port.pause(reader.report_s)
        now_s, until_us = port.monotonic_s(), port.now_us()
        if is_running:
            for seen in _heard(radio, reader, start_us, until_us):
                await port.send(encode(say(_event(seen, reader))))
            if reader.runs_until_s is not None and now_s - began_s >= reader.runs_until_s:
                is_running = False
                if tells_state:
                    await port.send(now(State.IDLE))
        if reader.alive_s and now_s - alive_s >= reader.alive_s:
            alive_s = now_s
            if tells_state:
                await port.send(now(None))
            else:
                await port.send(now(State.RUNNING if is_running else State.IDLE, there, reader.unplugged))
        start_us = until_us


def _heard(radio: Radio, reader: Reader, start_us: int, until_us: int) -> list[Sighting]:
    ports = [port for port in reader.antennas if port not in reader.unplugged]
    return sorted(seen for port in ports for seen in radio.heard(port, start_us, until_us))


def _event(seen: Sighting, reader: Reader) -> Event:
    at_us = seen.at_us + reader.clock_offset_us
    said = {
        "rssi_dbm": seen.rssi_dbm,
        "tid": seen.tid or None,
        "pc_bits": seen.pc_bits,
        "phase_deg": seen.phase_deg,
    }
    given = {name: value for name, value in said.items() if name not in reader.omits}
    return Event(at_us, read=TagRead(seen.epc, seen.antenna_port, last_seen_us=at_us, **given))  # type: ignore[arg-type]  # by name
