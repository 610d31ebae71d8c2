from __future__ import annotations

import asyncio

import pytest

from readers.meters.dlt698.driver import Dlt698Driver
from readers.observations import Observation, Reading, Readings, Rejected
from readers.ports.memory import START_US, run
from readers.quantities import Quality, Quantity
from simulator.meters.dlt698 import Behaviour, Meter, serve
from simulator.meters.dlt698_wire import Asked, octets
from tests.readers.meters.dlt698.scenes import A1, CHINA_US, DAY_US, US, growing, listen, readings, settings
from tests.support.talk import talk, talk_for

LOAD = growing()


def filled(heard: list[Observation], quantity: Quantity = Quantity.ACTIVE_ENERGY_IMPORT) -> list[Reading]:
    return [r for r in readings(heard) if r.quality is Quality.BACKFILLED and r.quantity is quantity and not r.tariff]


def midnights(since_us: int, until_us: int) -> list[int]:
    first = -(-(since_us + CHINA_US) // DAY_US) * DAY_US - CHINA_US
    return list(range(first, until_us, DAY_US))


@pytest.mark.parametrize(
    "behaviour",
    [Behaviour(), Behaviour(block_bytes=80), Behaviour(fragment_bytes=60), Behaviour(freezes_one_column=True)],
)
def test_days_before_the_start_are_filled_exactly(behaviour: Behaviour) -> None:
    given = settings(read=["energy", "energy_export"], backfill_days=6)
    heard = listen(300, given, {A1: behaviour}, load=LOAD)
    found = {r.meter_time_us: r.value for r in filled(heard)}
    wanted = midnights(START_US - 6 * DAY_US, START_US)
    assert set(wanted) <= set(found)
    for at_us, value in found.items():
        assert at_us is not None
        assert value == LOAD.state(at_us).active_energy_import_wh
    assert len(found) >= 6 * 96  # each quarter of an hour too
    assert not [o for o in heard if isinstance(o, Rejected)]


def test_a_gap_is_filled_when_the_meter_answers_again() -> None:
    behaviour = Behaviour()

    async def meanwhile() -> None:
        await asyncio.sleep(100)
        behaviour.silent = True
        await asyncio.sleep(7200)
        behaviour.silent = False

    async def scene() -> list[Observation]:
        driver = Dlt698Driver(settings(read=["energy"], backfill_days=0.01))
        return await talk_for(9000, driver, lambda port: serve(port, {A1: LOAD}, {A1: behaviour}), meanwhile=meanwhile)

    times = [r.meter_time_us for r in filled(run(scene())) if r.meter_time_us is not None]
    quarters = [START_US + n * 900 * US for n in range(1, 9)]
    assert sorted(at_us for at_us in times if at_us > START_US) == quarters[:8]


def test_nothing_is_filled_that_is_not_kept() -> None:
    given = settings(read=["energy"], backfill_days=3)
    heard = listen(100, given, {A1: Behaviour(lacks=frozenset({0x5004, 0x5002}))}, load=LOAD)
    assert not filled(heard)
    assert [o for o in heard if isinstance(o, Readings)]


def test_a_meter_that_ignores_records_is_left_alone_with_them() -> None:
    given = settings(read=["energy"], backfill_days=1)
    heard = listen(300, given, {A1: Behaviour(ignores=frozenset({0x5004, 0x5002}))}, load=LOAD)
    assert not filled(heard)
    good = [r for r in readings(heard) if r.quality is Quality.GOOD and r.tariff is None]
    assert len(good) == 5  # in their rhythm all the same


def test_what_was_not_filled_is_filled_over_the_next_link() -> None:
    async def scene() -> list[Observation]:
        driver = Dlt698Driver(settings(read=["energy"], backfill_days=2))
        meters = {A1: LOAD}
        first = await talk_for(0.6, driver, lambda port: serve(port, meters, baud=9600))
        assert len(filled(first)) < 100
        return await talk_for(300, driver, lambda port: serve(port, meters, baud=9600))

    found = {r.meter_time_us for r in filled(run(scene()))}
    assert set(midnights(START_US - 2 * DAY_US, START_US)) <= found


def test_demands_keep_their_own_time() -> None:
    heard = listen(100, settings(read=["max_demand"], backfill_days=2), load=LOAD)
    times = [r.meter_time_us for r in filled(heard, Quantity.ACTIVE_DEMAND_MAX)]
    assert times
    assert all(at_us is not None and at_us < START_US for at_us in times)


def test_a_short_gap_is_not_filled() -> None:
    behaviour = Behaviour()

    async def meanwhile() -> None:
        await asyncio.sleep(100)
        behaviour.silent = True
        await asyncio.sleep(50)
        behaviour.silent = False

    async def scene() -> list[Observation]:
        driver = Dlt698Driver(settings(read=["energy"], backfill_days=0.0001))
        return await talk_for(400, driver, lambda port: serve(port, {A1: LOAD}, {A1: behaviour}), meanwhile=meanwhile)

    assert not filled(run(scene()))


def test_a_meter_that_falls_silent_while_it_is_filled_goes_on_later() -> None:
    behaviour = Behaviour()
    count = iter(range(10_000))

    def mangle(data: bytes) -> list[bytes]:
        number = next(count)
        behaviour.silent = number == 20
        return [data]

    async def meanwhile() -> None:
        while True:
            await asyncio.sleep(30)
            behaviour.silent = False

    async def scene() -> list[Observation]:
        driver = Dlt698Driver(settings(read=["energy"], backfill_days=3))
        serving = {A1: LOAD}
        return await talk_for(
            600, driver, lambda port: serve(port, serving, {A1: behaviour}), mangle=mangle, meanwhile=meanwhile
        )

    found = {r.meter_time_us for r in filled(run(scene()))}
    assert set(midnights(START_US - 3 * DAY_US, START_US)) <= found
    assert len(found) >= 3 * 96


def test_rows_that_make_no_sense_are_counted() -> None:
    class Odd(Meter):
        def rows(self, asked: Asked, now_us: int) -> list[list[bytes]] | int:
            rows = super().rows(asked, now_us)
            return rows if isinstance(rows, int) else [[row[0], octets(b"x")] for row in rows]

    driver = Dlt698Driver(settings(read=["energy"], backfill_days=2))
    heard = talk(100, driver, lambda port: serve(port, {A1: Odd(A1, LOAD)}))
    assert {o.reason for o in heard if isinstance(o, Rejected)} == {"data_type"}
    assert not filled(heard)


def test_what_is_never_frozen_is_not_asked_for() -> None:
    heard = listen(100, settings(read=["frequency", "status"], backfill_days=2), load=LOAD)
    assert {r.quality for r in readings(heard)} == {Quality.GOOD}
