import csv
import tomllib

import pytest

from simulator import scenario

START_US = 1_767_225_600_000_000


def test_the_port_gate_has_two_lanes_and_eight_meters() -> None:
    file = scenario.load("port_gate")
    world = scenario.build(file, 7, START_US, 60)
    assert [lane.name for lane in file.lane] == ["lane-1", "lane-2"]
    assert len(world.loads["substation"]) == 8
    assert world.truth() == scenario.build(file, 7, START_US, 60).truth()


def test_every_tag_of_the_truth_is_a_named_asset() -> None:
    world = scenario.build(scenario.load("port_gate"), 7, START_US, 60)
    names = {row["epc"]: row["name"] for row in csv.DictReader(world.assets_csv().splitlines())}
    truth = world.truth()
    for things in (truth["passages"], truth["papers"]):
        assert isinstance(things, list)
        assert things
        assert all(names[thing["epc"]] == thing["container"] for thing in things)


def test_the_site_file_names_every_device_of_the_scenario() -> None:
    file = scenario.load("port_gate")
    devices = [reader.name for reader in file.reader] + [line.name for line in file.line]
    text = scenario.site_template("port_gate")
    assert all(f"${{{name}}}" in text for name in devices)
    filled = text.replace("${MQTT_PORT}", "1883")
    assert {reader["name"] for reader in tomllib.loads(filled)["reader"]} == set(devices)


def test_an_unknown_scenario_lists_those_that_are_there() -> None:
    with pytest.raises(ValueError, match="'moon' is unknown; there are: port_gate"):
        scenario.load("moon")
