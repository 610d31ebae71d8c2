from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.contract.batches import ReadBatch, TagRead
from rules.presence.reorder import FUTURE_US, MOST_COUNT, SLICE_US, Cell, Reorder, Slice, Source, merge
from rules.state import State
from tests.rules.play import START_US

CLOCK_US = START_US + 10_000_000


def reorder(floors_dbm: dict[str, float] | None = None) -> Reorder:
    return Reorder(State().table("slice", "edge-1", Slice), 500_000, floors_dbm or {}, {})


def batch(*reads: TagRead, sequence: int = 1) -> ReadBatch:
    return ReadBatch(gateway="edge-1", device="r", received_at_us=CLOCK_US, sequence=sequence, reads=list(reads))


READS = st.builds(
    TagRead,
    st.sampled_from(["AA", "BB"]),
    st.just(1),
    st.sampled_from(["p", "q"]),
    st.integers(START_US, START_US + 200_000),
    st.one_of(st.none(), st.integers(-160, -40).map(lambda half: half / 2)),
    st.integers(1, 5),
)


def slices(buffer: Reorder) -> dict[int, object]:
    found: dict[int, object] = {}
    while (index := buffer.waiting()) is not None:
        row = buffer.take(index)
        assert row is not None
        cells = {
            (point, epc): (cell.reads, cell.power, cell.strongest_dbm, cell.first_us, cell.last_us)
            for point, here in row.cells.items()
            for epc, cell in here.items()
        }
        found[index] = cells
    return found


@given(st.lists(READS, max_size=30), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_order_and_slicing_of_reads_make_no_difference(reads: list[TagRead], rng: random.Random) -> None:
    whole, sliced = reorder(), reorder()
    judged = START_US // SLICE_US - 1
    whole.insert(batch(*reads), judged, CLOCK_US)
    shuffled = rng.sample(reads, len(reads))
    while shuffled:
        some = rng.randint(1, len(shuffled))
        sliced.insert(batch(*shuffled[:some]), judged, CLOCK_US)
        del shuffled[:some]
    assert slices(whole) == slices(sliced)


def test_a_slice_is_due_when_the_lateness_window_has_passed_it() -> None:
    buffer = reorder()
    index = START_US // SLICE_US
    assert buffer.due(START_US + SLICE_US + 499_999) == index - 1
    assert buffer.due(START_US + SLICE_US + 500_000) == index


def test_a_late_read_is_counted_and_waits_with_the_next_slice() -> None:
    buffer = reorder()
    judged = CLOCK_US // SLICE_US - 10
    buffer.insert(batch(TagRead("AA", 1, "p", START_US, -50.0, 3)), judged, CLOCK_US)
    assert buffer.late_reads == 1
    row = buffer.take(judged + 1)
    assert row is not None
    [(point, epc, cell)] = row.late
    assert (point, epc, cell.reads, cell.last_us) == ("p", "AA", 3, START_US)


def test_a_read_from_the_future_gets_the_time_of_its_arrival() -> None:
    buffer = reorder()
    buffer.insert(batch(TagRead("AA", 1, "p", CLOCK_US + FUTURE_US + SLICE_US, -50.0)), 0, CLOCK_US)
    assert buffer.future_reads == 1
    row = buffer.take(CLOCK_US // SLICE_US)
    assert row is not None
    assert row.late[0][2].last_us == CLOCK_US


def test_reads_below_the_floor_are_kept_apart() -> None:
    buffer = reorder({"p": -60.0})
    reads = [TagRead("AA", 1, "p", START_US, level) for level in (-61.0, -60.0, None)]
    buffer.insert(batch(*reads, TagRead("AA", 1, "q", START_US, -80.0)), 0, CLOCK_US)
    late = TagRead("BB", 1, "p", START_US - 1_000_000, -70.0)
    buffer.insert(batch(late), START_US // SLICE_US - 1, CLOCK_US)
    row = buffer.take(START_US // SLICE_US)
    assert row is not None
    assert row.cells["p"]["AA"].reads == 2
    assert row.weak["p"]["AA"].reads == 1
    assert row.weak["p"]["BB"].reads == 1
    assert row.cells["q"]["AA"].reads == 1
    assert row.late == []


def test_hostile_numbers_are_bounded() -> None:
    buffer = reorder()
    reads = [
        TagRead("AA", 1, "p", START_US, 1e300, 10**9, -5),
        TagRead("BB", 1, "p", START_US, -1e300, -4),
    ]
    buffer.insert(batch(*reads), 0, CLOCK_US)
    row = buffer.take(START_US // SLICE_US)
    assert row is not None
    assert (row.cells["p"]["AA"].reads, row.cells["p"]["AA"].first_us) == (MOST_COUNT, START_US)
    assert (row.cells["p"]["BB"].reads, row.cells["p"]["BB"].power) == (1, 1)


def test_the_cache_of_powers_is_bounded() -> None:
    buffer = reorder()
    reads = [TagRead("AA", 1, "p", START_US, -50.0 - number / 1000) for number in range(5000)]
    for begin in range(0, 5000, 500):
        buffer.insert(batch(*reads[begin : begin + 500]), 0, CLOCK_US)
    assert len(buffer._powers) <= 4097


def test_the_device_of_an_unknown_read_point_is_learnt() -> None:
    sources: dict[str, Source] = {"p": Source("known", 4)}
    buffer = Reorder(State().table("slice", "edge-1", Slice), 0, {}, sources)
    buffer.insert(batch(TagRead("AA", 2, "p", START_US), TagRead("AA", 3, "q", START_US)), 0, CLOCK_US)
    assert sources == {"p": Source("known", 4), "q": Source("r", 3)}


def test_cells_are_merged() -> None:
    cells: dict[str, Cell] = {}
    merge(cells, "AA", Cell(1, 10, None, 5, 6, 3, 3))
    merge(cells, "AA", Cell(2, 20, -50.0, 4, 9, 1, 4))
    assert cells == {"AA": Cell(3, 30, -50.0, 4, 9, 1, 4)}
