"""What stands in batches, as lines for people: single items, and how much of it was heard of something, and where."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from gateway.config.models import SiteFile
from gateway.contract.batches import Batch, CardBatch, ReadBatch, ReadingBatch, SignalBatch, StatusBatch, kind_of
from gateway.contract.events import Alarm, Event, Evidence
from gateway.logs import clean
from gateway.recording import Recording
from gateway.where import time_text
from rules.explaining.line import Line
from rules.language.vocabulary import signal_value


class Raw(NamedTuple):
    """An item as a line, what it is about, and where it was; `""` of what is at no read point."""

    line: Line
    subject: str
    place: str


def raw_items(batch: Batch) -> Iterator[Raw]:
    """Each item of a batch."""
    for index, (at_us, text, subject, place, more) in enumerate(_items(batch)):
        told = f"{time_text(at_us)}  {clean(text)}  [{batch.gateway} batch {batch.sequence}]"
        data = {
            **dict.fromkeys(("read_point", "antenna_port", "rssi_dbm")),
            "on": kind_of(batch) if isinstance(batch, StatusBatch) else kind_of(batch).removesuffix("s"),
            "at_us": at_us,
            "subject": subject,
            "device": batch.device,
            "gateway": batch.gateway,
            "epoch": batch.epoch,
            "sequence": batch.sequence,
            "index": index,
            **more,
        }
        yield Raw(Line("raw", told, data=data), subject, place)


_Item = tuple[int, str, str, str, dict[str, object]]
"""When, text, subject, place, and more for programs."""


def _items(batch: Batch) -> Iterator[_Item]:
    device, received_us = batch.device, batch.received_at_us
    if isinstance(batch, ReadBatch):
        for read in batch.reads:
            power = "-" if read.rssi_dbm is None else f"{read.rssi_dbm:.1f} dBm"
            times = f"  {read.count} times" if read.count > 1 else ""
            text = f"{read.epc}  {device} antenna {read.antenna_port}  {read.read_point}  {power}{times}"
            fields = ("read_point", "antenna_port", "rssi_dbm", "count")
            yield read.seen_at_us, text, read.epc, read.read_point, {name: getattr(read, name) for name in fields}
    elif isinstance(batch, CardBatch):
        for card in batch.cards:
            text = f"{card.card}  {device}  {card.read_point}"
            yield card.seen_at_us, text, card.card, card.read_point, {"read_point": card.read_point}
    elif isinstance(batch, ReadingBatch):
        for each in batch.readings:
            phase = f" phase {each.phase}" if each.phase else ""
            text = f"{device}  {each.quantity}{phase} {each.value} {each.unit}  {each.quality}"
            value = None if each.value is None else float(each.value)
            more: dict[str, object] = {"name": each.quantity, "phase": each.phase, "value": value}
            yield received_us, text, device, "", {**more, "unit": each.unit, "quality": each.quality}
    elif isinstance(batch, SignalBatch):
        for signal in batch.signals:
            text = f"{device}  {signal.name} {signal.value} {signal.unit or ''}"
            more = {"name": signal.name, "value": signal_value(signal), "unit": signal.unit}
            yield received_us, text, device, "", more
    elif isinstance(batch, StatusBatch):
        text = f"{device}  {batch.state}, {batch.reason}"
        yield received_us, text, device, "", {"name": batch.state, "reason": batch.reason}


def named(recording: Recording, told: Event | Alarm) -> Iterator[Raw]:
    """The items that the evidence of an event or alarm names, as far as they are still kept."""
    evidence = told.evidence
    if not evidence.sequence_to:
        return
    first, last = evidence.sequence_from, evidence.sequence_to
    for batch in recording.of_sequences(evidence.gateway, evidence.epoch, first, last):
        yield from (each for each in raw_items(batch) if _is_meant(told, evidence, each.subject, each.place))


def heard_lines(site: SiteFile, batches: Iterable[Batch], about: Collection[str]) -> Iterator[Line]:
    """How much was heard of some subjects, and what presence asks of it at that place."""
    counts: dict[tuple[str, str], list[float | None]] = {}
    for batch in batches:
        for what, place, rssi_dbm in _heard(batch, about):
            counts.setdefault((what, place), []).append(rssi_dbm)
    if not counts:
        yield Line("heard", "and the recording holds nothing of it in this time")
    for (what, place), heard in sorted(counts.items()):
        known = [each for each in heard if each is not None]
        power = f", {min(known):.1f} to {max(known):.1f} dBm" if known else ""
        asked = place_text(site, place) if what == "reads" else ""
        text = f"{len(heard)} {what} at {clean(place)}{power}{f'; {asked}' if asked else ''}"
        yield Line("heard", text, 2, {"place": place, "what": what, "count": len(heard)})


def _is_meant(told: Event | Alarm, evidence: Evidence, subject: str, place: str) -> bool:
    """Whether a raw item is among those that an evidence counts; without places, all of its batches are."""
    if evidence.read_points and place not in evidence.read_points:
        return False
    return subject == told.subject or not place


def place_text(site: SiteFile, point: str) -> str:
    """What presence asks of the tags at a read point."""
    for zone in site.zone:
        if point in zone.read_points:
            asked = f"zone {zone.name}: {zone.arrive_reads} reads in {zone.arrive_within_s:g} s make an arrival"
            return asked + _floor(zone.rssi_floor_dbm)
    for portal in site.portal:
        if point in (*portal.outer, *portal.inner):
            side = "outer" if point in portal.outer else "inner"
            asked = f"{side} side of portal {portal.name}: {portal.least_reads} reads on both sides make a passage"
            return asked + _floor(portal.rssi_floor_dbm)
    return "a zone of its own"


def _floor(floor_dbm: float | None) -> str:
    return "" if floor_dbm is None else f", weaker ones than {floor_dbm:g} dBm do not count"


def _heard(batch: Batch, about: Collection[str]) -> Iterator[tuple[str, str, float | None]]:
    if isinstance(batch, ReadBatch):
        yield from (("reads", each.read_point, each.rssi_dbm) for each in batch.reads if each.epc in about)
        return
    yield from (("items", place or subject, None) for _, subject, place in raw_items(batch) if subject in about)
