from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.tagdata.bits import TagDataError
from readers.tagdata.characters import from_urn
from readers.tagdata.epc_fixed import LAYOUTS, Layout, decoder, encode
from tests.support.tag_identities import FIXED, bodies


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@given(data=st.data())
def test_what_is_encoded_is_decoded(layout: Layout, data: st.DataObject) -> None:
    filter_value, body = data.draw(st.integers(0, 7)), data.draw(bodies(layout))
    parts = tuple(map(from_urn, body.split(".", 1 + (layout.key_digits is not None) + 2 * layout.pieces)))
    epc = encode(layout, filter_value, parts)
    assert (epc[0], len(epc)) == (layout.header, layout.memory_bytes)
    assert decoder(layout)(epc) == (layout.name, f"urn:epc:id:{layout.kind}:{body}", filter_value)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@given(data=st.data())
def test_any_bits_are_an_epc_or_an_error(layout: Layout, data: st.DataObject) -> None:
    """And what is decoded is exactly what was there: no bit is overlooked."""
    size = layout.memory_bytes
    tail = data.draw(st.binary(min_size=size - 1, max_size=size - 1))
    epc = bytes([layout.header]) + tail
    try:
        _, uri, filter_value = decoder(layout)(epc)
    except TagDataError:
        return
    body = uri.removeprefix(f"urn:epc:id:{layout.kind}:")
    parts = tuple(map(from_urn, body.split(".", 1 + (layout.key_digits is not None) + 2 * layout.pieces)))
    assert filter_value is not None
    assert encode(layout, filter_value, parts) == epc


@pytest.mark.parametrize(
    ("name", "epc", "why"),
    [
        ("sgtin-96", "3074257BF7194E4000001A", "takes 12 bytes, here are 11"),
        ("sgtin-96", "3074257BF7194E4000001A850000", "takes 12 bytes, here are 14"),
        ("sgtin-96", "307C257BF7194E4000001A85", "partition 7 is reserved"),
        ("sgtin-96", "3077FFFFFF194E4000001A85", "has more digits than its partition says"),
        ("sgtin-96", "3074257BF7FFFFFFC0001A85", "has more digits than its partition says"),
        ("sscc-96", "3174257BF4499602D2000001", "the fill at the end is not zero"),
        ("sgtin-198", "3674257BF7194E40" + "0" * 36, "empty"),
        ("sgtin-198", "3674257BF7194E50" + "0" * 36, "has the character 20, which GS1 does not allow"),
        ("sgtin-198", "36" + "00" * 24, "takes 26 bytes, here are 25"),
        ("sgtin-198", "3674257BF7194E59B2C2BF100000000000000000000000000001", "the fill at the end is not zero"),
        ("itip-110", "407C" + "00" * 12, "partition 7 is reserved"),
        ("giai-202", "3877FFFFFF" + "00" * 21, "has more than 7 digits"),
        ("sgcn-96", "3F76451FD612640000019906"[:-10] + "0000000005", "not written as a 1 and 1 to 12 digits"),
        ("giai-202", None, "more than 18 characters"),
    ],
)
def test_bits_that_are_no_epc(name: str, epc: str | None, why: str) -> None:
    layout = FIXED[name]
    # A prefix of 12 digits leaves room for 21 characters, but a GIAI has 30 in all.
    memory = (0x38 << 194 | 1 << 148 | int("1000001" * 21, 2) << 1) << 6 if epc is None else 0
    with pytest.raises(TagDataError, match=why):
        decoder(layout)(bytes.fromhex(epc) if epc is not None else memory.to_bytes(26, "big"))


def test_a_reference_without_digits_is_zero() -> None:
    layout = FIXED["sgln-96"]
    epc = encode(layout, 3, ("952012345678", "", "5678"))
    assert decoder(layout)(epc)[1] == "urn:epc:id:sgln:952012345678..5678"
    wrong = int.from_bytes(epc, "big") | 1 << 41
    with pytest.raises(TagDataError, match="has more digits than its partition says"):
        decoder(layout)(wrong.to_bytes(12, "big"))


@pytest.mark.parametrize(
    ("name", "parts", "why"),
    [
        ("sgtin-96", ("06141", "812345", "6789"), "company prefix '06141': must have 6 to 12 digits"),
        ("sgtin-96", ("061414x", "812345", "6789"), "company prefix '061414x': must have 7 digits"),
        ("sgtin-96", ("0614141", "81234", "6789"), "reference '81234': must have 6 digits"),
        ("sgtin-96", ("0614141", "812345", "0789"), "sgtin-96 '0789': must be a number from 0 to 274877906943"),
        ("sgtin-96", ("0614141", "812345", str(1 << 38)), "must be a number from 0 to 274877906943"),
        ("sgtin-198", ("0614141", "812345", ""), "must have 1 to 20 characters"),
        ("sgtin-198", ("0614141", "812345", "x" * 21), "must have 1 to 20 characters"),
        ("sgtin-198", ("0614141", "812345", "a b"), "has ' '; allowed"),
        ("sgcn-96", ("0614141", "81234", "1" * 13), "must have 1 to 12 characters"),
        ("sgcn-96", ("0614141", "81234", "1a"), "must have 2 digits"),
        ("itip-110", ("0614141", "812345", "1", "02", "5"), "piece '1': must have 2 digits"),
    ],
)
def test_parts_that_do_not_fit_are_refused(name: str, parts: tuple[str, ...], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        encode(FIXED[name], 0, parts)
