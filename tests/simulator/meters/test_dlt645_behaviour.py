from __future__ import annotations

from simulator.meters.dlt645_behaviour import DAY_SLOTS, Behaviour, Slot


def test_the_tariff_of_a_minute_is_that_of_the_last_slot_before_it() -> None:
    behaviour = Behaviour(slots=(Slot(8 * 60, 2), Slot(22 * 60, 4)))
    assert [behaviour.tariff_at(hour * 60) for hour in (0, 7, 8, 21, 22)] == [4, 4, 2, 2, 4]
    assert Behaviour().tariff_at(0) is None


def test_the_usual_day_has_all_four_tariffs_at_quarters_of_an_hour() -> None:
    behaviour = Behaviour(slots=DAY_SLOTS)
    assert {behaviour.tariff_at(minute) for minute in range(0, 1440, 15)} == {1, 2, 3, 4}
    assert not any(slot.minute % 15 for slot in DAY_SLOTS)


def test_mains() -> None:
    behaviour = Behaviour(outages=((100, 200), (300, 400)))
    assert [behaviour.is_powered(at) for at in (99, 100, 199, 200, 350, 400)] == [True, False, False, True, False, True]


def test_a_meter_looks_as_often_as_its_demand_needs() -> None:
    assert Behaviour().tick_min == 15
    assert Behaviour(integrates_demand=True, demand_step_min=5).tick_min == 5
