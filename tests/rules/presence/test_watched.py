from __future__ import annotations

from rules.presence.watched import GAP_US, KEPT_US, MOST_NAMES, NOTHING, Watched, joint

S = 1_000_000


def started(at_us: int = 10 * S, *points: str) -> Watched:
    watched = Watched()
    watched.advance(at_us, is_broken=False)
    watched.all_now(points)
    return watched


def test_time_counts_for_what_was_watched_when_it_began() -> None:
    watched = started(10 * S, "a")
    watched.advance(11 * S, is_broken=False)
    watched.state("reader", ["b"], is_offline=False)
    watched.advance(13 * S, is_broken=False)
    assert (watched.watched_us("a"), watched.watched_us("b"), watched.watched_us("c")) == (3 * S, 2 * S, 0)


def test_a_status_replaces_what_its_device_watched_and_nothing_else() -> None:
    watched = started()
    watched.state("one", ["a", "b"], is_offline=False)
    watched.state("two", ["c"], is_offline=False)
    watched.state("one", ["b"], is_offline=False)
    assert watched.row.now == {"b", "c"}
    watched.state("two", [], is_offline=True)
    assert watched.row.now == {"b"}
    assert watched.row.offline == {"two"}


def test_a_gateway_that_was_silent_watched_nothing() -> None:
    watched = started(10 * S, "a")
    watched.advance(10 * S + GAP_US + 1, is_broken=False)
    assert watched.watched_us("a") == 0
    assert watched.row.alive_us == 0
    watched.advance(15 * S, is_broken=False)
    assert watched.watched_us("a") == 15 * S - 10 * S - GAP_US - 1


def test_a_missing_batch_means_that_nobody_knows() -> None:
    watched = started(10 * S, "a")
    watched.advance(11 * S, is_broken=True)
    assert watched.watched_us("a") == 0
    assert watched.during(10 * S, 11 * S) == NOTHING


def test_a_slice_is_watched_from_beginning_to_end_or_not_at_all() -> None:
    watched = started(10 * S, "a", "b")
    watched.advance(11 * S, is_broken=False)
    watched.all_now(["a"])
    watched.advance(12 * S, is_broken=False)
    assert watched.during(10 * S, 11 * S) == {"a", "b"}
    assert watched.during(10 * S + 500_000, 11 * S + 500_000) == {"a"}
    assert watched.during(11 * S, 12 * S) == {"a"}
    assert watched.during(9 * S, 10 * S) == NOTHING


def test_what_is_behind_is_let_go() -> None:
    watched = started(0, "a")
    for second in range(1, 100):
        watched.advance(second * S, is_broken=False)
        watched.all_now(["a"] if second % 2 else ["b"])
        watched.during((second - 1) * S, second * S)
    assert len(watched.row.spans) <= KEPT_US // S + 2  # what is kept, what is judged now, and the next


def test_the_clock_never_goes_back() -> None:
    watched = started(10 * S, "a")
    watched.advance(9 * S, is_broken=False)
    assert watched.row.clock_us == 10 * S


def test_darkness_is_skipped_to_its_end() -> None:
    watched = started(10 * S, "a")
    watched.advance(100 * S, is_broken=False)
    watched.advance(101 * S, is_broken=False)
    assert watched.dark_until(20 * S) == 100 * S
    assert watched.dark_until(100 * S) == 100 * S
    assert watched.dark_until(200 * S) == 200 * S


def test_saving_in_between_changes_nothing() -> None:
    one, other = started(10 * S, "a"), started(10 * S, "a")
    for second in (11, 12, 20, 21):
        one.advance(second * S, is_broken=False)
        other.advance(second * S, is_broken=False)
        other = Watched(other.save())
    assert one.watched_us("a") == other.watched_us("a") == 3 * S


def test_names_without_end_are_not_believed_and_fill_no_memory() -> None:
    watched = Watched()
    for turn in range(5):
        watched.advance(1_000_000 * (turn + 1), is_broken=False)
        watched.all_now([f"p{turn}-{n}" for n in range(MOST_NAMES)])
    watched.all_now([f"q{n}" for n in range(MOST_NAMES + 1)])
    assert watched.row.now == frozenset(f"p4-{n}" for n in range(MOST_NAMES))
    assert len(watched.row.totals) <= 3 * MOST_NAMES
    for n in range(MOST_NAMES + 5):
        watched.state(f"device-{n}", (), is_offline=True)
    assert len(watched.row.devices) == len(watched.row.offline) == MOST_NAMES


def test_names_that_are_joint_are_one_name_whatever_their_order() -> None:
    assert joint(["b", "a", "b"]) == "a+b"
    assert joint(["a"]) == "a"
    assert joint([]) == ""


def test_joint_time_counts_while_all_of_them_are_watched() -> None:
    both = frozenset({"a", "b"})
    watched = Watched(together=[both, frozenset({"a"})])
    names = joint(both)
    watched.advance(10 * S, is_broken=False)
    for second, now in ((11, ["a"]), (12, ["b", "a", "c"]), (14, ["b"]), (16, ["a", "b"]), (17, [])):
        watched.advance(second * S, is_broken=False)
        watched.all_now(now)
    watched.advance(19 * S, is_broken=False)
    assert watched.watched_us(names) == 3 * S
    assert [watched.counted_at(names, at * S) // S for at in range(10, 20)] == [0, 0, 0, 1, 2, 2, 2, 3, 3, 3]
    assert [watched.counted_at("a", at * S) // S for at in range(10, 20)] == [0, 0, 1, 2, 3, 3, 3, 4, 4, 4]
    again = Watched(watched.save(), [both])
    assert again.watched_us(names) == 3 * S
    assert again.counted_at(names, 13 * S) == S


def test_the_time_alive_is_counted_up_to_any_recent_instant() -> None:
    watched = started(10 * S, "a")
    watched.advance(12 * S, is_broken=False)
    watched.advance(20 * S, is_broken=False)
    watched.advance(21 * S, is_broken=False)
    assert [watched.counted_at("", at * S) // S for at in (10, 11, 12, 15, 20, 21)] == [0, 1, 2, 2, 2, 3]
    assert [watched.counted_at("a", at * S) // S for at in (10, 11, 12, 15, 20, 21)] == [0, 1, 2, 2, 2, 3]


def test_an_instant_before_what_is_kept_counts_as_the_earliest_that_is() -> None:
    watched = started(10 * S)
    for second in range(11, 100):
        watched.advance(second * S, is_broken=False)
        watched.all_now(["a"] if second % 2 else [])
        watched.during(second * S - S, second * S)
    earliest_us = watched.row.spans[0].from_us
    assert earliest_us <= 99 * S - KEPT_US
    assert watched.counted_at("a", earliest_us - 5 * S) == watched.counted_at("a", earliest_us)


def test_all_of_a_step_is_there_until_the_clock_moves_on() -> None:
    """A gateway was dead for an hour; what is judged of the time before asks for the time before."""
    watched = started(10 * S, "a")
    watched.advance(12 * S, is_broken=False)
    watched.advance(3600 * S, is_broken=False)
    watched.during(3590 * S, 3591 * S)
    assert [watched.counted_at("a", at * S) // S for at in (11, 12, 100)] == [1, 2, 2]
    watched.advance(3601 * S, is_broken=False)
    assert watched.row.spans[0].from_us == 12 * S


def test_who_has_ever_watched_them() -> None:
    watched = Watched(together=[frozenset({"a", "b"})])
    watched.advance(10 * S, is_broken=False)
    watched.all_now(["a"])
    watched.advance(11 * S, is_broken=False)
    watched.all_now([])
    assert [watched.has_watched(names) for names in ("a", "b", "a+b", "")] == [True, False, False, False]
    watched.all_now(["a", "b"])
    assert watched.has_watched("a+b")


def test_other_names_that_are_joint_are_counted_from_then_on() -> None:
    watched = started(10 * S, "a", "b", "c")
    watched.advance(12 * S, is_broken=False)
    watched.count_together([frozenset({"a", "b"})])
    watched.advance(13 * S, is_broken=False)
    assert (watched.watched_us("a+b"), watched.watched_us("a")) == (S, 3 * S)


def test_a_clock_that_was_set_back_takes_counted_time_with_it() -> None:
    watched = started(100 * S, "a")
    watched.advance(102 * S, is_broken=False)
    watched.set_back(50 * S)
    watched.advance(53 * S, is_broken=True)
    watched.advance(54 * S, is_broken=False)
    assert [watched.counted_at("a", at * S) // S for at in (50, 51, 52, 53, 54)] == [0, 1, 2, 2, 3]
