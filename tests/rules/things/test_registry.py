from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.models import IdentityStyle
from gateway.identity import Identities
from readers.tagdata.cards import CardIdentity, Part, Technology, partial_of
from rules.things import registry as module
from rules.things.file import RegistryError, Row
from rules.things.registry import Registry
from rules.things.thing import AMBIGUOUS, KNOWN, UNKNOWN, Answer, Thing
from tests.rules.things.registries import IDENTITIES, NOTHING, registry

KIM, JO = Thing("Kim", "person", "driver"), Thing("Jo", "person")
SEVEN, OTHER_SEVEN, FOUR = "nfca:04A1B2C3D4E5F6", "nfca:04FFFFFFD4E5F6", "nfca:1EA68671"


def name(text: str) -> str:
    return IDENTITIES.name(CardIdentity.from_text(text))


def test_a_tag_is_found_by_its_epc_and_then_by_its_tid() -> None:
    things = registry({"3034": KIM}, tids={"E280": JO})
    assert things.tag("3034") == things.tag("3034", "E280") == KIM
    assert things.tag("3035", "E280") == JO
    assert things.tag("3035") is things.tag("E280") is things.tag("3035", "FFFF") is None
    assert things.tag("no hex") is things.tag("", "") is None
    assert NOTHING.tag("3034") is None


@pytest.mark.parametrize(
    ("presented", "answer"),
    [
        (SEVEN, Answer(KNOWN, KIM)),
        ("wiegand:04A1B2C3D4E5F6", Answer(KNOWN, KIM)),
        ("em4100:04A1B2C3D4", Answer(UNKNOWN)),
        ("nfcb:1EA68671", Answer(UNKNOWN)),
        ("nfca~first32:04A1B2C3", Answer(KNOWN, KIM)),
        ("wiegand~first24:04A1B2", Answer(KNOWN, KIM)),
        ("em4100~first24:04A1B2", Answer(UNKNOWN)),
        ("wiegand~last24:D4E5F6", Answer(AMBIGUOUS)),
        ("nfca~last32:1EA68671", Answer(KNOWN, JO)),
        ("nfca~last24:D4E5F7", Answer(UNKNOWN)),
    ],
)
def test_cards_and_what_readers_pass_on_of_them(presented: str, answer: Answer) -> None:
    things = registry(cards={SEVEN: KIM, OTHER_SEVEN: Thing("Third"), FOUR: JO})
    assert things.card(name(presented)) == answer


def test_a_card_of_which_only_a_part_is_known() -> None:
    things = registry(cards={"wiegand~last24:D4E5F6": KIM})
    assert things.card(name("nfca~last24:D4E5F6")) == Answer(KNOWN, KIM)
    assert things.card(name(SEVEN)) == Answer(UNKNOWN)


def test_a_card_enrolled_by_the_hash_that_events_show() -> None:
    things = registry(cards={name(SEVEN): KIM})
    assert things.card(name(SEVEN)) == Answer(KNOWN, KIM)
    assert things.card(name("wiegand~last24:D4E5F6")) == Answer(UNKNOWN)


def test_a_site_of_numbers_needs_no_key() -> None:
    raw = Identities(IdentityStyle.RAW)
    row = Row(2, *KIM[:3], None, None, *raw.enrol(SEVEN))
    things = Registry.of([row], raw)
    assert things.card(SEVEN) == things.card("wiegand~last24:D4E5F6") == Answer(KNOWN, KIM)


def test_what_names_no_card_is_refused() -> None:
    with pytest.raises(ValueError, match="technology"):
        NOTHING.card("04A1B2C3D4E5F6")


def test_two_rows_of_one_tag_or_card_are_refused() -> None:
    rows = [Row(line, *KIM[:3], b"\x30\x34", None, *IDENTITIES.enrol(SEVEN)) for line in (2, 3)]
    with pytest.raises(RegistryError) as caught:
        Registry.of(rows, IDENTITIES)
    assert caught.value.faults == [
        "line 3: card: is in line 2 already; keep one of the lines",
        "line 3: epc = '3034': is in line 2 already; keep one of the lines",
    ]


def test_what_is_remembered_of_tags_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TAGS_KEPT", 3)
    things = registry({"3034": KIM})
    for number in range(20):
        assert things.tag(f"{number:04X}") is None
        assert things.tag("3034") == KIM
        assert len(things._tags) <= 3


UIDS = st.sampled_from((4, 7, 10)).flatmap(lambda size: st.binary(min_size=size, max_size=size))


@given(st.lists(UIDS.filter(lambda uid: uid[0] != 8), unique=True, max_size=12), st.sampled_from(Part), st.data())
def test_a_partial_identity_is_known_exactly_if_one_enrolled_card_has_it(
    uids: list[bytes], part: Part, data: st.DataObject
) -> None:
    enrolled = [CardIdentity(Technology.NFC_A, uid) for uid in uids]
    things = registry(cards={card.text: Thing(card.text) for card in enrolled})
    asked = data.draw(st.sampled_from(enrolled) if enrolled else st.just(CardIdentity(Technology.NFC_A, b"\1\2\3\4")))
    presented = partial_of(asked, part, technology=Technology.WIEGAND)
    assert presented is not None
    fitting = [card for card in enrolled if partial_of(card, part, technology=Technology.WIEGAND) == presented]
    result = {0: UNKNOWN, 1: KNOWN}.get(len(fitting), AMBIGUOUS)
    found = things.card(IDENTITIES.name(presented))
    assert found.result == result
    assert found.thing == (Thing(fitting[0].text) if result == KNOWN else None)


def test_a_tag_found_by_its_epc_comes_with_the_tid_that_the_list_has_beside_it() -> None:
    beside = registry({"3034": KIM._replace(tid="E2801160"), "3035": JO}, tids={"E2801161": JO})
    assert beside.tag("3034") == beside.tag("3034", "E2801161") == Thing(*KIM[:3], "E2801160")
    assert beside.tag("3035") == beside.tag("FFFF", "E2801161") == JO
    assert beside.tag("FFFF", "E2801160") == KIM
