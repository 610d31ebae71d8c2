from __future__ import annotations

import asyncio
from typing import Any

import pytest

from readers.meters.dlms.driver import DlmsDriver
from readers.observations import Condition, Observation, Readings
from readers.ports.memory import START_US, MemoryPort, run
from readers.quantities import Quality, Quantity
from simulator.meters.dlms import Behaviour, Framing, serve
from simulator.meters.dlms_meter import PROFILE
from tests.readers.meters.dlms.scenes import (
    HDLC,
    WATT_HOURS,
    D,
    Scripted,
    conditions,
    hear,
    listen,
    meter,
    readings,
    rejects,
    settings,
)
from tests.simulator.meters.loads import Growing
from tests.support.talk import talk_for

QUARTER_US = 900_000_000
DAY = {"backfill_days": 1, "read": ["1-0:1.8.0"]}
GET_PROFILE = "C001" + "0007" + "0100630100FF"
CLOCK_COLUMN = "0204" + "120008" + "0906" + "0000010000FF" + "0F02" + "120000"
ENERGY_COLUMN = "0204" + "120003" + "0906" + "0100010800FF" + "0F02" + "120000"
COLUMNS = "C401C100" + "0102" + CLOCK_COLUMN + ENERGY_COLUMN
PERIOD = "C401C10006" + "00000384"
ENERGY = "C001" + "0003" + "0100010800FF"
ROW = "0202" + "090C" + "07EA0101040000000000" + "0000" + "0600001391"


def imported(heard: list[Observation]) -> list[tuple[int | None, Any]]:
    found = readings(heard, backfilled=True)
    return [(r.meter_time_us, r.value) for r in found if r.quantity is Quantity.ACTIVE_ENERGY_IMPORT]


@pytest.mark.parametrize(
    ("framing", "behaviour"),
    [
        ({}, {}),
        ({}, {"null_times": True}),
        ({}, {"says_deviation": False}),
        ({}, {"max_pdu_bytes": 100}),
        (HDLC, {"information_bytes": 64}),
    ],
)
def test_a_day_of_the_profile_is_read_at_the_start(framing: dict[str, Any], behaviour: dict[str, Any]) -> None:
    load = Growing(6_000, start_wh=D(2_000_000))
    heard = listen(60, settings(**DAY, **framing), [meter(load=load, behaviour=Behaviour(**behaviour))])
    found = dict(imported(heard))
    times = range(START_US - 86_400_000_000 + QUARTER_US, START_US + 1, QUARTER_US)
    assert set(times) <= set(found)
    assert all(value == load.state(at).active_energy_import_wh for at, value in found.items() if at is not None)
    assert {r.quality for r in readings(heard, backfilled=True)} == {Quality.BACKFILLED}
    assert {r.quantity for r in readings(heard, backfilled=True)} == {Q for Q in Quantity if "active_energy_" in Q} - {
        Q for Q in Quantity if "reactive" in Q or "combined" in Q
    }
    assert not conditions(heard)


def test_the_profile_waits_for_what_is_read_now() -> None:
    heard = listen(60, settings(**{**DAY, "backfill_days": 40, "energy_s": 2}, **HDLC), [meter()], baud=9600)
    nows = [o.received_at_us for o in heard if isinstance(o, Readings) and o.readings[0].quality is Quality.GOOD]
    assert len(nows) >= 25
    assert imported(heard)


def test_a_gap_is_filled_and_nothing_else() -> None:
    device = meter(load=Growing(6_000))
    driver = DlmsDriver(settings(**{**DAY, "backfill_days": 0.01}, **HDLC))

    async def scene() -> list[Observation]:
        async def gap() -> None:
            await asyncio.sleep(3600)
            device.behaviour.silent = True
            await asyncio.sleep(7200)
            device.behaviour.silent = False

        async def serving(port: MemoryPort) -> None:
            await serve(port, [device], Framing.HDLC)

        return await talk_for(14_400, driver, serving, meanwhile=gap)

    heard = run(scene())
    times = [at for at, _ in imported(heard)]
    hour = 3_600_000_000
    assert [at - START_US for at in times if at is not None and at > START_US] == [
        hour + n * QUARTER_US for n in range(9)
    ]


def test_a_short_silence_is_no_gap() -> None:
    device = meter(load=Growing(6_000))
    driver = DlmsDriver(settings(**{**DAY, "backfill_days": 0.001}, **HDLC))

    async def scene() -> list[Observation]:
        async def gap() -> None:
            await asyncio.sleep(3590)
            device.behaviour.silent = True
            await asyncio.sleep(40)
            device.behaviour.silent = False

        async def serving(port: MemoryPort) -> None:
            await serve(port, [device], Framing.HDLC)

        return await talk_for(4000, driver, serving, meanwhile=gap)

    assert not [at for at, _ in imported(run(scene())) if at is not None and at > START_US]


@pytest.mark.parametrize(
    ("answers", "match", "rejected"),
    [
        ({GET_PROFILE + "03": "C401C10104"}, "has no profile 1-0:99.1.0", []),
        ({GET_PROFILE + "03": "C401C1001100"}, "make no sense", ["data_array"]),
        ({GET_PROFILE + "03": "C401C1000101" + ENERGY_COLUMN}, "has no clock", []),
        ({GET_PROFILE + "03": "C401C1000101" + CLOCK_COLUMN}, "no column that has a meaning", []),
        ({ENERGY + "03": "C401C10103"}, "no column that has a meaning", []),
        ({GET_PROFILE + "02": "C401C101FA"}, "does not give a part", []),
    ],
)
def test_a_profile_that_is_of_no_use_is_told_once(answers: dict[str, str], match: str, rejected: list[str]) -> None:
    known: dict[str, str | list[str]] = {
        ENERGY + "03": WATT_HOURS,
        GET_PROFILE + "03": COLUMNS,
        GET_PROFILE + "04": PERIOD,
        **answers,
    }
    heard = hear(30, settings(**{**DAY, "read": ["1-0:2.8.0"]}), Scripted(known))
    told = [o.detail for o in heard if isinstance(o, Condition) and o.name == "backfill_impossible"]
    assert len(told) == 1
    assert match in told[0]
    assert rejects(heard) == rejected


def scripted(buffer: str) -> Scripted:
    return Scripted(
        {ENERGY + "03": WATT_HOURS, GET_PROFILE + "03": COLUMNS, GET_PROFILE + "04": PERIOD, GET_PROFILE + "02": buffer}
    )


def test_a_row_outside_of_what_was_asked_for_is_left_out() -> None:
    heard = hear(20, settings(**DAY), scripted("C401C1000101" + ROW))
    assert imported(heard) == [(START_US, D(50090))]


def test_a_column_that_is_null_is_left_out() -> None:
    row = ROW.replace("0600001391", "00")
    assert not imported(hear(20, settings(**DAY), scripted("C401C1000101" + row)))


def test_a_column_that_is_no_number_is_counted() -> None:
    row = ROW.replace("0600001391", "0901FF")
    heard = hear(20, settings(**DAY), scripted("C401C1000101" + row))
    assert set(rejects(heard)) == {"data_value"}


def test_a_buffer_that_is_none_is_counted() -> None:
    heard = hear(20, settings(**DAY), scripted("C401C1001101"))
    assert set(rejects(heard)) == {"data_array"}


def test_an_inverted_deviation_is_not_sent() -> None:
    device = scripted("C401C1000100")
    hear(20, settings(**DAY, deviation="inverted"), device)
    ranges = [asked for asked in device.asked if asked.startswith(GET_PROFILE + "02")]
    assert ranges
    assert all("800000090C" in asked for asked in ranges)


def test_a_profile_that_is_of_no_use_is_told_once_for_all_gaps() -> None:
    device = meter(physical=17, behaviour=Behaviour(selects=False))
    driver = DlmsDriver(settings({"physical": 17}, **DAY, **HDLC))

    async def scene() -> list[Observation]:
        async def gap() -> None:
            await asyncio.sleep(100)
            device.behaviour.silent = True
            await asyncio.sleep(1000)
            device.behaviour.silent = False

        async def serving(port: MemoryPort) -> None:
            await serve(port, [device], Framing.HDLC)

        found = asyncio.create_task(talk_for(2000, driver, serving, meanwhile=gap))
        await asyncio.sleep(50)
        assert driver._session is not None
        (back_fill, _), *_ = driver._session._back_fills.values()
        assert back_fill.is_done
        assert await back_fill.ask() is False
        return await found

    heard = run(scene())
    assert [name for name, _, _ in conditions(heard)].count("backfill_impossible") == 1
    assert [name for name, _, _ in conditions(heard)].count("meter_silent") == 2


def test_a_meter_that_cannot_select_is_left_alone() -> None:
    heard = listen(30, settings(**DAY), [meter(behaviour=Behaviour(selects=False))])
    assert conditions(heard) == [("backfill_impossible", "1-0:99.1.0", True)]
    denied = listen(30, settings(**DAY), [meter(behaviour=Behaviour(denies=frozenset({(PROFILE, 3)})))])
    assert conditions(denied) == [("backfill_impossible", "1-0:99.1.0", True)]
