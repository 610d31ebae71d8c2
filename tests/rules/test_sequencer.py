from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.contract.events import Evidence
from rules.item import Item
from rules.sequencer import Due, Sequencer
from rules.state import State, parts_of

LATENESS_US = 500
RESTS = Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=1)


def item(known_us: int, name: str = "") -> Item:
    return Item("read", known_us, known_us, name, "p", is_historical=False, fields={}, evidence=RESTS)


def made(state: State | None = None) -> Sequencer:
    return Sequencer("edge-1", LATENESS_US, state or State())


def taken(sequencer: Sequencer, clock_us: int) -> list[tuple[int, str | Due]]:
    """The moment of each turn, and what is taken then."""
    sequencer.advance(clock_us)
    found = []
    while (each := sequencer.take()) is not None:
        found.append((sequencer.now_us, each if isinstance(each, Due) else each.origin))
    return found


def test_an_item_waits_until_nothing_earlier_can_come() -> None:
    sequencer = made()
    sequencer.put(item(1000, "b"))
    sequencer.put(item(900, "a"))
    assert taken(sequencer, 1399) == []
    assert taken(sequencer, 1400) == [(900, "a")]
    assert taken(sequencer, 3000) == [(1000, "b")]
    assert sequencer.now_us == 2500


def test_equals_come_in_the_order_of_their_arrival_and_before_timers() -> None:
    sequencer = made()
    sequencer.wake(1000, 2, "key")
    sequencer.wake(1000, 1, "key")
    for name in "cab":
        sequencer.put(item(1000, name))
    assert [each for _, each in taken(sequencer, 5000)] == ["c", "a", "b", Due(1000, 1, "key"), Due(1000, 2, "key")]


def test_an_item_that_is_too_late_is_counted_and_taken_now() -> None:
    sequencer = made()
    sequencer.put(item(2000, "a"))
    assert taken(sequencer, 3000) == [(2000, "a")]
    sequencer.put(item(1000, "late"))
    sequencer.put(item(2500, "b"))
    assert sequencer.late == 1
    assert taken(sequencer, 3100) == [(2500, "late"), (2500, "b")]


def test_a_timer_that_is_planned_in_the_past_comes_now() -> None:
    sequencer = made()
    assert taken(sequencer, 3000) == []
    sequencer.wake(100, 0, "key")
    assert taken(sequencer, 3001) == [(2500, Due(100, 0, "key"))]


def test_what_is_made_in_a_turn_is_taken_before_what_is_later() -> None:
    sequencer = made()
    for at_us in (1000, 2000):
        sequencer.put(item(at_us, str(at_us)))
    sequencer.advance(5000)
    first = sequencer.take()
    assert isinstance(first, Item)
    sequencer.put(item(1000, "made of it"))
    assert [each for _, each in taken(sequencer, 5000)] == ["made of it", "2000"]
    assert sequencer.late == 0


def test_a_clock_that_was_set_back_moves_all_of_it() -> None:
    sequencer = made()
    taken(sequencer, 10_000)
    sequencer.put(item(9_800, "a"))
    sequencer.wake(9_900, 0, "key")
    sequencer.set_back(5_000)
    assert sequencer.now_us == 4_500
    assert taken(sequencer, 5_400) == [(4_800, "a"), (4_900, Due(4_900, 0, "key"))]
    assert not sequencer.rows.rows


def test_timers_are_forgotten_and_items_are_not() -> None:
    sequencer = made()
    sequencer.put(item(1000, "a"))
    sequencer.wake(900, 0, "key")
    sequencer.forget_timers()
    assert taken(sequencer, 5000) == [(1000, "a")]


Step = tuple[int, list[int]]
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(st.integers(1, 700), st.lists(st.integers(-1500, 0), max_size=4)), max_size=30
)


@given(STEPS, st.sets(st.integers(0, 30)))
@settings(max_examples=60, deadline=None)
def test_the_order_is_that_of_time_through_restarts(steps: list[Step], restarts: set[int]) -> None:
    """Against a list that is sorted: what was in time comes in the order of time, and nothing is lost or doubled."""
    state, stored = State(), dict[str, bytes]()
    sequencer = made(state)
    clock_us, given_items = 10_000, list[tuple[int, str]]()
    turns: list[tuple[int, str | Due]] = []
    late = 0
    for number, (passed_us, backs_us) in enumerate(steps):
        clock_us += passed_us
        for back_us in backs_us:
            name = f"{len(given_items)}"
            late += clock_us + back_us < sequencer.now_us
            sequencer.put(item(clock_us + back_us, name))
            given_items.append((clock_us + back_us, name))
        turns += taken(sequencer, clock_us)
        if number in restarts:
            for key, value in state.changes():
                stored.pop(key, None) if value is None else stored.update({key: value})
            state = State()
            sequencer = made(state)
            for key, value in sorted(stored.items(), reverse=True):
                sequencer.rows.load(parts_of(key)[2], value)
            sequencer.restore(clock_us)
    turns += taken(sequencer, clock_us + LATENESS_US)
    assert all(one[0] <= two[0] for one, two in pairwise(turns))
    assert sorted(str(name) for _, name in turns) == sorted(name for _, name in given_items)
    if not late:
        in_order = sorted(given_items, key=lambda each: each[0])  # stable: equals as they came
        assert [(moment_us, name) for moment_us, name in turns] == in_order
