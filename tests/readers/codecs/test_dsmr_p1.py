from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.dsmr_p1 import MAX_BYTES, Decoder, Line, Telegram, encode, is_encrypted, time_text, time_us
from readers.errors import FrameError
from readers.obis import ObisCode
from tests.support.codec_properties import comes_back, slicing_never_matters, truncated_is_no_frame

GROUP = st.integers(0, 99)
CODES = st.builds(ObisCode, st.just(1), GROUP, GROUP, GROUP, GROUP)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="()!/"), max_size=12)
LINES = st.builds(Line, CODES, st.lists(VALUES, min_size=1, max_size=4).map(tuple))
TELEGRAMS = st.builds(
    Telegram,
    st.sampled_from(["ISk5\\2MT382-1000", "KFM5KAIFA-METER", "XMX5LG"]),
    st.lists(LINES, min_size=1, max_size=6).map(tuple),
    st.booleans(),
).filter(lambda telegram: all(line.code.a != 1 or line.code.b != 3 for line in telegram.lines))
ONE = Telegram("ISk5\\2MT382-1000", (Line(ObisCode(1, 0, 1, 7, 0), ("00.244*kW",)),))


@given(TELEGRAMS, st.booleans())
def test_what_is_encoded_is_decoded(telegram: Telegram, parity: bool) -> None:  # noqa: FBT001 - drawn
    comes_back(Decoder(), encode(telegram, parity=parity), telegram)


@given(st.lists(TELEGRAMS, max_size=3), st.binary(max_size=30), st.integers(1, 60))
def test_slicing_never_matters(telegrams: list[Telegram], noise: bytes, size: int) -> None:
    slicing_never_matters(Decoder, [encode(telegram) for telegram in telegrams], noise, size)


@given(st.binary(max_size=60), TELEGRAMS)
def test_noise_never_hides_the_next_good_telegram(noise: bytes, telegram: Telegram) -> None:
    decoder = Decoder()
    decoder.feed(noise)
    assert decoder.feed(encode(telegram))[-1:] == [telegram]  # a start says that what was before is none


@given(TELEGRAMS, st.data())
def test_a_truncated_telegram_is_no_telegram(telegram: Telegram, data: st.DataObject) -> None:
    raw = encode(telegram)
    truncated_is_no_frame(Decoder(), raw[: data.draw(st.integers(0, len(raw) - 3))])


@given(TELEGRAMS, st.data())
def test_a_checksum_sees_every_wrong_bit(telegram: Telegram, data: st.DataObject) -> None:
    raw = bytearray(encode(Telegram(telegram.identification, telegram.lines)))
    at = data.draw(st.integers(0, len(raw) - 8))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    assert Decoder().feed(bytes(raw)) == []


@given(st.binary(max_size=600))
def test_anything_at_all_raises_nothing_and_holds_little(stream: bytes) -> None:
    decoder = Decoder()
    decoder.feed(b"/" + stream)
    assert decoder.holds < MAX_BYTES


def test_a_telegram_without_end_is_given_up() -> None:
    decoder = Decoder()
    assert decoder.feed(b"/" + b"1" * (MAX_BYTES - 2)) == []
    assert decoder.take_rejects() == {}
    assert decoder.feed(b"11") == []
    assert decoder.take_rejects()["length"] == 1
    assert decoder.holds == 0


def test_what_no_reader_takes_is_refused() -> None:
    with pytest.raises(FrameError, match="at most 8192"):
        encode(Telegram("XMX5LG", (Line(ObisCode(0, 0, 96, 13, 0), ("3" * MAX_BYTES,)),)))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"/ISk5\r\n\r\n1-0:1.7.0(1)\r\n!12G4\r\n", "end"),
        (b"/ISk5\r\n\r\n1-0:1.7.0(1)\r\n!1234567", "end"),
        (b"/ISk5\r\n\r\n1-0:1.7.0(1)\r\n!1234\r\n", "checksum"),
        (b"/IS\r\n\r\n1-0:1.7.0(1)\r\n!\r\n", "identification"),
        (b"/ISk5\r\n\r\n!\r\n", "line"),
        (b"/ISk5\r\n\r\n1-0:1.256.0(1)\r\n!\r\n", "line"),
        (b"/ISk5\r\n\r\n0-0:96.1.4(50217)\r\n!\r\n", "checksum_missing"),
        (b"/ISk5\r\n\r\n1-0:1.7.0(1)\xe9\r\n!\r\n", "character"),
    ],
)
def test_each_check_has_its_counter(raw: bytes, reason: str) -> None:
    decoder = Decoder()
    assert decoder.feed(raw) == []
    assert decoder.take_rejects()[reason] == 1


def test_what_comes_behind_a_telegram_does_not_harm_it() -> None:
    decoder = Decoder()
    assert decoder.feed(encode(ONE) + b"\xff\xfe\x00") == [ONE]
    assert decoder.take_rejects() == {"noise_bytes": 3}


def test_lines_of_another_form_are_kept_apart_where_a_checksum_vouches_for_them() -> None:
    odd = Telegram(ONE.identification, ONE.lines, odd_lines=("1-0:1.8.0", "hello"))
    assert Decoder().feed(encode(odd)) == [odd]


@pytest.mark.parametrize(
    ("text", "at_us"),
    [
        ("170102192002W", 1_483_381_202_000_000),
        ("200512135409S", 1_589_284_449_000_000),
        ("161107190000", None),
        ("632525252525W", None),
        ("170229000000W", None),
        ("170102192002X", None),
    ],
)
def test_a_time_says_whether_it_is_summer_time(text: str, at_us: int | None) -> None:
    assert time_us(text, 60) == at_us
    if at_us is not None:
        assert time_text(at_us, 60, is_summer=text.endswith("S")) == text


def test_encrypted_telegrams_are_recognised() -> None:
    assert is_encrypted(bytes.fromhex("FF DB 08 53 41 47 67 70 01 23 45 82 02 59"))
    assert not is_encrypted(bytes.fromhex("DB 08 53 41 47 67 70 01 23 45 81 02 59"))
    assert not is_encrypted(encode(ONE))
