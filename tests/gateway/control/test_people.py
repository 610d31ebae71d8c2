from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.control import Person
from gateway.contract.commands import Outcome, fields_of, is_signed, signed
from gateway.control.people import People, StrangerError, claimed, key_of
from readers.errors import ConfigError
from tests.gateway.control.scenes import order

TOPIC = "tagwharf/1/quay/m-1/command"
SECRETS = {"control-anna": "0123456789abcdef" * 2, "control-ben": "fedcba9876543210" * 2}
PEOPLE = [
    Person(name="anna", key_credential="control-anna", roles=["operator"]),
    Person(name="ben", key_credential="control-ben", roles=["operator"]),
]


def people() -> People:
    return People(PEOPLE, SECRETS.__getitem__)


def test_a_command_is_whose_key_signed_it() -> None:
    sent = order("arm")
    taken = people().command(TOPIC, signed(sent, SECRETS["control-anna"].encode(), TOPIC))
    assert msgspec.structs.replace(taken, signature="") == sent


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "malformed"),
        (b"{", "malformed"),
        (b"{}", "person"),
        (b'{"by": 3}', "person"),
        (b'{"by": "carl"}', "person"),
        (b'{"by": "anna"}', "signature"),
        (b'{"by": "anna", "x": ' + b"[" * 2_000 + b"]" * 2_000 + b"}", "malformed"),
        (b'{"by": "anna", "x": 123456789012345678901234567890}', "signature"),
        (signed(order("arm"), SECRETS["control-ben"].encode(), TOPIC), "signature"),
        (signed(order("arm", id="short"), SECRETS["control-anna"].encode(), TOPIC), "malformed"),
    ],
)
def test_nobody(payload: bytes, code: str) -> None:
    with pytest.raises(StrangerError) as caught:
        people().command(TOPIC, payload)
    assert caught.value.code == code


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: f'{{"by":"anna","x":"{text}"}}'.encode()))
def test_any_bytes_are_nobody(payload: bytes) -> None:
    with pytest.raises(StrangerError):
        people().command(TOPIC, payload)
    assert claimed(payload) == ("", "")


def test_an_outcome_is_signed_for_whom_it_answers() -> None:
    outcome = Outcome(gateway="edge-1", id="x", state="refused", at_us=1, device="m-1", point="relay", by="ben")
    payload = people().payload(outcome, "topic")
    assert is_signed(fields_of(payload), SECRETS["control-ben"].encode(), "topic")
    nobody = people().payload(msgspec.structs.replace(outcome, by=""), "topic")
    assert "signature" not in fields_of(nobody)


def test_what_a_stranger_says_of_himself() -> None:
    assert claimed(msgspec.json.encode(order("arm", id="0" * 26))) == ("0" * 26, "edge-1")
    assert claimed(b'{"id": "0123456789", "gateway": 5}') == ("0123456789", "")
    assert claimed(b'{"id": "<script>", "gateway": "edge-1"}') == ("", "")


@pytest.mark.parametrize(
    "secret",
    ["", "short", "password" * 3, "0" * 64, "000000" * 6, "a passphrase with some blanks in it, long"],
)
def test_default_and_simple_keys_are_refused(secret: str) -> None:
    with pytest.raises(ConfigError, match="openssl rand -hex 32"):
        key_of(secret, "credential 'control-anna'")


def test_two_people_never_have_one_key() -> None:
    with pytest.raises(ConfigError, match="holds the key of another person"):
        People(PEOPLE, lambda _: SECRETS["control-anna"])


def test_a_missing_credential_is_a_fault_of_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.credentials import credential

    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(ConfigError, match="LoadCredential=control-anna"):
        People(PEOPLE, credential)
