"""GS1 identifiers in one form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.exporters.gs1_uri import canonical, check_digit, is_gln, location_link, sgln

LINK = "https://id.gs1.org"
# Source of the pairs: GS1 TDS 2.3, examples of annex E.3, and GS1 Digital Link URI Syntax 1.2, section 4.11.
PAIRS = [
    ("urn:epc:id:sgtin:9506000.013435.32a%2Fb", "/01/09506000134352/21/32a%2Fb"),
    ("urn:epc:id:sscc:952012.03456789123", "/00/095201234567891235"),
    ("urn:epc:id:sgln:952114.112345.32a%2Fb", "/414/9521141123454/254/32a%2Fb"),
    ("urn:epc:id:sgln:952114.112345.0", "/414/9521141123454"),
    ("urn:epc:id:grai:952114.112345.32a%2Fb", "/8003/0952114112345432a%2Fb"),
    ("urn:epc:id:giai:952114.132a%2Fb", "/8004/952114132a%2Fb"),
    ("urn:epc:id:gsrn:952114.11234567890", "/8018/952114112345678906"),
    ("urn:epc:id:gsrnp:952114.11234567890", "/8017/952114112345678906"),
    ("urn:epc:id:gdti:952114.112345.5678", "/253/95211411234545678"),
    ("urn:epc:id:cpi:952114.15PQ7%2FZ43.12345", "/8010/95211415PQ7%2FZ43/8011/12345"),
    ("urn:epc:id:sgcn:952114.167890.04711", "/255/952114167890904711"),
    ("urn:epc:id:itip:952114.0112345.01.02.981", "/8006/095211411234540102/21/981"),
    ("urn:epc:id:upui:1234567.098765.51qIgY)%3C%26Jp3*j7'SDB", "/01/01234567987651/235/51qIgY%29%3C%26Jp3%2Aj7'SDB"),
    ("urn:epc:id:pgln:9521141.12345", "/417/9521141123454"),
    ("urn:epc:id:ginc:0614141.xyz47%2F11", "/401/0614141xyz47%2F11"),
    ("urn:epc:id:gsin:0614141.123456789", "/402/06141411234567890"),
    ("urn:epc:class:lgtin:4012345.012345.998877", "/01/04012345123456/10/998877"),
    ("urn:epc:idpat:sgtin:4012345.012345.*", "/01/04012345123456"),
    ("urn:epc:idpat:upui:4012345.012345.*", "/01/04012345123456"),
    ("urn:epc:idpat:grai:4012345.66666.*", "/8003/04012345666663"),
    ("urn:epc:idpat:gdti:4012345.55555.*", "/253/4012345555554"),
    ("urn:epc:idpat:sgcn:4012345.99999.*", "/255/4012345999990"),
    ("urn:epc:idpat:cpi:4012345.ABC.*", "/8010/4012345ABC"),
    ("urn:epc:idpat:itip:4012345.012345.01.02.*", "/8006/040123451234560102"),
    ("https://dl.example/shop/01/04012345123456/22/B/10/L7/21/S?17=270131&x=y", "/01/04012345123456/21/S"),
    ("http://dl.example/01/4012345123456/10/L7", "/01/04012345123456/10/L7"),
    ("https://dl.example/01/40170725", "/01/00000040170725"),
    ("https://dl.example/gtin/04012345123456/ser/S%2f1", "/01/04012345123456/21/S%2F1"),  # codespell:ignore ser
    ("https://dl.example/414/4012345000009/254/gate-3", "/414/4012345000009/254/gate-3"),
    ("https://dl.example/8018/952114112345678906/8019/7", "/8018/952114112345678906"),
]


@pytest.mark.parametrize(("uri", "path"), PAIRS)
def test_every_form_becomes_the_canonical_link(uri: str, path: str) -> None:
    assert canonical(uri) == LINK + path
    assert canonical(LINK + path) == LINK + path


@pytest.mark.parametrize(
    "uri",
    [
        "urn:epc:id:bic:CSQU3054383",
        "urn:epc:id:gid:95100000.12345.400",
        "urn:epc:raw:96.x30340000000000000000000A",
        "urn:epc:id:sgtin:12345.0987654.1",  # a prefix of five digits
        "urn:epc:id:sgtin:4012345.12345.1",  # a digit of the item too few
        "urn:epc:id:sgtin:4012345.012345",
        "urn:epc:id:sgtin:4012345.012345.",
        "urn:epc:id:sgtin:٤٠١٢٣٤٥.012345.1",
        "urn:epc:id:sgtin:²012345.012345.1",
        "urn:epc:id:giai:4012345",
        "urn:epc:id:giai:4012345.",
        "urn:epc:id:cpi:4012345.AB",
        "urn:epc:id:itip:4012345.012345.01.02",
        "urn:epc:id:itip:4012345.012345.1.02.S",
        "urn:epc:id:lgtin:4012345.012345.998877",
        "urn:epc:class:sgtin:4012345.012345.1",
        "urn:epc:idpat:sgtin:4012345.012345.7",
        "urn:epc:idpat:sgtin:4012345.12345.*",
        "urn:epc:idpat:sscc:4012345.*",
        "urn:epc:idpat:itip:4012.012345.01.02.*",
        "urn:epc:idpat:cpi:4012345.*",
        "urn:epcglobal:cbv:bt:4012345000009:4711",
        "https://id.harbour.example/place/yard-7",
        "https://id.harbour.example/01/1234",
        "https://dl.example/01/04012345123456/21",
        "https://[::1/01/04012345123456",
        "https://id.harbour.example",
        "ftp://dl.example/01/04012345123456",
        "urn:epc:id:giai:4012345." + "A" * 500,
        "",
    ],
)
def test_what_is_no_gs1_key_stays_as_it_is(uri: str) -> None:
    assert canonical(uri) == uri


@given(st.text(max_size=60) | st.from_regex(r"(urn:epc:(id|class|idpat):[a-z]{3,5}:|https://x/)[ -~]{0,40}"))
def test_any_text_has_one_form(text: str) -> None:
    once = canonical(text)
    assert canonical(once) == once


@given(st.from_regex(r"[0-9]{12}", fullmatch=True).filter(str.isascii), st.integers(6, 12))
def test_a_location_is_the_same_as_uri_and_as_link(digits: str, prefix_digits: int) -> None:
    gln = digits + check_digit(digits)
    assert is_gln(gln)
    assert canonical(sgln(gln, prefix_digits)) == location_link(gln)
    assert canonical(sgln(gln, prefix_digits, "gate-3-out")) == location_link(gln, "gate-3-out")


def test_a_wrong_check_digit_makes_no_location_number() -> None:
    assert is_gln("4012345000009")
    assert not any(is_gln(text) for text in ("4012345000008", "401234500000", "40123450000٠9", "4012345000009\n", ""))
