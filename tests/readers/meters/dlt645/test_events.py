from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

from readers.codecs.dlt645_events import KINDS
from readers.meters.dlt645.driver import Dlt645Driver
from readers.observations import Observation, Readings, Rejected
from readers.ports.memory import START_US, run
from readers.quantities import Quantity
from simulator.meters.dlt645 import Behaviour, Meter, serve
from tests.readers.meters.dlt645.scenes import A1, Steady, conditions, listen, readings, settings, spoilt
from tests.support.talk import linked

HOUR_S = 3600


def watched(seconds: float, meanwhile: Callable[[Meter], Awaitable[None]], meter: Meter) -> list[Observation]:
    async def scene() -> list[Observation]:
        heard: list[Observation] = []
        ours, theirs = linked()
        driver = Dlt645Driver(settings([A1], read=["events"]))
        tasks = [
            asyncio.create_task(serve(theirs, {A1: meter})),
            asyncio.create_task(driver.run(ours, heard.append)),
            asyncio.ensure_future(meanwhile(meter)),
        ]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return heard

    return run(scene())


def test_every_kind_of_event_is_counted() -> None:
    heard = listen(50, settings([A1], read=["events"]), [A1])
    assert {r.quantity for r in readings(heard)} == {kind.quantity for kind in KINDS.values()}
    assert {r.value for r in readings(heard)} == {Decimal(0)}
    assert {r.meter_time_us for r in readings(heard)} == {None}


def test_a_new_event_comes_with_its_time_and_is_fetched_once() -> None:
    opened_us = START_US + 600_000_000

    async def meddle(meter: Meter) -> None:
        await asyncio.sleep(600)
        meter.look(opened_us)
        meter.happened("cover_opening", opened_us, opened_us + 5_000_000)

    heard = watched(2.5 * HOUR_S, meddle, Meter(A1, Steady()))
    found = [r for r in readings(heard) if r.quantity is Quantity.COVER_OPENINGS]
    assert [(r.value, r.meter_time_us) for r in found] == [
        (Decimal(0), None),
        (Decimal(1), opened_us),
        (Decimal(1), opened_us),
    ]
    assert all(o.source == "m0" for o in heard if isinstance(o, Readings))


def test_kinds_that_a_meter_does_not_know_are_left_out_without_a_word() -> None:
    lacks = frozenset(kind.count for kind in KINDS.values() if kind.name != "power_failure")
    heard = listen(4 * HOUR_S, settings([A1], read=["events"]), [A1], {A1: Behaviour(lacks=lacks)})
    assert {r.quantity for r in readings(heard)} == {Quantity.POWER_FAILURES}
    assert conditions(heard) == []


def test_a_counter_without_its_record_is_a_count_all_the_same() -> None:
    async def meddle(meter: Meter) -> None:
        meter.look(START_US)
        meter.happened("magnetic_influence", START_US)
        await asyncio.sleep(0)

    behaviour = Behaviour(lacks=frozenset({KINDS["magnetic_influence"].latest}))
    heard = watched(30, meddle, Meter(A1, Steady(), behaviour))
    found = [r for r in readings(heard) if r.quantity is Quantity.MAGNETIC_INFLUENCES]
    assert [(r.value, r.meter_time_us) for r in found] == [(Decimal(1), None)]


def test_a_count_that_is_none_is_counted_as_lost() -> None:
    behaviour = Behaviour(garbles=lambda raw: spoilt(raw, KINDS["programming"].count, lambda _: b"\xff" * 3))
    heard = listen(50, settings([A1], read=["events"]), [A1], {A1: behaviour})
    assert [(o.reason, o.reads_lost) for o in heard if isinstance(o, Rejected)] == [("data_range", 1)]
    assert Quantity.PROGRAMMINGS not in {r.quantity for r in readings(heard)}
