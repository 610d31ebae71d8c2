from __future__ import annotations

from random import Random

import msgspec
import pytest

from gateway.config.rules import AlarmSettings, MatchRule
from gateway.contract.batches import Batch, ReadingBatch
from gateway.contract.events import Event
from rules.checking.check import faults
from rules.energy import books
from rules.energy.books import Books
from rules.energy.segment import MOST_SPREAD_US
from rules.engine import Engine
from rules.outputs import Point
from rules.state import State
from tests.rules.energy.desk import Desk, Row
from tests.rules.energy.substation import Substation
from tests.rules.things.registries import NOTHING


class Play:
    """What an engine makes of batches: points, and events without the batches that they rest on."""

    def __init__(self, station: Substation) -> None:
        self.file = station.site()
        self.engine = Engine(self.file, NOTHING)
        self.stored: dict[str, bytes] = {}
        self.points: list[Point] = []
        self.events: list[Event] = []

    def step(self, batch: Batch) -> None:
        outputs = self.engine.step(batch)
        self.points += outputs.points
        self.events += outputs.events

    def commit(self) -> None:
        for key, value in self.engine.changes():
            if value is None:
                self.stored.pop(key, None)
            else:
                self.stored[key] = value

    def restart(self, rng: Random) -> None:
        self.engine = Engine(self.file, NOTHING)
        entries = list(self.stored.items())
        rng.shuffle(entries)
        self.engine.restore(entries)

    def told(self) -> tuple[bytes, bytes]:
        events = [msgspec.structs.replace(event, evidence=None) for event in self.events]
        points = [point for point in self.points if point.measurement in ("energy", "demand")]
        return msgspec.json.encode(points), msgspec.json.encode(events)


def day(seed: int) -> tuple[Substation, list[Batch]]:
    station = Substation(seed, 7, 1, troubles=2.0)
    return station, list(station.batches())


def cut(batches: list[Batch], rng: Random) -> list[Batch]:
    """The same readings in other batches."""
    found: list[Batch] = []
    for batch in batches:
        if not isinstance(batch, ReadingBatch) or len(batch.readings) == 1:
            parts: list[Batch] = [batch]
        else:
            at = rng.randrange(1, len(batch.readings))
            parts = [
                msgspec.structs.replace(batch, readings=batch.readings[:at]),
                msgspec.structs.replace(batch, readings=batch.readings[at:], ordinal=batch.ordinal + at),
            ]
        for part in parts:
            found.append(msgspec.structs.replace(part, sequence=len(found) + 1))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_restarts_and_other_batches_change_nothing(seed: int) -> None:
    station, batches = day(seed)
    rng = Random(seed)
    plain = Play(station)
    for batch in batches:
        plain.step(batch)
    other = Play(station)
    for batch in cut(batches, rng):
        other.step(batch)
        if rng.random() < 0.01:
            other.commit()
            other.restart(rng)
    assert other.told() == plain.told()
    assert len(plain.points) > 1000
    assert {event.type for event in plain.events} >= {"segment_opened", "energy_gap"}
    assert other.engine._books.unbalanced() == plain.engine._books.unbalanced() == []


def test_what_was_not_committed_is_judged_again_to_the_same_end() -> None:
    """Kill -9: the state of the last commit, and everything since once more."""
    station, batches = day(5)
    plain, killed = Play(station), Play(station)
    for batch in batches:
        plain.step(batch)
    committed, rng = 0, Random(1)
    for number, batch in enumerate(batches):
        killed.step(batch)
        if number % 997 == 0:
            killed.commit()
            committed = number + 1
        if number % 1999 == 0:
            killed.restart(rng)
            for again in batches[committed : number + 1]:
                killed.step(again)

    def last(play: Play) -> dict[object, object]:
        return {(p.tags, p.at_ns): p.fields for p in play.points if p.measurement == "energy"}

    assert last(killed) == last(plain)
    assert {event.id for event in killed.events} == {event.id for event in plain.events}


def test_a_rule_acts_on_what_the_books_find() -> None:
    rules = [
        MatchRule(
            shape="match", name="reset", on="register_decreased", when="e.after < 1000.0", alarm=AlarmSettings(),
        ),
        MatchRule(
            shape="match", name="high", on="reading",
            when="e.quantity == 'active_demand' && e.quality == 'computed' && e.value > 50000.0",
        ),
    ]  # fmt: skip
    desk = Desk(rules=rules)
    assert faults(desk.file) == []
    for minute in range(18):
        desk.show(minute, f"{100 + minute}.00")
    assert {event.type for event in desk.events} == {"high"}
    desk.show(18, "0.50")
    assert [(alarm.rule, alarm.subject) for alarm in desk.alarms] == [("reset", "meter-1")]


def test_a_clock_that_was_set_back_opens_segments_of_all_meters() -> None:
    desk = Desk()
    for minute in range(600, 621):
        desk.show(minute, f"{minute}.00")
        desk.show(minute + 0.1, f"{minute}.00", meter="meter-2")
    desk.tick(desk.at(20.5))
    for minute in range(21, 40):
        desk.show(minute, f"{600 + minute}.00")
        desk.show(minute + 0.1, f"{600 + minute}.00", meter="meter-2")
    assert [(event.type, event.subject) for event in desk.told()] == [
        ("segment_opened", "meter-1"), ("segment_opened", "meter-2"),
    ]  # fmt: skip
    assert {event.fields["reason"] for event in desk.told()} == {"clock_set_back"}
    for meter in ("meter-1", "meter-2"):
        booked = sum(float(row.kwh) for row in desk.rows(meter=meter))
        assert 15 + 5 + 9 < booked < 15 + 5 + 11
    assert desk.counters["clocks_set_back"] == 1


def test_a_host_that_wakes_up_in_the_wrong_year() -> None:
    desk = Desk()
    long_ago = -MOST_SPREAD_US / 60e6 * 3
    desk.show(long_ago, "100.00")
    desk.show(7, "500.00")
    desk.show(16, "501.00")
    assert [row.kwh for row in desk.rows()] == ["0.00", "400.88"]
    assert desk.rows()[1].quality == "gap"


def test_batches_without_registers_make_no_books() -> None:
    desk = Desk()
    desk.reading(desk.at(0), "230.0", quantity="voltage")
    desk.reading(desk.at(0.5), "5000", quantity="active_power")
    desk.says(1)
    desk.tick(desk.at(2))
    assert desk.counters["energy_registers"] == 0
    assert not [key for key in desk.kept() if key.startswith(("energy/", "meter/"))]


def test_more_registers_than_there_is_room_for_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "MOST_REGISTERS", 2)
    desk = Desk()
    for minute in range(2):
        desk.show(minute, "1.00", "0.50", "0.50")
    assert (desk.counters["energy_registers"], desk.counters["energy_registers_refused"]) == (2, 2)


def test_books_that_do_not_balance_are_named() -> None:
    desk = Desk()
    for minute in range(40):
        desk.show(minute, f"{minute}.00")
    kept = [(key, value) for key, value in desk.kept().items() if value is not None]
    state = State()
    found = Books(desk.file, state)
    for key, value in kept:
        kind, gateway, rest = key.split("/", 2)
        if kind in books.KINDS:
            found.load(kind, gateway, rest, value)
    assert found.unbalanced() == []
    row = found._gateways["edge-1"].registers.rows["meter-1/active_energy_import//0"]
    row.segments[0].booked += 1
    assert found.unbalanced() == ["edge-1/meter-1/active_energy_import//0"]


def test_a_meter_is_kept_by_its_gateway() -> None:
    desk = Desk()
    for minute in range(20):
        desk.show(minute, f"{minute}.00")
    desk.gateway = "edge-2"
    desk.show(20, "7.00")
    assert desk.told() == []
    assert desk.counters["energy_registers"] == 2
    assert desk.rows() == [Row(0, "15.00", "measured")]


def test_historical_batches_make_historical_events() -> None:
    desk = Desk()
    batch = desk.show(0, "5.00")
    assert batch.events == []
    head = desk.head(desk.at(1), "meter-1", "readings", 1)
    late = ReadingBatch(**head, readings=desk.batches[0].readings)  # type: ignore[arg-type,union-attr]  # as in Play
    late.readings = [msgspec.structs.replace(late.readings[0], value=late.readings[0].value / 2)]  # type: ignore[operator]  # 5 kWh
    late.sent_at_us = late.received_at_us + 3_600_000_000
    desk.give(late)
    assert [event.historical for event in desk.told("register_decreased")] == [True]
