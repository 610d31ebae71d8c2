"""Presence at one gateway: its clock, its lateness buffer, its zones and portals, stepped slice by slice."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gateway.config.models import SiteFile
from gateway.config.rules import AbsenceRule, RateRule, SetRule
from gateway.contract.batches import Batch, ReadBatch, StatusBatch, TickBatch
from rules.outputs import Point
from rules.points import Chunk, RateRow, Rates
from rules.presence.happening import Happening
from rules.presence.portals import PortalRow, Portals, Session
from rules.presence.reorder import SLICE_US, Cell, Reorder, Slice, Source
from rules.presence.watched import Watched, WatchedRow
from rules.presence.zones import Stay, ZoneRow, Zones
from rules.state import State, Table

FORGET_EVERY: Final = 60_000_000 // SLICE_US
"""Slices between two looks for what may be forgotten."""


SET_BACK_US: Final = 10_000_000
"""A gateway's clock that is further behind than this was set back; less is waited out."""

KINDS: Final = frozenset({"gateway", "zone", "place", "portal", "gate", "slice", "rate", "rated"})
"""Kinds of state entries that belong to a gateway."""


class GatewayRow(msgspec.Struct):
    """What survives of a gateway.

    Attributes:
        judged: the last slice that was judged; -1 before the first batch.
        interval: of the read rates; looked, minute: when presence and rules last thought of forgetting.
    """

    watched: WatchedRow
    epoch: int = 0
    sequence: int = 0
    judged: int = -1
    interval: int = 0
    looked: int = 0
    minute: int = 0
    sources: dict[str, Source] = {}


class Tracker:
    """Presence at one gateway.

    Attributes:
        watched: the gateway's clock, and what it watches.
    """

    def __init__(self, site: SiteFile, gateway: str, state: State) -> None:
        settings = site.rules
        self._row_table: Table[GatewayRow] = state.table("gateway", gateway, GatewayRow)
        self._stays: Table[Stay] = state.table("zone", gateway, Stay)
        self._places: Table[ZoneRow] = state.table("place", gateway, ZoneRow)
        self._sessions: Table[Session] = state.table("portal", gateway, Session)
        self._gates: Table[PortalRow] = state.table("gate", gateway, PortalRow)
        self._slices: Table[Slice] = state.table("slice", gateway, Slice)
        self._rate_rows: Table[RateRow] = state.table("rate", gateway, RateRow)
        self._chunks: Table[Chunk] = state.table("rated", gateway, Chunk)
        self._lateness_us = round(settings.lateness_s * 1e6)
        self._forget_us = round(settings.forget_after_s * 1e6)
        self._floors_dbm = floors_of(site)
        self.portals = Portals(site.portal, self._sessions, self._gates)
        self.zones = Zones(site.zone, self.portals.points(), self._stays, self._places)
        sources = {
            point: Source(reader.name, port) for reader in site.reader for port, point in reader.read_points.items()
        }
        self.row = GatewayRow(WatchedRow(), sources=sources)
        self._together = _together(site)
        self.watched = Watched(self.row.watched, self._together)
        self.rates = Rates(
            site.site.name, round(settings.read_rate_every_s * 1e6), self.row.sources, self._rate_rows, self._chunks
        )
        self.reorder = Reorder(self._slices, self._lateness_us, self._floors_dbm, self.row.sources)

    def load(self, kind: str, key: str, value: bytes) -> None:
        """Put back one entry of a snapshot, of one of the `KINDS`."""
        tables: dict[str, Table[Any]] = {
            "gateway": self._row_table, "zone": self._stays, "place": self._places, "portal": self._sessions,
            "gate": self._gates, "slice": self._slices, "rate": self._rate_rows, "rated": self._chunks,
        }  # fmt: skip
        tables[kind].load(key, value)

    def replace_rules(self, site: SiteFile) -> None:
        """Count the watched time that these rules ask for."""
        self._together = _together(site)
        self.watched.count_together(self._together)

    def restore(self) -> int:
        """Take up the entries that were loaded; how many tags were forgotten because their place is gone."""
        row = self._row_table.rows.get("")
        if row is not None:
            row.sources = row.sources | self.row.sources
            self.row.sources.update(row.sources)
            row.sources = self.row.sources
            self.row = row
            self.watched = Watched(row.watched, self._together)
            self.rates.restore(row.interval)
        self.reorder = Reorder(self._slices, self._lateness_us, self._floors_dbm, self.row.sources)
        return len(self.zones.restore()) + len(self.portals.restore())

    def advance(self, batch: Batch) -> int:
        """Move the clock to the arrival of a batch, before anything in it is judged.

        Returns how far the clock was set back before, 0 mostly: a host may start with a clock that is hours ahead.
        What is known stays, and all its times move with the clock, so that nothing has to wait for hours.
        """
        row = self.row
        back_us = self.clock_us - batch.received_at_us
        is_broken = back_us > SET_BACK_US
        by_slices = -(-back_us // SLICE_US) if is_broken else 0
        if by_slices:
            self._set_back(by_slices)
        if batch.sequence:
            if batch.epoch != row.epoch and row.sequence:
                is_broken = True
                self.zones.sequences_restart()
                self.portals.sequences_restart()
            elif row.sequence and batch.sequence > row.sequence + 1:
                is_broken = True
            row.epoch, row.sequence = batch.epoch, batch.sequence
        self.watched.advance(batch.received_at_us, is_broken=is_broken)
        if row.judged < 0:
            row.judged = self.reorder.due(self.clock_us)
            row.interval = self.rates.interval = self.rates.interval_of(row.judged + 1)
        return by_slices * SLICE_US

    def _set_back(self, by_slices: int) -> None:
        row = self.row
        self.watched.set_back(by_slices * SLICE_US)
        self.reorder.set_back(by_slices)
        self.zones.set_back(by_slices)
        self.portals.set_back(by_slices)
        row.judged = max(0, row.judged - by_slices)
        row.looked = row.judged // FORGET_EVERY
        row.interval = self.rates.interval = self.rates.interval_of(row.judged + 1)

    @property
    def clock_us(self) -> int:
        """The gateway's now."""
        return self.watched.row.clock_us

    def take(self, batch: Batch) -> tuple[list[Happening], list[Point]]:
        """Take what concerns presence in a batch, and judge the slices that are due."""
        if isinstance(batch, ReadBatch):
            # Whether a read is late depends on its own age, not on how much of its batch came before it.
            self.reorder.insert(batch, max(self.row.judged, self.reorder.due(self.clock_us)), self.clock_us)
        elif isinstance(batch, StatusBatch):
            is_offline = batch.state == "offline"
            if is_offline and batch.device == batch.gateway:
                self.watched.all_now(())
            else:
                self.watched.state(batch.device, () if is_offline else batch.watched, is_offline=is_offline)
        elif isinstance(batch, TickBatch):
            self.watched.all_now(batch.watched)
        return self._judge()

    def save(self) -> None:
        """Write into the state what is kept outside of it."""
        self.zones.save()
        self.portals.save()
        self.rates.save()
        self.watched.save()
        self.row.interval = self.rates.interval
        self._row_table.put("", self.row)

    def _judge(self) -> tuple[list[Happening], list[Point]]:
        happenings: list[Happening] = []
        points: list[Point] = []
        row = self.row
        due = self.reorder.due(self.clock_us)
        while row.judged < due:
            index = row.judged + 1
            watched = self.watched.during(index * SLICE_US, (index + 1) * SLICE_US)
            heard = self.reorder.take(index)
            if heard is None and not watched and (dark := self._dark_up_to(index, due)) > index:
                self.zones.expire_up_to(dark)
                points += self.rates.close(dark + 1)
                row.judged = dark
            else:
                self._judge_slice(index, heard, watched, happenings, points)
                row.judged = index
            if row.judged // FORGET_EVERY != row.looked:
                row.looked = row.judged // FORGET_EVERY
                before_us = row.judged * SLICE_US - self._forget_us
                self.zones.forget(before_us)
                self.portals.forget(before_us)
        return happenings, points

    def _judge_slice(
        self, index: int, heard: Slice | None, watched: frozenset[str], happenings: list[Happening], points: list[Point]
    ) -> None:
        cells = []
        found: list[Happening] = []
        if heard is not None:
            late = sorted(heard.late, key=_late_order)
            found += self.zones.step(index, heard.cells, late)
            self.portals.step(index, heard.cells, late)
            cells = [heard.cells, heard.weak, *({point: {epc: cell}} for point, epc, cell in late)]
        found += self.zones.pass_time(index, watched)
        found += self.portals.pass_time(watched)
        if found:
            known_us = (index + 1) * SLICE_US
            happenings += [happening._replace(known_us=known_us) for happening in found]
        points += self.rates.step(index, cells, watched)

    def _dark_up_to(self, index: int, due: int) -> int:
        """The last slice before which nothing was watched and nothing is waiting."""
        until = self.watched.dark_until(index * SLICE_US) // SLICE_US - 1
        waiting = self.reorder.waiting()
        return min(until, due, due if waiting is None else waiting - 1)


def floors_of(site: SiteFile) -> dict[str, float]:
    """The RSSI floor of each read point: the lowest of the places that it belongs to, where all have one."""
    floors: dict[str, list[float | None]] = {}
    for zone in site.zone:
        for point in zone.read_points:
            floors.setdefault(point, []).append(zone.rssi_floor_dbm)
    for portal in site.portal:
        for point in (*portal.outer, *portal.inner):
            floors.setdefault(point, []).append(portal.rssi_floor_dbm)
    return {
        point: min(floor for floor in found if floor is not None)
        for point, found in floors.items()
        if all(floor is not None for floor in found)
    }


def _late_order(item: tuple[str, str, Cell]) -> tuple[int, str, str]:
    point, epc, cell = item
    return cell.last_us, epc, point


def _together(site: SiteFile) -> list[frozenset[str]]:
    """The names whose common watched time rules ask for."""
    counting = RateRule | AbsenceRule | SetRule
    return [frozenset(rule.watched) for rule in site.rule if isinstance(rule, counting)]
