from __future__ import annotations

import pytest

from gateway.tag_facts import TagFacts, container_number, tag_facts
from readers.tagdata.encode import encode_iso

SGTIN = "3074257BF7194E4000001A85"  # GS1 EPC Tag Data Standard 2.3, section E.3
CONTAINER = encode_iso(0xA9, "7BCSQU3054383")


def test_a_tag_of_gs1_says_its_scheme_and_uri() -> None:
    facts = TagFacts("sgtin-96", "urn:epc:id:sgtin:0614141.812345.6789", None)
    assert tag_facts(SGTIN, 0x3000) == tag_facts(SGTIN, None) == facts


def test_a_tag_of_a_freight_container_says_its_number_if_its_word_is_known() -> None:
    facts = tag_facts(CONTAINER.epc.hex().upper(), CONTAINER.pc_bits)
    assert facts is not None
    assert (facts.scheme, facts.container_code) == ("iso-17363", "CSQU3054383")
    assert tag_facts(CONTAINER.epc.hex().upper(), None) is None


@pytest.mark.parametrize(
    ("epc", "pc_bits"),
    [("DEADBEEF", None), ("", None), ("E2801160", None), ("no hex", None), (SGTIN, 0x31A9), (SGTIN, 1 << 40)],
)
def test_what_means_nothing_says_nothing(epc: str, pc_bits: int | None) -> None:
    assert tag_facts(epc, pc_bits) is None


@pytest.mark.parametrize("text", ["CSQU3054383", "csqu 305438-3", " CSQU305438 3 "])
def test_a_container_number_is_written_in_one_way(text: str) -> None:
    assert container_number(text) == "CSQU3054383"


@pytest.mark.parametrize("text", ["CSQU3054384", "CSQX3054383", "CSQU305438", "", "CSQU3054383" * 1000, "ＣSQU3054383"])
def test_what_is_no_container_number_is_none(text: str) -> None:
    assert container_number(text) is None
