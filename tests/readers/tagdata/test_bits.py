import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.tagdata.bits import BitReader, BitWriter, TagDataError, bits_of_digits

FIELDS = st.lists(
    st.integers(1, 40).flatmap(lambda width: st.tuples(st.integers(0, (1 << width) - 1), st.just(width))), max_size=12
)


@given(FIELDS)
def test_what_is_written_is_read(fields: list[tuple[int, int]]) -> None:
    writer = BitWriter()
    for value, width in fields:
        writer.write(value, width)
    memory = writer.memory()
    assert len(memory) % 2 == 0
    assert 0 <= len(memory) * 8 - writer.width < 16
    reader = BitReader(memory)
    assert [reader.read(width) for _, width in fields] == [value for value, _ in fields]
    assert reader.rest_is_zero()


def test_a_reader_does_not_read_beyond_the_end() -> None:
    reader = BitReader(b"\xab\xcd")
    assert reader.read(12) == 0xABC
    with pytest.raises(TagDataError, match="ends 1 bits before"):
        reader.read(5)
    assert not reader.rest_is_zero()


@pytest.mark.parametrize("memory", [b"\x00", bytes(64)])
def test_a_memory_has_whole_words_and_not_too_many(memory: bytes) -> None:
    with pytest.raises(TagDataError, match="31 at most"):
        BitReader(memory)


def test_a_value_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="8 does not fit into 3 bits"):
        BitWriter().write(8, 3)


def test_digits_need_as_many_bits_as_table_b_says() -> None:
    assert [bits_of_digits(count) for count in (1, 2, 3, 6, 12, 20)] == [4, 7, 10, 20, 40, 67]
