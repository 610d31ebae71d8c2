from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from epcpy.utils.parsers import hex_to_tag_encodable
from hypothesis import given
from hypothesis import strategies as st

from readers.tagdata import tag
from readers.tagdata.encode import encode_tag
from readers.tagdata.tag import Protocol, TagData, decode_tag, decode_tag_cached, raw_uri
from tests.support.tag_identities import CLASSIC, PLAIN, tag_uris

VECTORS = Path(__file__).parents[2] / "vectors" / "tagdata"


def vectors(name: str, kind: str = "tag") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads((VECTORS / f"{name}.toml").read_text(encoding="utf-8"))[kind]
    return found


def memory(vector: dict[str, Any]) -> bytes:
    """The printed bits, filled up to whole words as on a tag."""
    digits = vector["hex"]
    return bytes.fromhex(digits + "0" * (-len(digits) % 4))


def word(epc: bytes, flags: int = 0) -> int:
    return len(epc) // 2 << 11 | flags


def hexes(vector: dict[str, Any]) -> str:
    return str(vector["hex"])


@pytest.mark.parametrize("vector", vectors("tds23_e3"), ids=hexes)
def test_the_examples_of_the_standard(vector: dict[str, Any]) -> None:
    epc = memory(vector)
    for pc_bits in (None, word(epc), word(epc, 0x400)):
        found = decode_tag(epc, pc_bits)
        assert (found.scheme, found.why) == (vector["scheme"], None)
        host = vector.get("host", "id.gs1.org")
        link = vector.get("digital_link")
        assert found.digital_link == (None if link is None else f"https://{host}{link}")
    again = encode_tag(found.tag_uri or found.uri, scheme=found.scheme, filter_value=found.filter_value)
    assert (again.epc, again.pc_bits) == (epc, word(epc))


def test_all_of_the_examples_are_there() -> None:
    schemes = [vector["scheme"] for vector in vectors("tds23_e3")]
    assert len(schemes) == len(set(schemes)) == 45


@pytest.mark.parametrize("vector", vectors("tds23_e3", "opaque"), ids=hexes)
def test_a_misprinted_example_is_opaque(vector: dict[str, Any]) -> None:
    found = decode_tag(memory(vector))
    assert found.scheme == "private"
    assert found.why is not None
    assert vector["why"] in found.why


@pytest.mark.parametrize("vector", vectors("classic"), ids=hexes)
def test_the_classic_examples(vector: dict[str, Any]) -> None:
    found = decode_tag(memory(vector), word(memory(vector)))
    assert found.tag_uri == vector["tag_uri"]
    assert encode_tag(vector["tag_uri"]).epc == memory(vector)


@pytest.mark.parametrize("vector", vectors("iso"), ids=hexes)
def test_codes_of_iso(vector: dict[str, Any]) -> None:
    epc, pc_bits = memory(vector), int(vector["pc"], 16)
    found = decode_tag(epc, pc_bits)
    assert found.iso is not None
    assert (found.scheme, found.iso.text, found.why) == (vector["scheme"], vector["text"], None)
    assert found.uri == vector.get("uri", raw_uri(epc, pc_bits & 0xFF))
    assert found.afi == pc_bits & 0xFF
    assert str(found.container_code or "") == vector.get("container_code", "")


@pytest.mark.parametrize("scheme", CLASSIC)
@given(data=st.data())
def test_every_identity_survives_the_tag(scheme: str, data: st.DataObject) -> None:
    uri = data.draw(tag_uris(scheme))
    encoded = encode_tag(uri)
    found = decode_tag(encoded.epc, encoded.pc_bits)
    assert (found.scheme, found.tag_uri, found.why) == (scheme, uri, None)
    assert found == decode_tag_cached(encoded.epc, encoded.pc_bits)
    json.dumps(found.as_json())


EPCPY_SCHEMES = [scheme for scheme in CLASSIC if scheme not in {"adi-var", "gdti-113"}]
"""epcpy does not know GDTI-113, and its ADI fails on the example of the standard."""


@pytest.mark.parametrize("scheme", EPCPY_SCHEMES)
@given(data=st.data())
def test_epcpy_reads_the_same(scheme: str, data: st.DataObject) -> None:
    encoded = encode_tag(data.draw(tag_uris(scheme, PLAIN)))
    ours = decode_tag(encoded.epc)
    theirs = hex_to_tag_encodable(encoded.epc.hex())
    assert theirs.epc_uri == ours.uri


@given(
    st.binary(max_size=80),
    st.none() | st.integers(0, 0xFFFF) | st.integers(-(1 << 20), 1 << 20),
    st.sampled_from(list(Protocol)),
)
def test_nothing_is_raised_whatever_the_bytes(epc: bytes, pc_bits: int | None, protocol: Protocol) -> None:
    check_whole(decode_tag(epc, pc_bits, protocol))


@given(
    st.sampled_from([*tag._DECODERS, *tag._PLUS, 0xE2, 0x00]),
    st.integers(1, 31).flatmap(lambda words: st.binary(min_size=2 * words - 1, max_size=2 * words - 1)),
    st.sampled_from((0, 0x100, 0x1A1, 0x1A9, 0x1AA, 0x1B0, 0x200)),
)
def test_nothing_is_raised_behind_any_header(header: int, tail: bytes, flags: int) -> None:
    epc = bytes([header]) + tail
    check_whole(decode_tag(epc, word(epc, flags)))


def check_whole(found: TagData) -> None:
    """All that a caller can ask for is there, and nothing is half known."""
    document = found.as_json()
    json.dumps(document)
    assert all(isinstance(text, str) for row in found.as_table() for text in row)
    assert (found.why is None) == (
        found.scheme in {*tag._KINDS, *(layout.name for layout in tag._PLUS.values())} or found.iso is not None
    )
    if found.why is not None:
        assert found.elements == ()
        assert found.parts == ()
        assert not document.keys() & {"tag_uri", "digital_link", "element_string", "container_code", "fields"}
        assert found.uri.startswith((tag.RAW, tag.GB_URN))
    elif found.pc_bits is not None and found.pc_bits & 0x100:
        assert found.iso is not None
    elif found.plus is None or found.plus.unread is None:
        written = found.tag_uri or found.element_string or ""
        host = None if found.plus is None else found.plus.host
        again = encode_tag(
            written, scheme=found.scheme, filter_value=found.filter_value, host=host, hazardous=found.hazardous is True
        )
        reread = decode_tag(again.epc, again.pc_bits)
        assert (reread.uri, reread.filter_value, reread.elements) == (found.uri, found.filter_value, found.elements)


PRIVATE_SGTIN = bytes.fromhex("30751FEB705C5904E3D50D70")


def test_the_toggle_keeps_a_private_code_from_being_a_gtin() -> None:
    assert decode_tag(PRIVATE_SGTIN, 0x3000).scheme == "sgtin-96"
    found = decode_tag(PRIVATE_SGTIN, 0x3100)
    assert (found.scheme, found.uri) == ("iso", "urn:epc:raw:96.x00.x30751FEB705C5904E3D50D70")
    assert found.why == "AFI 00: its content is not known here"


@pytest.mark.parametrize(
    ("epc", "pc_bits", "scheme", "why"),
    [
        ("", None, "unprogrammed", "the memory is empty"),
        ("", 0, "unprogrammed", "the memory is empty"),
        ("00" * 12, 0x3000, "unprogrammed", "the memory is empty"),
        ("E280689000005 00E88C6A4A7".replace(" ", ""), 0x3000, "unprogrammed", "a chip's own number"),
        ("44" * 12, 0x3000, "private", "the header 44 belongs to no EPC scheme"),
        ("00" * 11 + "01", 0x3000, "private", "the header 00 belongs to no EPC scheme"),
        ("3074257BF7194E4000001A850000", 0x3800, "private", "sgtin-96 takes 12 bytes, here are 14"),
        ("3074257BF7194E4000001A850000", None, "private", "sgtin-96 takes 12 bytes, here are 14"),
        ("3074257BF7194E4000001A85", 0x3800, "private", "announces 7 words, here are 12 bytes"),
        ("3074257BF7194E4000001A85", 0x3900, "iso", "announces 7 words, here are 12 bytes"),
        ("307C257BF7194E4000001A85", 0x3000, "private", "partition 7 is reserved"),
        ("3E" + "11" * 11, 0x31B0, "6c-toc", "Toll Operators"),
        ("3F" + "11" * 11, 0x31B0, "iso", "AFI B0 without the 3E"),
        ("DC20D3455CF0D74CF8CE", 0x29C1, "iso", "AFI C1: its content is not known here"),
        ("8800" * 5, 0x29A9, "iso-17363", "100010 are reserved"),
        ("F7" + "FF" * 11, 0x3000, "private", "F stands where a digit must be"),
        ("3074257BF7194E4000001A85", 0x13000, "private", "has more than 16 bits"),
    ],
)
def test_what_stays_opaque_and_why(epc: str, pc_bits: int | None, scheme: str, why: str) -> None:
    found = decode_tag(bytes.fromhex(epc), pc_bits)
    assert found.scheme == scheme
    assert found.why is not None
    assert why in found.why
    assert found.fields == {}


def test_a_code_of_another_air_interface_is_opaque() -> None:
    found = decode_tag(PRIVATE_SGTIN, 0x3000, Protocol.GB_29768)
    assert (found.scheme, found.uri) == ("gb29768", "urn:x-gb29768:30751FEB705C5904E3D50D70")
    assert found.hazardous is None


def test_extended_words_do_not_hide_an_epc() -> None:
    assert decode_tag(PRIVATE_SGTIN, 0x3A00).scheme == "sgtin-96"
    assert decode_tag(PRIVATE_SGTIN, 0x4A00).scheme == "private"


def test_the_word_says_whether_the_thing_is_hazardous() -> None:
    assert decode_tag(PRIVATE_SGTIN, 0x3001).hazardous is True
    assert decode_tag(PRIVATE_SGTIN, 0x3000).hazardous is False
    assert decode_tag(PRIVATE_SGTIN).hazardous is None
    container = encode_tag("urn:epc:id:bic:CSQU3054383", hazardous=True)
    assert decode_tag(container.epc, container.pc_bits).hazardous is True
    assert container.pc_bits == 0x29AA


def test_a_container_as_json_and_as_a_table() -> None:
    found = decode_tag(bytes.fromhex("DC20D3455CF0D74CF8CE"), 0x29A9)
    assert found.as_json() == {
        "epc": "DC20D3455CF0D74CF8CE",
        "pc": "29A9",
        "scheme": "iso-17363",
        "uri": "urn:epc:id:bic:CSQU3054383",
        "afi": "A9",
        "hazardous": False,
        "subject": "freight container",
        "container_code": "CSQU3054383",
        "fields": {"data_identifier": "7B", "data": "CSQU3054383"},
    }
    assert ("container code", "CSQU3054383") in found.as_table()
    assert ("hazardous", "no") in found.as_table()


def test_a_trade_item_as_json() -> None:
    assert decode_tag(bytes.fromhex("3074257BF7194E4000001A85"), 0x3000).as_json() == {
        "epc": "3074257BF7194E4000001A85",
        "pc": "3000",
        "scheme": "sgtin-96",
        "uri": "urn:epc:id:sgtin:0614141.812345.6789",
        "tag_uri": "urn:epc:tag:sgtin-96:3.0614141.812345.6789",
        "digital_link": "https://id.gs1.org/01/80614141123458/21/6789",
        "element_string": "(01)80614141123458(21)6789",
        "filter": 3,
        "hazardous": False,
        "fields": {"company_prefix": "0614141", "item_reference": "812345", "serial": "6789"},
    }


def test_the_fields_of_an_epc_of_tds_2() -> None:
    encoded = encode_tag(
        "https://example.com/01/79521141123453/10/L1/21/32a%2Fb?17=270131", scheme="sgtin++", filter_value=1
    )
    assert decode_tag(encoded.epc, encoded.pc_bits).fields == {
        "ai_01": "79521141123453",
        "ai_21": "32a/b",
        "ai_10": "L1",
        "ai_17": "270131",
        "host": "example.com",
    }


def test_what_follows_an_epc_and_cannot_be_read_is_told() -> None:
    # An SGTIN+ that says that more follows: an Application Identifier 28, which there is not.
    found = decode_tag(bytes.fromhex("F7B795211411234538566CB0AFC45000"))
    assert (found.scheme, found.why) == ("sgtin+", None)
    assert found.fields == {
        "ai_01": "79521141123453",
        "ai_21": "32a/b",
        "unread": "(28) is no Application Identifier that a tag can hold",
    }


def test_the_cache_is_bounded_in_tags_and_in_bytes() -> None:
    before = tag._cached.cache_info()
    assert before.maxsize == tag.CACHED_TAGS
    assert decode_tag_cached(PRIVATE_SGTIN, 0x3000) is decode_tag_cached(PRIVATE_SGTIN, 0x3000)
    size = tag._cached.cache_info().currsize
    assert decode_tag_cached(bytes(100_000)).scheme == "unprogrammed"
    assert tag._cached.cache_info().currsize == size
