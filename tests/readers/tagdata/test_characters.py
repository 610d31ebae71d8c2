import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.tagdata.bits import BitReader, BitWriter, TagDataError
from readers.tagdata.characters import (
    SET_39,
    SET_82,
    digits,
    from_urn,
    number,
    only,
    seven_bit_text,
    six_bit_text,
    to_urn,
    write_seven_bit,
    write_six_bit,
)


def test_the_sets_have_the_sizes_of_their_names() -> None:
    assert (len(SET_82), len(SET_39)) == (82, 39)


@given(st.text("".join(sorted(SET_82 | SET_39))))
def test_escapes_are_undone(text: str) -> None:
    assert from_urn(to_urn(text)) == text


def test_what_a_uri_reserves_is_escaped() -> None:
    assert to_urn('32a/b"%&<>?#') == "32a%2Fb%22%25%26%3C%3E%3F%23"
    with pytest.raises(ValueError, match="two hexadecimal digits"):
        from_urn("a%2")


@given(st.text("".join(sorted(SET_82)), min_size=1, max_size=20))
def test_seven_bits_a_character(text: str) -> None:
    writer = BitWriter()
    write_seven_bit(writer, text, 140)
    assert seven_bit_text(BitReader(writer.memory()).read(140), 140) == text


@pytest.mark.parametrize(
    ("value", "why"),
    [(0, "empty"), (0b0100000 << 7, "20, which GS1 does not allow"), (0b1000001 << 14 | 1, "fill")],
)
def test_seven_bits_that_are_no_text(value: int, why: str) -> None:
    with pytest.raises(TagDataError, match=why):
        seven_bit_text(value, 21 if why != "20, which GS1 does not allow" else 14)


@given(st.text("".join(sorted(SET_39)), max_size=9))
def test_six_bits_a_character(text: str) -> None:
    writer = BitWriter()
    write_six_bit(writer, text)
    assert six_bit_text(BitReader(writer.memory()), 9) == text


def test_six_bits_that_are_no_text() -> None:
    with pytest.raises(TagDataError, match="101000 are no character"):
        six_bit_text(BitReader(b"\xa0\x00"), 9)
    with pytest.raises(TagDataError, match="longer than 1 characters"):
        six_bit_text(BitReader(b"\x04\x10"), 1)


def test_only_allowed_characters_pass() -> None:
    only("A-1", SET_39, "part")
    with pytest.raises(ValueError, match=r"part 'a b': has ' ' 'a' 'b'; allowed: #-/"):
        only("a b", SET_39, "part")


@pytest.mark.parametrize("text", ["", "01", "x", "12", "²", "-1"])
def test_a_number_has_no_leading_zeros_and_a_limit(text: str) -> None:
    with pytest.raises(ValueError, match="number from 0 to 11 without leading zeros"):
        number(text, "serial", most=11)
    assert number("11", "serial", most=11) == 11


def test_digits_are_counted() -> None:
    assert digits("", "reference", 0) == 0
    assert digits("007", "reference", 3) == 7
    for text in ("07", "0x7", "٠٠٧"):
        with pytest.raises(ValueError, match="must have 3 digits"):
            digits(text, "reference", 3)
