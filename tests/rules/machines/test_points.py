from __future__ import annotations

from decimal import Decimal

from gateway.config.machines import MachineSettings
from gateway.contract.batches import TickBatch
from gateway.contract.measurements import MEASUREMENTS
from rules.machines.points import MACHINE_FIELDS, Output
from rules.machines.row import Period, period

MINUTE_US = 60_000_000
BATCH = TickBatch(gateway="edge-1", epoch=7, sequence=5, device="edge-1", received_at_us=1, watched=[])
MACHINE = MachineSettings(name="w", device="plc", unit="m", ideal_rate_per_min=100, meter="meter-1")


def shift() -> Period:
    made = period("early", 0, 480 * MINUTE_US, 0, 0)
    made.until_us = 480 * MINUTE_US
    # execute, idle, held, stopped, aborted, unknown, no data
    made.planned = [each * MINUTE_US for each in (300, 60, 20, 15, 5, 10, 40)]
    made.unplanned = [each * MINUTE_US for each in (5, 25, 0, 0, 0, 0, 0)]
    made.made.add("total", Decimal(27_000))
    made.made.add("bad", Decimal(270))
    made.beside.add("total", Decimal(500))
    made.unwatched.add("total", Decimal(2_500))
    made.energy_wh = Decimal(60_000)
    made.covered_us = 480 * MINUTE_US
    made.stand("yarn_break", 20 * MINUTE_US, 7)
    return made


def test_the_factors_of_oee_leave_out_what_nobody_saw() -> None:
    output = Output(BATCH, "mill", historical=False)
    output.period(MACHINE, shift())
    production, stop = output.points
    fields = dict(production.fields)
    assert fields["availability"] == Decimal("0.7500")  # 300 of 400 minutes that are known
    assert fields["performance"] == Decimal("0.9000")
    assert fields["quality"] == Decimal("0.9900")
    assert fields["oee"] == Decimal("0.6682")
    assert (fields["planned_s"], fields["no_data_s"], fields["unknown_s"]) == (27_000, 2_400, 600)
    assert (fields["unplanned_s"], fields["unplanned_execute_s"]) == (1_800, 300)
    assert (fields["total"], fields["unplanned_total"], fields["no_data_total"]) == (27_000, 500, 2_500)
    assert fields["energy_per_unit_wh"] == Decimal("2.000")  # of all that was made with it
    assert dict(production.tags) == {"site": "mill", "machine": "w", "period": "shift", "shift": "early", "unit": "m"}
    assert dict(stop.fields) == {"stood_s": 1200, "stops": 7}
    assert dict(stop.tags)["reason"] == "yarn_break"


def test_points_have_the_tags_and_fields_of_their_measurement() -> None:
    output = Output(BATCH, "mill", historical=False)
    output.period(MACHINE, shift())
    for point in output.points:
        measurement = MEASUREMENTS[point.measurement]
        assert {name for name, _ in point.tags} <= set(measurement.tags)
        assert {name for name, _ in point.fields} <= measurement.fields.keys()


def test_what_cannot_be_divided_is_left_out() -> None:
    made = period("", 0, 15 * MINUTE_US, 0, 0)
    made.until_us = 15 * MINUTE_US
    made.planned[1] = 15 * MINUTE_US
    output = Output(BATCH, "mill", historical=False)
    output.period(MachineSettings(name="w"), made)
    fields = dict(output.points[0].fields)
    assert fields["availability"] == 0
    assert not {"performance", "quality", "oee", "total", "energy_wh", "energy_per_unit_wh"} & fields.keys()


def test_energy_that_is_not_whole_makes_no_energy_per_unit() -> None:
    made = shift()
    made.covered_us -= 1
    output = Output(BATCH, "mill", historical=False)
    output.period(MACHINE, made)
    fields = dict(output.points[0].fields)
    assert fields["energy_wh"] == 60_000
    assert "energy_per_unit_wh" not in fields


def test_a_dark_period_is_not_told() -> None:
    output = Output(BATCH, "mill", historical=False)
    output.period(MACHINE, period("", 0, 15 * MINUTE_US, 0, 0))
    assert output.points == []


def test_an_event_names_its_evidence_and_has_the_same_id_each_time() -> None:
    ids = set()
    for _ in range(2):
        output = Output(BATCH, "mill", historical=True)
        output.event("machine_stopped", MACHINE, 9, {"state": "held", "reason": None}, 3)
        (event,) = output.events
        ids.add(event.id)
    assert len(ids) == 1
    assert (event.subject, event.device, event.historical, event.fields) == ("w", "plc", True, {"state": "held"})
    assert (event.evidence.epoch, event.evidence.sequence_from) == (7, 5)


def test_a_shift_that_has_ended_is_told_with_its_figures_and_the_time_that_is_known() -> None:
    output = Output(BATCH, "mill", historical=False)
    output.shift_ended(MACHINE, shift())
    (event,) = output.events
    assert (event.type, event.subject, event.at_us) == ("shift_ended", "w", 480 * MINUTE_US)
    assert event.fields == {
        "shift": "early", "unit": "m", "from_us": 0, "to_us": 480 * MINUTE_US, "stops": 7, "planned_s": 27_000.0,
        "known_s": 24_000.0, "total": 27_000.0, "good": 26_730.0, "bad": 270.0, "scrap": 0.01,
        "availability": 0.75, "performance": 0.9, "quality": 0.99, "oee": 0.6682,
    }  # fmt: skip
    assert set(event.fields) <= set(MACHINE_FIELDS)


def test_the_energy_of_a_shift_is_told_if_all_of_it_is_known() -> None:
    output, partly = Output(BATCH, "mill", historical=False), shift()
    output.shift_energy(MACHINE, shift())
    (event,) = output.events
    assert event.type == "shift_energy"
    assert (event.fields["energy_wh"], event.fields["energy_per_unit_wh"]) == (60_000.0, 2.0)
    assert set(event.fields) <= set(MACHINE_FIELDS)
    partly.covered_us -= 1
    output.shift_energy(MACHINE, partly)
    assert len(output.events) == 1


def test_a_shift_of_which_nothing_is_known_has_no_end() -> None:
    output = Output(BATCH, "mill", historical=False)
    output.shift_ended(MACHINE, period("early", 0, 480 * MINUTE_US, 0, 0))
    assert output.events == []
