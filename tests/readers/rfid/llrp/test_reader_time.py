from __future__ import annotations

from readers.rfid.llrp.reader_time import LATEST_US, ReaderTime

S = 1_000_000
T0 = 1_767_225_600 * S


def started(offset_us: int = 0, batching_us: int = 0) -> ReaderTime:
    time = ReaderTime(batching_us)
    time.event(T0 - offset_us, T0)
    return time


def test_the_first_event_sets_the_offset() -> None:
    assert started(3_600 * S).offset_us == 3_600 * S


def test_fresh_reports_refine_it_and_never_raise_it_at_once() -> None:
    time = started(5_000)
    assert time.newest(T0 + S - 2_000, T0 + S) == 2_000
    assert time.newest(T0 + 2 * S - 900_000, T0 + 2 * S) <= 2_200


def test_a_backlog_does_not_disturb_it() -> None:
    time = started(1_000)
    for minute in range(600):
        arrived = T0 + minute * 10_000
        assert time.newest(T0 - 600 * S + minute * S, arrived) <= 1_100
    assert time.steps == 0


def test_a_clock_that_was_set_forward_is_followed_when_the_difference_stays() -> None:
    time = started(1_000)
    offsets = [time.newest(T0 + tenth * S // 10 + 3_600 * S, T0 + tenth * S // 10) for tenth in range(100)]
    assert min(offsets[:50]) >= 0
    assert offsets[-1] == -3_600 * S
    assert time.steps == 1


def test_damaged_times_are_not_followed_however_many() -> None:
    time = started(1_000)
    for tenth in range(1, 200):
        now = T0 + tenth * S // 10
        time.newest(now ^ (1 << (30 + tenth % 20)), now)
        assert time.newest(now - 1_000, now) <= 1_100
    assert time.steps == 0


def test_nobody_hears_the_future() -> None:
    assert started(5_000).latest_us(T0 + S) - (T0 + S) < 3 * S


def test_a_clock_that_was_set_back_is_followed_when_the_delay_stays() -> None:
    time = started(1_000)
    offsets = [time.newest(T0 + tenth * S // 10 - 3_600 * S, T0 + tenth * S // 10) for tenth in range(100)]
    assert max(offsets[:50]) < 2_000
    assert offsets[-1] == 3_600 * S
    assert time.steps == 1


def test_long_batches_count_as_fresh_where_long_batches_were_asked_for() -> None:
    assert started(1_000, batching_us=60 * S).newest(T0 + S, T0 + 61 * S) < 10_000
    time = started(1_000, batching_us=60 * S)
    for minute in range(1, 30):
        assert time.newest(T0 + 60 * (minute - 1) * S, T0 + 60 * minute * S) < 200_000


def test_uptime_is_pinned_by_the_first_that_is_seen() -> None:
    time = ReaderTime()
    assert time.from_uptime(7 * S, T0) == T0
    assert time.from_uptime(8 * S, T0 + 99 * S) == T0 + S
    assert time.uptime_base_us(9 * S, T0 + 99 * S) == T0 - 7 * S


def test_without_an_event_the_first_report_sets_the_offset() -> None:
    assert ReaderTime().newest(T0, T0 + 40_000) == 40_000


def test_times_that_are_none_are_ignored() -> None:
    time = started(1_000)
    time.event(LATEST_US + 1, T0)
    assert time.newest(LATEST_US + 1, T0) == 1_000
    assert time.newest(-1, T0) == 1_000
