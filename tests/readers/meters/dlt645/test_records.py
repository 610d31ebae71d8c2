from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from readers.codecs.dlt645 import Decoder
from readers.codecs.dlt645_records import FreezeKind, LoadClass
from readers.meters.dlt645.driver import Dlt645Driver
from readers.observations import Observation, Reading, Rejected
from readers.ports.memory import START_US, run
from readers.quantities import Quality, Quantity
from simulator.device import MeterState
from simulator.meters.dlt645 import DAY_SLOTS, Behaviour, Meter
from tests.readers.meters.dlt645.scenes import A1, STATE, conditions, driven, readings, settings, spoilt

US = 1_000_000
QUARTER_US = 900 * US
HOUR_S = 3600
DAY_S = 86_400


class Flowing:
    """10 Wh every 6 s: 6 kW."""

    def state(self, now_us: int) -> MeterState:
        return replace(STATE, active_energy_import_wh=Decimal((now_us - START_US) // (6 * US) * 10))


def backfilled(heard: list[Observation], quantity: Quantity = Quantity.ACTIVE_ENERGY_IMPORT) -> list[Reading]:
    return [r for r in readings(heard) if r.quality is Quality.BACKFILLED and r.quantity is quantity]


def aged(seconds: float, behaviour: Behaviour | None = None) -> Meter:
    """A meter that has run since the beginning of time."""
    meter = Meter(A1, Flowing(), behaviour)
    meter.look(START_US)
    meter.look(START_US + round(seconds * US))
    return meter


def later(seconds: float, read: list[str], behaviour: Behaviour | None = None, **more: object) -> list[Observation]:
    """The first two minutes of a driver that starts when the meter has run for that long."""
    heard: list[Observation] = []

    async def scene() -> None:
        await asyncio.sleep(seconds)
        driver = Dlt645Driver(settings([A1], read=read, **more))
        await driven(driver, {A1: aged(seconds, behaviour)}, lambda: asyncio.sleep(120), heard)

    run(scene())
    return heard


def test_at_the_start_a_day_of_load_records_and_freezes_is_read() -> None:
    heard = later(3 * DAY_S, ["energy"], backfill_days=1)
    found = {r.meter_time_us: r.value for r in backfilled(heard) if r.tariff is None}
    since_us = START_US + 2 * DAY_S * US
    quarters = set(range(since_us + QUARTER_US, since_us + DAY_S * US + 1, QUARTER_US))
    assert set(found) == quarters
    for at_us, value in found.items():
        assert value == Decimal(((at_us or 0) - START_US) // (6 * US) * 10)
    tariffs = {r.tariff for r in backfilled(heard)}
    assert tariffs == {None, 1, 2, 3, 4}  # of the freeze at midnight, which is 16:00 UTC
    assert not [o for o in heard if isinstance(o, Rejected)]
    assert conditions(heard) == []


def test_more_days_bring_more_and_none_bring_nothing() -> None:
    midnights = {r.meter_time_us for r in backfilled(later(9 * DAY_S, ["energy"], backfill_days=7)) if r.tariff == 1}
    assert len(midnights) == 7
    assert not backfilled(later(3 * DAY_S, ["energy"], backfill_days=0))


def test_what_is_read_decides_what_is_fetched() -> None:
    heard = later(
        2 * DAY_S, ["voltage", "max_demand"], Behaviour(integrates_demand=True, slots=DAY_SLOTS), backfill_days=1
    )
    assert {r.quantity for r in readings(heard) if r.quality is Quality.BACKFILLED} == {
        Quantity.VOLTAGE,
        Quantity.CURRENT,
        Quantity.FREQUENCY,
        Quantity.ACTIVE_DEMAND_MAX,
    }


def test_a_meter_that_keeps_nothing_is_left_in_peace() -> None:
    behaviour = Behaviour(profile_classes=frozenset())
    heard = later(2 * HOUR_S, ["energy", "power"], behaviour, backfill_days=1)
    assert not [r for r in readings(heard) if r.quality is Quality.BACKFILLED]
    assert conditions(heard) == []


def test_the_gap_of_a_silent_meter_is_filled_when_it_is_back() -> None:
    behaviour = Behaviour()
    meter = Meter(A1, Flowing(), behaviour)
    heard: list[Observation] = []

    async def scene() -> None:
        await asyncio.sleep(3 * HOUR_S)
        behaviour.silent = True
        await asyncio.sleep(5 * HOUR_S)
        behaviour.silent = False
        await asyncio.sleep(HOUR_S)

    driver = Dlt645Driver(settings([A1], read=["energy"], backfill_days=1, poll_s=10))
    run(driven(driver, {A1: meter}, scene, heard))
    found = [r.meter_time_us for r in backfilled(heard)]
    gap = range(START_US + 3 * HOUR_S * US, START_US + 8 * HOUR_S * US + 1, QUARTER_US)
    assert found == list(gap)
    assert all(r.value == Decimal(((r.meter_time_us or 0) - START_US) // (6 * US) * 10) for r in backfilled(heard))


def test_the_gap_of_a_link_is_filled_by_a_driver_that_lives_on() -> None:
    meter = Meter(A1, Flowing())
    driver = Dlt645Driver(settings([A1], read=["energy"], backfill_days=1, poll_s=10))
    heard: list[Observation] = []

    async def scene() -> None:
        await driven(driver, {A1: meter}, lambda: asyncio.sleep(2 * HOUR_S + 60), heard)
        heard.clear()
        await asyncio.sleep(2 * HOUR_S)
        await driven(driver, {A1: meter}, lambda: asyncio.sleep(60), heard)

    run(scene())
    since_us = START_US + 2 * HOUR_S * US + QUARTER_US
    assert [r.meter_time_us for r in backfilled(heard)] == [since_us + n * QUARTER_US for n in range(8)]


def test_what_was_not_fetched_when_the_link_broke_is_fetched_by_the_next() -> None:
    driver = Dlt645Driver(settings([A1], read=["energy"], backfill_days=1))
    heard: list[Observation] = []

    async def scene() -> None:
        await asyncio.sleep(2 * DAY_S)
        meter = aged(2 * DAY_S)
        await driven(driver, {A1: meter}, lambda: asyncio.sleep(0.3), heard)
        first = len(backfilled(heard))
        assert first < 20
        await driven(driver, {A1: meter}, lambda: asyncio.sleep(60), heard)

    run(scene())
    assert len({r.meter_time_us for r in backfilled(heard)}) == 96


def test_a_load_record_that_is_damaged_is_counted_and_the_next_one_read() -> None:
    behaviour = Behaviour()
    meter = aged(2 * DAY_S, behaviour)
    at_us, raw = meter.history.profile[-10]
    meter.history.profile[-10] = (at_us, raw[:8] + bytes([raw[8] ^ 1]) + raw[9:])
    heard: list[Observation] = []

    async def scene() -> None:
        await asyncio.sleep(2 * DAY_S)
        driver = Dlt645Driver(settings([A1], read=["energy"], backfill_days=1))
        await driven(driver, {A1: meter}, lambda: asyncio.sleep(60), heard)

    run(scene())
    assert {(o.reason, o.reads_lost) for o in heard if isinstance(o, Rejected)} == {("load_damaged", 1)}
    found = {r.meter_time_us for r in backfilled(heard)}
    assert at_us not in found
    assert at_us + QUARTER_US in found


def test_bad_luck_on_the_line_costs_no_record() -> None:
    behaviour = Behaviour()
    lost = iter([False, False, False, False, True, True] + [False] * 1000)

    def garbles(raw: bytes) -> bytes:
        return b"" if next(lost) else raw

    behaviour.garbles = garbles
    found = later(2 * DAY_S, ["energy"], behaviour, backfill_days=1)
    assert len({r.meter_time_us for r in backfilled(found)}) == 96
    assert conditions(found) == []


def test_a_short_silence_is_no_gap() -> None:
    behaviour = Behaviour()
    heard: list[Observation] = []

    async def scene() -> None:
        await asyncio.sleep(HOUR_S)
        behaviour.silent = True
        await asyncio.sleep(60)
        behaviour.silent = False
        await asyncio.sleep(HOUR_S)

    driver = Dlt645Driver(settings([A1], read=["energy"], backfill_days=1, poll_s=10))
    run(driven(driver, {A1: Meter(A1, Flowing(), behaviour)}, scene, heard))
    assert ("meter_silent", "", False) in conditions(heard)
    assert not backfilled(heard)


@pytest.mark.parametrize("identifier", [0x05060001, 0x05060101])
def test_a_snapshot_of_an_impossible_length_is_lost_and_the_rest_read(identifier: int) -> None:
    behaviour = Behaviour(garbles=lambda raw: spoilt(raw, identifier, lambda data: data + b"\x00"))
    heard = later(3 * DAY_S, ["energy"], behaviour, backfill_days=1)
    assert [o.reason for o in heard if isinstance(o, Rejected)] == ["data_length"]
    assert len({r.meter_time_us for r in backfilled(heard)}) == 96
    assert {r.tariff for r in backfilled(heard)} == {None}


def test_a_snapshot_that_moved_on_at_midnight_is_not_taken_for_another_day() -> None:
    meter = aged(3 * DAY_S)
    contents = 0

    def midnight(raw: bytes) -> bytes:
        nonlocal contents
        if [frame.identifier for frame in Decoder().feed(raw)] == [0x05060101]:
            contents += 1
            if contents == 1:  # between the content of the latest snapshot and its confirmation
                latest = meter.history.frozen(FreezeKind.DAILY, 1)
                assert latest is not None
                meter.history.freeze(FreezeKind.DAILY, replace(latest, shown_us=latest.shown_us + DAY_S * US))
        return raw

    meter.behaviour.garbles = midnight
    heard: list[Observation] = []

    async def scene() -> None:
        await asyncio.sleep(3 * DAY_S)
        driver = Dlt645Driver(settings([A1], read=["energy"], backfill_days=2))
        await driven(driver, {A1: meter}, lambda: asyncio.sleep(60), heard)

    run(scene())
    frozen = [r for r in backfilled(heard) if r.tariff == 1]
    assert [((r.meter_time_us or 0) - START_US) // (3600 * US) for r in frozen] == [64, 40]
    totals = {r.meter_time_us: r.value for r in backfilled(heard) if r.tariff is None}
    assert all(value == Decimal(((at_us or 0) - START_US) // (6 * US) * 10) for at_us, value in totals.items())


def test_a_meter_without_snapshots_of_a_kind_is_not_asked_to_confirm_them() -> None:
    behaviour = Behaviour(lacks=frozenset({0x05060101}))
    heard = later(3 * DAY_S, ["energy"], behaviour, backfill_days=1)
    assert {r.tariff for r in backfilled(heard)} == {None}
    assert len(backfilled(heard)) == 96


def test_what_has_no_records_is_not_back_filled() -> None:
    assert not backfilled(later(3 * DAY_S, ["frequency"], backfill_days=1))


def test_a_meter_that_keeps_one_class_tells_it_once() -> None:
    behaviour = Behaviour(profile_classes=frozenset({LoadClass.ENERGY}))
    heard = later(2 * DAY_S, ["energy_export", "voltage", "energy"], behaviour, backfill_days=1)
    times = [r.meter_time_us for r in backfilled(heard, Quantity.REACTIVE_ENERGY_IMPORT)]
    assert len(times) == len(set(times)) == 96
    assert not backfilled(heard, Quantity.VOLTAGE)


def test_a_snapshot_of_a_time_to_come_is_left_for_the_future() -> None:
    ahead = Behaviour(clock_offset_us=HOUR_S * US)
    seconds = 15.5 * HOUR_S  # half an hour before midnight in China, which for the meter was half an hour ago
    heard = later(seconds, ["energy"], ahead, backfill_days=1)
    assert backfilled(heard)
    assert {r.tariff for r in backfilled(heard)} == {None}
    assert max(r.meter_time_us or 0 for r in backfilled(heard)) <= START_US + (seconds + 120) * US
