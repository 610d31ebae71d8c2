from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gateway.config.models import RulesSettings
from gateway.contract.batches import MOST_ITEMS, Reading, ReadingBatch, Signal, SignalBatch, StatusBatch
from gateway.contract.measurements import MEASUREMENTS
from rules.outputs import Point
from rules.points import distinct_ns, reading_points, signal_points, status_point
from tests.rules.play import OTHER, Play, site, tag_read, us


def fits(point: Point) -> bool:
    """Whether a point has only tags and fields that its measurement lists, of their types."""
    kinds: dict[str, type | tuple[type, ...]] = {"str": str, "int": int, "bool": bool, "float": (float, Decimal)}
    measurement = MEASUREMENTS[point.measurement]
    return {name for name, _ in point.tags} <= set(measurement.tags) and all(
        isinstance(value, kinds[measurement.fields[name]]) for name, value in point.fields
    )


@given(st.integers(0, 2**50), st.integers(0, 2**40), st.integers(0, MOST_ITEMS - 1), st.integers(0, MOST_ITEMS - 1))
def test_points_of_one_microsecond_have_times_of_their_own(at_us: int, ordinal: int, one: int, other: int) -> None:
    assert distinct_ns(at_us, ordinal, one) // 1000 == at_us
    assert (distinct_ns(at_us, ordinal, one) == distinct_ns(at_us, ordinal, other)) is (one == other)


def test_readings_stay_exact() -> None:
    batch = ReadingBatch(
        gateway="edge-1",
        device="meter-1",
        ordinal=998,
        received_at_us=5,
        readings=[
            Reading("voltage", "1-0:32.7.0*255", Decimal("230.10"), "V", "a", 0, "good", 9),
            Reading("frequency", "1-0:14.7.0*255", None, "Hz", quality="absent"),
            Reading("current", "1-0:31.7.0*255", Decimal("NaN"), "A"),
        ],
    )
    points = reading_points(batch, "harbour")
    assert all(map(fits, points))
    assert [point.at_ns for point in points] == [5998, 5999, 5000]
    assert points[0].tags == (
        ("site", "harbour"), ("meter", "meter-1"), ("quantity", "voltage"), ("unit", "V"), ("phase", "a"),
        ("tariff", "0"),
    )  # fmt: skip
    assert str(dict(points[0].fields)["value"]) == "230.10"
    assert dict(points[1].fields) == {"obis": "1-0:14.7.0*255", "quality": "absent"}
    assert "value" not in dict(points[2].fields)


def test_signals_are_states_numbers_or_texts() -> None:
    signals = [
        Signal("loop", value=True),
        Signal("weight", "12.50", "kg"),
        Signal("mode", "auto"),
        Signal("w", "?", "kg"),
    ]
    batch = SignalBatch(gateway="edge-1", device="scale", received_at_us=5, signals=signals)
    points = signal_points(batch, "harbour")
    assert all(map(fits, points))
    assert [point.fields for point in points] == [
        (("state", True),), (("value", 12.5),), (("text", "auto"),), (("text", "?"),),
    ]  # fmt: skip


def test_a_status_is_a_point() -> None:
    batch = StatusBatch(
        gateway="edge-1",
        device="r",
        received_at_us=5,
        sequence=3,
        state="online",
        reason="proven",
        since_us=1,
        driver="llrp",
    )
    point = status_point(batch, "harbour")
    assert fits(point)
    assert point.at_ns == 5003
    assert "clock_offset_us" not in dict(point.fields)
    batch.clock_offset_us = -7
    assert dict(status_point(batch, "harbour").fields)["clock_offset_us"] == -7


def rates(play: Play) -> list[tuple[int, dict[str, str], dict[str, object]]]:
    return [(p.at_ns, dict(p.tags), dict(p.fields)) for p in play.points if p.measurement == "read_rate"]


def test_read_rates_count_air_reads_tags_and_watched_time() -> None:
    play = Play(site(settings=RulesSettings(read_rate_every_s=10, lateness_s=0.5)))
    play.watch(0.0, "a", "b")
    play.reads(1.0, tag_read(1.0, "a", rssi_dbm=-40.0, count=3), tag_read(1.0, "a", OTHER, -50.0))
    play.reads(4.0, tag_read(4.0, "a", rssi_dbm=-40.0))
    play.watch(4.5, "b")
    play.until(12.0)
    [(at_ns, tags, fields)] = [rate for rate in rates(play) if rate[1]["read_point"] == "a"]
    assert at_ns == us(0) * 1000
    assert tags == {"site": "harbour", "device": "reader-1", "read_point": "a", "antenna_port": "1"}
    assert fields["reads"] == 5
    assert fields["unique_tags"] == 2
    assert fields["watched_s"] == 4.5
    assert fields["rssi_max_dbm"] == -40.0
    assert fields["rssi_mean_dbm"] == -40.9
    assert all(fits(point) for point in play.points)


def test_an_antenna_that_is_watched_and_silent_has_a_rate_of_zero() -> None:
    play = Play(site(settings=RulesSettings(read_rate_every_s=10)))
    play.watch(0.0, "a")
    play.read(1.0, "a")
    play.until(21.0)
    assert [fields["reads"] for _, _, fields in rates(play)] == [1, 0]
    assert rates(play)[1][2] == {"reads": 0, "unique_tags": 0, "watched_s": 10.0}


def test_late_and_weak_reads_are_counted_in_some_interval() -> None:
    play = Play(site(settings=RulesSettings(read_rate_every_s=10)))
    play.watch(0.0, "a")
    play.read(11.0, "a", late_s=9.0)
    play.until(25.0)
    assert sum(int(str(fields["reads"])) for _, _, fields in rates(play)) == 1
