import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.support_bundle.masking import MASK, Masker, is_telling, learn_files

SECRET = 'Gehe1m "& Co/+'


@pytest.mark.parametrize(
    "spelt",
    [
        SECRET,
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        base64.b64encode(SECRET.encode()).decode(),
        quote(SECRET, safe=""),
        json.dumps(SECRET),
    ],
)
def test_a_known_secret_goes_however_it_is_spelt(spelt: str) -> None:
    masked = Masker([SECRET]).text(f"before {spelt} behind")
    assert spelt.strip('"') not in masked
    assert masked.startswith("before ")
    assert masked.endswith(" behind")


@pytest.mark.parametrize(
    "text",
    [
        "password=CANARY",
        "the password is CANARY",
        'mqtt_password = "CANARY CANARY"',
        "{'api_key': 'CANARY'}",
        '{"token":"CANARY"}',
        "Authorization: Bearer CANARY12345",
        "authorization: Token CANARY12345",
        "curl -H 'X: y' https://user:CANARY@host/path",
        "GET /write?db=x&u=CANARY&p=CANARY",
        "-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----",
        "-----BEGIN EC PRIVATE KEY-----\nCANARY",
        "pin: CANARY",
        "psk=CANARY,next=1",
    ],
)
def test_what_looks_like_a_secret_goes(text: str) -> None:
    masked = Masker().text(text)
    assert "CANARY" not in masked
    assert MASK in masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("card nfca:04A1B2C3D4E5F6 came", f"card nfca:{MASK} came"),
        ("card nfca:04 A1 B2 C3", f"card nfca:{MASK}"),
        ("card wiegand:123456", f"card wiegand:{MASK}"),
        ("card nfca#00112233445566778899aabb came", "card nfca#00112233445566778899aabb came"),
        ("epc 30340789000C0E42DFDC1C35", "epc 30340789000C0E42DFDC1C35"),
        (
            'mqtt-password" is needed, but systemd handed none over',
            'mqtt-password" is needed, but systemd handed none over',
        ),
    ],
)
def test_cards_go_and_what_is_no_secret_stays(text: str, masked: str) -> None:
    assert Masker().text(text) == masked


def test_tables() -> None:
    table = {
        "mqtt": {"user": "edge", "password": "CANARY", "tls": {"key_file": "mqtt.key"}},
        "reader": [{"settings": {"access_password": ["CANARY"], "access_password_credential": "gate"}}],
        "table": [{"key": "plate", "url": "http://u:CANARY@h"}],
        "cards": {"card_numbers": "CANARY", "keep": True},
    }
    masker = Masker()
    masked = json.dumps(masker.table(table))
    assert "CANARY" not in masked
    for kept in ("edge", "mqtt.key", "gate", "plate", "true"):
        assert kept in masked
    masker.learn_table(table)
    assert masker.text("the log says CANARY") == f"the log says {MASK}"
    assert masker.leaks("CANARY")


def test_a_long_text_takes_time_in_proportion() -> None:
    """A pattern that looked back from each place would take hours for it."""
    for text in (
        "x" * (1 << 20),
        "password" * (1 << 16),
        "nfca:" * (1 << 17),
        "://a" * (1 << 17),
        "a" * (1 << 19) + "=",
    ):
        assert Masker().text(text)


def test_telling_keys() -> None:
    assert all(map(is_telling, ("password", "scbk", "token", "access_pin", "signing_key", "uid", "card_number")))
    assert not any(map(is_telling, ("key_file", "key", "password_credential", "user", "name", "spinning", "keyed")))


def test_credentials_are_learnt_with_each_of_their_lines(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("CANARY-ONE\nCANARY-TWO\n")
    (tmp_path / "b").write_bytes(b"\xff\x00\x10\x20")
    (tmp_path / "sub").mkdir()
    masker = Masker()
    assert learn_files(masker, [tmp_path, tmp_path / "none"]) == 2
    assert "CANARY" not in masker.text("x CANARY-TWO y CANARY-ONE z")
    assert masker.leaks("ff001020")


@given(
    st.text(min_size=4, max_size=40).filter(lambda s: len(s.strip()) >= 4 and not s.strip().startswith("-----")),
    st.text(),
)
def test_no_text_keeps_a_known_secret(secret: str, around: str) -> None:
    try:
        secret.encode()
    except UnicodeEncodeError:
        return
    masker = Masker([secret])
    masked = masker.text(f"{around}{secret}{around}")
    assert not masker.leaks(masked) or secret.strip() in MASK or any(each in MASK for each in masker._known)
