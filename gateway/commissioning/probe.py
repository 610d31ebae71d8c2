"""Talks to a reader for a few seconds, outside the edge daemon: `tagwharf probe` and `tagwharf record`."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.config.load import driver_settings
from gateway.config.models import Reader
from gateway.identity import Identities, hides_numbers, redacted
from gateway.links import open_link
from gateway.logs import clean
from readers import registry
from readers.driver import Driver, Kind, Port, Report
from readers.errors import ReaderBusyError, ReaderError
from readers.observations import (
    CardReads,
    Condition,
    DeviceInfo,
    InForce,
    Observation,
    Readings,
    Rejected,
    Signals,
    TagReads,
    Watching,
)
from readers.ports.recording import RecordingPort
from readers.tagdata.cards import CardIdentity

OPEN_WITHIN_S: Final = 15.0
SHOWN: Final = 8  # tags and readings that are listed; the rest is counted
MOST_TAGS: Final = 10_000  # distinct EPCs that are remembered
MOST_DEVICES: Final = 256  # more than a line of meters can hold
_HIDDEN: Final = "point CREDENTIALS_DIRECTORY at the directory with the card-key to see its name"
_BUSY: Final = "stop the edge daemon, or whoever else holds this reader, and probe again"


@dataclass(slots=True)
class Findings:
    """What one reader said.

    Attributes:
        identities: how the site names cards; without the key for it, nothing of their numbers is shown.
        kind: what the reader reads; texts of a card reader may hold numbers, and are shown without them.
        trouble: why it ended early; None when it talked to the end.
        watched: antenna ports that it really reads, by source; empty for a meter that answers.
        in_force: settings as read back, by source.
        clock_offset_us: host time minus reader time; None for a reader that tells no times.
    """

    reader: str
    driver: str
    port: str
    identities: Identities | None = None
    kind: Kind = Kind.CARD
    trouble: str | None = None
    heard: int = 0
    devices: list[DeviceInfo] = field(default_factory=list)
    watched: dict[str | None, Watching] = field(default_factory=dict)
    in_force: dict[str | None, dict[str, str]] = field(default_factory=dict)
    clock_offset_us: int | None = None
    tags: Counter[tuple[bytes, int]] = field(default_factory=Counter)
    forgotten_reads: int = 0
    rssi_dbm: dict[tuple[bytes, int], float] = field(default_factory=dict)
    cards: Counter[tuple[str, int]] = field(default_factory=Counter)
    values: dict[tuple[str, str], str] = field(default_factory=dict)
    conditions: dict[tuple[str | None, str, str], Condition] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)

    @property
    def fine(self) -> bool:
        """It answered: it said who it is, what it watches, or what it hears."""
        return self.trouble is None and bool(self.devices or self.watched or self.heard)

    def report(self, observation: Observation) -> None:
        """Take one observation."""
        if isinstance(observation, TagReads):
            self._tag_reads(observation)
        elif isinstance(observation, CardReads):
            self._card_reads(observation)
        elif isinstance(observation, Readings):
            self.heard += len(observation)
            for reading in observation.readings:
                value = "absent" if reading.value is None else f"{reading.value} {reading.quantity.unit}"
                name = " ".join(str(part) for part in (reading.quantity, reading.phase, reading.tariff) if part)
                self.values[(observation.source or self.reader, name)] = value
        elif isinstance(observation, Signals):
            self.heard += len(observation)
            for signal in observation.signals:
                value = f"{signal.value} {signal.unit or ''}".strip()
                self.values[(observation.source or self.reader, signal.name)] = value
        elif isinstance(observation, DeviceInfo):
            if observation not in self.devices and len(self.devices) < MOST_DEVICES:
                self.devices.append(observation)
        elif isinstance(observation, InForce):
            self.in_force.setdefault(observation.source, {}).update(observation.values)
        elif isinstance(observation, Watching):
            self.watched[observation.source] = observation
        elif isinstance(observation, Condition):
            key = (observation.source, observation.name, observation.key)
            if observation.active:
                self.conditions[key] = observation
            else:
                self.conditions.pop(key, None)
        elif isinstance(observation, Rejected):
            self.rejected[observation.reason] += observation.count

    def lines(self) -> list[str]:
        """All of it as text; what the device said is cleaned."""
        lines = [f"{self.reader} ({self.driver}, {self.port}): {'answers' if self.fine else 'does not answer'}"]
        if self.trouble is not None:
            lines.append(f"  trouble: {clean(self._shown(self.trouble))}")
        lines += [f"  is {clean(_who(device))}" for device in self.devices]
        lines += [f"  {_watching(source or self.reader, said)}" for source, said in self.watched.items()]
        for source, values in self.in_force.items():
            settings = ", ".join(f"{name} = {value}" for name, value in values.items())
            lines.append(f"  in force{f' on {clean(source)}' if source else ''}: {clean(settings)}")
        if self.clock_offset_us is not None:
            lines.append(f"  its clock is {-self.clock_offset_us / 1e6:+.3f} s from this host's")
        if self.tags or self.forgotten_reads:
            tags = f"{len(self.tags)} tags" if not self.forgotten_reads else f"more than {MOST_TAGS} tags"
            lines.append(f"  hears {self.heard} reads of {tags}")
        for (epc, antenna_port), count in self.tags.most_common(SHOWN):
            rssi = self.rssi_dbm.get((epc, antenna_port))
            strength = "" if rssi is None else f", strongest {rssi:.1f} dBm"
            lines.append(f"    {epc.hex().upper() or '(empty EPC)'} antenna {antenna_port}: {count} reads{strength}")
        for (card, antenna_port), count in self.cards.most_common(SHOWN):
            lines.append(f"    card {card} antenna {antenna_port}: {count} presentation{'' if count == 1 else 's'}")
        shown = list(self.values.items())[: SHOWN * 4]
        lines += [f"    {clean(source)} {clean(name)}: {clean(value)}" for (source, name), value in shown]
        if len(self.values) > len(shown):
            lines.append(f"    ... and {len(self.values) - len(shown)} more values")
        for condition in self.conditions.values():
            where = " ".join(part for part in (condition.source, condition.name, condition.key) if part)
            lines.append(f"  {condition.severity}: {clean(self._shown(f'{where}: {condition.detail}'))}")
        lines += [f"  rejected {count} times: {reason}" for reason, count in self.rejected.items()]
        if self.fine and not self.heard:
            lines.append("  heard no tag, card or reading; hold one before an antenna, or probe for longer")
        return lines

    def _shown(self, text: str) -> str:
        return redacted(text) if hides_numbers(self.kind, self.identities) else text

    def _card_reads(self, reads: CardReads) -> None:
        self.heard += len(reads)
        for card in reads.cards:
            key = (self._named(card.identity), card.antenna_port)
            if key in self.cards or len(self.cards) < MOST_TAGS:
                self.cards[key] += 1

    def _named(self, identity: CardIdentity) -> str:
        if self.identities is not None and self.identities.can_name:
            return self.identities.name(identity)
        return f"{identity.technology} {identity.part}, {len(identity.uid)} bytes, hidden: {_HIDDEN}"

    def _tag_reads(self, reads: TagReads) -> None:
        self.heard += len(reads)
        if reads.last_seen_us is not None:
            self.clock_offset_us = reads.clock_offset_us
        for row in reads.rows():
            key = (row.epc, row.antenna_port)
            if key not in self.tags and len(self.tags) >= MOST_TAGS:
                self.forgotten_reads += 1
                continue
            self.tags[key] += 1
            if row.rssi_dbm is not None:
                self.rssi_dbm[key] = max(row.rssi_dbm, self.rssi_dbm.get(key, row.rssi_dbm))


async def probe(reader: Reader, duration_s: float, identities: Identities | None = None) -> Findings:
    """Open the reader once, run its driver for some seconds, and tell what it said; cards as the site names them."""
    findings = _findings(reader, identities)
    try:
        port = await asyncio.wait_for(open_link(reader), OPEN_WITHIN_S)
    except TimeoutError:
        findings.trouble = f"{reader.port} did not open within {OPEN_WITHIN_S:.0f} s; check address and cable"
        return findings
    except ReaderError as error:
        findings.trouble = str(error)
        return findings
    try:
        await _talk(reader, port, findings.report, duration_s, identities)
    except ReaderError as error:
        advice = f"; {_BUSY}" if isinstance(error, ReaderBusyError) else ""
        findings.trouble = f"{error}{advice}"
    finally:
        await port.close()
    return findings


async def record(reader: Reader, duration_s: float, file: Path, identities: Identities | None = None) -> Findings:
    """Probe, and write the conversation to a file that the tests can replay; with card numbers, for its owner only.

    Raises:
        LinkError: the reader cannot be opened. OSError: the file cannot be written.
    """
    findings = _findings(reader, identities)
    port = await asyncio.wait_for(open_link(reader), OPEN_WITHIN_S)
    try:
        recording = _recording(port, reader, findings.kind, file)
    except OSError:
        await port.close()
        raise
    async with recording:
        try:
            await _talk(reader, recording, recording.recorded(findings.report), duration_s, identities)
        except ReaderError as error:
            findings.trouble = str(error)
    return findings


def driver_of(reader: Reader) -> Driver:
    """The driver of a reader, ready to talk.

    Raises:
        ConfigError: there is no such driver, or its settings are wrong.
    """
    return registry.driver(reader.driver).make(driver_settings(reader))


def fault_of(reader: Reader, end: BaseException | None, identities: Identities | None) -> RuntimeError:
    """What to raise when a driver ended as none may: a fault of it, shown without card numbers."""
    said = "it returned" if end is None else f"it ended with {type(end).__name__}: {end}"
    hides = hides_numbers(registry.driver(reader.driver).kind, identities)
    fault = RuntimeError(f"driver {reader.driver} has a fault: {redacted(said) if hides else said}")
    if end is not None and not hides:
        fault.__cause__ = end
    return fault if end is None else fault.with_traceback(end.__traceback__)


def _recording(port: Port, reader: Reader, kind: Kind, file: Path) -> RecordingPort:
    if kind is Kind.CARD:
        file.touch(mode=0o600, exist_ok=False)
    return RecordingPort(port, file, driver=reader.driver, settings=reader.settings)


def _findings(reader: Reader, identities: Identities | None) -> Findings:
    return Findings(reader.name, reader.driver, reader.port, identities, registry.driver(reader.driver).kind)


async def _talk(reader: Reader, port: Port, report: Report, duration_s: float, identities: Identities | None) -> None:
    """Run the driver until the time is over; that end is the usual one."""
    running = asyncio.create_task(driver_of(reader).run(port, report))
    try:
        done, _ = await asyncio.wait({running}, timeout=duration_s)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    if not done:
        return
    end = running.exception()
    if isinstance(end, ReaderError):
        raise end
    raise fault_of(reader, end, identities)


def _who(device: DeviceInfo) -> str:
    parts = (device.source, device.manufacturer, device.model, device.firmware, device.serial)
    return ", ".join(part for part in parts if part) or "a device that does not say what it is"


def _watching(name: str, said: Watching) -> str:
    if not said.active:
        return f"{name} is not being read"
    ports = ", ".join(map(str, sorted(said.antenna_ports)))
    return f"{name} is being read{f' on antenna {ports}' if ports else ''}"
