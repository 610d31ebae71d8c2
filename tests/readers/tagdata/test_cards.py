import pytest

from readers.tagdata.cards import CardIdentity, Part, Technology


def test_the_text_of_an_identity_says_technology_and_what_is_known() -> None:
    assert CardIdentity(Technology.NFC_A, bytes.fromhex("1EA68671")).text == "nfca:1EA68671"
    assert CardIdentity(Technology.WIEGAND, b"\xa6\x86\x71", Part.LAST_24).text == "wiegand~last24:A68671"


@pytest.mark.parametrize("uid", [b"", bytes(17)])
def test_a_uid_has_bytes_but_not_any_number(uid: bytes) -> None:
    with pytest.raises(ValueError, match="1 to 16 bytes"):
        CardIdentity(Technology.NFC_A, uid)
