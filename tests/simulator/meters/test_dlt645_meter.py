"""The meter through time: what it counts, keeps and notices between two looks."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from random import Random

import pytest

from readers.codecs.dlt645 import ErrorBit
from readers.codecs.dlt645_clock import local_time
from readers.codecs.dlt645_events import KINDS
from readers.codecs.dlt645_orders import Command, ControlOrder, FreezeAt, Key
from readers.codecs.dlt645_records import FreezeKind, LoadClass, decode_load
from readers.codecs.dlt645_registers import REGISTERS
from readers.codecs.dlt645_status import Directions, General, PhaseFaults
from readers.ports.memory import START_US
from readers.quantities import Phase, Quantity
from simulator.device import MeterState
from simulator.meters.dlt645_accounts import EXPORT, IMPORT
from simulator.meters.dlt645_behaviour import DAY_SLOTS, Behaviour, Exchange
from simulator.meters.dlt645_meter import Meter, encoded
from tests.simulator.meters.loads import STATE, US_PER_HOUR, Growing, Steady

D = Decimal
A1 = "000000000161"
CHINA = 480
MIN_US = 60_000_000
DAY_US = 24 * US_PER_HOUR
KEY = Key("741852", operator=7)


def meter(load: Growing | Steady | None = None, behaviour: Behaviour | None = None) -> Meter:
    made = Meter(A1, load or Growing(), behaviour)
    made.look(START_US)
    return made


def imported_wh(one: Meter, tariff: int = 0) -> Decimal:
    return one.totals.energy(IMPORT, tariff)


def order(command: Command, one: Meter, key: Key = KEY, valid_us: int = 5 * MIN_US) -> ControlOrder:
    return ControlOrder(command, key, one.shown_us + valid_us)


def test_the_registers_follow_the_load() -> None:
    one = meter(Growing(6_000, D(1_000)))
    assert imported_wh(one) == 1_000
    one.look(START_US + 2 * US_PER_HOUR)
    assert imported_wh(one) == 13_000
    assert imported_wh(one, 3) == 13_000


def test_how_often_it_is_looked_at_does_not_matter() -> None:
    behaviour = Behaviour(
        slots=DAY_SLOTS, integrates_demand=True, outages=((START_US + 5 * US_PER_HOUR, START_US + 6 * US_PER_HOUR),)
    )
    seldom, often = meter(behaviour=behaviour), meter(behaviour=behaviour)
    rng, at_us = Random(1), START_US
    while at_us < START_US + 2 * DAY_US:
        at_us += rng.randrange(1, 40 * MIN_US)
        often.look(at_us)
    seldom.look(at_us)
    active = [(di2, tariff) for di2 in (IMPORT, EXPORT) for tariff in range(5)]
    assert [seldom.totals.energy(*key) for key in active] == [often.totals.energy(*key) for key in active]
    assert seldom.totals.demands[IMPORT, 0] == often.totals.demands[IMPORT, 0]
    assert len(seldom.history.profile) == len(often.history.profile)


def test_its_own_slots_split_the_energy_without_losing_any() -> None:
    one = meter(Growing(6_000), Behaviour(slots=DAY_SLOTS))
    one.look(START_US + DAY_US)
    by_tariff = [imported_wh(one, tariff) for tariff in range(1, 5)]
    assert by_tariff == [D(6_000) * hours for hours in (2, D("8.5"), D("5.5"), 8)]
    assert sum(by_tariff) == imported_wh(one) == 144_000


def test_the_largest_demand_has_the_meters_own_time() -> None:
    behaviour = Behaviour(integrates_demand=True, slots=DAY_SLOTS, clock_offset_us=90_000_000)
    one = meter(Growing(6_000), behaviour)
    one.look(START_US + US_PER_HOUR)
    value, at_us = one.value(REGISTERS[0x01010000])
    assert value == 6_000
    assert at_us is not None
    assert at_us % MIN_US == 0
    assert START_US + 16 * MIN_US < at_us - 90_000_000 + MIN_US < START_US + 19 * MIN_US
    assert one.value(REGISTERS[0x02800004])[0] == 6_000


def test_without_integrating_it_shows_the_demand_of_the_load() -> None:
    one = meter(Steady())
    assert one.value(REGISTERS[0x01010000]) == (D(3_250), START_US)
    assert one.value(REGISTERS[0x02800004]) == (D(3_250), None)
    with pytest.raises(KeyError):
        one.value(REGISTERS[0x01020000])


def test_midnights_and_quarters_are_kept_by_the_meters_clock() -> None:
    one = meter(Growing(6_000), Behaviour(clock_offset_us=-120_000_000))
    one.look(START_US + 3 * DAY_US)
    latest, before = one.history.frozen(FreezeKind.DAILY, 1), one.history.frozen(FreezeKind.DAILY, 2)
    assert latest is not None
    assert before is not None
    assert local_time(latest.shown_us, CHINA).isoformat() == "2026-01-04T00:00:00+08:00"
    assert latest.totals.energy(IMPORT, 0) - before.totals.energy(IMPORT, 0) == 144_000
    records = decode_load(b"".join(raw for _, raw in one.history.profile), CHINA).records
    assert len(records) == 3 * 96
    assert {record.at_us % (15 * MIN_US) for record in records} == {0}
    energies = [r.value for record in records for r in record.readings if r.quantity is Quantity.ACTIVE_ENERGY_IMPORT]
    steps = {later - sooner for sooner, later in pairwise(each for each in energies if each is not None)}
    assert steps == {D(1_500)}


def test_the_load_profile_is_bounded_and_holds_what_it_is_told() -> None:
    behaviour = Behaviour(
        profile_records=10, profile_classes=frozenset({LoadClass.POWER_FACTOR}), profile_period_min=30
    )
    one = meter(Growing(6_000), behaviour)
    one.look(START_US + DAY_US)
    records = decode_load(one.history.load_records(99, None), CHINA).records
    assert len(records) == 10
    assert {r.quantity for record in records for r in record.readings} == {Quantity.POWER_FACTOR}


def test_the_month_ends_with_a_billing_period() -> None:
    one = meter(
        Growing(6_000),
        Behaviour(integrates_demand=True, demand_step_min=15, slots=DAY_SLOTS, profile_classes=frozenset()),
    )
    with pytest.raises(KeyError):
        one.value(REGISTERS[0x00010001])
    one.look(START_US + 31 * DAY_US)
    assert one.value(REGISTERS[0x00010001])[0] == 6_000 * (24 * 31 - 8)
    value, at_us = one.value(REGISTERS[0x01010001])
    assert value == 6_000
    assert at_us is not None
    assert local_time(at_us, CHINA).month == 1


def test_a_trip_stops_the_energy_and_is_recorded_with_its_operator() -> None:
    one = meter(Growing(6_000))
    assert one.order(order(Command.TRIP, one)) is None
    relay = [one.status().is_relay_closed]
    one.look(START_US + US_PER_HOUR)
    assert [*relay, one.status().is_relay_closed] == [True, False]
    assert imported_wh(one) == 0
    assert one.state.current_a == (D(0),) * 3
    record = one.history.record_of(KINDS["disconnection"], 1)
    assert record is not None
    assert (record.operator, record.began_us) == (7, START_US + 200_000)
    assert one.order(order(Command.PERMIT_CLOSE, one)) is None
    assert one.press_key()
    one.look(START_US + 2 * US_PER_HOUR)
    assert imported_wh(one) in (5_990, 6_000)
    assert one.history.count_of(KINDS["reconnection"]) == 1
    assert not one.press_key()


def test_an_order_that_has_expired_or_never_does_is_refused() -> None:
    one = meter()
    assert one.order(order(Command.TRIP, one, valid_us=-1)) is ErrorBit.OTHER
    assert one.order(replace(order(Command.TRIP, one), expires_at_us=None)) is ErrorBit.OTHER
    one.behaviour.ignores_expiry = True
    assert one.order(replace(order(Command.TRIP, one), expires_at_us=None)) is None


def test_a_wrong_password_is_refused_and_locks() -> None:
    one = meter()
    for _ in range(3):
        assert one.order(order(Command.TRIP, one, Key("000000"))) is ErrorBit.NOT_AUTHORISED
    assert one.order(order(Command.TRIP, one)) is ErrorBit.NOT_AUTHORISED
    one.look(START_US + DAY_US)
    assert one.order(order(Command.TRIP, one)) is None


def test_an_outage_stops_the_energy_and_is_recorded() -> None:
    span = (START_US + US_PER_HOUR, START_US + 3 * US_PER_HOUR)
    one = meter(Growing(6_000), Behaviour(outages=(span,), integrates_demand=True))
    one.look(START_US + 2 * US_PER_HOUR)
    mains = [one.is_powered]
    assert one.history.count_of(KINDS["power_failure"]) == 0
    one.look(START_US + 4 * US_PER_HOUR)
    assert [*mains, one.is_powered] == [False, True]
    assert imported_wh(one) == 12_000
    record = one.history.record_of(KINDS["power_failure"], 1)
    assert record is not None
    assert (record.began_us, record.ended_us) == span
    assert len(one.history.profile) == 4 + 4 - 1 + 1  # the quarters with mains, both ends of what is left


def test_an_outage_may_be_added_while_the_meter_runs() -> None:
    one = meter()
    one.look(START_US + US_PER_HOUR)
    one.behaviour.outages = ((START_US + 2 * US_PER_HOUR, START_US + 3 * US_PER_HOUR),)
    one.look(START_US + 4 * US_PER_HOUR)
    assert one.history.count_of(KINDS["power_failure"]) == 1


def test_a_meter_that_starts_in_an_outage() -> None:
    one = meter(behaviour=Behaviour(outages=((START_US - MIN_US, START_US + MIN_US),)))
    assert not one.is_powered
    one.look(START_US + 2 * MIN_US)
    record = one.history.record_of(KINDS["power_failure"], 1)
    assert record is not None
    assert record.began_us == START_US


def test_midnight_is_kept_also_in_an_outage() -> None:
    span = (START_US + 15 * US_PER_HOUR, START_US + 17 * US_PER_HOUR)
    one = meter(behaviour=Behaviour(outages=(span,)))
    one.look(START_US + 18 * US_PER_HOUR)
    assert one.history.frozen(FreezeKind.DAILY, 1) is not None


def test_an_exchange_begins_anew_under_the_same_address() -> None:
    behaviour = Behaviour(exchanges=(Exchange(START_US + US_PER_HOUR, "000000000999", D(50)),))
    one = meter(Growing(6_000, D(999_000)), behaviour)
    one.order(order(Command.PROTECT_ON, one))
    assert one.meter_number == A1
    one.look(START_US + 2 * US_PER_HOUR)
    assert (one.address, one.meter_number) == (A1, "000000000999")
    assert imported_wh(one) == 6_050
    assert one.status().is_protected is False
    assert len(one.history.profile) in (4, 5)


def test_registers_roll_over() -> None:
    one = meter(Growing(6_000, D(999_999_990)))
    one.look(START_US + US_PER_HOUR)
    assert one.value(REGISTERS[0x00010000])[0] == 5_990


def test_a_clock_that_is_set_across_midnight_misses_it_and_one_set_back_has_it_twice() -> None:
    one = meter()
    one.look(START_US + 15 * US_PER_HOUR + 55 * MIN_US)  # 23:55
    one.set_clock(one.shown_us + 10 * MIN_US)
    one.look(one.now_us + US_PER_HOUR)
    assert one.history.frozen(FreezeKind.DAILY, 1) is None
    one.set_clock(one.shown_us - 2 * US_PER_HOUR)
    one.look(one.now_us + 4 * US_PER_HOUR)
    assert one.history.frozen(FreezeKind.DAILY, 1) is not None
    assert one.history.frozen(FreezeKind.DAILY, 2) is None


def test_an_ordered_rhythm_of_freezes() -> None:
    one = meter()
    one.periodic_freeze = FreezeAt(hour=12, minute=30)
    one.look(START_US + 2 * DAY_US)
    latest = one.history.frozen(FreezeKind.PERIODIC, 1)
    assert latest is not None
    assert local_time(latest.shown_us, CHINA).strftime("%H:%M") == "12:30"
    assert one.history.frozen(FreezeKind.PERIODIC, 3) is None
    assert meter().history.frozen(FreezeKind.PERIODIC, 1) is None


def test_what_happens_to_it_is_recorded_in_its_own_time() -> None:
    one = meter(behaviour=Behaviour(clock_offset_us=7_000_000))
    one.happened("cover_opening", START_US, START_US + MIN_US)
    record = one.history.record_of(KINDS["cover_opening"], 1)
    assert record is not None
    assert record.began_us == START_US + 7_000_000


def test_status_words() -> None:
    state = replace(STATE, voltage_v=(D("230.3"), D(0), None), active_power_w=(D(-5), D(1), None))
    one = meter(Steady(state), Behaviour(battery_low=True))
    one.order(order(Command.ALARM_ON, one))
    status = one.status()
    assert status.general == General.CLOCK_BATTERY_LOW | General.ACTIVE_REVERSED
    assert status.directions == Directions.ACTIVE_REVERSED_A | Directions.REACTIVE_REVERSED_B
    assert status.faults_by_phase[Phase.B] == PhaseFaults.PHASE_LOST
    assert status.faults_by_phase[Phase.C] == PhaseFaults(0)
    assert status.is_pre_trip_alarm
    assert one.value(REGISTERS[0x02800008]) == (D("2.10"), None)


def test_absent_phases_may_read_zero() -> None:
    assert meter(Steady()).value(REGISTERS[0x02010300]) == (None, None)
    assert meter(Steady(), Behaviour(absent_as_zero=True)).value(REGISTERS[0x02010300]) == (D(0), None)


def test_a_value_that_does_not_fit_is_ff() -> None:
    assert encoded(REGISTERS[0x02030000], D(80_000)) == b"\xff\xff\xff"
    big = Growing(3_000_000)
    one = meter(big)
    one.look(START_US + US_PER_HOUR)
    (record,) = decode_load(one.history.latest_load_record(), CHINA).records
    assert Quantity.ACTIVE_POWER not in {r.quantity for r in record.readings}


def test_time_that_goes_backwards_is_passed_over() -> None:
    one = meter()
    one.look(START_US + US_PER_HOUR)
    before = imported_wh(one)
    one.look(START_US)
    assert (imported_wh(one), one.now_us) == (before, START_US + US_PER_HOUR)


class Counted:
    """Counts how often the world is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def state(self, now_us: int) -> MeterState:
        self.asked += 1
        return Growing().state(now_us)


def test_a_week_costs_its_edges() -> None:
    load = Counted()
    one = Meter(A1, load, Behaviour())
    one.look(START_US)
    one.look(START_US + 7 * DAY_US)
    assert load.asked <= 7 * 96 + 2


def test_an_order_to_a_relay_that_is_there_already_changes_nothing() -> None:
    one = meter()
    assert one.order(order(Command.CLOSE, one)) is None
    one.look(START_US + MIN_US)
    assert one.history.count_of(KINDS["reconnection"]) == 0


def test_an_outage_that_is_over_before_it_is_told_leaves_no_record() -> None:
    one = meter()
    one.look(START_US + 3 * US_PER_HOUR)
    one.behaviour.outages = ((START_US + US_PER_HOUR, START_US + 2 * US_PER_HOUR),)
    one.look(START_US + 4 * US_PER_HOUR)
    assert one.history.count_of(KINDS["power_failure"]) == 0
