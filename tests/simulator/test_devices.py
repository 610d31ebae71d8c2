from __future__ import annotations

import asyncio
from typing import get_args

import pytest

from readers import registry
from readers.observations import CardReads, Observation, Signals, TagReads
from readers.ports.memory import pair, run
from simulator import scenario
from simulator.devices import devices
from simulator.scenario_file import ReaderPart, load, names

DRIVERS = {
    "filler": ("a0", {}),
    "sealer": ("uhfreader", {"model": "288"}),
    "labeller": ("m100", {}),
    "dispatcher": ("thingmagic", {"region": "prc"}),
    "bridge": ("weighbridge", {"format": "toledo"}),
    "entry-card": ("ascii_line", {"format": "line", "card": {"technology": "nfca", "base": "hex"}}),
    "exit-card": ("pn532", {}),
    "barriers": ("modbus_io", {"modules": [{"inputs": [{"name": "loop", "address": 0}]}]}),
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
        world = scenario.build(load("showcase"), 7, ours.now_us(), 60)
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
    assert any(isinstance(each, TagReads | CardReads | Signals) and len(each) for each in heard)
