from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from readers.observations import InForce, Reading, Readings
from readers.ports.memory import MemoryPort
from readers.quantities import Quality, Quantity
from tests.readers.meters.modbus_meter.scenes import STATE, Scene, Steady, meter

D = Decimal
TOLD_RATIOS = """
name = "Ours"
source = "made for this test"
address_base = 0
values = [
  { quantity = "active_energy_import", address = 0, type = "u32", scale = 0.01, unit = "kWh", times = ["pt", "ct"] },
  { quantity = "voltage", phase = "a", address = 10, scale = 0.1, times = ["pt"] },
]
[ratios]
pt = { address = 20 }
ct = { address = 21 }
"""


@pytest.fixture
def own_map(tmp_path: Path) -> str:
    path = tmp_path / "ours.toml"
    path.write_text(TOLD_RATIOS)
    return str(path)


def energies(scene: Scene) -> list[Decimal | None]:
    return [each.value for each in scene.readings() if each.quantity is Quantity.ACTIVE_ENERGY_IMPORT]


def ratios(scene: Scene) -> list[dict[str, str]]:
    return [dict(each.values) for each in scene.heard if isinstance(each, InForce) and "map" not in each.values]


def test_a_ratio_that_the_meter_tells_is_read_with_every_energy(own_map: str) -> None:
    told = meter(own_map, ct_ratio=D(40), pt_ratio=D(100))
    scene = Scene({1: told}, map_=own_map, energy_s=10, power_s=10)

    async def story(port: MemoryPort) -> None:
        await port.pause(15)
        told.ct_ratio = D(80)
        await port.pause(10)

    scene.play(story)
    first, _, last = energies(scene)
    assert first == D(1_200_000)  # 30 hundredths of a kWh on the secondary side: the twin cuts as a meter does
    assert last == D(1_200_000)
    assert ratios(scene) == [{"pt_ratio": "100"}, {"ct_ratio": "40"}, {"ct_ratio": "80"}]
    changed = scene.heard.index(InForce({"ct_ratio": "80"}, "m1"))
    later = [each for each in scene.heard[changed:] if isinstance(each, Readings)]
    assert Quantity.ACTIVE_ENERGY_IMPORT in {each.quantity for batch in later for each in batch.readings}


def test_a_meter_that_does_not_tell_a_ratio_brings_no_value_that_needs_it(own_map: str) -> None:
    told = meter(own_map, ct_ratio=D(0))
    scene = Scene({1: told}, map_=own_map, energy_s=10, power_s=10)

    async def story(port: MemoryPort) -> None:
        await port.pause(5)
        assert energies(scene) == []
        assert [each.quantity for each in scene.readings()] == [Quantity.VOLTAGE]
        told.ct_ratio = D(1)
        await port.pause(10)

    scene.play(story)
    assert scene.conditions() == [("ratio_unknown", "ct", True), ("ratio_unknown", "ct", False)]
    assert energies(scene) == [D(1_234_560)]


def test_what_the_site_file_says_goes_before_what_the_meter_tells(own_map: str) -> None:
    scene = Scene({1: meter(own_map, ct_ratio=D(7))}, map_=own_map, of_meter={"pt_ratio": 2, "ct_ratio": "1.5"})
    scene.play_for(1)
    assert {"pt_ratio": "2", "ct_ratio": "1.5"}.items() <= scene.in_force().items()


@pytest.mark.parametrize(("clock_s", "wanted"), [(0.0, 0), (-3.0, -3), (125.0, 125)])
@pytest.mark.parametrize("name", ["schneider_iem3000", "acrel_adl3000"])
def test_how_wrong_the_clock_is(name: str, clock_s: float, wanted: int) -> None:
    given = {"pt_ratio": 1, "ct_ratio": 1} if name == "acrel_adl3000" else {}
    scene = Scene({1: meter(name, clock_s=clock_s)}, map_=name, of_meter=given)
    scene.play_for(10)
    (offset,) = (each for each in scene.readings() if each.quantity is Quantity.CLOCK_OFFSET)
    assert offset.value is not None
    assert abs(offset.value - wanted) <= 1
    assert str(offset.obis) == "0-0:1.0.0"
    assert offset.meter_time_us is not None
    assert scene.conditions() == ([] if abs(wanted) <= 5 else [("clock_wrong", "", True)])


def test_a_clock_that_was_set_is_right_again() -> None:
    late = meter("schneider_iem3000", clock_s=-60.0)
    scene = Scene({1: late}, map_="schneider_iem3000", power_s=3600, energy_s=3600, demand_s=3600)

    async def story(port: MemoryPort) -> None:
        await port.pause(10)
        late.clock_s = 0.0
        await port.pause(86_400)

    scene.play(story)
    assert scene.conditions() == [("clock_wrong", "", True), ("clock_wrong", "", False)]
    assert "60 s behind; set it at the meter" in scene.detail("clock_wrong")


def test_a_clock_that_shows_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = meter("schneider_iem3000")
    clock = stopped.map.clock
    assert clock is not None
    monkeypatch.setattr(type(clock), "registers", lambda *_: [0, 0, 0, 0])
    scene = Scene({1: stopped}, map_="schneider_iem3000")
    scene.play_for(10)
    assert "the clock shows no time: 0000 0000 0000 0000" in scene.detail("clock_wrong")


def qualities(found: list[Reading]) -> set[Quality]:
    return {each.quality for each in found}


@pytest.mark.parametrize(("moved_by", "swapped"), [(-1, False), (1, False), (0, True), (1, True)])
def test_a_probe_finds_how_the_registers_lie(moved_by: int, *, swapped: bool) -> None:
    scene = Scene({1: meter("sdm630", moved_by=moved_by, swapped=swapped)}, of_meter={"probe": True})
    if moved_by < 0:  # its first register would be before the first
        scene = Scene(
            {1: meter("schneider_pm5000", moved_by=moved_by, swapped=swapped)},
            map_="schneider_pm5000",
            of_meter={"probe": True},
        )
    scene.play_for(20)
    assert scene.values()[Quantity.FREQUENCY, None, None] == D("49.98")
    assert scene.values()[Quantity.ACTIVE_ENERGY_IMPORT, None, None] == D(1_234_560)
    assert qualities(scene.readings()) == {Quality.GOOD}
    assert [name for name, _, _ in scene.conditions()] == ["map_differs"]
    base = 1 if scene.meters[1].map.base else 0
    assert scene.in_force()["address_base"] == str(base - moved_by)
    assert scene.in_force()["word_order"] == ("the other way round" if swapped else "as in the map")


def test_a_probe_that_finds_the_map_right_says_so() -> None:
    scene = Scene({1: meter("sdm630")}, of_meter={"probe": True})
    scene.play_for(10)
    assert scene.conditions() == []
    assert scene.in_force() == {"map": "sdm630", "address_base": "0", "word_order": "as in the map"}


def test_readings_are_suspect_until_the_map_is_proven() -> None:
    wrong = meter("abb_b23")  # of another make: nothing is where the map says
    scene = Scene({1: wrong}, map_="schneider_pm5000", of_meter={"probe": True})
    scene.play_for(10)
    assert Quality.GOOD not in qualities(scene.readings())
    assert ("map_unproven", "", True) in scene.conditions()
    assert "no arrangement shows a mains voltage and frequency" in scene.detail("map_unproven")


def test_a_probe_is_tried_again_when_the_mains_is_there() -> None:
    dark = meter("sdm630")
    lit = dark.load
    dark.load = Steady(replace(STATE, voltage_v=(D(0), D(0), D(0)), frequency_hz=D(0)))
    scene = Scene({1: dark}, of_meter={"probe": True})

    async def story(port: MemoryPort) -> None:
        await port.pause(60)
        assert qualities(scene.readings()) == {Quality.SUSPECT}
        dark.load = lit
        await port.pause(900)
        scene.heard.clear()
        await port.pause(100)

    scene.play(story)
    assert qualities(scene.readings()) == {Quality.GOOD}
    again = Scene({1: dark}, of_meter={"probe": True})
    again.play_for(1)
    assert again.conditions() == []


def test_what_a_probe_found_outlives_the_link() -> None:
    scene = Scene({1: meter("sdm630", swapped=True)}, of_meter={"probe": True})
    scene.play_for(20)
    first = scene.in_force()
    scene.heard.clear()
    scene.meters[1].requests.clear()
    scene.play_for(20)
    assert scene.in_force() == first
    assert [name for name, _, _ in scene.conditions()] == ["map_differs"]
    assert qualities(scene.readings()) == {Quality.GOOD}
