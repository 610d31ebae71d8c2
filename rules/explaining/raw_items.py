"""What stands in batches, as lines for people: single items, and how much of it was heard of something, and where."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from gateway.config.models import SiteFile
from gateway.contract.batches import Batch, CardBatch, ReadBatch, ReadingBatch, SignalBatch, StatusBatch
from gateway.logs import clean
from gateway.where import time_text


def raw_lines(batch: Batch) -> Iterator[tuple[str, str, str]]:
    """Each item of a batch as a line, with what it is about and where it was."""
    head = f"{batch.gateway} batch {batch.sequence}"
    if isinstance(batch, ReadBatch):
        for read in batch.reads:
            power = "-" if read.rssi_dbm is None else f"{read.rssi_dbm:.1f} dBm"
            times = f"  {read.count} times" if read.count > 1 else ""
            line = f"{read.epc}  {batch.device} antenna {read.antenna_port}  {read.read_point}  {power}{times}"
            yield f"{time_text(read.seen_at_us)}  {clean(line)}  [{head}]", read.epc, read.read_point
    elif isinstance(batch, CardBatch):
        for card in batch.cards:
            line = f"{card.card}  {batch.device}  {card.read_point}"
            yield f"{time_text(card.seen_at_us)}  {clean(line)}  [{head}]", card.card, card.read_point
    elif isinstance(batch, ReadingBatch):
        for each in batch.readings:
            phase = f" phase {each.phase}" if each.phase else ""
            line = f"{batch.device}  {each.quantity}{phase} {each.value} {each.unit}  {each.quality}"
            yield f"{time_text(batch.received_at_us)}  {clean(line)}  [{head}]", batch.device, ""
    elif isinstance(batch, SignalBatch):
        for signal in batch.signals:
            line = f"{batch.device}  {signal.name} {signal.value} {signal.unit or ''}"
            yield f"{time_text(batch.received_at_us)}  {clean(line)}  [{head}]", batch.device, ""
    elif isinstance(batch, StatusBatch):
        line = f"{batch.device}  {batch.state}, {batch.reason}"
        yield f"{time_text(batch.received_at_us)}  {clean(line)}  [{head}]", batch.device, ""


def heard_lines(site: SiteFile, batches: Iterable[Batch], about: Collection[str]) -> Iterator[str]:
    """How much was heard of some subjects, and what presence asks of it at that place."""
    counts: dict[tuple[str, str], list[float | None]] = {}
    for batch in batches:
        for what, place, rssi_dbm in _heard(batch, about):
            counts.setdefault((what, place), []).append(rssi_dbm)
    if not counts:
        yield "and the recording holds nothing of it in this time"
    for (what, place), heard in sorted(counts.items()):
        known = [each for each in heard if each is not None]
        power = f", {min(known):.1f} to {max(known):.1f} dBm" if known else ""
        asked = place_text(site, place) if what == "reads" else ""
        yield f"  {len(heard)} {what} at {clean(place)}{power}{f'; {asked}' if asked else ''}"


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
    yield from (("items", place or subject, None) for _, subject, place in raw_lines(batch) if subject in about)
