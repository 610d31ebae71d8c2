from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from random import Random

import msgspec
import pytest

from gateway.config.energy import Energy
from gateway.contract.batches import Batch, SignalBatch
from rules.machines.row import STATES
from tests.rules.machines.hall import START_US, Hall, Keeper, S, site
from tests.rules.play import START_US as PLAY_US
from tests.rules.play import Play

HOURS = 5
BEGAN_US = PLAY_US + 100 * S  # the beginning of an interval


def kept(hall: Hall, **machine: object) -> Keeper:
    keeper = Keeper(site(**machine))
    for batch in hall.batches():
        keeper.step(batch)
    return keeper


@pytest.mark.parametrize("seed", range(4))
def test_time_in_each_state_is_the_truth_while_watched_and_never_downtime_else(seed: int) -> None:
    hall = Hall(seed, HOURS * 3600)
    keeper = kept(hall, calendar=None)
    checked = dark = 0
    for row in keeper.stored(period="interval"):
        truth = hall.truth_us(row["from_us"], row["to_us"])
        assert {state: int(row[f"{state}_s"] * S) for state in STATES if row[f"{state}_s"]} == truth
        assert row["unknown_s"] == 0
        length_us = row["to_us"] - max(row["from_us"], START_US + 3 * S)  # before, nobody had heard of it
        assert sum(truth.values()) + row["no_data_s"] * S == length_us
        checked += sum(truth.values())
        dark += row["no_data_s"]
    assert checked > 1800 * S
    assert dark > 60


@pytest.mark.parametrize("seed", range(3))
def test_shifts_sum_up_their_planned_time_and_nothing_else(seed: int) -> None:
    hall = Hall(seed, HOURS * 3600)
    (early, late) = kept(hall).stored(period="shift")
    assert (early["shift"], late["shift"]) == ("early", "late")
    hour = 3600 * S
    spans = [(early["from_us"], early["from_us"] + 2 * hour), (early["from_us"] + 2 * hour + 900 * S, late["from_us"])]
    truth: dict[str, int] = {}
    for span in spans:
        for state, us in hall.truth_us(*span).items():
            truth[state] = truth.get(state, 0) + us
    assert {state: int(early[f"{state}_s"] * S) for state in STATES if early[f"{state}_s"]} == truth
    assert early["planned_s"] == 3 * 3600 - 900 - 3  # it was first heard 3 s after 07:00
    assert early["unplanned_s"] == 900


@pytest.mark.parametrize("seed", range(3))
def test_nothing_that_was_made_is_lost_or_made_up(seed: int) -> None:
    hall = Hall(seed, HOURS * 3600)
    keeper = kept(hall)
    made = sum(
        (row.get(name, Decimal(0)) for row in keeper.stored(period="interval") for name in
         ("total", "unplanned_total", "no_data_total")), Decimal(0),
    )  # fmt: skip
    machine = hall.machine
    assert 0 <= machine.total_m - made < 600 * 20  # what was made before the first look, and after the last interval
    for row in keeper.stored(period="interval"):
        if "performance" in row:
            assert 0 < row["performance"] < Decimal("1.25")
            assert 0 <= row["quality"] <= 1
            known = sum(row[f"{state}_s"] for state in STATES)
            assert row["availability"] == (row["execute_s"] / known).quantize(Decimal("0.0001"))
    assert not [event for event in keeper.events if event.type.startswith("counter_")]


def test_a_machine_that_is_always_watched_has_the_truth_of_its_stops_in_events_and_sums() -> None:
    hall = Hall(11, HOURS * 3600, troubles=0.0)
    keeper = kept(hall, calendar=None)
    started = [event for event in keeper.events if event.type == "machine_started"]
    assert len(started) > 20
    assert all(event.fields["is_exact"] for event in started[1:])
    for event in started[1:]:
        assert event.fields["stood_s"] == (event.at_us - event.fields["stopped_at_us"]) / 1e6  # type: ignore[operator]  # a number
    stopped = [event for event in keeper.events if event.type == "machine_stopped"]
    assert [event.at_us for event in stopped[: len(started) - 1]] == [e.fields["stopped_at_us"] for e in started[1:]]
    assert all("reason" in event.fields for event in stopped)
    summed: dict[str, Decimal] = {}
    for row in keeper.stored("machine_stop", period="interval"):
        summed[row["reason"]] = summed.get(row["reason"], Decimal(0)) + row["stood_s"] * S
    assert summed == stood_us(hall, START_US + 3 * S, START_US + (HOURS * 3600 - 900) * S)


def stood_us(hall: Hall, from_us: int, to_us: int) -> dict[str, int]:
    """Time of stops by the reason that they began with."""
    found: dict[str, int] = {}
    spells = hall.machine.truth
    label = ""
    for spell, end_us in zip(spells, [*(each.from_us for each in spells[1:]), to_us], strict=True):
        if spell.state == "execute":
            label = ""
            continue
        label = label or spell.reason.value or "unknown"
        us = min(end_us, to_us) - max(spell.from_us, from_us)
        if us > 0:
            found[label] = found.get(label, 0) + us
    return found


def test_energy_is_shared_out_and_told_per_unit_only_where_all_of_it_is_known() -> None:
    hall = Hall(11, HOURS * 3600, troubles=0.0)
    rows = kept(hall, calendar=None).stored(period="interval")
    whole = [row for row in rows if "energy_per_unit_wh" in row]
    assert len(whole) >= len(rows) - 2
    for row in whole:
        assert row["energy_covered_s"] == 900
        run_s = float(row["execute_s"])
        expected = 900 * 900 / 3600 + 24 * 600 * run_s / 3600
        assert float(row["energy_wh"]) == pytest.approx(expected, abs=14400 * 15 / 3600)
        assert row["energy_per_unit_wh"] == (row["energy_wh"] / row["total"]).quantize(Decimal("0.001"))
    assert "energy_wh" not in kept(hall, meter=None).stored(period="interval")[1]


def cut(batches: list[Batch], rng: Random) -> Iterator[Batch]:
    """The same signals in other batches."""
    number = 0
    for batch in batches:
        if isinstance(batch, SignalBatch) and rng.random() < 0.5:
            parts: list[Batch] = [msgspec.structs.replace(batch, signals=[signal]) for signal in batch.signals]
        else:
            parts = [msgspec.structs.replace(batch)]
        for part in parts:
            number += 1 + max(0, batch.sequence - batches[0].sequence - len(batches))
            part.sequence = number
            yield part


@pytest.mark.parametrize("seed", range(3))
def test_the_same_bytes_however_batches_are_cut_and_wherever_it_is_started_again(seed: int) -> None:
    batches, rng = list(Hall(seed, 3 * 3600).batches()), Random(seed)
    plain, other = Keeper(site()), Keeper(site())
    for batch in batches:
        plain.step(batch)
    for batch in cut(batches, rng):
        other.step(batch)
        if rng.random() < 0.01:
            other.commit()
            other.restart(rng)
    assert other.told() == plain.told()
    assert len(plain.stored()) > 5


def test_what_was_not_committed_is_booked_again_to_the_same_end() -> None:
    batches, rng = list(Hall(2, 3 * 3600).batches()), Random(2)
    plain, killed = Keeper(site()), Keeper(site())
    committed = 0
    for number, batch in enumerate(batches):
        plain.step(batch)
        killed.step(batch)
        if number % 97 == 0:
            killed.commit()
            committed = number + 1
        if number % 499 == 0:
            killed.restart(rng)
            for again in batches[committed : number + 1]:
                killed.step(again)
    assert killed.stored() == plain.stored()
    assert killed.stored("machine_stop") == plain.stored("machine_stop")
    assert {event.id for event in killed.events} == {event.id for event in plain.events}


class Floor(Play):
    """One machine without a calendar, seconds after the beginning."""

    def __init__(self, **machine: object) -> None:
        super().__init__(site(**{"calendar": None, "meter": None, **machine}))
        self.watched = ["plc-1"]
        self.status(0, "plc-1", watched=["plc-1"])

    def head(self, at_s: float, device: str, kind: str = "", items: int = 0) -> dict[str, object]:
        """Seconds after the beginning of an interval."""
        return {**super().head(at_s, device, kind, items), "received_at_us": BEGAN_US + round(at_s * S)}

    def goes(self, at_s: float) -> None:
        """The link to the controller is lost."""
        self.until(at_s)
        self.watched = []
        self.status(at_s, "plc-1", "offline")

    def comes(self, at_s: float, **signals: object) -> None:
        """It is back, and tells everything."""
        self.until(at_s)
        self.watched = ["plc-1"]
        self.status(at_s, "plc-1", watched=["plc-1"])
        self.says(at_s, **signals)

    def says(self, at_s: float, **signals: object) -> None:
        self.until(at_s)
        for name, value in signals.items():
            self.signal(at_s, name, value=str(value), device="plc-1")

    def rows(self, measurement: str = "production") -> list[dict[str, object]]:
        found: dict[object, dict[str, object]] = {}
        for point in self.points:
            if point.measurement == measurement:
                found[point.tags, point.at_ns] = {**dict(point.tags), **dict(point.fields)}
        return list(found.values())


def test_a_state_that_is_no_state_and_one_that_was_never_said_are_unknown() -> None:
    floor = Floor()
    floor.says(10, machine_state="execute")
    floor.says(30, machine_state="dancing")
    floor.says(50, machine_state="execute")
    floor.until(1000)
    (row,) = floor.rows()
    assert row["unknown_s"] == 10 + 20
    assert row["availability"] == 1


def test_after_a_gap_the_state_is_unknown_until_it_is_said_again() -> None:
    floor = Floor()
    floor.says(10, machine_state="execute")
    floor.goes(20)
    floor.comes(50)
    floor.says(57, machine_state="held")
    floor.until(1000)
    (row,) = floor.rows()
    assert (row["execute_s"], row["no_data_s"], row["unknown_s"]) == (10, 30, 17)
    (stopped,) = floor.events
    assert (stopped.type, stopped.at_us, stopped.fields["is_exact"]) == ("machine_stopped", BEGAN_US + 57 * S, False)


def test_a_stop_that_was_lost_from_sight_is_not_exact() -> None:
    floor = Floor()
    floor.says(10, machine_state="execute")
    floor.says(20, machine_state="held", stop_reason="yarn_break")
    floor.goes(30)
    floor.comes(40, machine_state="held")
    floor.says(45, machine_state="execute")
    started = floor.events[-1]
    assert started.fields == {
        "state": "held", "reason": "yarn_break", "stopped_at_us": BEGAN_US + 20 * S, "stood_s": 15.0, "no_data_s": 10.0,
        "is_exact": False,
    }  # fmt: skip


def test_a_reason_that_comes_late_takes_the_time_of_its_stop() -> None:
    floor = Floor()
    floor.says(1, machine_state="execute", stop_reason="stale")
    floor.says(10, machine_state="held")
    floor.says(15, stop_reason="yarn_break")
    floor.says(100, stop_reason="something_else")
    floor.says(110, machine_state="execute", stop_reason="")
    floor.says(200, machine_state="stopped")
    floor.says(260, stop_reason="lunch")
    floor.says(300, machine_state="execute")
    floor.until(1000)
    told = {row["reason"]: (row["stood_s"], row["stops"]) for row in floor.rows("machine_stop")}
    assert told == {"yarn_break": (100, 1), "lunch": (100, 1), "stale": (0, 0), "unknown": (0, 0)}
    stopped = [event.fields.get("reason") for event in floor.events if event.type == "machine_stopped"]
    assert stopped == ["yarn_break", None]
    started = [event.fields.get("reason") for event in floor.events if event.type == "machine_started"]
    assert started == ["yarn_break", "lunch"]


def test_counters_that_are_reset_jump_and_wrap() -> None:
    floor = Floor(counter_wraps_at=65536)
    floor.says(1, machine_state="execute", total_count=100)
    floor.says(60, total_count=700)
    floor.says(61, total_count=3)
    floor.says(120, total_count=603)
    floor.says(121, total_count=65_000)
    floor.says(180, total_count=64)
    floor.until(1000)
    (row,) = floor.rows()
    assert row["total"] == 600 + 600 + 600
    assert row["counter_resets"] == 2
    assert [event.type for event in floor.events] == ["counter_reset", "counter_jumped", "counter_wrapped"]
    assert floor.events[0].fields == {"signal": "total_count", "before": 700.0, "after": 3.0, "elapsed_s": 1.0}


def test_what_was_made_while_nobody_watched_is_counted_apart() -> None:
    floor = Floor()
    floor.says(1, machine_state="execute", good_count=100, bad_count=1)
    floor.says(60, good_count=200, bad_count=2)
    floor.goes(61)
    floor.comes(120, machine_state="execute", good_count=700, bad_count=2)
    floor.says(180, good_count=800)
    floor.until(1000)
    (row,) = floor.rows()
    assert (row["total"], row["good"], row["bad"], row["no_data_total"]) == (201, 200, 1, 500)


def test_a_clock_that_was_set_back_begins_new_periods_beside_the_old() -> None:
    floor = Floor()
    floor.says(600, machine_state="execute")
    floor.until(1000)
    floor.tick(400)
    floor.says(500, machine_state="execute")
    floor.until(700)
    before = {(p.tags, p.at_ns) for p in floor.points if p.measurement == "production"}
    floor.until(2000)
    after = {(p.tags, p.at_ns) for p in floor.points if p.measurement == "production"}
    assert len(after) > len(before)
    assert all(row["execute_s"] <= 900 for row in floor.rows())  # type: ignore[operator]  # a number
    assert floor.engine.counters()["clocks_set_back"] == 1


def test_a_gateway_that_was_away_for_months_begins_anew() -> None:
    floor = Floor()
    floor.says(600, machine_state="execute")
    floor.tick(100 * 86_400)
    floor.says(100 * 86_400 + 10, machine_state="execute")
    floor.until(100 * 86_400 + 1000)
    assert [row["execute_s"] > 0 for row in floor.rows()][-1]  # type: ignore[operator]  # a number
    assert len(floor.rows()) < 5


def test_another_length_of_intervals_begins_them_anew() -> None:
    batches, rng = list(Hall(0, 3600, troubles=0.0).batches()), Random(1)
    keeper = Keeper(site())
    for batch in batches[:2000]:
        keeper.step(batch)
    keeper.commit()
    file = site()
    changed = file.model_copy(update={"production": file.production.model_copy(update={"interval_min": 5})})
    keeper.restart(rng, changed)
    for batch in batches[2000:]:
        keeper.step(batch)
    assert keeper.stored(period="interval")[-1]["planned_s"] <= 300


def test_another_calendar_closes_the_shift_that_runs() -> None:
    batches, rng = list(Hall(0, 3600, troubles=0.0).batches()), Random(1)
    keeper = Keeper(site())
    for batch in batches[:1000]:
        keeper.step(batch)
    keeper.commit()
    keeper.restart(rng, site(calendar=None))
    for batch in batches[1000:]:
        keeper.step(batch)
    (shift,) = keeper.stored(period="shift")
    assert shift["planned_s"] < 1000


def test_a_short_stop_is_told_when_it_ends_with_the_state_that_it_came_to() -> None:
    floor = Floor()
    floor.says(10, machine_state="execute")
    floor.says(20, machine_state="held", stop_reason="yarn_break")
    floor.says(22, machine_state="stopped")
    floor.says(25, machine_state="execute")
    stopped, started = floor.events
    assert (stopped.type, stopped.at_us, stopped.fields["state"]) == ("machine_stopped", BEGAN_US + 20 * S, "stopped")
    assert (started.type, started.fields["stood_s"], started.fields["is_exact"]) == ("machine_started", 5.0, True)


def test_a_stop_a_counter_and_a_meter_go_back_with_the_clock() -> None:
    floor = Floor(meter="meter-1")
    floor.says(600, machine_state="execute", total_count=1000)
    floor.reading(600, "5000", quantity="active_energy_import")
    floor.says(700, machine_state="held")
    floor.until(800)
    floor.tick(300)
    floor.says(301, machine_state="held", total_count=1100)
    floor.reading(301, "5100", quantity="active_energy_import")
    floor.says(310, machine_state="execute", total_count=1110)
    floor.until(1200)
    assert not [event for event in floor.events if event.type.startswith("counter_")]
    started = [event for event in floor.events if event.type == "machine_started"][-1]
    stopped_at_us = started.fields["stopped_at_us"]
    assert isinstance(stopped_at_us, int)
    assert BEGAN_US + 190 * S < stopped_at_us < BEGAN_US + 210 * S
    assert any("energy_wh" in row for row in floor.rows())


def test_the_ratios_of_transformers_count_for_the_machine_too() -> None:
    rows = []
    for ratio in (1, 120):
        file = site(calendar=None)
        energy = Energy.model_validate({"meter": [{"name": "meter-1", "ct_ratio": ratio}]})
        keeper = Keeper(file.model_copy(update={"energy": energy}))
        for batch in Hall(11, 3600, troubles=0.0).batches():
            keeper.step(batch)
        rows.append(keeper.stored(period="interval")[1])
    assert rows[1]["energy_wh"] == pytest.approx(rows[0]["energy_wh"] * 120, abs=Decimal("0.5"))
