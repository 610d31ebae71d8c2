from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gateway.contract.batches import Reading
from rules.energy.meter import MOST_DIGITS
from tests.rules.energy.desk import Desk, Row, minute_us

CALENDAR = {
    "timezone": "Asia/Shanghai",
    "meter": [{"name": "meter-1", "tariff": "industry"}],
    "tariff": [
        {
            "name": "industry",
            "valid_from": "2026-01-01",
            "day": [{"tariffs": {"00:00": "valley", "00:30": "peak"}}],
        }
    ],
}


def calendar(**meter: Any) -> dict[str, Any]:
    return {**CALENDAR, "meter": [{**CALENDAR["meter"][0], **meter}]}  # type: ignore[dict-item]  # as it stands above


def hour(desk: Desk, *, tariffs: bool = False, first: int = 0, last: int = 61) -> None:
    """A reading each minute: 60 kW, of which tariff 1 has two thirds and tariff 2 the rest."""
    for minute in range(first, last):
        parts = (f"{100 + minute * 2 / 3:.2f}", f"{100 + minute / 3:.2f}") if tariffs else ()
        desk.show(minute, f"{200 + minute}.00", *parts)


def test_intervals_of_a_total() -> None:
    desk = Desk()
    hour(desk)
    assert desk.rows() == [Row(minute, "15.00", "measured") for minute in (0, 15, 30, 45)]
    assert desk.counters["energy_registers"] == 1
    assert desk.told() == []


def test_tariffs_of_the_meter_go_by_their_names() -> None:
    desk = Desk()
    hour(desk, tariffs=True)
    assert desk.rows("sharp") == [Row(minute, "10.00", "measured") for minute in (0, 15, 30, 45)]
    assert desk.rows("peak") == [Row(minute, "5.00", "measured") for minute in (0, 15, 30, 45)]
    assert len(desk.rows()) == 4


def test_names_of_tariffs_may_be_others() -> None:
    desk = Desk({"tariff_names": ["day"]})
    hour(desk, tariffs=True)
    assert len(desk.rows("day")) == len(desk.rows("t2")) == 4


def test_a_calendar_divides_the_total_of_a_meter_without_tariffs() -> None:
    desk = Desk(CALENDAR)
    hour(desk)
    assert desk.rows("valley", "calendar") == [Row(minute, "15.00", "measured") for minute in (0, 15)]
    assert desk.rows("peak", "calendar") == [Row(minute, "15.00", "measured") for minute in (30, 45)]
    named = {
        fields.get("calendar") for (tags, _), fields in desk.stored().items() if dict(tags)["source"] == "calendar"
    }
    assert named == {"industry of 2026-01-01"}


def test_the_meter_goes_before_the_calendar_and_they_never_share_an_interval() -> None:
    desk = Desk(CALENDAR)
    hour(desk, last=20)
    hour(desk, tariffs=True, first=20)
    assert [row.minute for row in desk.rows("valley", "calendar") + desk.rows("peak", "calendar")] == [0]
    assert [row.minute for row in desk.rows("sharp")] == [15, 30, 45]
    desk.show(62, "262.00", recorded=7)
    desk.show(63, "206.00", recorded=7)
    assert [row.minute for row in desk.rows("valley", "calendar")] == [0]


@pytest.mark.parametrize(("source", "by_meter", "by_calendar"), [("calendar", 0, 4), ("meter", 4, 0), ("auto", 4, 0)])
def test_the_site_file_may_choose(source: str, by_meter: int, by_calendar: int) -> None:
    desk = Desk(calendar(tariff_source=source))
    hour(desk, tariffs=True)
    assert len(desk.rows("sharp")) == len(desk.rows("peak")) == by_meter
    assert len(desk.rows("valley", "calendar") + desk.rows("peak", "calendar")) == by_calendar


def test_ratios_of_the_site_file_multiply() -> None:
    desk = Desk({"meter": [{"name": "meter-1", "pt_ratio": 100, "ct_ratio": 1.5}]})
    hour(desk)
    assert desk.rows()[0] == Row(0, "2250.00", "measured")
    fields = next(iter(desk.stored().values()))
    assert (fields["register_start"], fields["register_end"], fields["multiplier"]) == (200_000, 215_000, 150)
    assert fields["energy"] == Decimal(2_250_000)


def test_a_ratio_that_changed_in_the_site_file_is_told() -> None:
    desk = Desk()
    hour(desk, last=41)
    desk.restart({"meter": [{"name": "meter-1", "ct_ratio": 10}]})
    hour(desk, first=41)
    assert [event.type for event in desk.told()] == ["ratio_changed", "segment_opened"]
    assert desk.told("ratio_changed")[0].fields == {
        "ratio": "site file", "ratio_before": "1", "ratio_after": "10",
    }  # fmt: skip
    assert [row.kwh for row in desk.rows()] == ["15.00", "15.00", "10.00", "50.00", "150.00"]
    assert desk.counters["energy_registers"] == 1


def test_a_ratio_that_the_driver_multiplies_by_opens_a_segment() -> None:
    desk = Desk()
    desk.says(0, in_force={"ct_ratio": "40", "baud": "9600"})
    hour(desk, last=41)
    desk.says(40.5, in_force={"ct_ratio": "40"})
    desk.says(40.6)
    desk.says(40.7, in_force={"ct_ratio": "80"})
    desk.show(41, "482.00")
    desk.show(45, "490.00")
    assert [event.type for event in desk.told()] == ["ratio_changed", "segment_opened"]
    assert [row.kwh for row in desk.rows()] == ["15.00", "15.00", "10.00", "8.00"]


def test_another_serial_number_is_another_meter() -> None:
    desk = Desk()
    desk.says(0, serial="1001")
    hour(desk, tariffs=True, last=41)
    desk.says(40.2, serial="")
    desk.says(40.5, serial="2002")
    desk.restart()
    desk.show(41, "1.00", "0.70", "0.30")
    desk.show(45, "5.00", "3.40", "1.60")
    swapped, *opened = desk.told()
    assert (swapped.type, swapped.fields["serial_before"], swapped.fields["serial_after"]) == (
        "meter_swapped", "1001", "2002",
    )  # fmt: skip
    assert (swapped.fields["closing"], swapped.fields["closed_at_us"]) == (240_000.0, minute_us(40))
    assert [(event.type, event.fields.get("tariff")) for event in opened] == [
        ("segment_opened", None), ("segment_opened", 1), ("segment_opened", 2),
    ]  # fmt: skip
    assert opened[0].fields["closing"] == 240_000.0
    assert opened[0].fields["opening"] == 1000.0
    assert [row.kwh for row in desk.rows()] == ["15.00", "15.00", "10.00", "4.00"]
    assert desk.counters["energy_registers"] == 3


def test_records_by_the_clock_of_the_meter() -> None:
    desk = Desk()
    desk.says(0, offset_s=20)
    hour(desk, last=11)
    desk.show(50, "250.00")
    desk.show(50.1, "217.00", recorded=15)  # 15:00 by the meter is a boundary, for its clock is nearly right
    desk.show(50.2, "239.00", recorded=40)
    desk.says(51, offset_s=-600)
    desk.show(51.1, "231.00", recorded=40)  # 30:00 by ours
    desk.show(60, "260.00")
    assert [row.kwh for row in desk.rows()] == ["17.00", "14.00", "13.31", "15.69"]
    assert desk.rows()[0].quality == "backfilled"


def test_the_meters_offset_may_come_as_a_reading() -> None:
    desk = Desk()
    hour(desk, last=11)
    desk.answer(11, Reading("clock_offset", "0-0:1.0.0*255", Decimal("-600.0"), "s"))  # it is behind
    desk.show(50, "250.00")
    desk.show(50.1, "217.00", recorded=5)
    assert desk.rows()[0] == Row(0, "17.00", "backfilled")


def test_readings_with_the_time_of_the_meter() -> None:
    desk = Desk()
    for minute in range(0, 31, 5):
        desk.show(minute + 2, f"{100 + minute}.00", recorded=minute, quality="good")
    desk.show(33, "131.00", recorded=50, quality="good")  # ahead of us: as of now
    desk.show(34, "129.00", recorded=31, quality="good")  # older than the one before
    assert desk.rows() == [Row(0, "15.00", "measured"), Row(15, "15.00", "measured")]
    assert desk.counters["energy_records_refused"] == 1


@pytest.mark.parametrize(
    ("quality", "obis", "quantity", "kwh"),
    [
        ("suspect", "1-0:1.8.0*255", "active_energy_import", "9.00"),
        ("absent", "1-0:1.8.0*255", "active_energy_import", None),
        ("computed", "1-0:1.8.0*255", "active_energy_import", "9.00"),
        ("good", "1-0:1.8.0*1", "active_energy_import", "9.00"),
        ("good", "1-0:15.8.0*255", "active_energy_combined", "9.00"),
        ("good", "1-0:1.8.0*255", "active_energy_import", "-1.00"),
        ("good", "1-0:1.8.0*255", "active_energy_import", "NaN"),
        ("good", "1-0:1.8.0*255", "active_energy_import", f"1E{MOST_DIGITS}"),
        ("backfilled", "1-0:1.8.0*255", "active_energy_import", "9.00"),
    ],
)
def test_what_is_no_register_as_it_stands_is_not_booked(
    quality: str, obis: str, quantity: str, kwh: str | None
) -> None:
    desk = Desk()
    desk.show(0, kwh, quality=quality, obis=obis, quantity=quantity)
    assert desk.counters["energy_registers"] == 0


def test_records_that_are_of_no_use() -> None:
    desk = Desk()
    hour(desk, last=11)
    desk.show(11, "210.50", recorded=30)  # of the future
    desk.show(12, "210.50", quality="backfilled")  # of no time
    desk.show(13, "500.00", recorded=5)
    assert desk.counters["energy_records_refused"] == 3
    desk.show(14, "214.00", recorded=14.5)  # a little ahead: as of now
    assert desk.counters["energy_records_refused"] == 3


def test_phases_and_other_quantities_have_books_of_their_own() -> None:
    desk = Desk()
    for minute in range(0, 16, 5):
        desk.show(minute, f"{minute}.00", quantity="reactive_energy_q1", unit="varh")
        desk.show(minute + 0.1, f"{2 * minute}.00", phase="a")
    units = {(dict(tags)["unit"], dict(tags).get("phase")) for tags, _ in desk.stored()}
    assert units == {("varh", None), ("Wh", "a")}
    assert desk.rows(quantity="reactive_energy_q1")[0].kwh == "15.00"


def test_a_record_of_a_register_that_was_never_read_opens_no_book() -> None:
    desk = Desk()
    desk.show(5, "100.00", recorded=0)
    assert desk.counters["energy_registers"] == 0


def test_a_swap_of_a_meter_whose_total_is_not_read() -> None:
    desk = Desk()
    desk.says(0, serial="1")
    desk.show(1, "100.00", quantity="reactive_energy_q1", unit="varh")
    desk.says(2, serial="2")
    (told,) = desk.told()
    assert told.fields == {"serial_before": "1", "serial_after": "2"}


def test_before_the_first_edition_of_a_calendar_nothing_is_divided() -> None:
    later = {**CALENDAR, "tariff": [{**CALENDAR["tariff"][0], "valid_from": "2027-01-01"}]}  # type: ignore[dict-item]  # as it stands above
    desk = Desk(later)
    hour(desk)
    assert len(desk.rows()) == 4
    assert desk.rows("valley", "calendar") == []


def test_two_readings_at_one_time_make_no_demand() -> None:
    desk = Desk()
    desk.show(0, "100.00")
    desk.show(0, "100.50")
    desk.show(1, "101.00")
    assert desk.counters["energy_registers"] == 1


def test_voltages_and_demands_of_a_phase_are_no_business_of_the_books() -> None:
    desk = Desk()
    desk.answer(0, Reading("active_demand", "1-0:21.4.0*255", Decimal(5), "W", phase="a"))
    hour(desk)
    assert len(desk.stored("demand")) > 3


def test_a_gap_is_told_of_the_total_alone() -> None:
    desk = Desk()
    hour(desk, tariffs=True, last=11)
    hour(desk, tariffs=True, first=50)
    (gap,) = desk.told()
    assert (gap.type, gap.at_us) == ("energy_gap", minute_us(50))
    assert gap.fields == {
        "quantity": "active_energy_import", "unit": "Wh", "from_us": minute_us(10), "to_us": minute_us(50),
        "elapsed_s": 2400.0, "energy": 40_000.0,
    }  # fmt: skip


def test_tariffs_that_do_not_add_up_are_told() -> None:
    desk = Desk()
    for minute in range(10):
        desk.show(minute, f"{200 + minute}.00", "50.00", "50.00")
    (told,) = desk.told()
    assert (told.type, told.fields["difference"]) == ("tariff_sum_differs", 102_000.0)


def test_demand_is_computed_where_the_meter_tells_none() -> None:
    desk = Desk({"meter": [{"name": "meter-1", "ct_ratio": 2}]})
    for minute in range(62):
        kwh = 100 + minute + (10 if minute > 20 else 0)
        desk.show(minute + 0.2, f"{kwh}.00")
    readings = [point for point in desk.points if dict(point.tags).get("quantity") == "active_demand"]
    sliding = {point.at_ns // 1000: dict(point.fields)["value"] for point in readings if point.measurement == "reading"}
    assert min(sliding) == minute_us(16)
    assert sliding[minute_us(16)] == 120_000  # 60 kW through a transformer of 2
    assert sliding[minute_us(30)] == 200_000  # and 10 kWh more within the quarter of an hour
    demands = desk.stored("demand")
    found = {
        (dict(tags)["kind"], (at_ns // 1000 - minute_us(0)) / 60e6): fields for (tags, at_ns), fields in demands.items()
    }
    assert found["block", 15.0]["demand"] == 200_000
    assert found["block", 45.0]["demand"] == 120_000
    peak = found["sliding_max", 15.0]
    assert (peak["demand"], peak["ended_at_us"], peak["window_min"]) == (200_000, minute_us(22), 15)
    assert ("block", 0.0) not in found  # its first minute was not read


def test_no_demand_is_computed_over_a_gap_or_when_it_is_not_wanted() -> None:
    desk = Desk()
    desk.show(0, "100.00")
    desk.show(40, "140.00")
    desk.show(46, "146.00")
    assert desk.stored("demand") == {}
    desk = Desk({"demand_min": 0})
    hour(desk)
    assert desk.stored("demand") == {}


def test_the_meters_own_demand_goes_before() -> None:
    desk = Desk()
    demand = Reading("active_demand", "1-0:1.4.0*255", Decimal(61_000), "W")
    for minute in range(40):
        desk.answer(minute, demand)
        desk.show(minute + 0.1, f"{200 + minute}.00")
    assert desk.stored("demand") == {}
    computed = [point for point in desk.points if ("quality", "computed") in point.fields]
    assert computed == []


def test_the_largest_demand_that_a_meter_keeps_is_told_once_for_each_time_that_it_was() -> None:
    desk = Desk()
    most = Reading("active_demand_max", "1-0:1.6.0*255", Decimal(80_000), "W", meter_time_us=minute_us(-600))
    for minute in range(5):
        desk.answer(minute, most)
    desk.answer(6, Reading("active_demand_max", "1-0:1.6.1*255", Decimal(1), "W", tariff=1, meter_time_us=minute_us(1)))
    desk.answer(7, Reading("active_demand_max", "1-0:1.6.0*1", Decimal(2), "W", meter_time_us=minute_us(1)))
    desk.answer(8, Reading("active_demand_max", "1-0:1.6.0*255", Decimal(3), "W"))
    told = [point for point in desk.points if point.measurement == "demand"]
    assert [(dict(point.tags)["kind"], dict(point.tags).get("tariff"), point.at_ns // 1000) for point in told] == [
        ("max", None, minute_us(-600)), ("max", "sharp", minute_us(1)),
    ]  # fmt: skip
