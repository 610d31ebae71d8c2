from __future__ import annotations

from dataclasses import replace

from readers.observations import Condition, Observation, Readings, Signal, Signals
from readers.ports.memory import START_US
from readers.quantities import Quantity
from simulator.meters.dlt698 import Behaviour
from tests.readers.meters.dlt698.scenes import A1, US, D, conditions, listen, readings, settings
from tests.simulator.meters.loads import STATE, Steady


def signals(heard: list[Observation]) -> list[Signal]:
    return [signal for o in heard if isinstance(o, Signals) for signal in o.signals]


def test_the_relay_is_told_when_it_changes() -> None:
    behaviour = Behaviour()
    count = iter(range(100))

    def mangle(data: bytes) -> list[bytes]:
        behaviour.relay_open = next(count) >= 1
        return [data]

    heard = listen(200, settings(read=["status"]), {A1: behaviour}, mangle=mangle)
    assert signals(heard) == [
        Signal("relay_closed", value=True),
        Signal("relay_command", "close"),
        Signal("pre_trip_alarm", value=False),
        Signal("meter_supply", "main"),
        Signal("relay_closed", value=False),
        Signal("relay_command", "trip"),
    ]


def test_a_lost_phase_is_a_fault() -> None:
    state = replace(STATE, voltage_v=(D(0), D("229.8"), D("230.0")))
    heard = listen(100, settings(read=["status"]), load=Steady(state))
    assert conditions(heard) == [("phase_lost", "a", True)]


def test_status_words_that_are_none_are_counted_and_lack_is_told() -> None:
    heard = listen(100, settings(read=["status"]), {A1: Behaviour(lacks=frozenset({0x2014}))})
    assert conditions(heard) == [("register_unsupported", "20140200", True)]
    assert not signals(heard)


def test_power_failures_are_counted_with_the_time_of_the_latest() -> None:
    outages = ((START_US - 5000 * US, START_US - 4000 * US), (START_US - 900 * US, START_US - 600 * US))
    for behaviour in (Behaviour(outages=outages), Behaviour(outages=outages, counts_only_records=True)):
        heard = listen(100, settings(read=["events"]), {A1: behaviour})
        counts = {r.quantity: (r.value, r.meter_time_us) for r in readings(heard)}
        assert counts[Quantity.POWER_FAILURES] == (D(2), outages[1][0])
        assert counts[Quantity.COVER_OPENINGS] == (D(0), None)
        assert not conditions(heard)


def test_a_clock_is_read_once_a_day() -> None:
    heard = listen(2 * 86_400 - 100, settings(read=["clock"]))
    assert [r.value for r in readings(heard)] == [D(0), D(0)]
    assert {r.quantity for r in readings(heard)} == {Quantity.CLOCK_OFFSET}
    assert not conditions(heard)


def test_a_wrong_clock_is_told_until_it_is_right() -> None:
    behaviour = Behaviour(clock_offset_us=-90 * US)
    times = iter([True, False, False])

    def mangle(data: bytes) -> list[bytes]:
        if not next(times):
            behaviour.clock_offset_us = 0
        return [data]

    heard = listen(3 * 86_400 - 100, settings(read=["clock"]), {A1: behaviour}, mangle=mangle)
    assert [r.value for r in readings(heard)] == [D(-90), D(-90), D(0)]
    assert conditions(heard)[-1] == ("clock_wrong", "", False)
    (first, *_) = [o for o in heard if isinstance(o, Condition)]
    assert first.detail.startswith("the meter's clock is 90 s behind; set it")


def test_a_meter_without_a_clock_is_told() -> None:
    heard = listen(100, settings(read=["clock"]), {A1: Behaviour(lacks=frozenset({0x4000}))})
    assert conditions(heard) == [("register_unsupported", "40000200", True)]
    assert not [o for o in heard if isinstance(o, Readings)]
