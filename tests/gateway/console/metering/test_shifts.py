from pathlib import Path

import msgspec
import pytest

from gateway.book_tables import BOOK_COLUMNS
from gateway.console.metering.known import KnownMachine
from gateway.console.metering.shifts import machine_books, offline_spans, summed, timeline
from gateway.event_journal import Row
from gateway.history import DeviceState, ProductionRow, StateSpan
from tests.gateway.history.day_rows import HOUR, S, days, signal, told, write
from tests.gateway.journal_rows import NOON_US, event_row

MACHINE = KnownMachine(
    name="warper-1",
    device="loom",
    reader="loom",
    driver="modbus_machine",
    state="machine_state",
    reason="stop_reason",
    counts=[],
    unit="m",
    ideal_rate_per_min=None,
    meter=None,
    calendar=None,
    is_controlled=False,
)
EMPTY = dict.fromkeys(ProductionRow.__struct_fields__)


def row(**values: float | None) -> ProductionRow:
    at_us = NOON_US
    keys = {"at_us": at_us, "machine": "warper-1", "period": "interval", "shift": "", "unit": "m"}
    times = {"from_us": at_us, "to_us": at_us + 300 * S, "planned_s": 300.0, "no_data_s": 0.0}
    return msgspec.convert(EMPTY | keys | times | values, ProductionRow)


def state(at_us: int, name: str, reason: str = "no_answer") -> DeviceState:
    return DeviceState(at_us, "loom", "modbus_machine", name, reason, 0, None)


def test_offline_is_from_the_word_of_it_to_the_next() -> None:
    told_states = [state(2, "online"), state(10, "offline"), state(12, "offline", "x"), state(30, "degraded")]
    told_states += [state(40, "offline"), state(45, "online"), state(90, "offline", "refused")]
    assert offline_spans(told_states, 20, 100) == [
        StateSpan(20, 30, "no_answer"),
        StateSpan(40, 45, "no_answer"),
        StateSpan(90, 100, "refused"),
    ]
    assert offline_spans([state(5, "offline"), state(8, "online")], 20, 100) == []
    assert offline_spans([state(5, "offline")], 20, 100) == [StateSpan(20, 100, "no_answer")]
    assert offline_spans([], 20, 100) == []


def test_a_timeline_has_states_and_when_nobody_watched(tmp_path: Path) -> None:
    said = [
        signal(NOON_US, "execute", device="loom", name="machine_state"),
        signal(NOON_US + 60 * S, "held", device="loom", name="machine_state"),
        signal(NOON_US + 60 * S, "yarn", device="loom", name="stop_reason"),
    ]
    status: list[Row] = [
        ((NOON_US - HOUR) * 1_000, "loom", "modbus_machine", "online", "ok", 0, 0, None),
        ((NOON_US + 90 * S) * 1_000, "loom", "modbus_machine", "offline", "no_answer", 0, 1, None),
    ]
    write(tmp_path, signals=said, device_status=status)
    found = timeline(days(tmp_path), MACHINE, NOON_US, NOON_US + 120 * S)
    assert found.spans == [
        StateSpan(NOON_US, NOON_US + 60 * S, "execute"),
        StateSpan(NOON_US + 60 * S, NOON_US + 120 * S, "held"),
    ]
    assert found.offline == [StateSpan(NOON_US + 90 * S, NOON_US + 120 * S, "no_answer")]
    assert (found.more, found.damaged) == (False, [])


def test_ratios_are_those_of_the_sums() -> None:
    long = row(execute_s=300, stopped_s=0, total=600, good=540, bad=60, ideal_rate_per_min=200, energy_wh=10.0)
    short = row(
        planned_s=100, execute_s=25, stopped_s=50, unknown_s=15, no_data_s=10, total=0, good=0, bad=0, stops=1,
        ideal_rate_per_min=200,
    )  # fmt: skip
    found = summed([long, short])
    assert found.times_s["planned"] == 400
    assert found.availability == pytest.approx(325 / 375)
    assert found.performance == pytest.approx(600 / (200 * 325 / 60))
    assert found.quality == pytest.approx(0.9)
    assert found.oee == pytest.approx(325 / 375 * 600 / (200 * 325 / 60) * 0.9)
    assert (found.stops, found.total, found.good, found.bad) == (1, 600, 540, 60)
    assert found.energy_wh is None


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ({"total": None, "good": 5}, ("performance", "quality", "oee")),
        ({"total": 5, "good": None, "ideal_rate_per_min": 10}, ("quality", "oee")),
        ({"total": 5, "good": 5, "ideal_rate_per_min": None}, ("performance", "oee")),
        ({"total": 0, "good": 0, "ideal_rate_per_min": 10}, ("quality", "oee")),
    ],
)
def test_what_is_not_known_has_no_ratio(values: dict[str, float | None], missing: tuple[str, ...]) -> None:
    found = summed([row(execute_s=60, **values)])
    ratios = ("availability", "performance", "quality", "oee")
    assert [name for name in ratios if getattr(found, name) is None] == list(missing)


def test_time_in_which_nobody_watched_leaves_the_counts_known() -> None:
    dark = row(no_data_s=300.0)
    found = summed([row(execute_s=300, total=10, good=10, ideal_rate_per_min=2), dark])
    assert (found.total, found.availability, found.times_s["no_data"]) == (10, 1, 300)
    assert summed([dark]).availability is None
    assert summed([]).total is None


def test_energy_per_unit_needs_all_of_the_time_covered() -> None:
    covered = {"energy_wh": 50.0, "energy_covered_s": 300.0}
    rows = [row(total=10, **covered), row(total=15, unplanned_total=5, no_data_total=None, **covered)]
    assert summed(rows).energy_per_unit_wh == pytest.approx(100 / 30)
    rows[1].energy_covered_s = 299.0
    assert (summed(rows).energy_per_unit_wh, summed(rows).energy_wh) == (None, 100)


def test_books_have_intervals_shifts_reasons_and_stops(tmp_path: Path) -> None:
    def book(period: str, **values: str | float) -> Row:
        keys: dict[str, str | float] = {
            "machine": "warper-1",
            "period": period,
            "shift": "",
            "unit": "m",
            "at_ns": NOON_US * 1_000,
            **values,
        }
        return tuple(keys.get(column) for column in BOOK_COLUMNS["production"])

    stops = [
        told(1, NOON_US, "machine_stopped", subject="warper-1"),
        told(2, NOON_US + S, "arrived", subject="warper-1"),
    ]
    write(
        tmp_path,
        production=[book("interval", planned_s=300.0, execute_s=150.0, unknown_s=0.0), book("shift", shift="early")],
        machine_stop=[(NOON_US * 1_000, "warper-1", "interval", "", "yarn", 150.0, 2)],
        events=[event_row(each) for each in stops],
    )
    found = machine_books(days(tmp_path), "warper-1", NOON_US, NOON_US + HOUR)
    assert found.sum.availability == 0.5
    assert [each.period for each in found.intervals] == ["interval"]
    assert [each.shift for each in found.shifts] == ["early"]
    assert [(each.reason, each.stood_s, each.stops) for each in found.reasons] == [("yarn", 150, 2)]
    assert [each.type for each in found.stops] == ["machine_stopped"]
    assert (found.more, found.damaged) == ([], [])
