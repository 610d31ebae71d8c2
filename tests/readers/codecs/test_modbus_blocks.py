from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.modbus import Function
from readers.codecs.modbus_blocks import Block, Limits, Span, merge, split

H, IN, COILS = Function.READ_HOLDING_REGISTERS, Function.READ_INPUT_REGISTERS, Function.READ_COILS
SPANS = st.lists(st.builds(Span, st.sampled_from([H, IN, COILS]), st.integers(0, 300), st.integers(1, 4)), max_size=30)
LIMITS = st.builds(
    Limits,
    st.integers(4, 125),
    st.integers(0, 20),
    st.lists(st.builds(lambda at, count: range(at, at + count), st.integers(0, 300), st.integers(1, 9))).map(tuple),
)


def ends(blocks: list[Block]) -> list[tuple[int, int]]:
    return [(block.span.address, block.span.end) for block in blocks]


def test_neighbours_and_small_gaps_become_one_request() -> None:
    wanted = [Span(H, 10, 2), Span(H, 0, 2), Span(H, 2, 2), Span(IN, 4, 2)]
    assert ends(merge(wanted, Limits())) == [(0, 4), (10, 12), (4, 6)]
    assert ends(merge(wanted, Limits(gap=6))) == [(0, 12), (4, 6)]


def test_no_request_is_longer_than_the_device_takes() -> None:
    assert ends(merge([Span(H, at, 2) for at in range(0, 12, 2)], Limits(most=6))) == [(0, 6), (6, 12)]


def test_bits_are_not_bound_by_registers() -> None:
    assert ends(merge([Span(COILS, at) for at in range(300)], Limits(most=10))) == [(0, 300)]


def test_forbidden_registers_are_not_read_along() -> None:
    wanted = [Span(H, 0, 2), Span(H, 6, 2)]
    assert ends(merge(wanted, Limits(gap=10, forbidden=(range(3, 4),)))) == [(0, 2), (6, 8)]
    assert ends(merge(wanted, Limits(gap=10, forbidden=(range(8, 9),)))) == [(0, 8)]


@given(SPANS, LIMITS)
def test_everything_wanted_is_read_once_and_nothing_forbidden_along(wanted: list[Span], limits: Limits) -> None:
    blocks = merge(wanted, limits)
    assert sorted(part for block in blocks for part in block.parts) == sorted(set(wanted))
    for block in blocks:
        assert all(part.address >= block.span.address and part.end <= block.span.end for part in block.parts)
        read_along = set(range(block.span.address, block.span.end))
        read_along -= {address for part in block.parts for address in range(part.address, part.end)}
        assert not any(address in forbidden for address in read_along for forbidden in limits.forbidden)


@given(SPANS, LIMITS)
def test_splitting_ends_with_single_runs(wanted: list[Span], limits: Limits) -> None:
    for block in merge(wanted, limits):
        todo, single = [block], []
        while todo:
            one = todo.pop()
            smaller = split(one)
            assert sorted(part for each in smaller for part in each.parts) == (list(one.parts) if smaller else [])
            todo += smaller
            single += [] if smaller else [one.span]
        assert sorted(single) == sorted(block.parts)


def test_a_block_is_split_at_its_gaps_and_then_in_halves() -> None:
    (block,) = merge([Span(H, 0, 2), Span(H, 2, 2), Span(H, 8, 2)], Limits(gap=10))
    assert ends(split(block)) == [(0, 4), (8, 10)]
    assert ends(split(split(block)[0])) == [(0, 2), (2, 4)]


def test_spans_are_told_in_words() -> None:
    assert str(Span(H, 7)) == "holding registers 7"
    assert str(Span(IN, 7, 3)) == "input registers 7 to 9"
