from __future__ import annotations

import sys
from enum import Enum

import pytest
from epcpy.utils.parsers import epc_pure_identity_to_tag_encodable
from hypothesis import assume, given
from hypothesis import strategies as st

from readers.tagdata.encode import SCHEMES, EncodedTag, encode_iso, encode_tag
from readers.tagdata.gs1_keys import KEYS, Elements
from readers.tagdata.tag import decode_tag
from tests.support.tag_identities import CLASSIC, PLAIN, key_elements, tag_uris

GTIN = "(01)80614141123458(21)6789"
EPC = bytes.fromhex("3074257BF7194E4000001A85")


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("urn:epc:tag:sgtin-96:3.0614141.812345.6789", {}),
        ("urn:epc:tag:sgtin-96:3.0614141.812345.6789", {"scheme": "sgtin-96", "filter_value": 3}),
        ("urn:epc:id:sgtin:0614141.812345.6789", {"filter_value": 3}),
        (GTIN, {"filter_value": 3, "prefix_digits": 7}),
        ("https://id.gs1.org/01/80614141123458/21/6789", {"filter_value": 3, "prefix_digits": 7, "scheme": "sgtin-96"}),
        ("urn:epc:raw:96.x3074257BF7194E4000001A85", {}),
    ],
)
def test_one_identity_said_in_many_ways(text: str, options: dict[str, int | str]) -> None:
    encoded = encode_tag(text, **options)  # type: ignore[arg-type]  # a table of options
    assert (encoded.epc, encoded.pc_bits) == (EPC, 0x3000)
    assert encoded.memory.hex().upper() == "30003074257BF7194E4000001A85"


def test_the_shortest_scheme_that_holds_the_identity_is_chosen() -> None:
    chosen = {
        "urn:epc:id:sgtin:0614141.812345.6789": "sgtin-96",
        "urn:epc:id:sgtin:0614141.812345.06789": "sgtin-198",
        "urn:epc:id:sgtin:0614141.812345.x%2Fy": "sgtin-198",
        "urn:epc:id:gdti:0614141.12345.006": "gdti-174",
        "urn:epc:id:cpi:0614141.123.1": "cpi-96",
        "urn:epc:id:cpi:0614141.ABC.1": "cpi-var",
        "urn:epc:id:gid:1.2.3": "gid-96",
        "urn:epc:id:bic:CSQU3054383": "iso-17363",
        GTIN: "sgtin+",
        "(00)095201234567891235": "sscc+",
    }
    assert {text: encode_tag(text).scheme for text in chosen} == chosen


@pytest.mark.parametrize("scheme", [scheme for scheme in CLASSIC if scheme not in {"gdti-113", "adi-var"}])
@given(data=st.data())
def test_epcpy_writes_the_same(scheme: str, data: st.DataObject) -> None:
    uri = data.draw(tag_uris(scheme, PLAIN))
    assume(".99." not in uri)  # epcpy takes 99 for too large a piece or total
    ours = encode_tag(uri)
    theirs = epc_pure_identity_to_tag_encodable(decode_tag(ours.epc).uri)
    kind = type(theirs)
    options: dict[str, Enum] = {"binary_coding_scheme": kind.BinaryCodingScheme(scheme)}
    filters = [each for name, each in vars(sys.modules[kind.__module__]).items() if name.endswith("FilterValue")]
    if filters:
        options["filter_value"] = filters[0](str(decode_tag(ours.epc).filter_value))
    assert bytes.fromhex(theirs.hex(**options)) == ours.epc


@pytest.mark.parametrize("kind", KEYS)
@given(data=st.data())
def test_a_key_is_written_under_every_name_it_has(kind: str, data: st.DataObject) -> None:
    elements: Elements = data.draw(key_elements(kind))
    if kind in {"giai", "cpi"}:
        elements = tuple((ai, value[:20]) for ai, value in elements)
    elements = tuple(
        (ai, value.replace("(", "x")) for ai, value in elements
    )  # "(10)" in a value would be taken for an AI
    plus = encode_tag("".join(f"({ai}){value}" for ai, value in elements), filter_value=2)
    found = decode_tag(plus.epc, plus.pc_bits)
    assert (found.elements, found.filter_value, found.scheme) == (elements, 2, f"{kind}+")
    assert encode_tag(found.uri, filter_value=2) == plus
    classic = encode_tag(found.uri, filter_value=2, prefix_digits=9)
    same = decode_tag(classic.epc, classic.pc_bits)
    assert (same.elements, same.filter_value) == (elements, 2)
    assert encode_tag(same.uri, scheme=f"{kind}+", filter_value=2) == plus


def test_a_link_brings_its_host_to_a_scheme_with_two_pluses() -> None:
    link = "https://example.com/01/79521141123453/21/32a%2Fb"
    encoded = encode_tag(link, scheme="sgtin++", filter_value=3)
    assert encoded.epc.hex().upper().startswith("FD3795211411234538566CB0AFC5232F8C3B786CCB6C")
    assert encode_tag("(01)79521141123453(21)32a/b", scheme="sgtin++", filter_value=3, host="example.com") == encoded
    assert encode_tag(link, scheme="sgtin++", host="id.example.com", filter_value=3).epc.hex().upper() == (
        "FD3795211411234538566CB0AFC525065F1876F0D996D800"
    )


def test_a_pure_identity_can_be_written_as_tds_2() -> None:
    encoded = encode_tag("urn:epc:id:sgln:9521141.12345.32a%2Fb", scheme="sgln+", filter_value=3)
    assert encoded.epc.hex().upper() == "F2395211411234548566CB0AFC40"


def test_what_is_hazardous_is_said_in_the_word() -> None:
    assert encode_tag(GTIN, hazardous=True).pc_bits & 0x1FF == 1
    assert encode_tag("urn:epc:id:bic:CSQU3054383").pc_bits == 0x29A9
    assert encode_tag("urn:epc:id:bic:CSQU3054383", hazardous=True).pc_bits == 0x29AA


def test_raw_memory_keeps_its_family() -> None:
    assert encode_tag("urn:epc:raw:80.xA9.xDC20D3455CF0D74CF8CE") == EncodedTag(
        "raw", 0x29A9, bytes.fromhex("DC20D3455CF0D74CF8CE")
    )


def test_iso_text() -> None:
    assert encode_iso(0xA1, "SPR 880").memory.hex().upper() == "19A14D04A0E38C21"


@pytest.mark.parametrize(
    ("text", "options", "why"),
    [
        ("", {}, r"is no code for a tag; allowed: urn:epc:id:"),
        ("3074257BF7194E4000001A85", {}, "is no code for a tag"),
        (GTIN, {"scheme": "sgtin"}, "scheme 'sgtin': is not known; allowed: sgtin-96 "),
        (GTIN, {"scheme": "sgtin-96"}, "give prefix_digits"),
        (GTIN, {"prefix_digits": 13}, "6 to 12 digits"),
        (GTIN, {"scheme": "sscc+"}, r"scheme sscc\+: needs \(00\), here is \(01\)"),
        (GTIN, {"scheme": "sscc-96", "prefix_digits": 7}, "does not hold a sgtin; allowed: sgtin-96 sgtin-198"),
        (GTIN, {"scheme": "sgtin++"}, "needs the host of the Digital Link; give host"),
        (GTIN, {"filter_value": 8}, r"filter_value = 8: sgtin\+ allows 0 to 7"),
        ("urn:epc:id:sgtin:0614141.812345.6789", {"filter_value": 8}, "sgtin-198 allows 0 to 7"),
        ("urn:epc:id:gid:1.2.3", {"filter_value": 1}, "gid-96 allows 0 to 0"),
        ("urn:epc:id:gid:1.2.3", {"scheme": "sgtin+"}, "gid is no GS1 key"),
        ("urn:epc:id:sgtin:0614141.812345", {}, r"must have company_prefix \. item_reference \. serial"),
        ("urn:epc:id:upui:1.2.3", {}, "has no form for tags; allowed after urn:epc:id:: sgtin "),
        ("urn:epc:id:bic:CSQU3054384", {}, "check digit 4 is wrong, must be 3"),
        ("urn:epc:tag:sgtin-64:3.1.2.3", {}, "names no scheme; allowed after urn:epc:tag:"),
        ("urn:epc:tag:sgtin-96:x.0614141.812345.6789", {}, "must have a filter value"),
        ("urn:epc:tag:sgtin-96:9.0614141.812345.6789", {}, "filter_value = 9: sgtin-96 allows 0 to 7"),
        ("urn:epc:tag:sgtin-96:3.0614141.812345.6789", {"filter_value": 1}, "leave them out or make them agree"),
        ("urn:epc:tag:sgtin-96:3.0614141.812345.6789", {"scheme": "sgtin+"}, "leave them out or make them agree"),
        ("urn:epc:id:sgtin:0614141.812345.%zz", {}, "two hexadecimal digits"),
        ("urn:epc:id:bic:CSQU3054383", {"filter_value": 1}, "has no scheme of GS1 and no filter value"),
        ("urn:epc:raw:16.x3074", {"scheme": "sgtin-96"}, "has no scheme of GS1 and no filter value"),
        ("urn:epc:raw:96.x3074", {}, "with that many bits in whole words"),
        ("urn:epc:raw:8.x30", {}, "with that many bits in whole words"),
        ("urn:epc:raw:16.xA1.xA2.x3074", {}, "with that many bits in whole words"),
        ("urn:epc:raw:16.xzz", {}, "with that many bits in whole words"),
        ("urn:epc:raw:512.x" + "00" * 64, {}, "0 to 31 words"),
        (
            "(01)80614141123458(21)" + "x" * 20 + "".join(f"({ai})" + "y" * 30 for ai in (240, 241, 400)),
            {},
            "0 to 31 words",
        ),
    ],
)
def test_what_cannot_be_written_is_refused_with_a_reason(text: str, options: dict[str, int | str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        encode_tag(text, **options)  # type: ignore[arg-type]  # a table of options


@given(
    st.text(max_size=60),
    st.sampled_from(("", "urn:epc:id:sgtin:", "urn:epc:tag:", "urn:epc:raw:", "(01)", "https://x/01/")),
)
def test_any_text_is_a_code_or_an_error(text: str, lead: str) -> None:
    try:
        encoded = encode_tag(lead + text)
    except ValueError as error:
        assert str(error)  # noqa: PT017  # either outcome is right, another exception is not
    else:
        assert encoded.scheme in {*SCHEMES, "raw"}
