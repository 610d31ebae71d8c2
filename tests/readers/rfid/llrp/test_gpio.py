from __future__ import annotations

from dataclasses import replace

import pytest

from readers.errors import DeviceRefusedError
from readers.observations import Signal, Signals
from readers.rfid.llrp import answers, gpio
from readers.rfid.llrp.settings import LlrpSettings
from tests.readers.rfid.llrp.scripted import capabilities, configuration

CAN = replace(answers.capabilities(capabilities()), gpi_count=4, gpo_count=2)
NOTHING = answers.configuration(configuration())


def settings(**given: object) -> LlrpSettings:
    return LlrpSettings.model_validate(given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"gpi": [1, 5]}, r"gpi = \[5\]: the reader has 4 inputs; name ports of 1 to 4"),
        ({"gpo": {"3": True}}, r"gpo = \[3\]: the reader has 2 outputs; name ports of 1 to 2"),
        ({"trigger": {"gpi": 9}}, r"trigger.gpi = \[9\]: the reader has 4 inputs"),
    ],
)
def test_ports_that_the_reader_does_not_have_are_refused(given: dict[str, object], words: str) -> None:
    with pytest.raises(DeviceRefusedError, match=words):
        gpio.check(settings(**given), CAN)


def test_a_reader_without_any_says_so() -> None:
    with pytest.raises(DeviceRefusedError, match="has 0 outputs; leave it out"):
        gpio.check(settings(gpo={"1": True}), replace(CAN, gpo_count=0))
    gpio.check(settings(), replace(CAN, gpo_count=0, gpi_count=0))


def test_inputs_that_are_not_named_stay_as_they_are() -> None:
    assert gpio.inputs(settings(), CAN) == {}
    assert gpio.parameters_for(settings(), CAN) == b""
    assert gpio.inputs(settings(trigger={"gpi": 2}), CAN) == {2: True}


def test_named_inputs_are_switched_on_and_all_others_off() -> None:
    asked = settings(gpi=[1], trigger={"gpi": 3}, gpo={"2": True, "1": False})
    assert gpio.inputs(asked, CAN) == {1: True, 2: False, 3: True, 4: False}
    assert (
        gpio.parameters_for(asked, CAN).hex()
        == bytes.fromhex(
            "00DB 0007 0001 00  00DB 0007 0002 80"
            "00E1 0008 0001 80 00  00E1 0008 0002 00 00  00E1 0008 0003 80 00  00E1 0008 0004 00 00"
        ).hex()
    )


def test_what_the_reader_reads_back_is_compared() -> None:
    assert list(gpio.compared(settings(), CAN, NOTHING)) == []
    asked = settings(gpi=[1, 2], gpo={"1": True})
    now = replace(NOTHING, gpi_enabled={1: True, 2: False, 3: False}, gpo_high={1: False})
    assert list(gpio.compared(asked, CAN, now)) == [("gpi", "[1, 2]", "[1]"), ("gpo", "{1: True}", "{1: False}")]
    now = replace(NOTHING, gpi_enabled={1: True, 2: True, 3: False, 4: False}, gpo_high={1: True, 2: True})
    assert all(wanted == there for _, wanted, there in gpio.compared(asked, CAN, now))


def test_levels_that_the_reader_knows_are_signals() -> None:
    assert gpio.states(NOTHING, 5) is None
    now = replace(NOTHING, gpi_enabled={1: True, 2: True, 3: False, 4: True}, gpi_high={1: True, 2: False, 3: True})
    assert gpio.states(now, 5) == Signals(5, (Signal("gpi_1", value=True), Signal("gpi_2", value=False)))
