from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from readers.codecs.mbus_records import Record
from readers.driver import Port
from readers.errors import LinkError
from readers.meters.mbus import DRIVER, MbusSettings
from readers.observations import Condition, DeviceInfo, Observation, Reading, Readings, Watching
from readers.ports.base import PassingPort
from readers.ports.memory import MemoryPort, pair, run
from readers.quantities import Quantity
from simulator.faults import Fault, Kind, Towards
from simulator.faulty_port import FaultyPort
from simulator.meters.mbus import Meter, digits, electricity, number, serve
from tests.simulator.meters.loads import STATE, Steady
from tests.support.heard import conditions_in, rejected_in

LOAD = electricity(Steady())


def heat(now_us: int) -> list[Record]:
    assert now_us > 0
    return [digits(0x06, 37_351), digits(0x14, 56_108), number(0x59, Decimal(10_169)), digits(0x06, 33_361, storage=1)]


def heat_meter(**more: Any) -> Meter:
    return Meter(heat, **more)


def power_meter(records_per_frame: int = 50) -> Meter:
    return Meter(LOAD, number="00032629", maker="EMU", device_type=0x02, records_per_frame=records_per_frame)


BOTH = {"meters": [{"name": "heat", "address": 17}, {"name": "power", "number": "00032629"}], "read_every_s": 60}
ONE = {"meters": [{"name": "heat", "address": 17}], "read_every_s": 10}


def read(
    meters: Mapping[int, Meter],
    settings: dict[str, Any],
    seconds: float = 8,
    near: Callable[[MemoryPort], Port] = lambda port: port,
) -> list[Observation]:
    heard: list[Observation] = []

    async def scene() -> None:
        ours, theirs = pair("line")
        playing = asyncio.create_task(serve(theirs, meters))
        driver = DRIVER.make(MbusSettings.model_validate(settings))
        running = asyncio.create_task(driver.run(near(ours), heard.append))
        await ours.pause(seconds)
        for task in (running, playing):
            task.cancel()
        ends = await asyncio.gather(running, playing, return_exceptions=True)
        assert [type(end) for end in ends] == [asyncio.CancelledError] * 2

    run(scene())
    return heard


def readings_in(heard: list[Observation], source: str) -> list[Reading]:
    return [r for each in heard if isinstance(each, Readings) and each.source == source for r in each.readings]


@pytest.mark.parametrize("per_frame", [50, 3, 1])
def test_every_value_of_both_kinds_of_address_is_told_exactly(per_frame: int) -> None:
    meters = {17: heat_meter(records_per_frame=per_frame), 3: power_meter(records_per_frame=per_frame)}
    heard = read(meters, BOTH, seconds=20)
    values = {r.quantity: r for r in readings_in(heard, "heat")}
    assert {quantity: str(r.value) for quantity, r in values.items()} == {
        Quantity.HEAT_ENERGY: "37351000",
        Quantity.VOLUME: "561.08",
        Quantity.FLOW_TEMPERATURE: "101.69",
    }
    assert {r.meter_time_us for r in values.values()} == {1_767_225_600_000_000}
    power = {(r.quantity, r.tariff): r.value for r in readings_in(heard, "power")}
    assert power[Quantity.ACTIVE_ENERGY_IMPORT, None] == STATE.active_energy_import_wh
    assert power[Quantity.ACTIVE_ENERGY_IMPORT, 4] == 600_000
    assert power[Quantity.ACTIVE_ENERGY_EXPORT, None] == 260
    assert power[Quantity.VOLTAGE, None] == Decimal("230.300")
    assert power[Quantity.CURRENT, None] == Decimal("12.345")
    assert power[Quantity.ACTIVE_POWER, None] == 2155
    assert DeviceInfo("KAM", "heat", "8", "06855817", "heat") in heard
    assert DeviceInfo("EMU", "electricity", "8", "00032629", "power") in heard
    assert rejected_in(heard) == {}
    assert conditions_in(heard) == []


def test_a_meter_that_is_alone_needs_no_address() -> None:
    assert readings_in(read({250: heat_meter()}, {"meters": [{"name": "heat"}]}), "heat")


def test_a_number_with_wildcards_selects_the_meter_that_fits() -> None:
    settings = {"meters": [{"name": "heat", "number": "0685581F"}]}
    assert readings_in(read({17: heat_meter(), 3: power_meter()}, settings), "heat")
    assert readings_in(read({17: power_meter()}, settings), "heat") == []


def test_meters_are_read_again_and_again_each_at_its_time() -> None:
    heard = read({17: heat_meter(), 3: power_meter()}, BOTH, seconds=150)
    for name in ("heat", "power"):
        assert sum(isinstance(each, Readings) and each.source == name for each in heard) == 3


def test_a_silent_meter_is_told_and_does_not_stop_the_others() -> None:
    meters = {17: heat_meter()}
    heard: list[Observation] = []

    async def scene() -> None:
        ours, theirs = pair("line")
        playing = asyncio.create_task(serve(theirs, meters))
        running = asyncio.create_task(DRIVER.make(MbusSettings.model_validate(BOTH)).run(ours, heard.append))
        await ours.pause(100)
        meters[3] = power_meter()
        await ours.pause(100)
        playing.cancel()
        await theirs.close()
        with pytest.raises(LinkError):
            await running

    run(scene())
    assert [each.active for each in heard if isinstance(each, Watching) and each.source == "power"] == [False, True]
    silent = next(each for each in heard if isinstance(each, Condition) and each.source == "power")
    assert "meter 00032629 was asked 3 times and did not answer" in silent.detail
    assert sum(isinstance(each, Readings) and each.source == "heat" for each in heard) == 4


def test_an_error_of_the_meter_and_its_status_are_conditions_that_end() -> None:
    meter = heat_meter(error=8, status=0x04)
    heard: list[Observation] = []

    async def scene() -> None:
        ours, theirs = pair()
        playing = asyncio.create_task(serve(theirs, {17: meter}))
        running = asyncio.create_task(DRIVER.make(MbusSettings.model_validate(ONE)).run(ours, heard.append))
        await ours.pause(5)
        meter.error = None
        await ours.pause(10)
        meter.status = 0
        await ours.pause(10)
        for task in (running, playing):
            task.cancel()
        await asyncio.gather(running, playing, return_exceptions=True)

    run(scene())
    told = [(name, active) for name, _, active in conditions_in(heard)]
    assert told == [("read_refused", True), ("read_refused", False), ("meter_error", True), ("meter_error", False)]
    details = [each.detail for each in heard if isinstance(each, Condition) and each.active]
    assert details == [
        "the meter answers with the application error 08",
        "the meter's status says: battery low",
    ]


class Swapping(PassingPort):
    """A line on which another meter answers the second of two frames."""

    replies = 0

    async def send(self, data: bytes) -> None:
        if data[0] == 0x68:
            self.replies += 1
            if self.replies % 2 == 0:
                changed = bytearray(data)
                changed[7] ^= 0x01
                changed[-2] = sum(changed[4:-2]) & 0xFF
                data = bytes(changed)
        await super().send(data)


def test_frames_of_two_meters_are_not_joined() -> None:
    heard: list[Observation] = []

    async def scene() -> None:
        ours, theirs = pair()
        playing = asyncio.create_task(serve(Swapping(theirs), {17: heat_meter(records_per_frame=3)}))
        running = asyncio.create_task(DRIVER.make(MbusSettings.model_validate(ONE)).run(ours, heard.append))
        await ours.pause(5)
        for task in (running, playing):
            task.cancel()
        await asyncio.gather(running, playing, return_exceptions=True)

    run(scene())
    assert rejected_in(heard) == {"data_foreign_meter": 1}
    assert {r.quantity for r in readings_in(heard, "heat")} == {Quantity.HEAT_ENERGY, Quantity.VOLUME}


@pytest.mark.parametrize("seed", range(6))
def test_noise_and_loss_make_no_other_value(seed: int) -> None:
    def faulty(port: MemoryPort) -> Port:
        rng = Random(seed)
        kinds = (Kind.CORRUPT, Kind.DROP, Kind.DUPLICATE)
        places = sorted(rng.sample(range(1_200), 12))
        faults = [Fault(rng.choice(kinds), Towards.CLIENT, at_byte=at, length=1) for at in places]
        return FaultyPort(port, faults, seed)

    heard = read({17: heat_meter(records_per_frame=2)}, ONE, seconds=120, near=faulty)
    good = {("6-0:1.0.0", "37351000"), ("6-0:2.0.0", "561.08"), ("6-0:10.0.0", "101.69")}
    assert {(str(r.obis), str(r.value)) for r in readings_in(heard, "heat")} == good
    assert rejected_in(heard)


def test_an_echo_of_our_own_requests_is_no_answer() -> None:
    class Echoing(PassingPort):
        async def receive(self, within_s: float) -> bytes:
            data = await self._port.receive(within_s)
            if data:
                await self._port.send(data)
            return data

    async def scene() -> list[Observation]:
        heard: list[Observation] = []
        ours, theirs = pair()
        playing = asyncio.create_task(serve(Echoing(theirs), {17: heat_meter(), 3: power_meter()}))
        running = asyncio.create_task(DRIVER.make(MbusSettings.model_validate(BOTH)).run(ours, heard.append))
        await ours.pause(20)
        for task in (running, playing):
            task.cancel()
        await asyncio.gather(running, playing, return_exceptions=True)
        return heard

    heard = run(scene())
    assert readings_in(heard, "heat")
    assert readings_in(heard, "power")
    assert rejected_in(heard) == {}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"meters": [{"name": "a", "address": 1}, {"name": "a", "address": 2}]}, "name a is given twice"),
        ({"meters": [{"name": "a", "address": 1}, {"name": "b", "address": 1}]}, "address 1 is given twice"),
        ({"meters": [{"name": "a", "address": 1}, {"name": "b"}]}, "need an address or a number each"),
        ({"meters": [{"name": "a", "address": 251}]}, "less than or equal to 250"),
        ({"meters": [{"name": "a", "number": "123"}]}, "must be the 8 digits"),
        ({"meters": [{"name": "a", "number": "1234567A"}]}, "must be the 8 digits"),
        ({"meters": [{"name": "a", "number": "12345678", "address": 1}]}, "give one"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MbusSettings.model_validate(settings)


def test_its_devices_are_its_meters() -> None:
    assert MbusSettings.model_validate(BOTH).sources() == ("heat", "power")
