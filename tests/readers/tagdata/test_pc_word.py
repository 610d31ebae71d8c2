import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.tagdata.pc_word import PcWord


@given(st.integers(0, 0xFFFF))
def test_a_word_is_taken_apart_and_put_together(pc_bits: int) -> None:
    assert PcWord.of(pc_bits).bits == pc_bits


def test_the_fields_of_a_word() -> None:
    assert PcWord.of(0x3400) == PcWord(6, toggle=False, user_memory=True)
    assert PcWord.of(0x29A9) == PcWord(5, toggle=True, low_byte=0xA9)
    assert PcWord.of(0x29A9).afi == 0xA9
    assert PcWord.of(0x3001).afi is None


@pytest.mark.parametrize("pc_bits", [-1, 0x10000])
def test_a_word_has_sixteen_bits(pc_bits: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 0xffff"):
        PcWord.of(pc_bits)


def test_impossible_words_are_refused() -> None:
    with pytest.raises(ValueError, match="words = 32: an EPC has 0 to 31"):
        PcWord(32, toggle=False)
    with pytest.raises(ValueError, match="low_byte = 256"):
        PcWord(6, toggle=False, low_byte=256)


def test_extended_words_may_be_counted() -> None:
    assert PcWord.of(0x3000).fits(6)
    assert not PcWord.of(0x3000).fits(5)
    extended = PcWord.of(0x4200)
    assert [words for words in range(12) if extended.fits(words)] == [6, 7, 8]
