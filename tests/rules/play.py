"""Plays a gateway to an engine: times in seconds, one batch a call, sequences counted."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from gateway.config.models import Portal, RulesSettings, Site, SiteFile, Zone
from gateway.config.rules import Rule
from gateway.contract.batches import (
    ITEM_KINDS,
    Batch,
    CardBatch,
    CardRead,
    Condition,
    ReadBatch,
    Reading,
    ReadingBatch,
    Signal,
    SignalBatch,
    StatusBatch,
    TagRead,
    TickBatch,
)
from gateway.contract.events import Alarm, Event
from rules.engine import Engine
from rules.outputs import Outputs, Point
from rules.things.registry import Registry
from tests.rules.things.registries import NOTHING

START_US = 1_790_000_000_000_000
HOUR_US = 3_600_000_000
EPC = "30340000000000000000000A"
OTHER = "30340000000000000000000B"


def us(at_s: float) -> int:
    return START_US + round(at_s * 1e6)


def site(
    *rules: Rule, zones: Iterable[Zone] = (), portals: Iterable[Portal] = (), settings: RulesSettings | None = None
) -> SiteFile:
    return SiteFile(
        site=Site(name="harbour"),
        rules=settings or RulesSettings(),
        zone=list(zones),
        portal=list(portals),
        rule=list(rules),
    )


class Play:
    """One gateway that speaks to one engine; everything that comes out is kept.

    While it is `historical`, what it says has waited for an hour.
    """

    def __init__(self, file: SiteFile, things: Registry = NOTHING, gateway: str = "edge-1") -> None:
        self.file = file
        self.things = things
        self.engine = Engine(file, things)
        self.gateway = gateway
        self.epoch = 7
        self.sequence = 0
        self.ordinals = dict.fromkeys(ITEM_KINDS, 0)
        self.watched: list[str] = []
        self.historical = False
        self.at_s = 0.0
        self.batches: list[Batch] = []
        self.events: list[Event] = []
        self.alarms: list[Alarm] = []
        self.points: list[Point] = []

    def give(self, batch: Batch) -> Outputs:
        if self.historical:
            batch.sent_at_us = batch.received_at_us + HOUR_US
        self.batches.append(batch)
        outputs = self.engine.step(batch)
        self.events += outputs.events
        self.alarms += outputs.alarms
        self.points += outputs.points
        return outputs

    def head(self, at_s: float, device: str, kind: str = "", items: int = 0) -> dict[str, object]:
        self.sequence += 1
        self.at_s = max(self.at_s, at_s)
        ordinal = self.ordinals.get(kind, 0)
        if kind:
            self.ordinals[kind] += items
        return {
            "gateway": self.gateway,
            "epoch": self.epoch,
            "sequence": self.sequence,
            "ordinal": ordinal,
            "device": device,
            "received_at_us": us(at_s),
        }

    def reads(self, at_s: float, *reads: TagRead, device: str = "reader-1") -> Outputs:
        head = self.head(at_s, device, "reads", len(reads))
        return self.give(ReadBatch(**head, reads=list(reads)))  # type: ignore[arg-type]  # head holds the header's fields

    def read(
        self,
        at_s: float,
        point: str,
        epc: str = EPC,
        rssi_dbm: float | None = -50.0,
        count: int = 1,
        late_s: float = 0.0,
    ) -> Outputs:
        return self.reads(at_s, tag_read(at_s - late_s, point, epc, rssi_dbm, count))

    def tick(self, at_s: float) -> Outputs:
        head = self.head(at_s, self.gateway)
        return self.give(TickBatch(**head, watched=list(self.watched)))  # type: ignore[arg-type]  # as above

    def watch(self, at_s: float, *watched: str) -> Outputs:
        self.watched = list(watched)
        return self.tick(at_s)

    def until(self, at_s: float) -> None:
        """Tick every second, as a gateway does when it hears nothing, up to this time."""
        while self.at_s + 1.0 < at_s:
            self.tick(self.at_s + 1.0)
        self.tick(at_s)

    def status(
        self,
        at_s: float,
        device: str,
        state: str = "online",
        watched: Iterable[str] = (),
        conditions: Iterable[str] = (),
    ) -> Outputs:
        head = self.head(at_s, device)
        stands = [Condition(name, "warning", us(at_s)) for name in conditions]
        batch = StatusBatch(
            **head,  # type: ignore[arg-type]  # as above
            state=state,
            reason="test",
            since_us=us(at_s),
            watched=list(watched),
            conditions=stands,
            driver="llrp",
        )
        return self.give(batch)

    def reading(
        self,
        at_s: float,
        value: str | None,
        quantity: str = "active_power",
        meter: str = "meter-1",
        phase: str | None = None,
    ) -> Outputs:
        head = self.head(at_s, meter, "readings", 1)
        number = None if value is None else Decimal(value)
        reading = Reading(quantity, "1-0:1.7.0*255", number, "W", phase=phase, quality="good" if value else "absent")
        return self.give(ReadingBatch(**head, readings=[reading]))  # type: ignore[arg-type]  # as above

    def signal(
        self, at_s: float, name: str, *, value: bool | str, unit: str | None = None, device: str = "reader-1"
    ) -> Outputs:
        head = self.head(at_s, device, "signals", 1)
        return self.give(SignalBatch(**head, signals=[Signal(name, value, unit)]))  # type: ignore[arg-type]  # as above

    def card(self, at_s: float, *cards: str, point: str = "door-1", device: str = "reader-1") -> Outputs:
        head = self.head(at_s, device, "cards", len(cards))
        rows = [
            CardRead(card, card.partition("#")[0].partition("~")[0], point, 1, us(at_s), _part(card)) for card in cards
        ]
        return self.give(CardBatch(**head, cards=rows))  # type: ignore[arg-type]  # as above

    def types(self) -> list[tuple[str, str | None]]:
        return [(event.type, event.zone) for event in self.events]


def _part(card: str) -> str:
    return card.partition("#")[0].partition("~")[2] or "whole"


def tag_read(at_s: float, point: str, epc: str = EPC, rssi_dbm: float | None = -50.0, count: int = 1) -> TagRead:
    return TagRead(epc, 1, point, us(at_s), rssi_dbm, count)


def run(file: SiteFile, batches: Iterable[Batch], things: Registry = NOTHING) -> list[Outputs]:
    engine = Engine(file, things)
    return [engine.step(batch) for batch in batches]
