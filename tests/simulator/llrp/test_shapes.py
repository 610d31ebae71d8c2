from __future__ import annotations

import pytest

from simulator.llrp.shapes import (
    CUSTOM,
    IMPINJ,
    MESSAGES,
    MESSAGES_BY_NUMBER,
    MOTOROLA,
    PARAMETERS,
    PARAMETERS_BY_NUMBER,
    Shape,
)

ALL = [*MESSAGES.values(), *PARAMETERS.values()]


def test_no_two_shapes_share_a_number() -> None:
    assert len(MESSAGES_BY_NUMBER) == len(MESSAGES)
    assert len(PARAMETERS_BY_NUMBER) == len(PARAMETERS)


@pytest.mark.parametrize("shape", ALL, ids=lambda shape: shape.name)
def test_a_shape_is_whole_bytes_and_names_only_what_exists(shape: Shape) -> None:
    bits = sum(int(kind[1:]) for _, kind in shape.fields if kind[0] in "us_" and kind != "utf8")
    assert bits % 8 == 0
    assert {name for slot in shape.slots for name in slot.names} <= set(PARAMETERS)
    assert (shape.vendor in {IMPINJ, MOTOROLA}) == (shape.subtype > 0)
    assert (shape.number == CUSTOM) or not shape.vendor


def test_a_tv_parameter_has_a_fixed_length_and_no_children() -> None:
    for shape in PARAMETERS.values():
        if shape.number < 128:
            assert not shape.slots
            assert all(kind[0] in "us" for _, kind in shape.fields)


def test_fields_are_numbered_in_order_of_appearance_without_padding() -> None:
    shape = PARAMETERS["AntennaProperties"]
    numbers = {name: shape.field_number(name) for name in ("AntennaConnected", "AntennaID", "AntennaGain")}
    assert numbers == {"AntennaConnected": 0, "AntennaID": 1, "AntennaGain": 2}
