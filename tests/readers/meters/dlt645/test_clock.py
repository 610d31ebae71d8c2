from __future__ import annotations

import asyncio
import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.dlt645_orders import DATE
from readers.meters.dlt645.clock import SETTABLE_S, ClockWatch, is_clear
from readers.meters.dlt645.driver import Dlt645Driver
from readers.meters.dlt645.line import Line
from readers.meters.dlt645.meter import Kept
from readers.meters.dlt645.meter import Meter as Reader
from readers.meters.dlt645.settings import ClockSync
from readers.meters.dlt645.settings import Meter as MeterSettings
from readers.observations import Condition, Observation, Rejected
from readers.ports.memory import START_US, pair, run
from readers.quantities import Quantity
from simulator.meters.dlt645 import Behaviour, Meter, serve
from tests.readers.meters.dlt645.scenes import (
    A1,
    A2,
    Steady,
    conditions,
    driven,
    driven_for,
    readings,
    settings,
    spoilt,
)

US = 1_000_000
HOUR_S = 3600
DAY_S = 86_400


def meter(offset_s: float = 0, address: str = A1, **more: object) -> Meter:
    return Meter(address, Steady(), Behaviour(clock_offset_us=round(offset_s * US), **more))  # type: ignore[arg-type]  # of many types


def offsets(heard: list[Observation], source: str = "m0") -> list[Decimal | None]:
    return [r.value for r in readings(heard, source) if r.quantity is Quantity.CLOCK_OFFSET]


def off_by_s(of: Meter) -> float:
    return (of.shown_us - of.now_us) / US


def details(heard: list[Observation]) -> list[str]:
    return [o.detail for o in heard if isinstance(o, Condition) and o.active]


def test_the_offset_is_read_once_a_day() -> None:
    heard = driven_for(1.5 * DAY_S, Dlt645Driver(settings([A1], read=["clock"])), {A1: meter(3)})
    assert offsets(heard) == [Decimal(3)] * 2
    assert conditions(heard) == []
    times = [r.meter_time_us for r in readings(heard)]
    assert times[0] is not None
    assert times[0] == pytest.approx(START_US + 3 * US, abs=2 * US)


def test_a_clock_that_is_wrong_is_told_and_not_touched_unless_that_is_allowed() -> None:
    wrong = meter(-40)
    heard = driven_for(1.2 * DAY_S, Dlt645Driver(settings([A1], read=["clock"])), {A1: wrong})
    assert offsets(heard) == [Decimal(-40)] * 2
    assert conditions(heard)[0] == ("clock_wrong", "", True)
    assert "40 s behind" in details(heard)[0]
    assert "clock_sync" in details(heard)[0]
    assert off_by_s(wrong) == -40


@pytest.mark.parametrize("how", ["broadcast", "addressed"])
@pytest.mark.parametrize("offset_s", [-250, 40])
def test_a_clock_is_set_away_from_midnight_and_quarters_of_an_hour(how: str, offset_s: int) -> None:
    wrong = meter(offset_s)
    heard = driven_for(2 * HOUR_S, Dlt645Driver(settings([A1], read=["clock"], clock_sync=how)), {A1: wrong})
    assert abs(off_by_s(wrong)) < 1.5
    assert offsets(heard)[0] == Decimal(offset_s)
    assert abs(offsets(heard)[-1] or Decimal(0)) <= 1
    assert conditions(heard) == []


def test_a_broadcast_sets_all_meters_and_is_sent_once() -> None:
    line = {A1: meter(100), A2: meter(60, A2)}
    heard = driven_for(2 * HOUR_S, Dlt645Driver(settings([A1, A2], read=["clock"], clock_sync="broadcast")), line)
    assert all(abs(off_by_s(each)) < 1.5 for each in line.values())
    assert conditions(heard) == []


def test_beyond_five_minutes_it_is_for_a_person() -> None:
    wrong = meter(SETTABLE_S + 12)
    heard = driven_for(2 * HOUR_S, Dlt645Driver(settings([A1], read=["clock"], clock_sync="broadcast")), {A1: wrong})
    assert off_by_s(wrong) == SETTABLE_S + 12
    assert "312 s ahead; beyond 300 s it can only be set with a password" in details(heard)[0]


def test_a_meter_that_does_not_take_the_time_is_told_and_not_pestered() -> None:
    deaf = meter(40, sync_within_s=0.0)
    heard = driven_for(20 * HOUR_S, Dlt645Driver(settings([A1], read=["clock"], clock_sync="addressed")), {A1: deaf})
    assert off_by_s(deaf) == 40
    assert "did not take it" in details(heard)[-1]
    assert len(offsets(heard)) < 40


def test_the_condition_ends_when_the_clock_is_right_again() -> None:
    drifting = meter(20, clock_drift_ppm=-200)  # 17 s a day
    heard = driven_for(1.5 * DAY_S, Dlt645Driver(settings([A1], read=["clock"])), {A1: drifting})
    assert conditions(heard) == [("clock_wrong", "", True), ("clock_wrong", "", False)]


def test_a_meter_without_a_clock_is_told_so() -> None:
    heard = driven_for(60, Dlt645Driver(settings([A1], read=["clock"])), {A1: meter(lacks=frozenset({DATE}))})
    assert conditions(heard) == [("register_unsupported", "04000101", True)]
    assert offsets(heard) == []


@given(st.integers(0, DAY_S - 1), st.integers(-SETTABLE_S + 1, SETTABLE_S - 1))
def test_no_setting_moves_a_clock_across_a_quarter_of_an_hour(second: int, offset_s: int) -> None:
    midnight_us = START_US - 8 * HOUR_S * US
    if is_clear(midnight_us + second * US, offset_s, 480):
        assert 900 <= second < 86_400 - 900
        assert second // 900 == (second + offset_s) // 900
        assert 60 <= second % 900 <= 840
        assert 60 <= (second + offset_s) % 900 <= 840


@given(st.integers(-SETTABLE_S + 1, SETTABLE_S - 1))
def test_there_is_a_good_moment_in_every_hour(offset_s: int) -> None:
    noon_us = START_US + 4 * HOUR_S * US
    assert any(is_clear(noon_us + minute * 60 * US, offset_s, 480) for minute in range(60))


def test_a_clock_that_shows_no_time_is_counted_and_asked_again() -> None:
    broken = meter(garbles=lambda raw: spoilt(raw, DATE, lambda _: b"\xff" * 4))
    heard = driven_for(200, Dlt645Driver(settings([A1], read=["clock"])), {A1: broken})
    reasons = [o.reason for o in heard if isinstance(o, Rejected)]
    assert set(reasons) == {"data_range"}
    assert len(reasons) >= 3
    assert offsets(heard) == []


def test_a_lost_reply_does_not_cost_the_day() -> None:
    replies = itertools.count(1)
    deaf = meter(garbles=lambda raw: b"" if 3 <= next(replies) <= 4 else raw)  # both tries of the time
    heard = driven_for(200, Dlt645Driver(settings([A1], read=["clock", "energy"])), {A1: deaf})
    assert offsets(heard) == [Decimal(0)]


def test_a_meter_without_a_clock_is_asked_once_an_hour() -> None:
    lacking = meter(lacks=frozenset({DATE}))
    heard: list[Observation] = []
    reply = Watch(settings([A1]).meters[0], heard)
    assert reply.asked(lacking) == [True, False]


class Watch:
    """A clock's watch, asked twice in a row."""

    def __init__(self, given: MeterSettings, heard: list[Observation]) -> None:
        self._given = given
        self._heard = heard

    def asked(self, lacking: Meter) -> list[bool]:
        async def scene() -> list[bool]:
            ours, theirs = pair("line")
            line = Line(ours, self._heard.append, wake_up_bytes=0, baud=2400)
            there = Reader(self._given, Kept(), line, self._heard.append, probe=0x00010000, utc_offset_min=480)
            watch = ClockWatch(there, ClockSync.OFF, [], lambda _: None)
            twin = asyncio.create_task(serve(theirs, {A1: lacking}))
            asked = [await watch.ask(), await watch.ask()]
            twin.cancel()
            await asyncio.gather(twin, return_exceptions=True)
            return asked

        return run(scene())


def test_at_midnight_the_date_is_read_again() -> None:
    heard: list[Observation] = []

    async def scene() -> None:
        # 16:00 UTC is midnight in China; the time is asked for in its first minute
        await asyncio.sleep(16 * HOUR_S + 20)
        await driven(Dlt645Driver(settings([A1], read=["clock"])), {A1: meter()}, lambda: asyncio.sleep(10), heard)

    run(scene())
    assert offsets(heard) == [Decimal(0)]
