from __future__ import annotations

from decimal import Decimal
from typing import Any

from gateway.contract.batches import Reading
from gateway.contract.quantities import UNITS
from tests.rules.energy.desk import Desk

LIMIT = {"limit_w": 100_000, "sure_for_s": 30, "shed": [{"name": "hvac", "power_w": 20_000}]}
COMPUTED = ("active_demand_forecast", "active_power_excess", "voltage_unbalance", "current_unbalance")


def desk(**settings: Any) -> Desk:
    return Desk({"meter": [{"name": "meter-1", **settings}]})


def tell(desk: Desk, minute: float, quality: str = "good", meter: str = "meter-1", **values: float) -> None:
    """Readings by their quantities; `voltage_a` is of phase a."""
    readings = []
    for name, value in values.items():
        phase = name[-1] if name[-2:] in {"_a", "_b", "_c"} else None
        quantity = name[:-2] if phase else name
        readings.append(Reading(quantity, "", Decimal(str(value)), UNITS[quantity], phase, quality=quality))
    desk.answer(minute, *readings, meter=meter)


def told(desk: Desk, quantity: str) -> list[float]:
    return [
        float(fields["value"])
        for (tags, _), fields in desk.stored("reading").items()
        if dict(tags)["quantity"] == quantity and fields["quality"] == "computed"
    ]


def test_a_meter_without_a_limit_and_nothing_to_watch_has_none_of_it() -> None:
    plain = desk()
    tell(plain, 0, active_power=5000, voltage_a=220, voltage_b=200, voltage_c=220, cover_openings=1)
    tell(plain, 1, active_power=5000, cover_openings=2)
    assert [told(plain, quantity) for quantity in COMPUTED] == [[], [], [], []]
    assert plain.events == []
    assert not any(key.startswith("watch") for key in plain.kept())


def test_the_forecast_is_of_the_interval_by_the_clock() -> None:
    room = desk(demand=LIMIT)
    tell(room, 3, active_power=80_000)
    tell(room, 3, meter="meter-2", active_power=999_000)
    assert told(room, "active_demand_forecast") == [80_000]
    assert told(room, "active_power_excess") == [-25_000]


def test_ratios_multiply_power_and_register() -> None:
    room = desk(demand=LIMIT, ct_ratio=40, pt_ratio=1)
    room.show(0, "10")
    tell(room, 1, active_power=1000)
    room.show(2, "10.1")
    tell(room, 2, active_power=1000)
    assert told(room, "active_demand_forecast") == [40_000, 50_666.7]


def test_power_that_flows_back_is_no_demand() -> None:
    room = desk(demand=LIMIT)
    tell(room, 0, active_power=-9000)
    assert told(room, "active_demand_forecast") == [0]


def test_a_proposal_needs_time_and_comes_once_an_interval_through_restarts() -> None:
    room = desk(demand=LIMIT)
    for second in range(0, 1000, 20):
        tell(room, second / 60, active_power=105_000)
        room.restart()
    found = [(event.type, event.at_us, event.fields["stage"]) for event in room.events]
    starts = room.events[0].at_us - 40_000_000
    assert found == [("shed_proposed", starts + 40_000_000, 1), ("shed_proposed", starts + 900_000_000, 1)]
    assert room.events[0].fields["to_us"] == starts + 900_000_000
    assert len({event.id for event in room.events}) == 2


def test_a_forecast_that_falls_begins_anew() -> None:
    room = desk(demand=LIMIT)
    for second, power_w in ((0, 105_000), (20, 90_000), (40, 105_000), (60, 105_000)):
        tell(room, second / 60, active_power=power_w)
    assert room.events == []
    tell(room, 70 / 60, active_power=105_000)
    assert [event.type for event in room.events] == ["shed_proposed"]


def test_a_sliding_window_may_be_exceeded_again() -> None:
    room = desk(demand=LIMIT | {"kind": "sliding", "sure_for_s": 0})
    for second, power_w in ((0, 105_000), (20, 106_000), (40, 80_000), (60, 105_000)):
        tell(room, second / 60, active_power=power_w)
    assert [event.type for event in room.events] == ["shed_proposed"] * 2


def test_phases_are_compared_when_the_last_has_come_however_they_come() -> None:
    room = desk(watch=["unbalance"])
    tell(room, 0, voltage_a=220, voltage_b=220)
    tell(room, 0.1, voltage_c=210)
    tell(room, 1.2, voltage_c=211)  # the others are of more than a minute ago
    tell(room, 2, voltage_a=220, voltage_b=220, voltage_c=220)
    assert told(room, "voltage_unbalance") == [3.08, 0.0]


def test_small_currents_are_not_compared() -> None:
    room = desk(watch=["unbalance"], unbalance_from_a=5)
    tell(room, 0, current_a=1, current_b=1, current_c=9)
    tell(room, 1, current_a=10, current_b=10, current_c=-16)
    assert told(room, "current_unbalance") == [33.33]


def test_a_meter_that_tells_its_unbalance_is_believed() -> None:
    room = desk(watch=["unbalance"])
    tell(room, 0, voltage_unbalance=1.1)
    room.restart()
    tell(room, 1, voltage_a=220, voltage_b=220, voltage_c=200)
    assert told(room, "voltage_unbalance") == []


def test_what_is_suspect_counts_for_nothing() -> None:
    room = desk(demand=LIMIT, watch=["unbalance", "counts"])
    tell(room, 0, quality="suspect", active_power=500_000, cover_openings=1)
    tell(room, 0, quality="suspect", voltage_a=220, voltage_b=220, voltage_c=200)
    tell(room, 1, quality="suspect", active_power=500_000, cover_openings=2)
    assert room.events == []
    assert [told(room, quantity) for quantity in COMPUTED] == [[], [], [], []]


def test_a_count_that_rose() -> None:
    room = desk(watch=["counts"])
    tell(room, 0, cover_openings=4, demand_resets=1, power_failures=3)
    room.restart()
    tell(room, 1, cover_openings=5, demand_resets=0, power_failures=4)
    tell(room, 2, cover_openings=5, demand_resets=1)
    found = [(event.type, event.fields["quantity"], event.fields["after"]) for event in room.events]
    assert found == [("count_rose", "cover_openings", 5.0), ("count_rose", "demand_resets", 1.0)]


def test_a_clock_that_is_set_back_forgets_times_and_keeps_counts() -> None:
    room = desk(demand=LIMIT, watch=["counts", "unbalance"])
    room.show(60, "100")
    tell(room, 60, active_power=105_000, cover_openings=4)
    tell(room, 0, active_power=105_000)
    tell(room, 0.6, active_power=105_000, cover_openings=5)
    assert [event.type for event in room.events if event.type != "segment_opened"] == ["shed_proposed", "count_rose"]
