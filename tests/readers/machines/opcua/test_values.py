from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from readers.machines.opcua.settings import NodeSignal, SetPoint
from readers.machines.opcua.values import NoValueError, raw_of, scaled, value_of
from readers.opcua_messages import Sample


def signal(name: str = "speed", **more: Any) -> NodeSignal:
    return NodeSignal(name=name, node="ns=2;s=x", **more)


def number(text: str) -> Sample:
    return Sample(text, is_number=True)


@pytest.mark.parametrize(
    ("of", "sample", "value"),
    [
        (signal(), number("1.5"), Decimal("1.5")),
        (signal(scale=Decimal("0.1"), offset=Decimal(5)), number("100"), Decimal("15.0")),
        (signal(), Sample("warm"), "warm"),
        (signal(), Sample(value=True), True),
        (signal(texts={"1": "low", "2": "high"}), number("2"), "high"),
        (signal(texts={"true": "yes", "false": "no"}), Sample(value=False), "no"),
        (signal("machine_state"), number("6"), "execute"),
        (signal("machine_state"), number("17"), "idle"),
        (signal("machine_state", texts={"RUN": "execute"}), Sample("RUN"), "execute"),
        (signal("machine_mode", texts={"1": "automatic"}), number("1"), "automatic"),
        (signal("remote_enabled"), Sample(value=True), True),
        (signal("remote_enabled", texts={"1": "true", "0": "false"}), number("0"), False),
    ],
)
def test_a_good_sample_is_a_value(of: NodeSignal, sample: Sample, value: object) -> None:
    assert value_of(of, sample) == value


@pytest.mark.parametrize(
    ("of", "sample", "why"),
    [
        (signal(), Sample("1", is_number=True, status="BadNoCommunication", level=2), "says BadNoCommunication"),
        (signal(), Sample("1", is_number=True, status="UncertainLastUsableValue", level=1), "says Uncertain"),
        (signal(), Sample(), "tells no value"),
        (signal(), number("NaN"), "is no number"),
        (signal(), number("1e999999999"), "is no number"),
        (signal(texts={"1": "low"}), number("3"), "3 is not among the texts"),
        (signal("machine_state"), number("0"), "no number of a PackML state"),
        (signal("machine_state"), number("99"), "no number of a PackML state"),
        (signal("remote_enabled"), number("1"), "neither true nor false"),
    ],
)
def test_what_is_no_value_says_why(of: NodeSignal, sample: Sample, why: str) -> None:
    with pytest.raises(NoValueError, match=why):
        value_of(of, sample)


def test_a_set_point_is_written_as_it_is_read() -> None:
    setpoint = SetPoint(
        name="s", node="ns=2;s=x", minimum=Decimal(0), maximum=Decimal(9), scale=Decimal("0.1"), offset=Decimal(1)
    )
    assert raw_of(setpoint, Decimal("6.5")) == "55"
    assert scaled(setpoint, number("55")) == Decimal("6.5")
    with pytest.raises(NoValueError):
        scaled(setpoint, Sample("fast"))
