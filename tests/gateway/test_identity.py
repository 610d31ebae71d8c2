from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.models import Cards, IdentityStyle
from gateway.identity import Identities, MissingKeyError, card_key, hides_numbers, identities_of, is_random, redacted
from readers.driver import Kind
from readers.errors import ConfigError
from readers.tagdata.cards import CardIdentity, Part, Technology, partial_of
from tests.support.card_readers import CANARY, CANARY_FORMS, leaks

KEY = b"0123456789abcdef"
KEYED = Identities(IdentityStyle.KEYED, KEY)
RAW = Identities(IdentityStyle.RAW)
NO_KEY = Identities(IdentityStyle.KEYED)
UIDS = st.builds(
    CardIdentity, st.sampled_from(Technology), st.binary(min_size=1, max_size=16), st.just(Part.WHOLE)
).filter(lambda identity: not is_random(identity))


def identity(text: str) -> CardIdentity:
    return CardIdentity.from_text(text)


def test_the_name_is_a_keyed_hash_as_documented() -> None:
    key = hashlib.blake2b(KEY, digest_size=32).digest()
    whole = hashlib.blake2b(b"whole:04CA7A12F0AD9B", key=key, digest_size=12, person=b"tagwharf cards").hexdigest()
    part = hashlib.blake2b(b"last24:F0AD9B", key=key, digest_size=12, person=b"tagwharf cards").hexdigest()
    assert KEYED.name(identity(CANARY)) == f"nfca#{whole}"
    assert KEYED.name(identity("wiegand~last24:F0AD9B")) == f"wiegand~last24#{part}"
    assert RAW.name(identity(CANARY)) == CANARY
    assert Identities(IdentityStyle.KEYED, KEY + b"x").name(identity(CANARY)) != KEYED.name(identity(CANARY))


@given(UIDS)
def test_what_is_named_is_read_and_says_nothing_of_the_number(card: CardIdentity) -> None:
    name = KEYED.name(card)
    assert KEYED.read(name) == NO_KEY.read(name) == KEYED.read(card.text)
    assert RAW.read(RAW.name(card)).technology == card.technology
    assert name.partition("#")[0] == card.technology
    assert len(name.partition("#")[2]) == 24


@given(UIDS, st.sampled_from(Part), st.sampled_from(Technology))
def test_every_part_that_a_reader_can_pass_on_is_enrolled(card: CardIdentity, part: Part, told: Technology) -> None:
    presented = partial_of(card, part, technology=told)
    if presented is not None:
        assert KEYED.read(KEYED.name(presented)).digest in KEYED.enrol(card.text).digests


def test_a_hash_and_a_part_are_enrolled_as_they_are() -> None:
    name = KEYED.name(identity(CANARY))
    assert NO_KEY.enrol(name) == ("nfca", (KEYED.read(name).digest,))
    assert KEYED.enrol("wiegand~last24:F0AD9B") == ("wiegand", (KEYED.read("nfca~last24:F0AD9B").digest,))
    assert len(KEYED.enrol("nfca:01020304").digests) == 5
    assert len(KEYED.enrol("wiegand:010203").digests) == 3


def test_a_random_number_names_no_card() -> None:
    assert is_random(identity("nfca:08A1B2C3"))
    assert not any(map(is_random, map(identity, ("nfca:04A1B2C3", "nfca:08A1B2C3D4E5F6", "em4100:08A1B2C3D4"))))
    with pytest.raises(ValueError, match="makes up anew"):
        KEYED.enrol("nfca:08A1B2C3")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("04CA7A12F0AD9B", "begin with a technology"),
        ("mifare:04CA7A12F0AD9B", "begin with a technology"),
        ("nfca~last16:D4E5", "part that is none of"),
        ("nfca~last24:04CA7A12F0AD9B", "must be TECHNOLOGY:HEX"),
        ("nfca:04CA7A12F0AD9", "must be TECHNOLOGY:HEX"),
        ("nfca:", "must be TECHNOLOGY:HEX"),
        ("nfca#04CA7A12F0AD9B", "24 hex digits"),
        ("mifare#" + "0" * 24, "begin with a technology"),
        ("", "begin with a technology"),
    ],
)
def test_what_is_no_name_is_refused_without_repeating_it(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        KEYED.read(text)
    assert leaks(str(caught.value).encode()) == []
    assert caught.value.__cause__ is None


def test_without_its_key_no_number_is_hashed() -> None:
    assert (KEYED.can_name, NO_KEY.can_name, RAW.can_name) == (True, False, True)
    for act in (NO_KEY.name, lambda card: NO_KEY.read(card.text)):
        with pytest.raises(MissingKeyError, match="openssl rand -hex 32"):
            act(identity(CANARY))


def test_a_site_of_numbers_takes_no_hashes() -> None:
    with pytest.raises(ValueError, match='identity = "raw"'):
        RAW.read("nfca#" + "0" * 24)


def test_the_check_tells_keys_apart_and_not_the_key() -> None:
    assert RAW.check == "raw"
    assert NO_KEY.check == ""
    assert KEYED.check == Identities(IdentityStyle.KEYED, KEY).check != Identities(IdentityStyle.KEYED, KEY[:-1]).check
    assert KEY.decode() not in KEYED.check


def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str | None) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    if key is not None:
        (tmp_path / "card-key").write_text(key + "\n")


def test_the_key_is_a_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(tmp_path, monkeypatch, KEY.decode())
    assert card_key() == KEY
    assert identities_of(Cards(), is_key_needed=True).check == KEYED.check
    assert identities_of(Cards(identity=IdentityStyle.RAW), is_key_needed=True).check == "raw"


def test_a_missing_key_is_a_fault_where_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(tmp_path, monkeypatch, None)
    with pytest.raises(ConfigError, match="LoadCredential=card-key:/etc/tagwharf/card-key"):
        identities_of(Cards(), is_key_needed=True)
    assert not identities_of(Cards(), is_key_needed=False).can_name


def test_a_short_key_is_a_fault_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(tmp_path, monkeypatch, "short")
    for is_key_needed in (True, False):
        with pytest.raises(ConfigError, match="has 5 bytes, at least 16") as caught:
            identities_of(Cards(), is_key_needed=is_key_needed)
        assert "'short'" not in str(caught.value)


def test_numbers_are_hidden_but_for_cards_that_go_by_number() -> None:
    assert hides_numbers(Kind.CARD, None)
    assert hides_numbers(Kind.CARD, Identities(IdentityStyle.KEYED))
    assert hides_numbers(Kind.CARD, Identities(IdentityStyle.KEYED, KEY))
    assert not hides_numbers(Kind.CARD, Identities(IdentityStyle.RAW))
    assert not hides_numbers(Kind.RFID, None)


def test_texts_of_card_readers_lose_what_may_be_a_number() -> None:
    for form in CANARY_FORMS:
        text = form.decode("latin-1")
        assert leaks(redacted(f"checksum: 3F, should be 40 in 02 {text} 03").encode("latin-1")) == [], form
        assert leaks(redacted(f"no number: {form!r}, at /dev/ttyUSB0").encode("latin-1")) == [], form
    assert redacted("the reader at tcp://10.0.0.7:4001 did not answer within 3.0 s") == (
        "the reader at tcp://10.0.0.7:4001 did not answer within 3.0 s"
    )
