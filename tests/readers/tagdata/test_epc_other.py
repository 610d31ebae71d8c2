from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.tagdata.bits import TagDataError
from readers.tagdata.characters import from_urn
from readers.tagdata.epc_other import DECODERS, SCHEMES, encode, most_filter
from tests.support.tag_identities import other_bodies

HEADERS = {"cpi-96": 0x3C, "cpi-var": 0x3D, "gid-96": 0x35, "usdod-96": 0x2F, "adi-var": 0x3B}
PARTS = {"cpi-96": 3, "cpi-var": 3, "gid-96": 3, "usdod-96": 2, "adi-var": 3}


def parts_of(scheme: str, body: str) -> tuple[str, ...]:
    return tuple(map(from_urn, body.split(".", PARTS[scheme] - 1)))


@pytest.mark.parametrize("scheme", SCHEMES)
@given(data=st.data())
def test_what_is_encoded_is_decoded(scheme: str, data: st.DataObject) -> None:
    body = data.draw(other_bodies(scheme))
    filter_value = None
    if scheme != "gid-96":
        filter_text, _, body = body.partition(".")
        filter_value = int(filter_text)
    epc = encode(scheme, filter_value or 0, parts_of(scheme, body))
    assert epc[0] == HEADERS[scheme]
    assert DECODERS[epc[0]](epc) == (scheme, f"urn:epc:id:{SCHEMES[scheme]}:{body}", filter_value)


@pytest.mark.parametrize("scheme", SCHEMES)
@given(data=st.data())
def test_any_bits_are_an_epc_or_an_error(scheme: str, data: st.DataObject) -> None:
    """And what is decoded is exactly what was there: no bit is overlooked."""
    words = data.draw(st.just(6) | st.integers(1, 31))
    tail = data.draw(st.binary(min_size=2 * words - 1, max_size=2 * words - 1))
    epc = bytes([HEADERS[scheme]]) + tail
    try:
        _, uri, filter_value = DECODERS[epc[0]](epc)
    except TagDataError:
        return
    body = uri.removeprefix(f"urn:epc:id:{SCHEMES[scheme]}:")
    assert encode(scheme, filter_value or 0, parts_of(scheme, body)) == epc


def test_filters_have_as_many_bits_as_their_schemes_give_them() -> None:
    assert [most_filter(kind) for kind in ("cpi", "usdod", "adi", "gid")] == [7, 15, 63, 0]


@pytest.mark.parametrize(
    ("epc", "why"),
    [
        ("3C76451FD400C0E6800030", "takes 12 bytes, here are 11"),
        ("3C7C451FD400C0E680003039", "partition 7 is reserved"),
        ("3C77FFFFFC00C0E680003039", "company prefix 16777215 has more than 7 digits"),
        ("3C64000000" + "0" * 2 + "7FE000003039"[:12], "more than 4 digits|more than 5 digits"),
        ("3D76451FD4" + "0" * 22, "the part is empty"),
        ("3D76451FD75411DEF6B4CC0FFFFFFFFFF000", "serial number 1099511627775 has more than 12 digits"),
        ("3D76451FD75411DEF6B4CC00000003039001", "the fill at the end is not zero"),
        ("3D76451FD75411DEF6B4CC000000030390000000", "1 words more than it takes"),
        ("2F320434147455900000162E0000", "takes 12 bytes, here are 14"),
        ("2F32043414F455900000162E", "is no CAGE code or DoDAAC"),
        ("3B0E0CF5E76C9047759AD00373DC7602E7200001", "the fill at the end is not zero"),
        ("3B0E0CF5E76C9047759AD000000000000000", "serial number is empty"),
        ("3B0E0CF5E76C9047759AD00373DC", "ends . bits before"),
    ],
)
def test_bits_that_are_no_epc(epc: str, why: str) -> None:
    memory = bytes.fromhex(epc)
    with pytest.raises(TagDataError, match=why):
        DECODERS[memory[0]](memory)


@pytest.mark.parametrize(
    ("scheme", "parts", "why"),
    [
        ("cpi-96", ("95211", "1", "1"), "must have 6 to 12 digits"),
        ("cpi-96", ("9521141", "01", "1"), "part of cpi-96 '01': must be a number from 0 to 99999999"),
        ("cpi-96", ("9521141", "1", str(1 << 31)), "from 0 to 2147483647"),
        ("cpi-var", ("9521141", "", "1"), "part '': must have 1 to 23 characters"),
        ("cpi-var", ("9521141", "a", "1"), "part 'a': has 'a'"),
        ("cpi-var", ("9521141", "A", "1" * 13), "from 0 to 999999999999"),
        ("gid-96", ("1", "2", str(1 << 36)), "serial '68719476736': must be a number from 0 to 68719476735"),
        ("usdod-96", ("CAGEI", "1"), "a CAGE code has 5, a DoDAAC 6 characters"),
        ("adi-var", ("35962", "#1", "1"), "part number '#1': has '#'"),
        ("adi-var", ("35962", "1", "1#"), "after its first character"),
        ("adi-var", ("35962", "1", "#"), "must have 1 to 30 characters"),
        ("adi-var", ("35962", "1" * 33, "1"), "at most 32 characters"),
    ],
)
def test_parts_that_do_not_fit_are_refused(scheme: str, parts: tuple[str, ...], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        encode(scheme, 0, parts)
