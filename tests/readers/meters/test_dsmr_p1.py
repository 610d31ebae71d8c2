from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from readers.driver import Port
from readers.errors import LinkError
from readers.meters.dsmr_p1 import DRIVER, DsmrP1Settings
from readers.observations import Condition, DeviceInfo, Observation, Reading, Readings, Watching
from readers.ports.memory import MemoryPort, pair, run
from readers.quantities import Phase, Quality, Quantity
from simulator.faults import Fault, Kind, Towards
from simulator.faulty_port import FaultyPort
from simulator.meters.dsmr_p1 import Meter, SubMeter, Version, serve
from tests.simulator.meters.loads import STATE, Growing, Steady
from tests.support.heard import conditions_in, rejected_in

GAS = SubMeter(1, 3, lambda at_us: Decimal(at_us // 300_000_000) / 1000, serial="47313233")
NAMED = {"sub_meters": [{"name": "gas-1", "channel": 1}]}


def listened(
    meter: Meter,
    settings: dict[str, Any],
    seconds: float = 25,
    near: Callable[[MemoryPort], Port] = lambda port: port,
) -> list[Observation]:
    heard: list[Observation] = []

    async def scene() -> None:
        ours, theirs = pair()
        playing = asyncio.create_task(serve(theirs, Steady(), meter))
        driver = DRIVER.make(DsmrP1Settings.model_validate(settings))
        running = asyncio.create_task(driver.run(near(ours), heard.append))
        await ours.pause(seconds)
        for task in (running, playing):
            task.cancel()
        ends = await asyncio.gather(running, playing, return_exceptions=True)
        assert [type(end) for end in ends] == [asyncio.CancelledError] * 2
        assert not ours.sent  # it only listens

    run(scene())
    return heard


def readings_in(heard: list[Observation], source: str | None = None) -> list[Reading]:
    return [
        reading for each in heard if isinstance(each, Readings) and each.source == source for reading in each.readings
    ]


@pytest.mark.parametrize("version", Version)
def test_every_value_of_the_meter_is_told_exactly(version: Version) -> None:
    heard = listened(Meter(version, has_parity=version is Version.V2_2, sub_meters=[GAS]), NAMED, seconds=0.5)
    values = {(r.quantity, r.phase, r.tariff): r.value for r in readings_in(heard)}
    for tariff, energy_wh in enumerate(STATE.active_energy_import_by_tariff_wh, start=1):
        assert values[Quantity.ACTIVE_ENERGY_IMPORT, None, tariff] == energy_wh
    assert values[Quantity.ACTIVE_ENERGY_EXPORT, None, 1] == 260
    assert values[Quantity.ACTIVE_POWER_IMPORT, None, None] == 2155  # a register shows whole watts
    assert values[Quantity.ACTIVE_POWER_EXPORT, None, None] == 0
    if version is not Version.V2_2:
        assert values[Quantity.ACTIVE_POWER_EXPORT, Phase.B, None] == 344
        assert values[Quantity.CURRENT, Phase.A, None] == 12
        assert {r.meter_time_us for r in readings_in(heard)} == {1_767_225_600_000_000}
    if version is Version.V5_0:
        assert values[Quantity.VOLTAGE, Phase.A, None] == Decimal("230.3")
    (gas,) = readings_in(heard, "gas-1")
    assert (gas.quantity, gas.value) == (Quantity.GAS_VOLUME, Decimal("5890.752"))
    assert gas.meter_time_us == (None if version is Version.V2_2 else 1_767_225_600_000_000)
    assert DeviceInfo(serial="G123", source="gas-1") in heard
    assert rejected_in(heard) == {}


def test_powers_come_every_second_and_energies_every_minute() -> None:
    heard = listened(Meter(), {}, seconds=119.5)
    told = [r.quantity for r in readings_in(heard)]
    assert told.count(Quantity.FREQUENCY) == 0
    assert told.count(Quantity.ACTIVE_ENERGY_EXPORT) == 2
    assert told.count(Quantity.VOLTAGE) == 2 * 120


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("version", [Version.V4_2, Version.V5_0])
def test_noise_and_loss_make_no_other_value(version: Version, seed: int) -> None:
    def faulty(port: MemoryPort) -> Port:
        rng = Random(seed)
        kinds = (Kind.CORRUPT, Kind.DROP, Kind.DUPLICATE)
        places = sorted(rng.sample(range(18_000), 20))
        faults = [Fault(rng.choice(kinds), Towards.CLIENT, at_byte=at, length=rng.randint(1, 3)) for at in places]
        return FaultyPort(port, faults, seed)

    heard = listened(Meter(version, sub_meters=[GAS]), {"energy_every_s": 0}, seconds=30, near=faulty)
    good = {(r.obis, r.value) for r in readings_in(listened(Meter(version, sub_meters=[GAS]), {}, seconds=0.5))}
    assert {(r.obis, r.value) for r in readings_in(heard)} == good
    assert rejected_in(heard)
    assert ("meter_silent", "", True) not in conditions_in(heard)


def test_a_meter_that_falls_silent_and_returns() -> None:
    heard: list[Observation] = []

    async def scene() -> None:
        ours, theirs = pair()
        running = asyncio.create_task(DRIVER.make(DsmrP1Settings(telegram_every_s=1)).run(ours, heard.append))
        for _ in range(2):
            playing = asyncio.create_task(serve(theirs, Growing()))
            await ours.pause(5)
            playing.cancel()
            await ours.pause(10)
        assert not running.done()
        await theirs.close()
        with pytest.raises(LinkError):
            await running

    run(scene())
    assert [each.active for each in heard if isinstance(each, Watching)] == [True, False, True, False]
    silent = [active for name, _, active in conditions_in(heard) if name == "meter_silent"]
    assert silent == [True, False, True]


def test_encrypted_telegrams_are_told_and_clear_again() -> None:
    heard = listened(Meter(is_encrypted=True), {"telegram_every_s": 1})
    assert readings_in(heard) == []
    assert [(name, active) for name, _, active in conditions_in(heard)] == [
        ("telegram_encrypted", True),
        ("meter_silent", True),
    ]
    detail = next(each.detail for each in heard if isinstance(each, Condition) and each.name == "telegram_encrypted")
    assert "not supported" in detail


def test_two_gas_meters_without_names_are_not_mixed_up() -> None:
    second = SubMeter(2, 3, lambda _: Decimal(7))
    heard = listened(Meter(sub_meters=[GAS, second]), {}, seconds=0.5)
    assert [r.obis.b for r in readings_in(heard) if r.quantity is Quantity.GAS_VOLUME] == [1]
    assert ("sub_meter_unnamed", "2", True) in conditions_in(heard)
    heard = listened(Meter(sub_meters=[GAS, second]), NAMED, seconds=0.5)
    assert [r.obis.b for r in readings_in(heard) if r.quantity is Quantity.GAS_VOLUME] == [2]
    assert [r.obis.b for r in readings_in(heard, "gas-1")] == [1]
    assert ("sub_meter_unnamed", "2", True) not in conditions_in(heard)


def test_a_meter_behind_it_that_was_not_heard_yet_is_absent() -> None:
    heard = listened(Meter(sub_meters=[SubMeter(1, 7, lambda _: None)]), NAMED, seconds=0.5)
    (water,) = readings_in(heard, "gas-1")
    assert (water.quantity, water.value, water.quality) == (Quantity.WATER_VOLUME, None, Quality.ABSENT)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sub_meters": [{"name": "a", "channel": 1}, {"name": "a", "channel": 2}]}, "name a is given twice"),
        ({"sub_meters": [{"name": "a", "channel": 1}, {"name": "b", "channel": 1}]}, "channel 1 is given twice"),
        ({"sub_meters": [{"name": "a", "channel": 5}]}, "less than or equal to 4"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DsmrP1Settings.model_validate(settings)


def test_its_devices_are_the_named_meters_behind_it() -> None:
    assert DsmrP1Settings.model_validate(NAMED).sources() == ("gas-1",)
    assert DsmrP1Settings().sources() == ()
