from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest

from readers.codecs.modbus import Function
from readers.codecs.modbus_blocks import Span
from readers.driver import Port
from readers.errors import LinkError
from readers.meters.modbus_meter.shipped import names
from readers.observations import Condition, DeviceInfo, Rejected
from readers.ports.base import PassingPort
from readers.ports.echo import EchoStrippingPort
from readers.ports.memory import MemoryPort
from readers.quantities import Phase, Quality, Quantity
from simulator.faults import Fault, Kind, Towards
from simulator.faulty_port import FaultyPort
from tests.readers.meters.modbus_meter.scenes import STATE, Scene, Steady, meter

D = Decimal
A, B, C = Phase.A, Phase.B, Phase.C
EXPECTED = {
    (Quantity.VOLTAGE, A, None): D("230.3"),
    (Quantity.VOLTAGE, B, None): D("229.8"),
    (Quantity.VOLTAGE, C, None): D("231.4"),
    (Quantity.CURRENT, A, None): D("12.34"),
    (Quantity.CURRENT, B, None): D("1.5"),
    (Quantity.CURRENT, C, None): D("0.01"),
    (Quantity.ACTIVE_POWER, None, None): D(2846),
    (Quantity.REACTIVE_POWER, None, None): D(50),
    (Quantity.FREQUENCY, None, None): D("49.98"),
    (Quantity.ACTIVE_ENERGY_IMPORT, None, None): D(1_234_560),
    (Quantity.ACTIVE_ENERGY_EXPORT, None, None): D(260),
}
NO_RATIOS = {"pt_ratio": 1, "ct_ratio": 1}


@pytest.mark.parametrize("is_tcp", [False, True])
@pytest.mark.parametrize("name", names())
def test_every_shipped_map_brings_what_the_meter_measures(name: str, *, is_tcp: bool) -> None:
    given = NO_RATIOS if name == "acrel_adl3000" else {}
    scene = Scene({1: meter(name)}, map_=name, is_tcp=is_tcp, of_meter=given)
    scene.play_for(10)
    found = scene.values()
    for key, wanted in EXPECTED.items():
        assert found[key] == wanted, key
    assert scene.watched() == [True]
    assert not [each for each in scene.heard if isinstance(each, Condition | Rejected)]
    assert scene.in_force()["map"] == name
    if name != "acrel_adl3000":
        assert DeviceInfo(serial="20260101", source="m1") in scene.heard


def test_tariffs_and_four_quadrants() -> None:
    scene = Scene({1: meter("schneider_pm5000")}, map_="schneider_pm5000")
    scene.play_for(10)
    found = scene.values()
    tariffs = [found[Quantity.ACTIVE_ENERGY_IMPORT, None, tariff] for tariff in (1, 2, 3, 4)]
    assert tariffs == list(STATE.active_energy_import_by_tariff_wh)
    assert [found[Quantity.POWER_FACTOR, phase, None] for phase in (A, B, C)] == [D("0.995"), D("0.5"), D("0.999")]


def test_values_come_in_their_own_rhythm() -> None:
    scene = Scene({1: meter()}, power_s=5, energy_s=60, demand_s=900)
    scene.play_for(121)
    counted = Counter(each.quantity for each in scene.readings())
    assert counted[Quantity.FREQUENCY] == 25
    assert counted[Quantity.ACTIVE_ENERGY_COMBINED] == 3
    assert counted[Quantity.ACTIVE_DEMAND] == 1


def test_only_what_is_asked_for_is_read() -> None:
    scene = Scene({1: meter()}, read=["voltage"])
    scene.play_for(1)
    assert {each.quantity for each in scene.readings()} == {Quantity.VOLTAGE}
    assert scene.meters[1].requests[-1] == Span(Function.READ_INPUT_REGISTERS, 0, 6)


def test_requests_stay_within_what_the_meter_answers() -> None:
    scene = Scene({1: meter()})
    scene.play_for(1)
    assert max(span.count for span in scene.meters[1].requests) <= 80
    assert len(scene.meters[1].requests) <= 9
    assert scene.conditions() == []


def test_a_meter_that_refuses_gaps_is_asked_without_them_from_then_on() -> None:
    scene = Scene({1: meter(refuses_gaps=True)}, power_s=10)
    scene.play_for(25)
    assert scene.values()[Quantity.ACTIVE_ENERGY_COMBINED, None, None] == D(1_234_820)
    requests = scene.meters[1].requests
    assert len(set(requests)) < len(requests)
    assert requests.count(Span(Function.READ_INPUT_REGISTERS, 0, 72)) == 1
    assert scene.conditions() == []


def test_a_value_that_the_meter_lacks_is_told_by_its_name() -> None:
    scene = Scene({1: meter(missing=frozenset({"active_demand"}))})
    scene.play_for(10)
    assert scene.conditions() == [("register_unsupported", "active_demand", True)]
    assert (Quantity.ACTIVE_DEMAND_MAX, None, None) in scene.values()


def test_a_phase_that_is_not_connected_is_absent() -> None:
    state = replace(STATE, voltage_v=(D("230.3"), None, None))
    for name in ("abb_b23", "sdm630"):
        scene = Scene({1: meter(name, Steady(state))}, map_=name, read=["voltage"])
        scene.play_for(1)
        assert [(each.value, each.quality) for each in scene.readings()] == [
            (D("230.3"), Quality.GOOD),
            (None, Quality.ABSENT),
            (None, Quality.ABSENT),
        ]


def test_ratios_of_the_site_file_multiply_and_are_in_force() -> None:
    acrel = meter("acrel_adl3000", pt_ratio=D(100), ct_ratio=D(40))
    scene = Scene({1: acrel}, map_="acrel_adl3000", of_meter={"pt_ratio": 100, "ct_ratio": 40}, energy_s=10)
    state = replace(STATE, active_energy_import_wh=D(400_000_000), voltage_v=(D(10_000), D(10_000), D(10_000)))
    acrel.load = Steady(state)
    scene.play_for(15)
    assert scene.values()[Quantity.ACTIVE_ENERGY_IMPORT, None, None] == D(400_000_000)
    assert scene.values()[Quantity.VOLTAGE, A, None] == D(10_000)
    assert {"pt_ratio": "100", "ct_ratio": "40"}.items() <= scene.in_force().items()


def test_a_float_that_loses_hundredths_is_told_once() -> None:
    state = replace(STATE, active_energy_import_wh=D(200_000_000))
    scene = Scene(
        {1: meter("sdm630", Steady(state))}, read=["active_energy_import", "active_energy_export"], energy_s=5
    )
    scene.play_for(30)
    assert scene.conditions() == [("register_coarse", "1-0:1.8.0", True)]
    assert "too large to tell 10 Wh apart" in scene.detail("register_coarse")


def test_many_meters_on_one_slow_line_and_a_dead_one() -> None:
    meters = {unit: meter("abb_b23") for unit in (1, 2, 3)}
    meters[2].mute = True
    scene = Scene(meters, map_="abb_b23", baud=9600)
    scene.play_for(60)
    assert scene.values("m1").items() >= EXPECTED.items()
    assert scene.values("m3").items() >= EXPECTED.items()
    assert scene.watched("m2") == [False]
    assert scene.conditions() == [("meter_silent", "", True)]
    assert "unit 2 did not answer" in scene.detail("meter_silent")


def test_a_meter_that_comes_back() -> None:
    scene = Scene({1: meter(), 2: meter()})

    async def story(port: MemoryPort) -> None:
        await port.pause(20)
        scene.meters[1].mute = True
        await port.pause(60)
        scene.meters[1].mute = False
        await port.pause(120)

    scene.play(story)
    assert scene.watched("m1") == [True, False, True]
    assert scene.conditions() == [("meter_silent", "", True), ("meter_silent", "", False)]


def test_a_line_where_nobody_answers() -> None:
    scene = Scene({1: meter(mute=True), 2: meter(mute=True)})

    async def story(port: MemoryPort) -> None:
        await port.pause(20)
        for each in scene.meters.values():
            each.mute = False
        await port.pause(70)

    scene.play(story)
    assert ("line_silent", "", True) in scene.conditions()
    assert "no byte came: check power, wiring" in scene.detail("line_silent")
    assert scene.conditions().count(("line_silent", "", False)) == 1
    assert scene.watched("m1") == scene.watched("m2") == [False, True]


def test_a_meter_behind_a_gateway_that_does_not_hear_it() -> None:
    scene = Scene({1: meter(), 2: meter(mute=True)}, is_tcp=True, is_gateway=True)
    scene.play_for(20)
    assert scene.watched("m1") == [True]
    assert scene.watched("m2") == [False]
    assert "the gateway answers for unit 2" in scene.detail("meter_silent")


def test_a_busy_meter_is_watched_and_its_trouble_told() -> None:
    scene = Scene({1: meter(busy=True)}, read=["voltage"], power_s=5)

    async def story(port: MemoryPort) -> None:
        await port.pause(7)
        scene.meters[1].busy = False
        await port.pause(10)

    scene.play(story)
    assert ("read_refused", "input registers 0 to 5", True) in scene.conditions()
    assert ("read_refused", "input registers 0 to 5", False) in scene.conditions()
    assert scene.watched() == [True]


@pytest.mark.parametrize("seed", range(3))
def test_noise_and_loss_never_bring_a_wrong_value(seed: int) -> None:
    rng = Random(seed)

    def mangle(data: bytes) -> list[bytes]:
        dice = rng.random()
        if dice < 0.1:
            return []
        if dice < 0.2:
            at = rng.randrange(len(data))
            return [data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]]
        if dice < 0.3:
            return [rng.randbytes(rng.randint(1, 9)), data[: rng.randrange(len(data))], b"", data]
        return [data[: len(data) // 2], data[len(data) // 2 :]]

    scene = Scene({1: meter("abb_b23"), 2: meter("abb_b23")}, map_="abb_b23", power_s=2, mangle=mangle)
    scene.play_for(300)
    for source in ("m1", "m2"):
        for each in scene.readings(source):
            key = each.quantity, each.phase, each.tariff
            assert key not in EXPECTED or each.value == EXPECTED[key]
        assert scene.values(source).items() >= EXPECTED.items()
    assert [each for each in scene.heard if isinstance(each, Rejected)]


class Echoing(PassingPort):
    """The device's end of a two-wire line whose adapter gives back what the driver sends."""

    async def receive(self, within_s: float) -> bytes:
        data = await super().receive(within_s)
        if data:
            await self.send(data)
        return data


@pytest.mark.parametrize("wrap", [EchoStrippingPort, PassingPort])
def test_an_echo_is_no_answer_even_where_nobody_strips_it(wrap: Callable[[Port], Port]) -> None:
    scene = Scene({1: meter(), 2: meter()}, power_s=5, wrap=wrap, wrap_device=Echoing)
    scene.play_for(30)
    for source in ("m1", "m2"):
        assert scene.values(source).items() >= EXPECTED.items()
        assert scene.watched(source) == [True]
    assert scene.conditions() == []
    assert bool([each for each in scene.heard if isinstance(each, Rejected)]) is (wrap is PassingPort)


def test_a_link_that_is_cut_raises_and_what_was_learnt_stays() -> None:
    cut: list[Fault] = [Fault(Kind.CUT, Towards.CLIENT, after_s=5.0)]
    scene = Scene({1: meter(refuses_gaps=True)}, wrap=lambda port: FaultyPort(port, cut))
    with pytest.raises(LinkError, match="the link ended"):
        scene.play_for(20)
    before = len(scene.meters[1].requests)
    scene.meters[1].requests.clear()
    scene.heard.clear()
    cut.clear()
    scene.play_for(5)
    assert 0 < len(scene.meters[1].requests) < before
    assert scene.watched() == [True]
    assert scene.values().items() >= EXPECTED.items()
