from __future__ import annotations

import pytest

from readers.tagdata.card_calibration import calibrate
from readers.tagdata.card_formats import Bits, CardFormat
from readers.tagdata.cards import CardIdentity, Part, Technology

FOUR = CardIdentity(Technology.NFC_A, bytes.fromhex("1EA68671"))
FORMS = {
    "desk": "1EA68671",
    "gate": "7186A61E",
    "kiosk": "514229873",
    "barrier": "1904649758",
    "door": "166,34417",
    "lift": "134,42526",
}


def shape(wanted: CardFormat) -> tuple[str, str, str]:
    return str(wanted.base), str(wanted.byte_order), str(wanted.width)


def test_a_known_card_settles_what_its_length_can() -> None:
    [found] = calibrate({name: [text] for name, text in FORMS.items()}, Technology.NFC_A, [FOUR])
    assert found.cards == (FOUR,)
    assert {name: shape(formats[0]) for name, formats in found.formats.items()} == {
        "desk": ("hex", "air", "whole"),
        "gate": ("hex", "reversed", "whole"),
        "kiosk": ("dec", "air", "whole"),
        "barrier": ("dec", "reversed", "whole"),
        "door": ("facility_number", "air", "last24"),
        "lift": ("facility_number", "reversed", "first24"),
    }
    # a card of 4 bytes cannot show whether a reader would cut a longer one, nor which end of it
    assert found.undecided == ("desk", "gate", "kiosk", "barrier")
    for name, text in FORMS.items():
        assert found.formats[name][0].identity(text).uid in FOUR.uid


def test_without_a_known_card_the_mirror_image_is_possible_too() -> None:
    found = calibrate({name: [FORMS[name]] for name in ("desk", "gate", "door")}, Technology.NFC_A)
    assert [calibration.cards[0].text for calibration in found] == ["nfca:1EA68671", "nfca:7186A61E"]


def test_a_card_of_seven_bytes_settles_the_cut_and_mostly_the_order() -> None:
    whole = bytes.fromhex("04A1B2C3D4E5F6")
    found = calibrate(
        {
            "desk": [whole[::-1].hex()],
            "gate": [Bits(int.from_bytes(whole[-4:], "big"), 32)],
            "door": [str(int.from_bytes(whole[2::-1], "big"))],
        },
        Technology.NFC_A,
    )
    assert [calibration.cards[0].text for calibration in found] == ["nfca:04A1B2C3D4E5F6", "nfca:F6E5D4C3B2A104"]
    assert found[0].undecided == ()
    assert {name: shape(formats[0]) for name, formats in found[0].formats.items()} == {
        "desk": ("hex", "reversed", "whole"),
        "gate": ("hex", "air", "last32"),
        "door": ("dec", "reversed", "first24"),
    }


def test_further_cards_remove_coincidences() -> None:
    one = calibrate({"desk": ["04A1B204A1B204"], "door": ["04A1B2"]}, Technology.NFC_A)
    two = calibrate({"desk": ["04A1B204A1B204", "04010203040506"], "door": ["04A1B2", "040102"]}, Technology.NFC_A)
    assert one[0].formats["door"][0].width is Part.FIRST_24
    assert [shape(wanted) for wanted in two[0].formats["door"]] == [("hex", "air", "first24")]


def test_readers_that_pass_on_parts_only_are_compared_by_their_parts() -> None:
    found = calibrate({"door": ["166,34417"], "lift": ["A68671"]}, Technology.NFC_A)
    assert "nfca~last24:A68671" in [calibration.cards[0].text for calibration in found]


def test_samples_that_contradict_each_other_fit_nothing() -> None:
    assert calibrate({"desk": ["1EA68671"], "gate": ["11223344"]}, Technology.NFC_A) == ()
    assert calibrate({"desk": ["?"]}, Technology.NFC_A) == ()


def test_numbers_behind_a_controller_are_compared_with_their_facility() -> None:
    found = calibrate({"door": ["12,34567"], "lift": [Bits(0x2190E0F, 26)], "desk": ["820999"]}, Technology.WIEGAND)
    best = {name: (*shape(formats[0]), formats[0].uid_bytes) for name, formats in found[0].formats.items()}
    assert found[0].cards[0].text == "wiegand:0C8707"
    assert best == {
        "door": ("facility_number", "air", "whole", 3),
        "lift": ("hex", "air", "whole", None),
        "desk": ("dec", "air", "whole", 3),
    }


@pytest.mark.parametrize("samples", [{}, {"desk": []}, {"desk": ["01"], "gate": ["01", "02"]}])
def test_every_reader_must_have_seen_the_same_cards(samples: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError, match="the same cards in the same order"):
        calibrate(samples, Technology.NFC_A)
    with pytest.raises(ValueError, match="the same cards in the same order"):
        calibrate({"desk": ["01"]}, Technology.NFC_A, [FOUR, FOUR])
