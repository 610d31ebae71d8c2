from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.tagdata.bits import TagDataError
from readers.tagdata.epc_plus import PLUS_LAYOUTS, PlusLayout, decode, encode
from readers.tagdata.gs1_keys import Elements
from tests.support.tag_identities import HOSTS, key_elements

LAYOUTS = {layout.name: layout for layout in PLUS_LAYOUTS}
SGTIN = (("01", "79521141123453"), ("21", "32a/b"))


def test_there_are_twelve_schemes_of_each_form() -> None:
    assert len(LAYOUTS) == 24
    assert sum(layout.has_host for layout in PLUS_LAYOUTS) == 12
    assert len({layout.header for layout in PLUS_LAYOUTS}) == 24


@pytest.mark.parametrize("layout", PLUS_LAYOUTS, ids=lambda layout: layout.name)
@given(data=st.data())
def test_what_is_encoded_is_decoded(layout: PlusLayout, data: st.DataObject) -> None:
    elements = data.draw(key_elements(layout.kind.removeprefix("d")))
    if layout.kind == "dsgtin":
        elements += ((data.draw(st.sampled_from(("11", "13", "15", "16", "17", "7006", "7007"))), "270131"),)
    more = data.draw(st.sampled_from(((), (("10", "A1"),), (("3103", "001250"), ("400", "X/1")))))
    host = data.draw(HOSTS) if layout.has_host else None
    filter_value = data.draw(st.integers(0, 7))
    try:
        epc = encode(layout, filter_value, elements + more, host)
    except ValueError as error:
        assert "characters where" in str(error)  # noqa: PT017  # a long GIAI or CPI; nothing else may be wrong
        return
    if len(epc) > 62:
        return
    found = decode(layout, epc)
    assert (found.filter_value, found.elements, found.host) == (filter_value, elements + more, host)
    assert (found.more, found.unread) == (bool(more), None)


@pytest.mark.parametrize("layout", PLUS_LAYOUTS, ids=lambda layout: layout.name)
@given(memory=st.binary(max_size=61).filter(lambda data: len(data) % 2 == 1))
def test_any_bits_are_an_epc_or_an_error(layout: PlusLayout, memory: bytes) -> None:
    try:
        found = decode(layout, bytes([layout.header]) + memory)
    except TagDataError:
        return
    assert found.elements


def test_further_elements_are_read_with_the_toggle_only() -> None:
    epc = encode(LAYOUTS["sgtin+"], 3, (*SGTIN, ("10", "A1"), ("17", "270131")))
    assert decode(LAYOUTS["sgtin+"], epc).elements == (*SGTIN, ("10", "A1"), ("17", "270131"))
    untold = bytes([epc[0], epc[1] & 0x7F]) + epc[2:]
    with pytest.raises(TagDataError, match="the tag does not say that more follows"):
        decode(LAYOUTS["sgtin+"], untold)


def test_an_epc_is_read_though_what_follows_it_cannot_be() -> None:
    for damage, why in (
        ("14" + "0" * 2, "(14) is no Application Identifier"),
        ("A0" + "0" * 2, "A stands where a digit of an Application Identifier"),
        ("21" + "0" * 2, "(21) stands twice"),
        ("0001", "ends"),
        ("0000000000000001" + "0" * 8, "check digit"),
        ("200F", "the fill at the end is not zero"),
    ):
        found = decode(LAYOUTS["sgtin+"], _with_tail(damage))
        assert found.elements == SGTIN
        assert found.more
        assert found.unread is not None
        assert why in found.unread


def _with_tail(tail: str) -> bytes:
    """An SGTIN+ that says that more follows, then these digits, then fill."""
    plain = encode(LAYOUTS["sgtin+"], 3, SGTIN)
    width = 8 + 1 + 3 + 14 * 4 + 3 + 5 + 5 * 7
    value = int.from_bytes(plain, "big") >> len(plain) * 8 - width | 1 << width - 9
    value = value << len(tail) * 4 | int(tail, 16)
    width += len(tail) * 4
    fill = -width % 16
    return (value << fill).to_bytes((width + fill) // 8, "big")


@pytest.mark.parametrize(
    ("name", "epc", "why"),
    [
        ("sgtin+", "F737952114112345385", "ends 3 bits before"),
        ("sgtin+", "F73795211411234548566CB0AFC40000", "check digit 4 is wrong, must be 3"),
        ("sgtin+", "F73795211411234538566CB0AFC40001", "the tag does not say that more follows"),
        ("sgtin+", "F73795211411234538566CB0AFC400000000", "words more than it takes"),
        ("dsgtin+", "FB372CDE795211411234538566CB0AFC4000", "the kind of date 0111 is reserved"),
        ("grai+", "F13195211411234518566CB0AFC4", "must begin with 0"),
        ("gdti+", "F639521141123454000000", "0 characters"),
    ],
)
def test_bits_that_are_no_epc(name: str, epc: str, why: str) -> None:
    with pytest.raises(TagDataError, match=why):
        decode(LAYOUTS[name], bytes.fromhex(epc + "0" * (-len(epc) % 4)))


@pytest.mark.parametrize(
    ("name", "elements", "host", "why"),
    [
        ("sgtin+", SGTIN[:1], None, r"\(21\) is missing; it needs \(01\) and \(21\)"),
        ("dsgtin+", SGTIN, None, "needs a date, one of 11 13 .* choose sgtin"),
        ("sgtin++", SGTIN, None, "must be a host name"),
        ("sgtin+", (("01", "79521141123454"), ("21", "1")), None, "check digit 4 is wrong, must be 3"),
        ("gdti+", (("253", "9521141123454"),), None, "has no serial number, so it names a class and no thing"),
        ("sgtin+", (*SGTIN, ("414", "9521141123455")), None, "check digit 5 is wrong"),
    ],
)
def test_elements_that_do_not_fit_are_refused(name: str, elements: Elements, host: str | None, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        encode(LAYOUTS[name], 0, elements, host)


def test_a_location_without_extension_says_zero_on_the_tag() -> None:
    epc = encode(LAYOUTS["sgln+"], 0, (("414", "9521141123454"),))
    assert decode(LAYOUTS["sgln+"], epc).elements == (("414", "9521141123454"),)
