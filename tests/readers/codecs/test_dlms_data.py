from __future__ import annotations

import importlib
import struct
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.dlms_data import DEPTH_MOST, Denied, Reader, Structure, Value, decode
from readers.errors import FrameError


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("00", None),
        ("FF", None),
        ("03 01", True),
        ("03 00", False),
        ("05 FF FF FF FE", -2),
        ("06 00 00 13 91", 5009),
        ("09 06 01 00 01 08 00 FF", bytes.fromhex("0100010800FF")),
        ("09 81 02 AB CD", b"\xab\xcd"),
        ("0A 03 54 57 47", "TWG"),
        ("0C 02 C3 A4", "ä"),
        ("0D 12", 0x12),
        ("0F FF", -1),
        ("10 80 00", -32768),
        ("11 FF", 255),
        ("12 09 34", 2356),
        ("14 FF FF FF FF FF FF FF FF", -1),
        ("15 FF FF FF FF FF FF FF FF", 2**64 - 1),
        ("16 1E", 30),
        ("17 43 66 4C CD", Decimal("230.3")),
        ("17 C2 CE 6F 44", Decimal("-103.217316")),
        ("17 7F 7F FF FF", Decimal("3.40282347E+38")),
        ("17 7F 7F F9 24", Decimal("3.4024675E+38")),
        ("17 7F C0 00 00", None),
        ("18 40 6C C9 99 99 99 99 9A", Decimal("230.3")),
        ("19 07 EA 0B 17 01 0A 0F 1E 00 FE 20 00", bytes.fromhex("07EA0B17010A0F1E00FE2000")),
        ("1A 07 EA 0B 17 01", bytes.fromhex("07EA0B1701")),
        ("1B 0A 0F 1E 00", bytes.fromhex("0A0F1E00")),
        ("04 0A A5 C0", "1010010111"),
        ("01 00", []),
        ("01 02 11 01 11 02", [1, 2]),
        ("02 02 0F FF 16 23", Structure((-1, 35))),
    ],
)
def test_every_type_is_read(raw: str, value: Value) -> None:
    found = decode(bytes.fromhex(raw))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "truncated"),
        ("06 00 00 13", "truncated"),
        ("09 05 01", "truncated"),
        ("01 84 FF FF FF FF 00", "truncated"),
        ("01 03 00 00", "truncated"),
        ("09 80", "length"),
        ("09 85 00 00 00 00 01 00", "length"),
        ("11 01 00", "length"),
        ("13 00", "type"),
        ("07", "type"),
        ("01 01" * (DEPTH_MOST + 2) + "00", "depth"),
    ],
)
def test_what_is_no_value_says_why(raw: str, reason: str) -> None:
    with pytest.raises(FrameError) as raised:
        decode(bytes.fromhex(raw))
    assert raised.value.reason == reason


def test_a_list_of_results_holds_values_and_refusals() -> None:
    raw = bytes.fromhex("03 00 12 08FF 01 03 00 00")
    assert Reader(raw).results() == [0x8FF, Denied(3), None]
    with pytest.raises(FrameError, match="choice"):
        Reader(bytes.fromhex("01 02 00")).results()
    with pytest.raises(FrameError, match="follow"):
        Reader(bytes.fromhex("01 01 04 00")).results()


@given(st.binary(max_size=200))
def test_nothing_but_a_frame_error_comes_of_any_bytes(raw: bytes) -> None:
    try:
        decode(raw)
    except FrameError:
        return


plain = st.one_of(
    st.none(),
    st.integers(-(2**31), 2**31 - 1),
    st.binary(max_size=140),
    st.text(st.characters(max_codepoint=127), max_size=20),
)


def written(value: Any) -> bytes:
    """As dlms-cosem writes it, whose lengths are wrong from 128 on."""
    types = importlib.import_module("dlms_cosem.dlms_data")
    match value:
        case None:
            return b"\0"
        case int():
            return bytes(types.DoubleLongData(value).to_bytes())
        case bytes() if len(value) > 127:
            return b"\x09" + bytes(types.encode_variable_integer(len(value))) + value
        case bytes():
            return bytes(types.OctetStringData(value).to_bytes())
        case str():
            return b"\x0a" + bytes(types.OctetStringData(value.encode()).to_bytes())[1:]  # it writes no texts itself
        case list():
            return b"\x01" + bytes(types.encode_variable_integer(len(value))) + b"".join(map(written, value))
    raise AssertionError(value)


@given(st.recursive(plain, lambda inner: st.lists(inner, max_size=6), max_leaves=20))
def test_it_reads_what_an_independent_library_writes(value: Any) -> None:
    assert decode(written(value)) == value


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_is_the_shortest_decimal_that_is_it(number: float) -> None:
    found = decode(b"\x17" + struct.pack(">f", number))
    assert isinstance(found, Decimal)
    assert struct.pack(">f", float(found)) == struct.pack(">f", number)
    assert len(found.as_tuple().digits) <= 9
