from __future__ import annotations

import pytest

from readers.bus import Rank
from readers.codecs.dlms_data import Denied
from readers.codecs.dlms_objects import CosemObject
from readers.codecs.dlms_values import ScalerUnit
from readers.errors import FrameError
from readers.meters.dlms.association import Attribute
from readers.meters.dlms.settings import Deviation
from readers.meters.dlms.targets import COUNTED, found, strange, target_of, tries
from readers.obis import ObisCode
from readers.quantities import Phase, Quality, Quantity
from simulator.meters import dlms_axdr

ENERGY = ObisCode(1, 0, 1, 8, 2)
DEMAND = ObisCode(1, 0, 1, 6, 0)


@pytest.mark.parametrize(
    ("class_id", "code", "rank"),
    [
        (3, ENERGY, Rank.ENERGY),
        (3, ObisCode(8, 0, 1, 0, 0), Rank.ENERGY),
        (3, ObisCode(1, 0, 32, 7, 0), Rank.POWER),
        (3, ObisCode(1, 0, 13, 7, 0), Rank.POWER),
        (3, ObisCode(1, 0, 32, 7, 124), Rank.DEMAND),
        (4, DEMAND, Rank.DEMAND),
        (5, ObisCode(1, 0, 1, 4, 0), Rank.DEMAND),
        (1, ObisCode(0, 0, 96, 7, 21), Rank.DEMAND),
    ],
)
def test_what_is_read_has_a_rank(class_id: int, code: ObisCode, rank: Rank) -> None:
    target = target_of(CosemObject(class_id, code))
    assert target is not None
    assert target.rank is rank


@pytest.mark.parametrize(
    "each",
    [
        CosemObject(7, ENERGY),
        CosemObject(3, ObisCode(1, 0, 99, 1, 0)),
        CosemObject(3, ObisCode(1, 0, 1, 8, 0, 1)),
        CosemObject(1, ENERGY),
    ],
)
def test_what_is_not_read_is_left_out(each: CosemObject) -> None:
    assert target_of(each) is None
    assert found([each]) == []


def test_each_code_is_read_once() -> None:
    assert len(found([CosemObject(3, DEMAND), CosemObject(4, DEMAND)])) == 1


def test_a_code_is_tried_as_what_it_likely_is() -> None:
    assert [target.class_id for target in tries(ENERGY)] == [3, 4, 5]
    assert [target.class_id for target in tries(DEMAND)] == [4, 3, 5]
    assert [target.class_id for target in tries(ObisCode(1, 0, 1, 4, 0))] == [5, 3, 4]
    assert [target.class_id for target in tries(ObisCode(0, 0, 96, 7, 21))] == [3, 4, 5, 1]


def test_a_reading_has_its_time_tariff_and_phase() -> None:
    target = target_of(CosemObject(4, DEMAND))
    assert target is not None
    value, time = target.attributes
    assert (value.attribute, time.attribute) == (2, 5)
    assert target.scaler == Attribute(4, DEMAND, 3)
    at = dlms_axdr.date_time(1_000_000, 480)[2:]
    reading = target.reading({value: 32500, time: at}, ScalerUnit(-1, 27), 480, Deviation.STANDARD)
    assert (reading.quantity, str(reading.value), reading.meter_time_us) == (
        Quantity.ACTIVE_DEMAND_MAX,
        "3250.0",
        1_000_000,
    )
    for told in (None, Denied(4)):
        untimed = target.reading({value: 1, time: told}, ScalerUnit(0, 27), 480, Deviation.STANDARD)
        assert untimed.meter_time_us is None
    phased = target_of(CosemObject(3, ObisCode(1, 0, 52, 7, 0)))
    assert phased is not None
    absent = phased.reading({phased.attributes[0]: None}, ScalerUnit(-1, 35), 480, Deviation.STANDARD)
    assert (absent.phase, absent.value, absent.quality) == (Phase.B, None, Quality.ABSENT)


def test_a_count_has_no_scaler() -> None:
    target = target_of(CosemObject(1, ObisCode(0, 0, 96, 7, 21)))
    assert target is not None
    assert target.scaler is None
    reading = target.reading({target.attributes[0]: 3}, COUNTED, 480, Deviation.STANDARD)
    assert reading.value == 3


def test_an_error_says_of_which_object_it_is() -> None:
    target = target_of(CosemObject(3, ENERGY))
    assert target is not None
    assert "1-0:1.8.2: odd" in str(strange(target, FrameError("unit", "odd")))
