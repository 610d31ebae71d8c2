from __future__ import annotations

from decimal import Decimal

from gateway.config.machines import Production
from gateway.config.models import Site, SiteFile
from gateway.contract.batches import Reading, ReadingBatch
from rules.bookkeeping import KINDS, Bookkeeping
from rules.presence.watched import Watched
from rules.state import State
from tests.rules.machines.hall import START_US, Hall, Keeper, S, site


def test_both_books_are_kept_of_one_reading() -> None:
    keeper = Keeper(site())
    for batch in Hall(3, 3600, troubles=0.0).batches():
        keeper.step(batch)
    assert keeper.stored("energy")
    assert keeper.stored("production")
    assert {"energy_registers", "machines"} <= keeper.engine.counters().keys()


def test_each_kind_of_entry_finds_its_book_again() -> None:
    keeper = Keeper(site())
    for batch in Hall(3, 1200, troubles=0.0).batches():
        keeper.step(batch)
    keeper.commit()
    state = State()
    books = Bookkeeping(keeper.file, state)
    for key, value in keeper.kept.items():
        kind, gateway, rest = key.split("/", 2)
        if kind in KINDS:
            books.load(kind, gateway, rest, value)
    assert books.counters()["machines"] == 1
    assert books.unbalanced() == []


def test_a_reading_of_a_site_without_machines_makes_what_the_energy_books_make() -> None:
    file = SiteFile(site=Site(name="mill"), production=Production())
    books = Bookkeeping(file, State())
    watched = Watched()
    for minute in range(20):
        reading = Reading("active_energy_import", "1-0:1.8.0*255", Decimal(minute * 1000), "Wh")
        batch = ReadingBatch(
            gateway="edge-1", device="meter-1", received_at_us=START_US + minute * 60 * S, readings=[reading]
        )
        made = books.step(batch, 0, watched, historical=False)
        assert made is not None
    assert made is not None
    assert not [point for point in made.points if point.measurement == "production"]
