from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.tagdata.bits import TagDataError
from readers.tagdata.container_code import check_digit
from readers.tagdata.iso_uii import _CODES, AFIS, decode, encode, six_bit_text

PLAIN = "".join(sorted(character for character in _CODES if len(character) == 1))
TEXTS = st.text(PLAIN, min_size=1, max_size=60).filter(lambda text: text[-1] not in " @")


@given(st.sampled_from(sorted(AFIS)), TEXTS)
def test_what_is_encoded_is_decoded(afi: int, text: str) -> None:
    memory = encode(afi, text)
    assert len(memory) % 2 == 0
    found = decode(afi, memory)
    assert (found.text, found.standard, found.hazardous) == (text, *AFIS[afi])
    assert found.data_identifier + found.data == text


@given(st.binary(max_size=62).map(lambda data: data[: len(data) // 2 * 2]))
def test_any_bits_are_text_or_an_error(memory: bytes) -> None:
    try:
        text = six_bit_text(memory)
    except TagDataError:
        return
    assert len(text) * 6 <= len(memory) * 8 or "<" in text


def test_separators_are_spelled_out() -> None:
    memory = encode(0xA1, "25SUN1<GS>1T5<RS>")
    assert six_bit_text(memory) == "25SUN1<GS>1T5<RS>"


def test_fill_follows_the_end_and_fills_where_no_end_fits() -> None:
    assert encode(0xA9, "7BCSQU3054383").hex().upper() == "DC20D3455CF0D74CF8CE"  # 78 bits: fill 10
    assert encode(0xA1, "SPR 880").hex().upper() == "4D04A0E38C21"  # 42 bits: the end
    assert encode(0xA1, "SKRUUFB 2000").hex().upper() == "4CB4955460A0CB0C3086"  # 72 bits: the end and fill 10


def test_fill_of_others_is_no_text() -> None:
    assert six_bit_text(bytes.fromhex("DC20D3455CF0D74CF8CE" + "1820")) == "7BCSQU3054383"
    assert six_bit_text(bytes.fromhex("DC20D3455CF0D74CF8CC" + "0000")) == "7BCSQU3054383"


def test_a_container_is_named_when_its_check_digit_is_right() -> None:
    assert str(decode(0xA9, encode(0xA9, "7BCSQU3054383")).container) == "CSQU3054383"
    assert decode(0xAA, encode(0xAA, "7BCSQU3054383")).hazardous
    bare = decode(0xA9, encode(0xA9, "CSQU3054383"))
    assert (str(bare.container), bare.data_identifier, bare.data) == ("CSQU3054383", "", "CSQU3054383")
    for text in ("7BCSQU3054384", "7BCSQU 305438-3", "7BCSQU3054383X", "25SCSQU3054383"):
        assert decode(0xA9, encode(0xA9, text)).container is None
    assert decode(0xA1, encode(0xA1, "7BCSQU3054383")).container is None
    assert check_digit("CSQU305438") == 3


@pytest.mark.parametrize("memory", ["", "0000", "8208", "8600"])
def test_empty_memory_is_no_text(memory: str) -> None:
    with pytest.raises(TagDataError, match="the text is empty"):
        six_bit_text(bytes.fromhex(memory))


def test_reserved_characters_are_no_text() -> None:
    with pytest.raises(TagDataError, match="100010 are reserved"):
        six_bit_text(bytes.fromhex("8800"))


@pytest.mark.parametrize(
    ("afi", "text", "why"),
    [
        (0xB0, "7BCSQU3054383", "afi = B0: no text of six bits is known for it; allowed: A1 A2"),
        (0xA1, "", "is empty or ends as fill does"),
        (0xA1, "A ", "is empty or ends as fill does"),
        (0xA1, "7bcsqu", "'b' has no six bits; allowed: A-Z 0-9"),
        (0xA1, "A\x1dB", r"'\\x1d' has no six bits"),
        (0xA1, "A!B", "'!' has no six bits"),
    ],
)
def test_what_has_no_six_bits_is_refused(afi: int, text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        encode(afi, text)
