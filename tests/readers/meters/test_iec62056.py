from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from readers.driver import Port
from readers.errors import LinkError
from readers.meters.iec62056 import DRIVER, Iec62056Settings
from readers.observations import Condition, DeviceInfo, Observation, Reading, Readings, Watching
from readers.ports.base import PassingPort
from readers.ports.memory import MemoryPort, pair, run
from readers.quantities import Phase, Quality, Quantity
from simulator.faults import Fault, Kind, Towards
from simulator.faulty_port import FaultyPort
from simulator.meters.iec62056 import Meter, Style, serve
from tests.simulator.meters.loads import STATE, Steady
from tests.support.heard import conditions_in, rejected_in

ONE = {"meters": [{"name": "a"}]}
TWO = {"meters": [{"name": "a", "address": "11"}, {"name": "b", "address": "22"}], "read_every_s": 60}


class Line(MemoryPort):
    """A port in memory that knows its speed, and remembers how it was set."""

    speed = 300
    set_to: list[int]

    @property
    def baud(self) -> int | None:
        return self.speed

    def set_baud(self, baud: int) -> None:
        self.set_to = [*getattr(self, "set_to", []), baud]


class Plain(PassingPort):
    """A link whose speed nobody knows, as that to a device server."""

    @property
    def baud(self) -> int | None:
        return None


def read_out(
    meters: Mapping[str, Meter],
    settings: dict[str, Any],
    seconds: float = 30,
    near: Callable[[MemoryPort], Port] = lambda port: port,
    **served: Any,
) -> tuple[list[Observation], Line]:
    heard: list[Observation] = []

    async def scene() -> Line:
        ours, theirs = Line("line"), MemoryPort("line (meters)")
        ours.connect(theirs)
        playing = asyncio.create_task(serve(theirs, meters, **served))
        driver = DRIVER.make(Iec62056Settings.model_validate(settings))
        running = asyncio.create_task(driver.run(near(ours), heard.append))
        await ours.pause(seconds)
        for task in (running, playing):
            task.cancel()
        ends = await asyncio.gather(running, playing, return_exceptions=True)
        assert [type(end) for end in ends] == [asyncio.CancelledError] * 2
        return ours

    return heard, run(scene())


def readings_in(heard: list[Observation], source: str = "a") -> list[Reading]:
    return [r for each in heard if isinstance(each, Readings) and each.source == source for r in each.readings]


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("parity", [True, False])
@pytest.mark.parametrize("baud", ["5", "0", "C", " "])
def test_every_value_of_the_meter_is_told_exactly(style: Style, parity: bool, baud: str) -> None:  # noqa: FBT001
    meter = Meter(Steady(), style=style, has_parity=parity, baud=baud)
    heard, _ = read_out({"70831205": meter}, ONE, seconds=60, at_line_speed=True)
    values = {(r.quantity, r.phase, r.tariff): r for r in readings_in(heard)}
    assert values[Quantity.ACTIVE_ENERGY_IMPORT, None, None].value == STATE.active_energy_import_wh
    assert values[Quantity.ACTIVE_ENERGY_IMPORT, None, 4].value == 600_000
    assert values[Quantity.ACTIVE_ENERGY_EXPORT, None, None].value == 260
    assert values[Quantity.VOLTAGE, Phase.A, None].value == Decimal("230.3")
    assert values[Quantity.VOLTAGE, Phase.C, None].quality is Quality.ABSENT
    assert values[Quantity.FREQUENCY, None, None].value == Decimal("49.9")
    demand = values[Quantity.ACTIVE_DEMAND_MAX, None, 1]
    assert demand.value == 3250
    times = {r.meter_time_us for r in readings_in(heard) if r.value is not None and r is not demand}
    assert len(times) == 1
    assert 0 <= (times.pop() or 0) - 1_767_225_600_000_000 < 5_000_000
    assert demand.meter_time_us == 1_767_215_700_000_000
    assert DeviceInfo("LGZ", "ZMD4104407.B32", "B32", "70831205", "a") in heard
    assert rejected_in(heard) == {}
    assert [c for c in conditions_in(heard) if c[0] != "register_unknown"] == []


@pytest.mark.parametrize(
    ("baud", "settings", "set_to"),
    [
        ("5", {}, [9600, 300]),
        ("6", {}, [19200, 300]),
        ("0", {}, []),
        ("C", {}, [2400, 300]),
        (" ", {}, []),
        ("5", {"fixed_baud": 9600}, []),
        ("3", {"fixed_baud": 9600}, []),
    ],
)
def test_the_line_follows_the_meter_and_comes_back(baud: str, settings: dict[str, Any], set_to: list[int]) -> None:
    heard, line = read_out({"1": Meter(Steady(), baud=baud)}, ONE | settings)
    assert getattr(line, "set_to", []) == set_to
    assert readings_in(heard)
    assert (b"\x06\x30\x35\x30" in bytes(byte & 0x7F for byte in line.sent)) is (
        baud == "5" or "fixed_baud" in settings
    )


def test_a_line_that_cannot_switch_stays_at_the_speed_of_sign_on() -> None:
    heard, line = read_out({"1": Meter(Steady())}, ONE, near=Plain, at_line_speed=True, seconds=60)
    assert not hasattr(line, "set_to")
    assert readings_in(heard)
    assert b"\x06000" in bytes(byte & 0x7F for byte in line.sent)


def test_the_speed_comes_back_when_a_readout_fails() -> None:
    meter = Meter(Steady(), damages=2)
    heard, line = read_out({"1": meter}, ONE, seconds=20)
    assert line.set_to == [9600, 300, 9600, 300, 9600, 300]
    assert meter.readouts == 3
    assert rejected_in(heard)["checksum"] == 2
    assert [active for name, _, active in conditions_in(heard) if name == "meter_silent"] == [True, False]


def test_several_meters_are_read_by_address_each_at_its_time() -> None:
    meters = {"11": Meter(Steady(), serial="11"), "22": Meter(Steady(), serial="22", baud="C")}
    heard, _ = read_out(meters, TWO, seconds=170)
    for name, serial in (("a", "11"), ("b", "22")):
        assert sum(isinstance(each, Readings) and each.source == name for each in heard) == 3
        assert [each.serial for each in heard if isinstance(each, DeviceInfo) and each.source == name] == [serial]


def test_a_silent_meter_is_told_and_does_not_stop_the_others() -> None:
    meters = {"11": Meter(Steady())}
    heard: list[Observation] = []

    async def scene() -> None:
        ours, theirs = pair()
        playing = asyncio.create_task(serve(theirs, meters))
        running = asyncio.create_task(DRIVER.make(Iec62056Settings.model_validate(TWO)).run(ours, heard.append))
        await ours.pause(100)
        meters["22"] = Meter(Steady())
        await ours.pause(200)
        playing.cancel()
        await theirs.close()
        with pytest.raises(LinkError):
            await running

    run(scene())
    states = [each.active for each in heard if isinstance(each, Watching) and each.source == "b"]
    assert states == [False, True]
    silent = next(each for each in heard if isinstance(each, Condition) and each.source == "b")
    assert "meter 22 was asked 2 times and did not identify itself" in silent.detail
    assert sum(isinstance(each, Readings) and each.source == "a" for each in heard) >= 5


def test_the_error_register_and_a_refusal_are_conditions_that_end() -> None:
    meter = Meter(Steady(), error_register="00000400", refuses=True)
    heard: list[Observation] = []

    async def scene() -> None:
        ours, theirs = pair()
        playing = asyncio.create_task(serve(theirs, {"1": meter}))
        settings = Iec62056Settings.model_validate(ONE | {"read_every_s": 30})
        running = asyncio.create_task(DRIVER.make(settings).run(ours, heard.append))
        await ours.pause(20)
        meter.refuses = False
        await ours.pause(30)
        meter.error_register = "00000000"
        await ours.pause(30)
        for task in (running, playing):
            task.cancel()
        await asyncio.gather(running, playing, return_exceptions=True)

    run(scene())
    told = [(name, active) for name, _, active in conditions_in(heard) if name != "register_unknown"]
    assert told == [("read_refused", True), ("meter_error", True), ("read_refused", False), ("meter_error", False)]


def test_an_echo_of_our_own_requests_is_no_answer() -> None:
    async def scene() -> list[Observation]:
        heard: list[Observation] = []
        ours, theirs = pair()
        playing = asyncio.create_task(serve(Echoing(theirs), {"1": Meter(Steady())}))
        running = asyncio.create_task(DRIVER.make(Iec62056Settings.model_validate(ONE)).run(ours, heard.append))
        await ours.pause(20)
        for task in (running, playing):
            task.cancel()
        await asyncio.gather(running, playing, return_exceptions=True)
        return heard

    heard = run(scene())
    assert readings_in(heard)
    assert rejected_in(heard) == {}


class Echoing(PassingPort):
    """An optical head that gives back what it sends."""

    async def receive(self, within_s: float) -> bytes:
        data = await self._port.receive(within_s)
        if data:
            await self._port.send(data)
        return data


@pytest.mark.parametrize("seed", range(6))
def test_noise_and_loss_make_no_other_value(seed: int) -> None:
    def faulty(port: MemoryPort) -> Port:
        rng = Random(seed)
        kinds = (Kind.CORRUPT, Kind.DROP, Kind.DUPLICATE)
        places = sorted(rng.sample(range(9_000), 8))
        faults = [Fault(rng.choice(kinds), Towards.CLIENT, at_byte=at, length=1) for at in places]
        return FaultyPort(port, faults, seed)

    settings = ONE | {"read_every_s": 10, "fixed_baud": 9600}
    heard, _ = read_out({"1": Meter(Steady())}, settings, seconds=120, near=faulty)
    good, _ = read_out({"1": Meter(Steady())}, settings, seconds=8)
    assert {(r.obis, r.value) for r in readings_in(heard)} == {(r.obis, r.value) for r in readings_in(good)}
    assert rejected_in(heard)


def test_noise_that_never_ends_does_not_keep_it_from_asking_again() -> None:
    meters = {"11": Meter(Steady())}
    heard: list[Observation] = []

    async def scene() -> None:
        ours, theirs = pair()
        rng = Random(1)

        async def blow() -> None:
            while True:
                await theirs.pause(rng.uniform(0.2, 0.6))
                await theirs.send(rng.randbytes(rng.randint(1, 4)))

        settings = Iec62056Settings.model_validate(TWO | {"fixed_baud": 9600})  # nobody answers to 22
        tasks = [
            asyncio.create_task(blow()),
            asyncio.create_task(serve(theirs, meters)),
            asyncio.create_task(DRIVER.make(settings).run(ours, heard.append)),
        ]
        await ours.pause(170)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(scene())
    assert [each.active for each in heard if isinstance(each, Watching) and each.source == "b"] == [False]
    assert sum(isinstance(each, Readings) and each.source == "a" for each in heard) >= 2


@pytest.mark.parametrize("baud", ["0", " "])
def test_the_rest_of_a_damaged_readout_is_waited_for(baud: str) -> None:
    meter = Meter(Steady(), baud=baud)

    def faulty(port: MemoryPort) -> Port:
        return FaultyPort(port, [Fault(Kind.CORRUPT, Towards.CLIENT, at_byte=100, length=1)], 1)

    heard, line = read_out({"1": meter}, ONE, seconds=120, near=faulty, at_line_speed=True)
    assert meter.readouts == 2
    assert bytes(byte & 0x7F for byte in line.sent).count(b"/?") == 2
    assert readings_in(heard)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"meters": [{"name": "a", "address": "1"}, {"name": "a", "address": "2"}]}, "name a is given twice"),
        ({"meters": [{"name": "a", "address": "1"}, {"name": "b", "address": "1"}]}, "address 1 is given twice"),
        ({"meters": [{"name": "a", "address": "1"}, {"name": "b"}]}, "need an address each"),
        ({"meters": [{"name": "a", "address": "1!"}]}, "must be 1 to 32 digits"),
        (ONE | {"fixed_baud": 1234}, "fixed_baud"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Iec62056Settings.model_validate(settings)


def test_its_devices_are_its_meters() -> None:
    assert Iec62056Settings.model_validate(TWO).sources() == ("a", "b")
