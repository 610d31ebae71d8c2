from __future__ import annotations

import pytest

from readers.observations import Condition
from readers.quantities import Quantity
from simulator.meters.dlms import Behaviour
from simulator.meters.dlms_meter import CLOCK
from tests.readers.meters.dlms.scenes import D, Scripted, conditions, hear, listen, meter, readings, rejects, settings

GIVEN = settings(read=["1-0:1.8.0"])
GET_CLOCK = "C001" + "0008" + "0000010000FF"


def offsets(wrong_s: float, **more: object) -> list[object]:
    heard = listen(5, settings(read=["1-0:1.8.0"], **more), [meter(behaviour=Behaviour(clock_wrong_s=wrong_s))])
    return [r.value for r in readings(heard) if r.quantity is Quantity.CLOCK_OFFSET]


@pytest.mark.parametrize("wrong_s", [0, 4, -3, 3600, -86_400])
def test_the_clock_is_compared_with_ours(wrong_s: int) -> None:
    assert offsets(wrong_s) == [D(wrong_s)]


@pytest.mark.parametrize(("wrong_s", "word"), [(90, "90 s ahead"), (-90, "90 s behind")])
def test_a_wrong_clock_is_a_condition(wrong_s: int, word: str) -> None:
    heard = listen(5, GIVEN, [meter(behaviour=Behaviour(clock_wrong_s=wrong_s))])
    assert conditions(heard) == [("clock_wrong", "", True)]
    assert word in next(o.detail for o in heard if isinstance(o, Condition))


def test_a_clock_that_was_set_is_well_the_next_day() -> None:
    behaviour = Behaviour(clock_wrong_s=90)

    def set_right(number: int) -> bool:
        behaviour.clock_wrong_s = 0 if number > 30 else 90
        return False

    behaviour.loses_reply = set_right
    given = settings(read=["1-0:1.8.0"], power_s=3600, energy_s=3600, demand_s=3600, status_s=3600)
    heard = listen(86_500, given, [meter(behaviour=behaviour)])
    assert conditions(heard) == [("clock_wrong", "", True), ("clock_wrong", "", False)]


@pytest.mark.parametrize("status", [1, 2, 8])
def test_a_clock_that_the_meter_does_not_trust_is_not_compared(status: int) -> None:
    heard = listen(5, GIVEN, [meter(behaviour=Behaviour(clock_status=status))])
    assert conditions(heard) == [("clock_wrong", "", True)]
    assert not [r for r in readings(heard) if r.quantity is Quantity.CLOCK_OFFSET]


def test_a_meter_without_a_clock_says_nothing() -> None:
    heard = listen(5, GIVEN, [meter(behaviour=Behaviour(denies=frozenset({(CLOCK, 2)})))])
    assert not conditions(heard)


def test_a_time_that_is_none_is_asked_for_again() -> None:
    device = Scripted({GET_CLOCK: ["C401C1000901FF", "C401C100090C07EA01010408000000FE2000"]})
    heard = hear(100, GIVEN, device)
    assert rejects(heard) == ["data_date_time"]
    assert device.count(GET_CLOCK) == 2
    assert [r.value for r in readings(heard)] == [D(-60)]


def test_whole_seconds_are_half_a_second_further() -> None:
    device = Scripted({GET_CLOCK: "C401C100090C07EA0101040800" + "04" + "FF" + "FE2000"})
    heard = hear(5, GIVEN, device)
    assert [r.value for r in readings(heard)] in ([D(4)], [D(5)])


def test_a_deviation_may_be_inverted() -> None:
    device = Scripted({GET_CLOCK: "C401C100090C07EA01010408000000" + "01E000"})
    heard = hear(5, settings(read=["1-0:1.8.0"], deviation="inverted"), device)
    assert [r.value for r in readings(heard)] == [D(0)]
