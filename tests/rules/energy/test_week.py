"""A substation in trouble, reduced; the whole of it is `benchmarks/energy_week.py`."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from rules.engine import Engine
from tests.rules.energy.substation import NAMES, Store, Substation
from tests.rules.things.registries import NOTHING


def test_the_books_of_a_substation_balance_to_the_last_hundredth_of_a_kilowatt_hour() -> None:
    station = Substation(seed=4, meters=20, days=2, troubles=1.5)
    engine, store, events = Engine(station.site(), NOTHING), Store(), Counter[str]()
    for batch in station.batches():
        outputs = engine.step(batch)
        store.write(outputs.points)
        events.update(event.type for event in outputs.events)
    happened = station.happened
    assert min(happened.get(kind, 0) for kind in ("outage", "reset", "swap", "rollover", "zero", "record")) > 1
    truth = station.truth_wh()
    sums = store.sums_wh()
    assert {key: sums[key[0], NAMES[key[1]]] for key in truth} == truth
    assert len(sums) == len(truth)

    by_calendar: dict[str, Decimal] = {}
    for (meter, _), energy in store.sums_wh("calendar").items():
        by_calendar[meter] = by_calendar.get(meter, Decimal(0)) + energy
    assert by_calendar == {m.name: truth[m.name, 0] for m in station.meters if not m.has_tariffs}

    total = sum(truth[meter.name, 0] for meter in station.meters)
    assert sum(energy for (_, tariff), energy in sums.items() if not tariff) == total
    counters = engine.counters()
    assert counters["energy_registers"] == len(truth)
    assert counters["energy_unbalanced"] == counters["energy_records_refused"] == 0
    assert engine._books.unbalanced() == []
    registers = {meter.name: len(meter.registers) for meter in station.meters}
    assert events["meter_swapped"] == happened["swap"]
    assert events["register_rolled_over"] == happened["rollover"]
    assert events["segment_opened"] == sum(
        registers[meter.name] for meter in station.meters for kind in meter.story.values() if kind in ("reset", "swap")
    )
    assert events["tariff_sum_differs"] == 0
    labels = store.qualities()
    assert labels["backfilled"] > 100
    assert labels["gap"] > 100
    assert "suspect" not in labels
