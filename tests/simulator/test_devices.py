from __future__ import annotations

import asyncio
from typing import get_args

import pytest

from readers import registry
from readers.observations import CardReads, Observation, Readings, Rejected, Signals, TagReads, Watching
from readers.ports.memory import pair, run
from readers.quantities import Quantity
from simulator import scenario
from simulator.devices import devices, registers
from simulator.scenario_file import MachinePart, ReaderPart, load, names

EVERYTHING = load("showcase").model_copy(update={"machine": [MachinePart(name="warper", twin="modbus_machine")]})

DRIVERS = {
    "filler": ("a0", {}),
    "sealer": ("uhfreader", {"model": "288"}),
    "labeller": ("m100", {}),
    "dispatcher": ("thingmagic", {"region": "prc"}),
    "bridge": ("weighbridge", {"format": "toledo"}),
    "entry-card": ("ascii_line", {"format": "line", "card": {"technology": "nfca", "base": "hex"}}),
    "exit-card": ("pn532", {}),
    "sub-meters": (
        "modbus_meter",
        {
            "meters": [
                {"name": "chiller", "address": 1, "map": "sdm630"},
                {"name": "compressor", "address": 2, "map": "acrel_adl3000", "pt_ratio": 1, "ct_ratio": 40},
            ]
        },
    ),
    "warper": (
        "modbus_machine",
        {"machines": [{"state": {"address": 0, "states": {"6": "execute"}}, "signals": [{"name": "m", "address": 4}]}]},
    ),
    "barriers": ("modbus_io", {"modules": [{"inputs": [{"name": "loop", "address": 0}]}]}),
    "gate-io": ("modbus_io", {"modules": [{"inputs": [{"name": "loop", "address": 0}]}]}),
    "gate-scale": ("weighbridge", {"format": "toledo"}),
    "gate-card": ("ascii_line", {"format": "line", "card": {"technology": "nfca", "base": "hex"}}),
}


@pytest.mark.parametrize("name", names())
def test_every_device_of_a_scenario_has_a_twin(name: str) -> None:
    file = load(name)
    assert devices(scenario.build(file, 7, 0, 30)).keys() == set(file.devices)


def test_every_twin_that_a_reader_may_name_is_there() -> None:
    gate = load("port_gate")
    twins = get_args(ReaderPart.model_fields["twin"].annotation)
    readers = [gate.reader[0].model_copy(update={"name": twin, "twin": twin}) for twin in twins]
    world = scenario.build(gate.model_copy(update={"reader": readers}), 7, 0, 30)
    assert set(twins) <= devices(world).keys()


@pytest.mark.parametrize("name", DRIVERS)
def test_a_driver_hears_its_part_of_the_world(name: str) -> None:
    heard: list[Observation] = []

    async def scene() -> None:
        ours, theirs = pair()
        world = scenario.build(EVERYTHING, 7, ours.now_us(), 60)
        driver, settings = DRIVERS[name]
        spec = registry.driver(driver)
        playing = asyncio.ensure_future(devices(world)[name](theirs))
        running = asyncio.create_task(spec.make(spec.settings.model_validate(settings)).run(ours, heard.append))
        await ours.pause(60)
        for task in (running, playing):
            task.cancel()
        ends = await asyncio.gather(running, playing, return_exceptions=True)
        assert [type(end) for end in ends] == [asyncio.CancelledError] * 2, ends

    run(scene())
    assert any(isinstance(each, TagReads | CardReads | Signals | Readings) and len(each) for each in heard)
    assert not any(isinstance(each, Rejected) or (isinstance(each, Watching) and not each.active) for each in heard)


def test_meters_on_modbus_tell_what_flows_whichever_side_they_show() -> None:
    async def scene() -> None:
        ours, theirs = pair()
        file = load("switchboard")
        world = scenario.build(file, 7, ours.now_us(), 60)
        playing = asyncio.ensure_future(devices(world)["sub-meters"](theirs))
        spec = registry.driver("modbus_meter")
        settings = spec.settings.model_validate(DRIVERS["sub-meters"][1])
        heard: list[Observation] = []
        running = asyncio.create_task(spec.make(settings).run(ours, heard.append))
        await ours.pause(10)
        for task in (running, playing):
            task.cancel()
        await asyncio.gather(running, playing, return_exceptions=True)
        for address, name in (("1", "chiller"), ("2", "compressor")):
            told = [
                reading.value
                for batch in heard
                if isinstance(batch, Readings) and batch.source == name
                for reading in batch.readings
                if reading.quantity is Quantity.ACTIVE_ENERGY_COMBINED and reading.tariff is None
            ]
            stands_wh = world.loads["sub-meters"][address].start_wh
            assert told[0] is not None
            assert float(told[0]) == pytest.approx(stands_wh, abs=400)  # 0.01 kWh of the secondary side are 400 Wh

    run(scene())


def test_a_register_map_that_is_not_there_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="nobodys"):
        registers("nobodys")
