"""Plays a Zebra reader with the IoT Connector, one JSON line an event: the twin of the driver `zebra_iotc`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from readers.codecs.iot_json import Event, encode
from readers.codecs.iot_messages import encode_zebra
from readers.driver import Port
from readers.observations import TagRead
from simulator.device import Radio, Sighting

DEVICE: Final = "zebra_iotc"


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
    """

    antennas: tuple[int, ...] = (1, 2, 3, 4)
    report_s: float = 0.1
    alive_s: float = 60.0
    clock_offset_us: int = 0
    runs_until_s: float | None = None
    omits: frozenset[str] = frozenset()


async def serve(port: Port, radio: Radio, reader: Reader | None = None) -> None:
    """Write what the radio hears until the link ends.

    Raises:
        LinkError: the link ended.
    """
    own = reader or Reader()

    def now_us() -> int:
        return port.now_us() + own.clock_offset_us

    began_s = alive_s = port.monotonic_s()
    start_us = port.now_us()
    is_running = True
    while True:
        await port.receive(0)
        await port.pause(own.report_s)
        now_s, until_us = port.monotonic_s(), port.now_us()
        if is_running:
            heard = [seen for antenna_port in own.antennas for seen in radio.heard(antenna_port, start_us, until_us)]
            for seen in sorted(heard):
                await port.send(encode(encode_zebra(_event(seen, own))))
            if own.runs_until_s is not None and now_s - began_s >= own.runs_until_s:
                is_running = False
        if own.alive_s and now_s - alive_s >= own.alive_s:
            alive_s = now_s
            await port.send(encode(encode_zebra(Event(now_us()))))
        start_us = until_us


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
