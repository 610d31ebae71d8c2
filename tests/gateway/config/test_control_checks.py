"""The lines for whole files are in `broken/control.expected`."""

from pathlib import Path

import pytest

from gateway.config.control_checks import offered_points
from gateway.config.load import load_site
from readers.errors import ConfigError
from readers.registry import driver

SITE = """
[site]
name = "quay"
[[reader]]
name = "io"
driver = "modbus_io"
port = "tcp://127.0.0.1"
settings = { modules = [{ name = "m-1", outputs = [{ name = "red", address = 0 }] }] }
[control]
enabled = true
"""
PERSON = """
[[control.person]]
name = "anna"
key_credential = "control-anna"
roles = ["operator"]
"""
POINT = """
[[control.point]]
device = "m-1"
point = "red"
actions = ["on"]
roles = ["operator"]
"""


def faults_of(directory: Path, text: str) -> list[str]:
    path = directory / "site.toml"
    path.write_text(text)
    try:
        load_site(path)
    except ConfigError as error:
        return [line.split(": ", 1)[1] for line in str(error).splitlines()]
    return []


def test_points_of_a_device_go_by_its_name() -> None:
    spec = driver("modbus_io")
    outputs = {"outputs": [{"name": "red", "address": 0}]}
    alone = spec.settings.model_validate({"modules": [outputs]})
    named = spec.settings.model_validate({"modules": [{"name": "m-1", **outputs}]})
    assert list(offered_points(alone, "io")) == [("io", "red")]
    assert list(offered_points(named, "io")) == [("m-1", "red")]


def test_a_sound_file_has_no_fault(tmp_path: Path) -> None:
    more = 'interlocks = ["is_on = false", "signal m-1 red = false", "reading m-1 voltage > 200"]\n'
    assert faults_of(tmp_path, SITE + PERSON + POINT + more) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (POINT, 'control.point[#1].roles[0] = "operator": no [[control.person]] has this role'),
        (
            PERSON + POINT.replace("m-1", "m-2"),
            'point[#1].device = "m-2": no reader has this device (did you mean "m-1"?)',
        ),
        (PERSON + POINT.replace('"red"', '"rde"'), 'has no such point (did you mean "red"?); known: red'),
        (PERSON + POINT.replace('"m-1"', '"io"'), "has no such point; its driver or its settings offer none"),
        (PERSON + POINT.replace('"on"', '"pulse"'), "m-1 red has no such action; known: on, off"),
        (PERSON + POINT + POINT, "stands in another [[control.point]] of device m-1 already"),
        (PERSON + PERSON, "this name is taken by another person"),
        (PERSON + PERSON.replace('"anna"', '"ben"'), "is the key of anna already"),
        (PERSON + POINT + "second_person = true\n", "needs two people with one of its roles; there is anna"),
        (PERSON + POINT + 'interlocks = ["is_off = true"]\n', "does not show is_off"),
        (PERSON + POINT + 'interlocks = ["signal m-3 loop = true"]\n', "no reader has device m-3"),
    ],
)
def test_one_fault_gives_one_line(tmp_path: Path, text: str, fault: str) -> None:
    (line,) = faults_of(tmp_path, SITE + text)
    assert fault in line


def test_roles_that_may_order_about_alarms_are_those_of_somebody(tmp_path: Path) -> None:
    roles = '[rules]\nalarm_roles = ["operator", "operater"]\n'
    fault = 'rules.alarm_roles[1] = "operater": no [[control.person]] has this role'
    assert faults_of(tmp_path, SITE + PERSON + roles) == [f'{fault} (did you mean "operator"?)']
    (nobody,) = faults_of(tmp_path, '[site]\nname = "quay"\n[rules]\nalarm_roles = ["operater"]\n')
    assert nobody == fault.replace("[1]", "[0]")


def test_faults_elsewhere_do_not_make_points_disappear(tmp_path: Path) -> None:
    (line,) = faults_of(tmp_path, SITE.replace("modbus_io", "modbus_oi") + PERSON + POINT)
    assert "no such driver" in line
