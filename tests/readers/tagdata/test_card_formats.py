from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from readers.errors import FrameError
from readers.tagdata.card_formats import WIEGAND, Bits, CardFormat, CardPolicy
from readers.tagdata.cards import CardIdentity, Part, Technology, partial_of

NFC_A = {"technology": "nfca"}


def framed(data: int, size: int) -> Bits:
    """A Wiegand frame by another route than the module's: parity counted on a string."""
    text = f"{data:0{size - 2}b}"
    halves = {26: (12, 12), 34: (16, 16), 37: (18, 18), 66: (32, 32)}[size]
    even = text[: halves[0]].count("1") % 2
    odd = 1 - text[-halves[1] :].count("1") % 2
    return Bits(int(f"{even}{text}{odd}", 2), size)


@pytest.mark.parametrize(
    ("delivered", "settings", "card"),
    [
        # the six written forms of one card
        ("1EA68671", NFC_A, "nfca:1EA68671"),
        ("7186A61E", NFC_A | {"byte_order": "reversed"}, "nfca:1EA68671"),
        ("514229873", NFC_A | {"base": "dec"}, "nfca:1EA68671"),
        ("1904649758", NFC_A | {"base": "dec", "byte_order": "reversed"}, "nfca:1EA68671"),
        ("166,34417", NFC_A | {"base": "facility_number", "width": "last24"}, "nfca~last24:A68671"),
        (
            "134,42526",
            NFC_A | {"base": "facility_number", "byte_order": "reversed", "width": "first24"},
            "nfca~first24:1EA686",
        ),
        # a printed EM4100 card
        ("0013961168", {"technology": "em4100", "base": "dec", "width": "last32"}, "em4100~last32:00D507D0"),
        ("0013961168", {"technology": "em4100", "base": "dec", "width": "last24"}, "em4100~last24:D507D0"),
        ("213,02000", {"technology": "em4100", "base": "facility_number", "width": "last24"}, "em4100~last24:D507D0"),
        ("21302000", {"technology": "em4100", "base": "facility_number", "width": "last24"}, "em4100~last24:D507D0"),
        ("00D507D0", {"technology": "em4100", "width": "last24"}, "em4100~last24:D507D0"),
        ("62E3086CED", {"technology": "em4100"}, "em4100:62E3086CED"),
        ("0424715775213", {"technology": "em4100", "base": "dec"}, "em4100:62E3086CED"),
        # other writings
        (" 1E:A6:86:71\r\n", NFC_A, "nfca:1EA68671"),
        ("0x1ea68671", NFC_A, "nfca:1EA68671"),
        ("04 A1 B2 C3 D4 E5 F6", NFC_A, "nfca:04A1B2C3D4E5F6"),
        ("1303689068602870", NFC_A | {"base": "dec"}, "nfca:04A1B2C3D4E5F6"),
        ("12-34567", {"base": "facility_number"}, "wiegand:0C8707"),
        ("00300/40000", {"base": "facility_number", "uid_bytes": 4}, "wiegand:012C9C40"),
        ("0030040000", {"base": "facility_number", "width": "last32"}, "wiegand~last32:012C9C40"),
        ("12345", {"base": "dec", "uid_bytes": 3}, "wiegand:003039"),
        ("E0040150A1B2C3D4", {"technology": "nfcv", "byte_order": "reversed"}, "nfcv:D4C3B2A1500104E0"),
        # Wiegand frames as text: facility 12, number 34567
        ("2190E0F", {"wiegand": 26}, "wiegand:0C8707"),
        (str(0x2190E0F), {"wiegand": 26, "base": "dec"}, "wiegand:0C8707"),
        ("2190E0E", {"wiegand": 26, "parity": "ignored"}, "wiegand:0C8707"),
    ],
)
def test_what_a_reader_delivers_is_one_card(delivered: str, settings: dict[str, Any], card: str) -> None:
    assert CardFormat.model_validate(settings).identity(delivered).text == card


@pytest.mark.parametrize(
    ("delivered", "settings", "reason"),
    [
        ("not a hex", NFC_A, "text"),
        ("", NFC_A, "text"),
        ("1EA6 8671", NFC_A, "text"),
        ("1EA68671", NFC_A | {"base": "dec"}, "text"),
        ("１２３４", {"base": "dec", "uid_bytes": 4}, "text"),
        ("166.34417", NFC_A | {"base": "facility_number", "width": "last24"}, "text"),
        ("0" * 65, NFC_A, "length"),
        ("1EA686", NFC_A, "length"),
        ("1EA6867100", NFC_A, "length"),
        ("130013961168", {"technology": "em4100", "width": "last32"}, "width"),
        ("1EA68671", NFC_A | {"width": "last24"}, "width"),
        ("1EA686", NFC_A | {"width": "last32"}, "width"),
        ("1EA68671", NFC_A | {"uid_bytes": 7}, "width"),
        ("256,00001", {"base": "facility_number"}, "width"),
        ("1,65536", {"base": "facility_number"}, "width"),
        ("1" * 30, NFC_A | {"base": "dec"}, "width"),
        ("8190E0F", {"wiegand": 26}, "bit_count"),
        ("2190E0E", {"wiegand": 26}, "parity"),
        ("0190E0F", {"wiegand": 26}, "parity"),
        ("00000000", NFC_A, "blank_uid"),
        ("FFFFFF", {"width": "last24"}, "blank_uid"),
        ("08123456", NFC_A, "random_uid"),
        ("08123456", {}, "random_uid"),
        ("56341208", NFC_A | {"byte_order": "reversed"}, "random_uid"),
        ("081234", NFC_A | {"width": "first24"}, "random_uid"),
        ("8804A1B2", NFC_A, "cascade_tag"),
        ("8804A1B2", NFC_A | {"random_uids": "allowed"}, "cascade_tag"),
        ("8804A1B2", NFC_A | {"width": "first32"}, "cascade_tag"),
        ("12345678", {"technology": "nfcb"}, "pupi"),
        ("E0040150A1B2C3D4", {"technology": "nfcv"}, "byte_order"),
    ],
)
def test_what_names_no_card_is_refused_by_its_reason(delivered: str, settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(FrameError) as refused:
        CardFormat.model_validate(settings).identity(delivered)
    assert refused.value.reason == reason
    assert delivered.strip() == "" or delivered.strip() not in str(refused.value)


@pytest.mark.parametrize(
    ("identity", "policy"),
    [
        ("nfca:08123456", CardPolicy(random_uids="allowed")),
        ("nfca~last32:08123456", CardPolicy()),
        ("nfca:08A1B2C3D4E5F6", CardPolicy()),
        ("wiegand:081234", CardPolicy()),
        ("nfca~last24:88A1B2", CardPolicy()),
        ("nfcb:12345678", CardPolicy(pupi="allowed")),
        ("app:0123456789", CardPolicy()),
    ],
)
def test_what_names_a_card_is_accepted(identity: str, policy: CardPolicy) -> None:
    assert policy.accept(CardIdentity.from_text(identity)).text == identity


@pytest.mark.parametrize(
    ("bits", "settings", "card"),
    [
        (framed(0x0C8707, 26), {}, "wiegand:0C8707"),
        (framed(0x1EA68671, 34), NFC_A, "nfca:1EA68671"),
        (framed(0x7186A61E, 34), NFC_A | {"byte_order": "reversed"}, "nfca:1EA68671"),
        (framed(0x123456789, 37), {}, "wiegand:0123456789"),
        (framed(0x04A1B2C3D4E5F600, 66), {}, "wiegand:04A1B2C3D4E5F600"),
        (framed(0xA68671, 26), NFC_A | {"width": "last24", "wiegand": 26}, "nfca~last24:A68671"),
        (Bits(0x04A1B2C3D4E5F6, 56), NFC_A, "nfca:04A1B2C3D4E5F6"),
        (Bits(0x1EA68671, 32), NFC_A, "nfca:1EA68671"),
    ],
)
def test_bits_are_wiegand_frames_or_bytes(bits: Bits, settings: dict[str, Any], card: str) -> None:
    assert CardFormat.model_validate(settings).identity(bits).text == card


@pytest.mark.parametrize(
    ("bits", "settings", "reason"),
    [
        (Bits(1, 27), {}, "bit_count"),
        (Bits(0, 0), {}, "bit_count"),
        (Bits(1, 136), {}, "bit_count"),
        (framed(0x1EA68671, 34), {"wiegand": 26}, "bit_count"),
        (Bits(framed(0x1EA68671, 34).value ^ 1, 34), NFC_A, "parity"),
        (framed(0x1EA68671, 34), {"width": "last24"}, "width"),
    ],
)
def test_bits_that_are_neither_are_refused(bits: Bits, settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(FrameError) as refused:
        CardFormat.model_validate(settings).identity(bits)
    assert refused.value.reason == reason


@given(st.sampled_from(sorted(WIEGAND)), st.data())
def test_one_wrong_bit_of_a_wiegand_frame_is_noticed(size: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(1, (1 << (size - 2)) - 2))
    right = framed(number, size)
    settings = CardFormat(random_uids="allowed", parity="checked", byte_order=data.draw(st.sampled_from(["air"])))
    try:
        assert int.from_bytes(settings.identity(right).uid, "big") == number
    except FrameError as error:
        assert error.reason in ("cascade_tag", "blank_uid")  # noqa: PT017 - the number itself may be refused
        return
    middle = size == 37 and data.draw(st.booleans())
    at = 18 if middle else data.draw(st.integers(0, size - 1))
    with pytest.raises(FrameError, match="parity"):
        settings.identity(Bits(right.value ^ 1 << at, size))


@given(st.text(max_size=80))
def test_any_text_is_a_card_or_a_frame_error(text: str) -> None:
    for base in ("hex", "dec", "facility_number"):
        settings = CardFormat.model_validate({"base": base, "uid_bytes": 4})
        try:
            assert len(settings.identity(text).uid) == 4
        except FrameError as error:
            assert error.reason  # noqa: PT017 - either outcome is right


@given(
    st.binary(min_size=4, max_size=4).filter(lambda uid: uid[0] not in (0x08, 0x88)),
    st.sampled_from(list(Part)),
    st.sampled_from(["air", "reversed"]),
    st.sampled_from(["hex", "dec", "facility_number"]),
)
def test_every_written_form_leads_back_to_the_card(uid: bytes, part: Part, order: str, base: str) -> None:
    """The reader's side, written here a second time."""
    known = partial_of(CardIdentity(Technology.NFC_A, uid), part)
    assert known is not None
    number = known.uid if order == "air" else known.uid[::-1]
    if base == "hex":
        text = number.hex()
    elif base == "dec":
        text = f"{int.from_bytes(number, 'big'):010d}"
    else:
        text = f"{int.from_bytes(number[:-2], 'big'):03d},{int.from_bytes(number[-2:], 'big'):05d}"
    settings: dict[str, Any] = {"technology": "nfca", "base": base, "byte_order": order, "width": part}
    if part is Part.WHOLE:
        settings["uid_bytes"] = 4
    try:
        assert CardFormat.model_validate(settings).identity(text) == known
    except FrameError as error:
        assert error.reason == "blank_uid"  # noqa: PT017 - what is drawn may be all zeros


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"base": "dec"}, "does not say how long a wiegand number is"),
        ({"base": "facility_number", "wiegand": 26}, "no parity bits left"),
        ({"base": "facility_number", "uid_bytes": 7}, "have 3 or 4 bytes together"),
        ({"width": "last24", "uid_bytes": 3}, "last24 has 3 bytes"),
        ({"wiegand": 35}, "26, 34, 37 or 66"),
        ({"uid_bytes": 17}, "less than or equal to 16"),
        ({"bytes": "air"}, "Extra inputs"),
    ],
)
def test_settings_that_decide_nothing_are_faults(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        CardFormat.model_validate(settings)
