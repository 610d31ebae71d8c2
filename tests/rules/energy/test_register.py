from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from decimal import Decimal

import msgspec
import pytest

from rules.energy.grid import US_PER_MIN, Grid
from rules.energy.register import Register
from rules.energy.row import Reason, RegisterRow, Terms
from rules.energy.segment import Quality

US_PER_DAY = 86_400_000_000
TERMS = Terms(
    grid=Grid(15, UTC),
    gap_us=20 * US_PER_MIN,
    settle_us=3 * 60 * US_PER_MIN,
    backfill_us=7 * US_PER_DAY,
    rated=None,
    full_scale=Decimal(1_000_000_000),
    multiplier=Decimal(1),
)
RATED = replace(TERMS, rated=100_000.0)


class Case:
    """One register, in minutes and kWh; its events and the last word on each interval."""

    def __init__(self, minute: float, kwh: str, terms: Terms = TERMS) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []
        self.register = Register.opened(us(minute), Decimal(kwh) * 1000, terms, self.tell)
        self.table: dict[tuple[str, int], tuple[int, Quality]] = {}

    def tell(self, kind: str, at_us: int, fields: Mapping[str, object]) -> None:
        self.events.append((kind, {"at": at_us / US_PER_MIN, **fields}))

    def read(self, minute: float, kwh: str) -> None:
        self.register.read(us(minute), Decimal(kwh) * 1000)
        self.take()

    def record(self, minute: float, kwh: str) -> None:
        self.register.record(us(minute), Decimal(kwh) * 1000)
        self.take()

    def take(self) -> None:
        for segment, entry in self.register.entries:
            self.table[segment.label, entry.number] = (entry.after - entry.before, entry.quality)
        self.register.entries.clear()
        assert self.register.is_balanced()
        assert self.register.is_sound

    def again(self, terms: Terms) -> None:
        """Another life, from what was kept."""
        row = msgspec.msgpack.decode(msgspec.msgpack.encode(self.register.row), type=RegisterRow)
        self.register = Register(row, terms, self.tell)
        self.take()

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.events]

    @property
    def kwh(self) -> Decimal:
        """What is booked and what is open, of all segments."""
        booked = self.register.amount_of(sum(steps for steps, _ in self.table.values()))
        return (booked + self.register.amount_of(self.register.open.open_steps(TERMS.grid))) / 1000


def us(minute: float) -> int:
    return round(minute * US_PER_MIN)


def test_a_register_that_counts_on() -> None:
    case = Case(0, "100.00")
    for minute in range(1, 61):
        case.read(minute, f"{100 + minute / 10:.2f}")
    assert case.kwh == Decimal("6.00")
    assert [steps for steps, _ in case.table.values()] == [150, 150, 150, 150]
    assert case.events == []


def test_a_reset_is_told_at_once_and_decided_by_the_next_reading() -> None:
    case = Case(0, "5000.00")
    case.read(5, "5001.00")
    case.read(6, "0.02")
    assert case.kinds == ["register_decreased"]
    assert case.events[0][1] == {"at": 6.0, "before": 5_001_000.0, "after": 20.0, "elapsed_s": 60.0}
    assert case.kwh == 1
    case.read(7, "0.05")
    assert case.kinds == ["register_decreased", "segment_opened"]
    told = case.events[1][1]
    assert (told["reason"], told["closing"], told["opening"]) == ("register_decreased", 5_001_000.0, 20.0)
    case.read(20, "1.02")
    assert case.kwh == Decimal("2.00")
    assert len({label for label, _ in case.table}) == 2


@pytest.mark.parametrize("terms", [TERMS, RATED])
def test_one_reading_of_nothing_bills_nothing(terms: Terms) -> None:
    case = Case(0, "5000.00", terms)
    case.read(5, "5001.00")
    case.read(6, "0.00")
    case.read(7, "5001.50")
    assert case.kinds == ["register_decreased", "register_returned"]
    case.read(16, "5002.00")
    assert case.kwh == 2
    assert len(case.register.row.segments) == 1


def test_one_reading_of_too_much_bills_nothing_where_the_rating_is_known() -> None:
    case = Case(0, "5000.00", RATED)
    case.read(5, "5001.00")
    case.read(6, "700000.00")
    assert case.kinds == ["register_jumped"]
    case.read(7, "5001.50")
    assert case.kinds == ["register_jumped", "register_returned"]
    assert case.kwh == Decimal("1.50")


def test_a_jump_that_stays_is_booked_and_marked() -> None:
    case = Case(0, "5000.00", RATED)
    case.read(14, "5001.00")
    case.read(16, "6000.00")
    case.read(17, "6000.50")
    case.read(31, "6001.00")
    assert case.kinds == ["register_jumped"]
    assert case.kwh == 1001
    assert [quality for _, quality in case.table.values()] == [Quality.SUSPECT, Quality.SUSPECT]


def test_a_jump_that_jumps_on_waits_on() -> None:
    case = Case(0, "5000.00", RATED)
    case.read(1, "6000.00")
    case.read(2, "7000.00")
    assert case.kwh == 0
    case.read(3, "10.00")
    assert case.kinds == ["register_jumped", "register_decreased"]
    case.read(4, "9000.00")
    assert case.kinds[-1] == "register_jumped"
    case.read(5, "9000.10")
    assert case.kwh == Decimal("4000.10")


def test_a_register_that_falls_on_is_told_once() -> None:
    case = Case(0, "5000.00")
    for minute, kwh in ((1, "300.00"), (2, "200.00"), (3, "100.00"), (4, "100.50")):
        case.read(minute, kwh)
    assert case.kinds == ["register_decreased", "segment_opened"]
    assert case.events[-1][1]["opening"] == 100_000.0
    assert case.kwh == Decimal("0.50")


def test_roll_over_at_once_where_the_rating_makes_it_plausible() -> None:
    case = Case(0, "999999.50", RATED)
    case.read(1, "999999.99")
    case.read(2, "0.49")
    assert case.kinds == ["register_rolled_over"]
    assert case.events[0][1]["before"] == 999_999_990.0
    assert case.kwh == Decimal("0.99")
    case.read(16, "1.00")
    case.read(30, "1.50")
    assert case.kwh == Decimal("2.00")
    assert case.register.value_of(case.register.open.last.steps, case.register.open) == 1500


def test_roll_over_without_a_rating_takes_two_readings() -> None:
    case = Case(0, "999999.50")
    case.read(1, "0.49")
    assert case.kinds == ["register_decreased"]
    case.read(2, "0.59")
    assert case.kinds == ["register_decreased", "register_rolled_over"]
    assert case.kwh == Decimal("1.09")


def test_twice_around() -> None:
    case = Case(0, "980000.00", replace(TERMS, rated=1e11))
    case.read(1, "10000.00")
    case.read(2, "990000.00")
    case.read(3, "5000.00")
    assert case.kinds == ["register_rolled_over"] * 2
    assert case.kwh == 1_025_000


@pytest.mark.parametrize(
    ("before", "after", "terms"),
    [
        ("899999.99", "0.10", TERMS),  # not near its full scale
        ("999999.50", "100000.00", TERMS),  # not near its beginning
        ("999999.50", "50.00", RATED),  # more than the connection carries in a minute
        ("999999.50", "0.50", replace(TERMS, full_scale=Decimal(10**15))),
    ],
)
def test_no_roll_over(before: str, after: str, terms: Terms) -> None:
    case = Case(0, before, terms)
    case.read(1, after)
    case.read(2, str(Decimal(after) + 1))
    assert case.kinds == ["register_decreased", "segment_opened"]
    assert case.kwh == 1


def test_a_gap_is_told_when_it_closes() -> None:
    case = Case(0, "100.00")
    case.read(5, "101.00")
    case.read(65, "161.00")
    assert case.events == [
        ("energy_gap", {"at": 65.0, "from_us": us(5), "to_us": us(65), "elapsed_s": 3600.0, "energy": 60_000.0})
    ]
    assert [quality for _, quality in case.table.values()] == [Quality.GAP] * 4


def test_records_correct_what_was_told() -> None:
    case = Case(0, "100.00")
    case.read(5, "101.00")
    case.read(65, "161.00")
    for minute, kwh in ((45, "120.00"), (15, "110.00"), (30, "111.00"), (60, "160.00")):
        case.record(minute, kwh)
    assert [steps for steps, _ in case.table.values()] == [1000, 100, 900, 4000]
    assert {quality for _, quality in case.table.values()} == {Quality.BACKFILLED}
    assert case.register.refused == 0
    case.record(40, "50.00")
    case.record(-60, "10.00")
    assert case.register.refused == 2
    case.record(45, "120.00")
    assert case.register.refused == 2


def test_records_that_come_before_the_first_reading_after_a_gap() -> None:
    case = Case(0, "100.00", RATED)
    case.read(5, "101.00")
    for minute in (15, 30, 45, 60):
        case.record(minute, f"{100 + minute}.00")
    case.record(75, "99.00")
    case.record(75, "9999.00")
    assert case.register.refused == 2
    case.read(65, "165.00")
    assert case.kinds == []
    assert [steps for steps, _ in case.table.values()] == [1500] * 4


def test_a_record_of_an_estimated_boundary_makes_it_exact() -> None:
    case = Case(0, "100.00")
    case.read(14.5, "114.50")
    case.read(15.5, "115.50")
    case.read(30, "130.00")
    assert [steps for steps, _ in case.table.values()] == [1500, 1500]
    case.record(15, "114.80")
    assert [steps for steps, _ in case.table.values()] == [1480, 1520]
    assert [quality for _, quality in case.table.values()] == [Quality.BACKFILLED] * 2


def test_records_around_a_reset_in_a_gap_belong_to_the_segment_that_they_fit() -> None:
    case = Case(0, "5000.00")
    case.read(5, "5001.00")
    case.read(125, "50.00")
    case.read(126, "50.10")
    assert case.kwh == Decimal("1.10")
    for minute, kwh in ((15, "5002.00"), (30, "5005.00"), (60, "5.00"), (45, "0.50"), (75, "20.00"), (120, "49.00")):
        case.record(minute, kwh)
    assert case.register.refused == 0
    assert case.kwh == Decimal("5.00") + Decimal("49.60")
    case.record(40, "2000.00")
    assert case.register.refused == 1


def test_records_around_a_roll_over() -> None:
    case = Case(0, "999990.00", replace(TERMS, rated=1e8))
    case.read(5, "999991.00")
    case.read(65, "50.00")
    for minute, kwh in ((15, "999995.00"), (30, "0.00"), (45, "5.00"), (60, "49.00")):
        case.record(minute, kwh)
    assert case.register.refused == 0
    assert [steps for steps, _ in case.table.values()] == [500, 500, 500, 4400]


def test_records_around_a_reset_of_a_register_that_had_rolled_over() -> None:
    case = Case(0, "999999.00", replace(TERMS, rated=1e6))
    case.read(5, "1.00")
    case.read(125, "0.50")
    case.read(126, "0.60")
    for minute, kwh in ((15, "3.00"), (30, "5.00"), (120, "0.20")):
        case.record(minute, kwh)
    assert case.register.refused == 0
    assert case.kwh == Decimal("6.00") + Decimal("0.40")


def test_a_segment_that_ends_at_a_boundary_leaves_no_empty_row() -> None:
    case = Case(0, "100.00")
    case.read(15, "115.00")
    case.register.open_at_next(Reason.SWAPPED)
    case.read(15.5, "0.00")
    assert list(case.table.values()) == [(1500, Quality.MEASURED)]


def test_another_meter_opens_a_segment_with_its_first_reading() -> None:
    case = Case(0, "5000.00")
    case.read(5, "5001.00")
    case.register.open_at_next(Reason.SWAPPED)
    case.record(10, "5002.00")
    assert case.register.refused == 1
    case.read(20, "7000.00")
    case.read(40, "7001.00")
    assert case.kinds == ["segment_opened"]
    assert case.events[0][1]["reason"] == "meter_swapped"
    assert case.kwh == 2


def test_a_lower_reading_before_the_new_serial_number_was_the_new_meter() -> None:
    case = Case(0, "5000.00")
    case.read(6, "3.00")
    case.register.open_at_next(Reason.SWAPPED)
    case.take()
    case.read(7, "4.00")
    assert case.kinds == ["register_decreased", "segment_opened"]
    assert case.events[1][1]["opening"] == 3000.0
    assert case.kwh == 1


def test_a_clock_that_was_set_back_loses_nothing() -> None:
    case = Case(600, "100.00")
    case.read(605, "105.00")
    case.register.set_back(us(600))
    case.take()
    case.read(6, "106.00")
    case.read(16, "116.00")
    assert case.kwh == 16
    assert case.events[0][1]["reason"] == "clock_set_back"
    assert len({label for label, _ in case.table}) == 2


def test_a_clock_that_was_set_back_while_an_odd_reading_waits() -> None:
    case = Case(600, "100.00")
    case.read(605, "5.00")
    case.register.set_back(us(600))
    case.take()
    case.read(6, "6.00")
    assert case.register.row.odd is None
    assert case.kinds[-1] == "segment_opened"
    assert case.kwh == 1


def test_readings_that_step_back_a_little_count_at_the_latest_time() -> None:
    case = Case(0, "100.00")
    case.read(14.99, "101.00")
    case.read(14.5, "102.00")
    case.read(15, "103.00")
    assert case.kwh == 3


def test_finer_values_make_all_steps_finer() -> None:
    case = Case(0, "999999.98", RATED)
    assert case.register.row.exponent == 1
    case.read(1, "999999.985")
    assert case.register.row.exponent == 0
    case.read(2, "999999.9999")
    assert case.register.row.exponent == -1
    case.read(3, "0.0001")
    assert case.kinds == ["register_rolled_over"]
    assert case.kwh == Decimal("0.0201")
    case.read(4, "1E-9")
    case.read(5, "0.00000000001")
    assert case.register.row.exponent == -6


def test_finer_values_while_an_odd_reading_waits() -> None:
    case = Case(0, "100.00")
    case.read(1, "10.00")
    case.read(2, "10.001")
    assert case.kwh == Decimal("0.001")


def test_another_ratio_in_the_site_file_goes_on_from_the_last_reading() -> None:
    case = Case(0, "100.00")
    case.read(20, "120.00")
    case.again(replace(TERMS, multiplier=Decimal(120)))
    assert case.events[0][1]["reason"] == "ratio_changed"
    case.read(40, "140.00")
    assert [segment.multiplier for segment in case.register.row.segments] == ["1", "120"]
    assert case.kwh == 40
    assert case.events[0][1]["opening"] == 120_000.0


def test_other_intervals_in_the_site_file_go_on_from_the_last_reading() -> None:
    case = Case(0, "100.00")
    case.read(40, "140.00")
    hourly = replace(TERMS, grid=Grid(60, UTC))
    before = case.kwh
    row = msgspec.msgpack.decode(msgspec.msgpack.encode(case.register.row), type=RegisterRow)
    case.register = Register(row, hourly, case.tell)
    assert [(entry.start_us, entry.after - entry.before) for _, entry in case.register.entries] == [(us(30), 1000)]
    case.take()
    assert before == 40
    case.read(61, "161.00")
    assert case.events[1][1]["reason"] == "interval_changed"
    assert case.register.open.is_balanced(hourly.grid)
    assert case.register.is_balanced()


def test_old_segments_are_let_go() -> None:
    case = Case(0, "0.00")
    for number in range(1, 20):
        case.register.open_at_next(Reason.SWAPPED)
        case.read(number, f"{number}.00")
    assert len(case.register.row.segments) == 8
    case.read(8 * 1440, "100.00")
    assert len(case.register.row.segments) == 1


def test_a_reading_at_the_same_time_twice() -> None:
    case = Case(0, "100.00")
    case.read(0, "100.00")
    case.read(0, "100.10")
    case.read(15, "101.00")
    assert case.kwh == 1
