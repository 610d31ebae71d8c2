from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.meters.dlt698_wire import (
    Ears,
    Wrong,
    array,
    bits16,
    counted,
    crc16,
    framed,
    int16,
    int32,
    octets,
    read_request,
    structure,
    time,
    uint16,
    uint32,
)

PUBLISHED = bytes.fromhex("68 17 00 43 05 39 12 19 08 37 00 0b 63 10 05 01 10 00 10 02 00 00 65 5f 16")


def test_it_hears_and_writes_a_published_frame() -> None:
    (heard,) = Ears().listen(PUBLISHED)
    assert (heard.address, heard.client, heard.control) == ("003708191239", 11, 0x43)
    assert framed(heard.address, heard.logical, heard.client, heard.control, heard.payload) == PUBLISHED


@given(st.binary(max_size=40), st.integers(1, 30))
def test_it_hears_in_any_slices_and_through_noise(noise: bytes, size: int) -> None:
    stream = b"\x00" * len(noise) + PUBLISHED + b"\xfe" + PUBLISHED
    ears = Ears()
    found = [heard for at in range(0, len(stream), size) for heard in ears.listen(stream[at : at + size])]
    assert len(found) == 2


def test_it_forgets_what_was_never_whole() -> None:
    ears = Ears()
    assert list(ears.listen(PUBLISHED[:9])) == []
    ears.forget()
    assert len(list(ears.listen(PUBLISHED))) == 1


@pytest.mark.parametrize("at", [1, 5, 12, 15, -2, -1])
def test_damage_is_heard_as_nothing(at: int) -> None:
    raw = bytearray(PUBLISHED)
    raw[at] ^= 1
    assert list(Ears().listen(bytes(raw))) == []


def test_values() -> None:
    assert array([uint16(2413)] * 3).hex(" ") == "01 03 12 09 6d 12 09 6d 12 09 6d"  # appendix D of the standard
    assert int32(1000).hex(" ") == "05 00 00 03 e8"
    assert structure(uint32(12345), time(1_791_174_600_000_000, 480)).hex(" ") == (
        "02 02 06 00 00 30 39 1c 07 ea 0a 05 0c 1e 00"
    )
    assert int16(-1).hex(" ") == "10 ff ff"
    assert octets(b"ab").hex(" ") == "09 02 61 62"
    assert bits16(1).hex(" ") == "04 10 80 00"
    assert [counted(n).hex() for n in (5, 200, 300)] == ["05", "81c8", "82012c"]
    assert crc16(b"123456789") == 0x906E


@pytest.mark.parametrize(
    "apdu",
    [
        "",
        "06 01 00",
        "05 04 00",
        "05 01 00 20",
        "05 03 00 50 04 02 00 07",
        "05 03 00 50 04 02 00 01 20 21 02 00 12 00 01",
        "05 03 00 50 04 02 00 01 20 21 02 00 1C 07 EA 0D 05 00 00 00",
        "05 03 00 50 04 02 00 09 01 01 01 20 00 02 00",
        "05 03 00 50 02 02 00 02 20 21 02 00 1C 07 EA 0A 05 00 00 00 1C 07 EA 0A 05 00 00 00 54 03 00 01 00",
        "05 03 00 50 02 02 00 02 20 21 02 00 1C 07 EA 0A 05 00 00 00 1C 07 EA 0A 05 00 00 00 12 00 01 00",
    ],
)
def test_requests_that_it_does_not_know(apdu: str) -> None:
    with pytest.raises(Wrong):
        read_request(bytes.fromhex(apdu), 480)


def test_the_latest_rows() -> None:
    asked = read_request(bytes.fromhex("05 03 07 30 11 02 00 09 02 01 00 20 1E 02 00 00"), 480)
    assert (asked.choice, asked.number, asked.latest) == (3, 7, 2)
    assert asked.columns == (bytes.fromhex("201E0200"),)
    assert read_request(bytes.fromhex("05 05 07 00 03 00"), 480).block == 3
