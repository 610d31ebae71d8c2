from __future__ import annotations

from datetime import UTC, date
from decimal import Decimal

from gateway.config.energy import Price
from gateway.contract.batches import Reading, TickBatch
from gateway.contract.measurements import MEASUREMENTS
from readers.quantities import UNITS as READER_UNITS
from readers.quantities import Quantity
from rules.energy.points import UNITS, Demand, Key, Made, Shown
from rules.energy.prices import prices
from rules.energy.segment import Anchor, Entry, Quality, Segment
from rules.outputs import Outputs, Point
from rules.sinks.cardinality import SeriesGuard
from rules.sinks.influx_points import Encoder

BATCH = TickBatch(gateway="edge-1", epoch=7, sequence=9, device="meter-1", received_at_us=1, watched=[])
FIRST = Anchor(60, 100, 0)
SEGMENT = Segment("20260921T160000Z", "first_reading", "120", FIRST, [FIRST])
ENTRY = Entry(3, 0, 60, 900, 100, 250, 5, Quality.ESTIMATED)
SHOWN = Shown(Decimal(180000), Decimal(6000), Decimal(1000), Decimal(2500))


def made() -> Made:
    return Made(BATCH, "harbour", historical=False)


def lines(points: list[Point]) -> list[str]:
    encoder = Encoder(site="harbour", guard=SeriesGuard(100, lambda *_: None), store_reads=False)
    return encoder.lines(Outputs(1, points=points))[0]


def test_units_are_those_of_the_readers_and_combined_energy_has_no_books() -> None:
    energies = {quantity: unit for quantity, unit in READER_UNITS.items() if unit in ("Wh", "varh", "VAh")}
    assert {name: UNITS[name] for name in UNITS} == {
        quantity.value: unit for quantity, unit in energies.items() if quantity is not Quantity.ACTIVE_ENERGY_COMBINED
    }


def test_an_interval_as_a_store_gets_it() -> None:
    out = made()
    out.energy(Key("active_energy_import", "", 0), SEGMENT, ENTRY, SHOWN)
    (line,) = lines(out.points)
    assert line == (
        "energy,site=harbour,meter=meter-1,quantity=active_energy_import,unit=Wh,source=meter,segment=20260921T160000Z "
        'energy=180000.0,estimated=6000.0,quality="estimated",register_start=1000.0,register_end=2500.0,'
        "multiplier=120.0,from_us=60i,to_us=900i 0"
    )
    assert dict(out.points[0].fields)["energy"] == Decimal(180000)


def test_an_interval_by_calendar_and_phase() -> None:
    out = made()
    shown = SHOWN._replace(tariff="peak", source="calendar", calendar="industry of 2026-01-01")
    out.energy(Key("reactive_energy_q1", "a", 0), SEGMENT, ENTRY, shown)
    (line,) = lines(out.points)
    assert "unit=varh,phase=a,tariff=peak,source=calendar" in line
    assert 'calendar="industry of 2026-01-01"' in line


def test_demands() -> None:
    out = made()
    out.demand(Demand("block", "computed", 0, 900, Decimal(400), "measured", 15))
    out.demand(Demand("max", "meter", 77, 77, Decimal("123.4"), "measured", tariff="peak"))
    out.reckoned(120, Reading("active_demand", "1-0:1.4.0*255", Decimal(50), "W", quality="computed"))
    head = "site=harbour,meter=meter-1,quantity=active_demand,unit=W"
    block, most, sliding = lines(out.points)
    assert block == (
        f'demand,{head},source=computed,kind=block demand=400.0,quality="measured",ended_at_us=900i,window_min=15i 0'
    )
    assert most == (
        f'demand,{head},tariff=peak,source=meter,kind=max demand=123.4,quality="measured",ended_at_us=77i 77000'
    )
    assert sliding == f'reading,{head} obis="1-0:1.4.0*255",quality="computed",value=50.0 120000'
    assert [reading.value for reading in out.computed] == [Decimal(50)]


def test_every_field_is_used() -> None:
    out = made()
    shown = SHOWN._replace(tariff="peak", source="calendar", calendar="industry of 2026-01-01")
    out.energy(Key("reactive_energy_q1", "a", 0), SEGMENT, ENTRY, shown)
    out.prices = prices([Price(name="bill", valid_from=date(1970, 1, 1), per_kwh={"peak": 1.1})], UTC)["bill"]
    out.energy(Key("active_energy_import", "", 0), SEGMENT, ENTRY, shown)
    out.demand(Demand("block", "computed", 0, 900, Decimal(400), "measured", 15, "peak"))
    for measurement in ("energy", "demand"):
        schema = MEASUREMENTS[measurement]
        points = [point for point in out.points if point.measurement == measurement]
        assert {name for point in points for name, _ in point.fields} == schema.fields.keys()
        assert {name for point in points for name, _ in point.tags} == set(schema.tags)


def test_energy_with_a_price_has_a_cost() -> None:
    out = made()
    out.prices = prices([Price(name="bill", valid_from=date(1970, 1, 1), per_kwh={"peak": 1.1})], UTC)["bill"]
    key, shown = Key("active_energy_import", "", 0), SHOWN._replace(tariff="peak")
    out.energy(key, SEGMENT, ENTRY, shown)
    out.energy(key, SEGMENT, ENTRY, SHOWN)
    out.energy(key._replace(phase="a"), SEGMENT, ENTRY, shown)
    out.energy(key._replace(quantity="active_energy_export"), SEGMENT, ENTRY, shown)
    costs = [(dict(point.fields).get("cost"), dict(point.fields).get("currency")) for point in out.points]
    assert costs == [(Decimal(198), "CNY"), (None, None), (None, None), (None, None)]


def test_an_event_is_about_the_meter_whose_books_are_open() -> None:
    out = made()
    out.meter = "meter-7"
    out.event("energy_gap", 5, {"quantity": "active_energy_import"}, "a")
    assert [event.subject for event in out.events] == ["meter-7"]


def test_keys() -> None:
    assert Key("active_energy_import", "", 0).is_total
    assert not Key("active_energy_import", "a", 0).is_total
    assert Key("reactive_energy_q1", "b", 2).fields == {
        "quantity": "reactive_energy_q1", "unit": "varh", "phase": "b", "tariff": 2,
    }  # fmt: skip
