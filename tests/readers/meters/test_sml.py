from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from readers.codecs.sml import File, Message, encode, encode_message
from readers.driver import Port
from readers.errors import LinkError
from readers.meters.sml import DRIVER, SmlSettings
from readers.observations import DeviceInfo, Observation, Reading, Readings, Watching
from readers.ports.memory import MemoryPort, pair, run
from readers.quantities import Phase, Quality, Quantity
from simulator.device import Load
from simulator.faults import Fault, Kind, Towards
from simulator.faulty_port import FaultyPort
from simulator.meters.sml import Clock, Meter, serve
from tests.simulator.meters.loads import STATE, Growing, Steady
from tests.support.heard import conditions_in, rejected_in


def listened(
    meter: Meter,
    settings: dict[str, Any] | None = None,
    seconds: float = 0.5,
    load: Load | None = None,
    near: Callable[[MemoryPort], Port] = lambda port: port,
) -> list[Observation]:
    heard: list[Observation] = []

    async def scene() -> None:
        ours, theirs = pair()
        playing = asyncio.create_task(serve(theirs, load or Steady(), meter))
        driver = DRIVER.make(SmlSettings.model_validate(settings or {}))
        running = asyncio.create_task(driver.run(near(ours), heard.append))
        await ours.pause(seconds)
        for task in (running, playing):
            task.cancel()
        ends = await asyncio.gather(running, playing, return_exceptions=True)
        assert [type(end) for end in ends] == [asyncio.CancelledError] * 2
        assert not ours.sent  # it only listens

    run(scene())
    return heard


def readings_in(heard: list[Observation]) -> list[Reading]:
    return [reading for each in heard if isinstance(each, Readings) for reading in each.readings]


@pytest.mark.parametrize("clock", Clock)
@pytest.mark.parametrize("kermit", [False, True])
def test_every_value_of_the_meter_is_told_exactly(clock: Clock, kermit: bool) -> None:  # noqa: FBT001 - parametrised
    heard = listened(Meter(clock=clock, has_kermit_crc=kermit))
    values = {(r.quantity, r.phase, r.tariff): r.value for r in readings_in(heard)}
    assert values[Quantity.ACTIVE_ENERGY_IMPORT, None, None] == STATE.active_energy_import_wh
    assert values[Quantity.ACTIVE_ENERGY_IMPORT, None, 4] == 600_000
    assert values[Quantity.ACTIVE_ENERGY_EXPORT, None, None] == 260
    assert values[Quantity.ACTIVE_POWER, None, None] == Decimal("2155.3")
    assert values[Quantity.VOLTAGE, Phase.A, None] == Decimal("230.3")
    assert values[Quantity.CURRENT, Phase.B, None] == Decimal("1.5")
    assert values[Quantity.FREQUENCY, None, None] == Decimal("49.98")
    has_time = clock in (Clock.UTC, Clock.LOCAL)
    assert {r.meter_time_us for r in readings_in(heard)} == {1_767_225_600_000_000 if has_time else None}
    assert DeviceInfo("EMH", serial="1EMH0010599732") in heard
    assert rejected_in(heard) == {}


def test_powers_come_with_every_file_and_energies_once_a_minute() -> None:
    told = [r.quantity for r in readings_in(listened(Meter(), seconds=119))]
    assert told.count(Quantity.FREQUENCY) == 60
    assert told.count(Quantity.ACTIVE_ENERGY_EXPORT) == 2


@pytest.mark.parametrize("power_w", [6_000, -6_000])
@pytest.mark.parametrize("unsigned", [False, True])
def test_a_power_has_its_sign_whether_the_meter_sends_it_or_not(power_w: int, unsigned: bool) -> None:  # noqa: FBT001
    heard = listened(Meter(has_unsigned_power=unsigned), load=Growing(power_w))
    assert [r.value for r in readings_in(heard) if r.quantity is Quantity.ACTIVE_POWER] == [power_w]


def test_the_doubtful_sign_of_an_old_dzg_meter() -> None:
    meter = Meter("DZG", 42_082_910, cuts_sign=True)
    (power,) = [r for r in readings_in(listened(meter, load=Growing(356))) if r.quantity is Quantity.ACTIVE_POWER]
    assert (power.value, power.quality) == (Decimal("-299.36"), Quality.SUSPECT)
    heard = listened(meter, {"short_power": "unsigned"}, load=Growing(356))
    (power,) = [r for r in readings_in(heard) if r.quantity is Quantity.ACTIVE_POWER]
    assert (power.value, power.quality) == (Decimal("356.00"), Quality.GOOD)
    assert conditions_in(heard) == []


def test_a_locked_meter_tells_whole_kilowatt_hours() -> None:
    told = readings_in(listened(Meter(is_locked=True)))
    assert {r.quantity for r in told} == {Quantity.ACTIVE_ENERGY_IMPORT, Quantity.ACTIVE_ENERGY_EXPORT}
    assert [str(r.value) for r in told] == ["1235000", "35000", "200000", "400000", "600000", "0"]


@pytest.mark.parametrize("seed", range(6))
def test_noise_and_loss_make_no_other_value(seed: int) -> None:
    def faulty(port: MemoryPort) -> Port:
        rng = Random(seed)
        kinds = (Kind.CORRUPT, Kind.DROP, Kind.DUPLICATE)
        places = sorted(rng.sample(range(9_000), 12))
        faults = [Fault(rng.choice(kinds), Towards.CLIENT, at_byte=at, length=rng.randint(1, 3)) for at in places]
        return FaultyPort(port, faults, seed)

    heard = listened(Meter(), {"energy_every_s": 0}, seconds=40, near=faulty)
    good = {(r.obis, r.value) for r in readings_in(listened(Meter()))}
    assert {(r.obis, r.value) for r in readings_in(heard)} == good
    assert rejected_in(heard)
    assert ("meter_silent", "", True) not in conditions_in(heard)


def test_a_meter_that_falls_silent_and_returns() -> None:
    heard: list[Observation] = []

    async def scene() -> None:
        ours, theirs = pair()
        running = asyncio.create_task(DRIVER.make(SmlSettings(telegram_every_s=2)).run(ours, heard.append))
        for _ in range(2):
            playing = asyncio.create_task(serve(theirs, Steady()))
            await ours.pause(5)
            playing.cancel()
            await theirs.send(b"\x1b\x1b\x1b\x1b\x01\x01")
            await ours.pause(12)
        await theirs.close()
        with pytest.raises(LinkError):
            await running

    run(scene())
    assert [each.active for each in heard if isinstance(each, Watching)] == [True, False, True, False]
    assert [active for name, _, active in conditions_in(heard)] == [True, False, True]
    assert rejected_in(heard)["truncated"] >= 2


def test_files_without_a_list_are_counted_and_are_no_sign_of_life() -> None:
    heard: list[Observation] = []

    async def scene() -> None:
        ours, theirs = pair()
        running = asyncio.create_task(DRIVER.make(SmlSettings()).run(ours, heard.append))
        for _ in range(31):
            await theirs.send(encode(File(encode_message(Message(b"1", 0x0101, (b"",) * 6)))))
            await ours.pause(1)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run(scene())
    assert rejected_in(heard) == {"data_no_list": 31}
    assert conditions_in(heard) == [("meter_silent", "", True)]
