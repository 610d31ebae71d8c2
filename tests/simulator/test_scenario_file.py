import re
import tomllib

import pytest
from pydantic import ValidationError

from simulator.scenario_file import ModbusLinePart, ScenarioFile, load, names, site_template

MACHINE = {"name": "warper", "twin": "modbus_machine"}


@pytest.mark.parametrize("name", names())
def test_the_site_file_names_every_device_of_the_scenario_once(name: str) -> None:
    file = load(name)
    text = site_template(name)
    filled = text.replace("${MQTT_PORT}", "1883")
    readers = [reader["name"] for reader in tomllib.loads(filled)["reader"]]
    assert sorted(readers) == sorted(file.devices)
    places = set(re.findall(r"\$\{([\w-]+)\}", text)) - {"STATE_DIR", "MQTT_HOST", "MQTT_PORT"}
    assert places == set(file.devices)


def test_the_showcase_is_all_the_others_together() -> None:
    together = load("showcase")
    parts = [load(name) for name in together.include]
    assert together.devices
    assert sorted(together.devices) == sorted(name for part in parts for name in part.devices)
    assert together.car_park == load("car_park").car_park


def test_an_unknown_scenario_lists_those_that_are_there() -> None:
    with pytest.raises(
        ValueError,
        match="'moon' is unknown; there are: car_park, clones, factory_line, port_gate, showcase, switchboard, "
        "truck_gate",
    ):
        load("moon")


CHILLER = {"name": "chiller", "base_w": 900, "swing": 0, "start_wh": 0, "address": 1, "map": "sdm630"}


def test_a_line_has_the_meters_of_its_protocol() -> None:
    modbus = {"name": "b", "twin": "modbus_meter", "meters": [CHILLER]}
    feeder = {**CHILLER, "address": "202411000101"}
    del feeder["map"]
    dlt645 = {"name": "a", "twin": "dlt645", "meters": [feeder]}
    file = ScenarioFile.model_validate({"summary": "", "line": [dlt645, modbus], "machine": [MACHINE]})
    assert file.devices == ["a", "b", "warper"]
    assert isinstance(file.line[1], ModbusLinePart)
    assert file.line[1].meters[0].ct_ratio == 1
    with pytest.raises(ValidationError, match=r"dlt645.meters.0.address"):
        ScenarioFile.model_validate({"summary": "", "line": [{**modbus, "twin": "dlt645"}]})
    with pytest.raises(ValidationError, match=r"modbus_meter.meters.0.map"):
        ScenarioFile.model_validate({"summary": "", "line": [{**dlt645, "twin": "modbus_meter"}]})


@pytest.mark.parametrize("address", [0, 248])
def test_a_modbus_address_is_1_to_247(address: int) -> None:
    for part, name in (({**CHILLER, "address": address}, "line"), ({**MACHINE, "address": address}, "machine")):
        given = {"name": "b", "twin": "modbus_meter", "meters": [part]} if name == "line" else part
        with pytest.raises(ValidationError, match=rf"{name}\.0.*address"):
            ScenarioFile.model_validate({"summary": "", name: [given]})


def test_a_reader_may_publish_to_a_topic() -> None:
    reader = {"name": "gate", "twin": "zebra_iotc", "antennas": {}}
    publishing = {**reader, "name": "dock", "topic": "zebra/dock/data"}
    file = ScenarioFile.model_validate({"summary": "", "reader": [reader, publishing]})
    assert file.devices == ["gate", "dock"]
    assert file.topics == {"dock": "zebra/dock/data"}
    with pytest.raises(ValidationError, match="topic"):
        ScenarioFile.model_validate({"summary": "", "reader": [{**reader, "topic": "zebra/#"}]})
