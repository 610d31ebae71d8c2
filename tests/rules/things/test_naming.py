from __future__ import annotations

from readers.tagdata.encode import encode_iso
from rules.things.naming import NAMELESS, Named, Naming
from rules.things.thing import AMBIGUOUS, KNOWN, UNKNOWN, Thing
from tests.rules.things.registries import NOTHING, registry

SGTIN = "3074257BF7194E4000001A85"  # GS1 EPC Tag Data Standard 2.3, section E.3
CONTAINER = encode_iso(0xA9, "7BCSQU3054383")


def test_the_list_of_the_site_goes_before_what_the_tag_says() -> None:
    naming = Naming(registry({SGTIN: Thing("Drill 7", "tool", "cordless")}, version="1f"))
    assert naming.tag(SGTIN, None, 0x3000) == Named("Drill 7", {"kind": "tool", "class": "cordless", "registry": "1f"})


def test_a_tag_in_no_list_says_what_it_can() -> None:
    naming = Naming(NOTHING)
    assert naming.tag(SGTIN, None, None) == Named(
        None, {"scheme": "sgtin-96", "uri": "urn:epc:id:sgtin:0614141.812345.6789"}
    )
    named = naming.tag(CONTAINER.epc.hex().upper(), None, CONTAINER.pc_bits)
    assert named.name == "CSQU3054383"
    assert (named.fields["scheme"], named.fields["class"]) == ("iso-17363", "container")
    assert naming.tag("DEADBEEF", None, 0x1000) is NAMELESS


def test_by_its_tid_a_tag_is_named_too() -> None:
    assert Naming(registry(tids={"E280": Thing("Seal 9")})).tag("DEAD", "E280", None) == Named("Seal 9", {})


def test_a_card_is_named_if_it_is_known_and_the_list_is_named_always() -> None:
    card = "nfca#" + "0" * 24
    naming = Naming(registry(cards={card: Thing("Kim", "person")}, version="1f"))
    assert naming.card(card) == (KNOWN, Named("Kim", {"kind": "person", "registry": "1f"}))
    assert naming.card("em4100#" + "0" * 24) == (UNKNOWN, Named(None, {"registry": "1f"}))
    two = registry(cards={card: Thing("Kim"), "em4100#" + "0" * 24: Thing("Jo")})
    assert Naming(two).card("wiegand#" + "0" * 24) == (AMBIGUOUS, NAMELESS)
