from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.checksums import crc16_arc, crc16_modbus, gen2_crc16, kermit_crc16, mcrf4xx_crc16, sum8, x25_crc16


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


def test_the_mcrf4xx_crc_of_the_catalogue_and_of_published_frames() -> None:
    assert mcrf4xx_crc16(b"123456789") == 0x6F91
    assert mcrf4xx_crc16(bytes.fromhex("07 00 01 01 01 00")) == 0x4B1E
    assert mcrf4xx_crc16(bytes.fromhex("07 00 01 01 01 00 1E 4B")) == 0
    assert mcrf4xx_crc16(bytes.fromhex("CF FF 00 02 00")) == 0xE761


@given(st.binary(max_size=64))
def test_the_mcrf4xx_crc_is_that_of_its_plain_definition(data: bytes) -> None:
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    assert mcrf4xx_crc16(data) == crc


def test_modbus_crc_has_the_catalogue_s_check_value() -> None:
    assert crc16_modbus(b"123456789") == 0x4B37
    assert crc16_modbus(bytes.fromhex("010300000001840A")) == 0  # with its own CRC behind it


def test_arc_crc_has_the_catalogue_s_check_value() -> None:
    assert crc16_arc(b"123456789") == 0xBB3D


def test_x25_and_kermit_crcs_have_the_catalogue_s_check_values() -> None:
    assert x25_crc16(b"123456789") == 0x906E
    assert kermit_crc16(b"123456789") == 0x2189
