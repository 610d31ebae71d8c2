from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.event_journal import US_PER_DAY, EventJournal, day_files
from gateway.history import Curve, SeriesKey, curves
from tests.gateway.history.day_rows import HOUR, S, days, rate, signal, write
from tests.gateway.journal_rows import DAY, NOON_US, reading

POWER = SeriesKey("reading", "meter-1", "active_power")
MIDNIGHT_US = (DAY + 1) * US_PER_DAY


@settings(max_examples=25, deadline=None)
@given(
    values=st.dictionaries(st.integers(0, 7199), st.integers(-1000, 1000), min_size=1, max_size=80),
    points=st.sampled_from([7200, 1000, 120, 50, 8, 2]),
    sealed=st.booleans(),
)
def test_curves_equal_the_sums_by_hand_over_midnight(
    tmp_path_factory: pytest.TempPathFactory, values: dict[int, int], points: int, *, sealed: bool
) -> None:
    directory = tmp_path_factory.mktemp("curves")
    start_us = MIDNIGHT_US - HOUR
    now_us = start_us + (US_PER_DAY if sealed else 0)  # the first day is over when it is closed
    made = EventJournal(directory, keep_days=9, now_us=lambda: now_us)
    at = [start_us + second * S for second in values]
    assert made.append([{"readings": [reading(us, str(v)) for us, v in zip(at, values.values(), strict=True)]}]) == []
    assert made.append([{"signals": [signal(us, float(v)) for us, v in zip(at, values.values(), strict=True)]}]) == []
    made.close()
    weight = SeriesKey("signal", "scale", "weight")
    answer = curves(days(directory), [POWER, weight], start_us, start_us + 2 * HOUR, points)
    step_s = answer.step_us // S
    wanted: dict[int, list[tuple[int, int]]] = {}
    for second, value in sorted(values.items()):
        wanted.setdefault(second // step_s, []).append((second, value))
    for curve, unit in zip(answer.curves, ("W", "kg"), strict=True):
        assert curve.unit == unit
        assert curve.step == sorted(wanted)
        told = zip(curve.low, curve.high, curve.mean, curve.last, strict=True)
        for (low, high, mean, last), rows in zip(told, (wanted[n] for n in curve.step), strict=True):
            numbers = [value for _, value in rows]
            assert (low, high, last) == (min(numbers), max(numbers), numbers[-1])
            assert mean == pytest.approx(sum(numbers) / len(numbers))
    assert answer.damaged == []


def test_a_late_value_goes_into_the_quarters_of_a_day_that_was_sealed(tmp_path: Path) -> None:
    before_us = NOON_US - US_PER_DAY
    write(tmp_path, readings=[reading(before_us + n * S, str(n)) for n in range(10)])
    with sqlite3.connect(day_files(tmp_path)[0][1]) as connection:
        assert connection.execute("SELECT n, last FROM reading_quarters").fetchall() == [(10, 9.0)]
    connection.close()
    write(tmp_path, readings=[reading(before_us + 60 * S, "-7"), reading(before_us, "0")])
    (curve,) = curves(days(tmp_path), [POWER], before_us - HOUR, before_us + HOUR, 8).curves
    assert (curve.low, curve.high, curve.last) == ([-7.0], [9.0], [-7.0])
    assert curve.mean == [pytest.approx(38 / 11)]


def test_series_that_are_unknown_are_empty_and_the_order_is_kept(tmp_path: Path) -> None:
    write(tmp_path, readings=[reading(NOON_US, "1.5"), reading(NOON_US + 1, None, quantity="voltage")])
    keys = [SeriesKey("reading", "none", "x"), POWER, SeriesKey("reading", "meter-1", "voltage")]
    answer = curves(days(tmp_path), keys, NOON_US - 5, NOON_US + 10 * S)
    assert [curve.key for curve in answer.curves] == keys
    assert [curve.last for curve in answer.curves] == [[], [1.5], []]
    assert answer.from_us == NOON_US - S
    body = msgspec.json.decode(msgspec.json.encode(answer))
    assert body["curves"][1]["step"] == [1]


def test_states_and_weights_are_curves_and_texts_are_not(tmp_path: Path) -> None:
    rows = [signal(NOON_US + n * S, said, name="loop") for n, said in enumerate([True, False, True])]
    write(tmp_path, signals=[*rows, signal(NOON_US, "EXECUTE", name="state")])
    keys = [SeriesKey("signal", "scale", "loop"), SeriesKey("signal", "scale", "state")]
    fine = curves(days(tmp_path), keys, NOON_US, NOON_US + 60 * S)
    assert fine.curves[0].last == [1.0, 0.0, 1.0]
    assert fine.curves[1].last == []
    coarse = curves(days(tmp_path), keys, NOON_US, NOON_US + HOUR, 60)
    assert (coarse.curves[0].low, coarse.curves[0].high) == ([0.0], [1.0])
    assert coarse.curves[0].mean == pytest.approx([2 / 3])


def test_read_rates_are_of_one_antenna_or_of_all(tmp_path: Path) -> None:
    write(
        tmp_path, read_rates=[rate(NOON_US + n * 10 * S, port, 10 * n + int(port)) for n in range(3) for port in "12"]
    )
    one, both, rssi = (
        SeriesKey("read_rate", "gate-1", "reads", antenna_port="2"),
        SeriesKey("read_rate", "gate-1", "reads"),
        SeriesKey("read_rate", "gate-1", "rssi_max_dbm"),
    )
    answer = curves(days(tmp_path), [one, both, rssi], NOON_US, NOON_US + 30 * S, 3)
    assert answer.step_us == 10 * S
    assert [curve.last for curve in answer.curves] == [[2, 12, 22], [3, 23, 43], [-45.0] * 3]
    assert answer.curves[2].unit == "dBm"
    whole = curves(days(tmp_path), [both], NOON_US, NOON_US + 60 * S, 1).curves[0]
    assert (whole.low, whole.high, whole.mean, whole.last) == ([3], [43], [23.0], [43])


def test_a_day_of_the_first_version_is_read_as_it_is_and_completed_when_it_is_written(tmp_path: Path) -> None:
    write(tmp_path, readings=[reading(NOON_US, "4")], signals=[signal(NOON_US, 2.0), signal(NOON_US + S, 6.0)])
    path = day_files(tmp_path)[0][1]
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "DROP TRIGGER signals_to_minutes; DROP TABLE signal_minutes; DROP TRIGGER events_to_presence;"
            "DROP TABLE presence_latest; DROP INDEX events_by_type; DROP INDEX read_rates_by_antenna;"
        )
    connection.close()
    weight = SeriesKey("signal", "scale", "weight")

    def told() -> Curve:
        return curves(days(tmp_path), [weight], NOON_US, NOON_US + HOUR, 60).curves[0]

    assert (told().low, told().high, told().mean, told().last) == ([2.0], [6.0], [4.0], [6.0])
    write(tmp_path, signals=[signal(NOON_US + 2 * S, 1.0)])
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT n, total, last FROM signal_minutes").fetchall() == [(3, 9.0, 1.0)]
    connection.close()
    assert (told().low, told().high, told().mean, told().last) == ([1.0], [6.0], [3.0], [1.0])


@pytest.mark.parametrize(
    ("keys", "span_us", "points", "message"),
    [
        ([], S, 10, "series = 0"),
        ([POWER] * 201, S, 10, "series = 201"),
        ([POWER], S, 0, "points_most = 0"),
        ([POWER] * 200, S, 10_000, "series x points_most = 2000000"),
        ([POWER], 400 * US_PER_DAY, 1000, "at most 366 days apart"),
        ([SeriesKey("read_rate", "d", "reads; DROP TABLE events")], S, 10, "read rates have reads, unique_tags"),
        ([SeriesKey("read_rate", "d", "rssi_mean_dbm")], S, 10, "is of one antenna; name it"),
        ([SeriesKey("reading", "\udfff", "x")], S, 10, "device: holds half a character"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    tmp_path: Path, keys: list[SeriesKey], span_us: int, points: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        curves(days(tmp_path), keys, NOON_US, NOON_US + span_us, points)
