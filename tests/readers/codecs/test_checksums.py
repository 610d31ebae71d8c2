from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.checksums import gen2_crc16, sum8


def test_the_sum_of_a_published_frame() -> None:
    assert sum8(bytes.fromhex("00 27 00 03 22 27 10")) == 0x83


def test_the_air_crc_of_two_published_tags() -> None:
    assert gen2_crc16(bytes.fromhex("34 00 30 75 1F EB 70 5C 59 04 E3 D5 0D 70")) == 0x3A76
    assert gen2_crc16(bytes.fromhex("30 00 E2 80 68 90 00 00 50 0E 88 C6 A4 A7")) == 0x119B


@given(st.binary(min_size=1, max_size=64), st.integers(0, 511))
def test_the_air_crc_sees_every_single_wrong_bit(data: bytes, bit: int) -> None:
    wrong = bytearray(data)
    wrong[bit // 8 % len(data)] ^= 1 << bit % 8
    assert gen2_crc16(bytes(wrong)) != gen2_crc16(data)
