from __future__ import annotations

import contextlib
from dataclasses import replace

from readers.meters.dlt698.driver import Dlt698Driver
from readers.observations import Condition, Observation, Readings, Rejected, Signal, Signals
from readers.ports.memory import START_US, MemoryPort
from readers.quantities import Quantity
from simulator.meters.dlt698 import Behaviour, Meter, serve
from simulator.meters.dlt698_wire import Asked
from tests.readers.meters.dlt698.scenes import A1, US, D, conditions, listen, readings, settings
from tests.simulator.meters.loads import STATE, Steady
from tests.support.talk import talk


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


class Told(Meter):
    """A meter that tells what it is told to."""

    def __init__(self, **values: str) -> None:
        super().__init__(A1, Steady())
        self.told = {bytes.fromhex(oad.removeprefix("x")): bytes.fromhex(value) for oad, value in values.items()}

    def value(self, oad: bytes, now_us: int) -> bytes | int:
        return self.told.get(oad) or super().value(oad, now_us)


def tells(what: str, seconds: float = 100, **values: str) -> list[Observation]:
    meters = {A1: Told(**values)}
    return talk(seconds, Dlt698Driver(settings(read=[what])), lambda port: serve(port, meters))


def lost(heard: list[Observation]) -> set[str]:
    return {o.reason for o in heard if isinstance(o, Rejected)}


def test_what_makes_no_sense_is_counted() -> None:
    assert lost(tells("status", x20140200="12 00 01")) == {"data_type"}
    assert lost(tells("events", x30110700="09 01 00")) == {"data_type"}
    assert lost(tells("clock", x40000200="1C FF FF FF FF FF FF FF")) == {"data_range"}


def test_words_that_did_not_come_say_nothing() -> None:
    assert signals(tells("status", x20140200="01 01 04 10 00 00")) == []
    assert signals(tells("status", x20140200="01 00")) == []
    battery = tells("status", x20140200="01 01 04 10 20 00")  # bit 2 of word 1
    assert conditions(battery) == [("battery_low", "clock", True)]


def test_faults_of_all_phases() -> None:
    heard = tells("status", x20140200="01 07" + "04 10 00 00" * 6 + "04 10 02 00")  # bit 6 of word 7
    assert conditions(heard) == [("demand_exceeded", "", True)]
    supply = [s for s in signals(tells("status", x20140200="01 03" + "04 10 00 00" * 2 + "04 10 60 00")) if s.unit]
    assert supply == []  # both bits of the supply: nothing that is known


def test_a_fault_that_ends_is_told() -> None:
    meter = Told(x20140200="01 07" + "04 10 00 00" * 3 + "04 10 80 00" + "04 10 00 00" * 3)
    driver = Dlt698Driver(settings(read=["status"]))

    def mangle(data: bytes) -> list[bytes]:
        meter.told.clear()
        return [data]

    heard = talk(100, driver, lambda port: serve(port, {A1: meter}), mangle)
    assert conditions(heard) == [("voltage_lost", "a", True), ("voltage_lost", "a", False)]


def test_events_that_a_meter_does_not_count_are_left_out() -> None:
    every = frozenset({0x3011, 0x3012, 0x3013, 0x3014, 0x3015, 0x3016, 0x301B, 0x301C})
    heard = listen(3 * 3600, settings(read=["events"]), {A1: Behaviour(lacks=every)})
    assert not readings(heard)
    assert not conditions(heard)


def test_the_time_of_an_event_may_be_missing() -> None:
    count = "01 01 02 02 00 02 02 06 00 00 00 03 06 00 00 00 00"
    heard = tells("events", x30110700=count)  # three of them, and no records
    counts = {r.quantity: (r.value, r.meter_time_us) for r in readings(heard)}
    assert counts[Quantity.POWER_FAILURES] == (D(3), None)

    class Deaf(Told):
        def rows(self, asked: Asked, now_us: int) -> list[list[bytes]] | int:
            del asked, now_us
            raise Silent

    async def deaf(port: MemoryPort) -> None:
        while True:
            with contextlib.suppress(Silent):
                await serve(port, {A1: Deaf(x30110700=count)})

    heard = talk(100, Dlt698Driver(settings(read=["events"])), deaf)
    assert Quantity.POWER_FAILURES in {r.quantity for r in readings(heard)}


class Silent(Exception):  # noqa: N818 - the twin's way of saying nothing
    """No reply."""
