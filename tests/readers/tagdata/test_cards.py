import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.tagdata.cards import PART_BYTES, UID_BYTES, CardIdentity, Part, Technology, partial_of

SEVEN = CardIdentity(Technology.NFC_A, bytes.fromhex("04A1B2C3D4E5F6"))


def identities() -> st.SearchStrategy[CardIdentity]:
    def of(technology: Technology, part: Part) -> st.SearchStrategy[CardIdentity]:
        size = PART_BYTES.get(part)
        uid = st.binary(min_size=1, max_size=16) if size is None else st.binary(min_size=size, max_size=size)
        return uid.map(lambda data: CardIdentity(technology, data, part))

    return st.builds(of, st.sampled_from(Technology), st.sampled_from(Part)).flatmap(lambda found: found)


def test_the_text_of_an_identity_says_technology_and_what_is_known() -> None:
    assert CardIdentity(Technology.NFC_A, bytes.fromhex("1EA68671")).text == "nfca:1EA68671"
    assert CardIdentity(Technology.WIEGAND, b"\xa6\x86\x71", Part.LAST_24).text == "wiegand~last24:A68671"


@given(identities())
def test_an_identity_is_read_back_from_its_text(identity: CardIdentity) -> None:
    assert CardIdentity.from_text(identity.text) == identity
    head, digits = identity.text.split(":")
    assert CardIdentity.from_text(f"{head}:{digits.lower()}") == identity


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1EA68671", "must be TECHNOLOGY:HEX"),
        ("nfca:1EA6867", "must be TECHNOLOGY:HEX"),
        ("nfca:", "must be TECHNOLOGY:HEX"),
        ("nfca:1EA68671 ", "must be TECHNOLOGY:HEX"),
        ("nfc:1EA68671", "technology must be one of nfca, nfcb"),
        ("nfca~last16:1EA6", "part must be one of whole, first32"),
        ("nfca~last24:1EA68671", "part last24 has 3 bytes"),
        ("nfca:" + "00" * 17, "1 to 16 bytes"),
    ],
)
def test_what_is_no_identity_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        CardIdentity.from_text(text)


@pytest.mark.parametrize("uid", [b"", bytes(17)])
def test_a_uid_has_bytes_but_not_any_number(uid: bytes) -> None:
    with pytest.raises(ValueError, match="1 to 16 bytes"):
        CardIdentity(Technology.NFC_A, uid)


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (Part.WHOLE, "nfca:04A1B2C3D4E5F6"),
        (Part.FIRST_32, "nfca~first32:04A1B2C3"),
        (Part.FIRST_24, "nfca~first24:04A1B2"),
        (Part.LAST_32, "nfca~last32:C3D4E5F6"),
        (Part.LAST_24, "nfca~last24:D4E5F6"),
    ],
)
def test_the_parts_of_a_whole_uid(part: Part, text: str) -> None:
    part_of = partial_of(SEVEN, part)
    assert part_of is not None
    assert part_of.text == text
    told = partial_of(SEVEN, part, technology=Technology.WIEGAND)
    assert told is not None
    assert told.text == text.replace("nfca", "wiegand")


def test_parts_that_do_not_exist() -> None:
    assert partial_of(CardIdentity(Technology.WIEGAND, b"\x01\x02\x03"), Part.LAST_32) is None
    with pytest.raises(ValueError, match="only a whole UID has parts"):
        partial_of(CardIdentity(Technology.NFC_A, b"\x01\x02\x03", Part.LAST_24), Part.LAST_24)


def test_sizes_of_uids_fit_into_an_identity() -> None:
    for technology, sizes in UID_BYTES.items():
        for size in sizes:
            assert CardIdentity.from_text(CardIdentity(technology, bytes(size)).text).uid == bytes(size)
