from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import ConfigError
from rules.sinks.signature import MOST_KEYS, keys_of, signatures
from tests.support.webhook_receiver import KEY, OTHER_KEY, SECRET, is_signed


def secret(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


def test_the_known_answer_of_the_reference_libraries() -> None:
    # Source: standard-webhooks/standard-webhooks, libraries/python/tests/test_webhooks.py, test_sign_function.
    keys = keys_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "test")
    signed = signatures(keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(max_size=200), st.integers(0, 1 << 33))
def test_a_receiver_with_either_key_knows_us_and_one_with_another_does_not(body: bytes, at_s: int) -> None:
    made = signatures((KEY, OTHER_KEY), "a-1", at_s, body)
    headers = {"webhook-id": "a-1", "webhook-timestamp": str(at_s), "webhook-signature": made}
    assert is_signed(headers, body, KEY)
    assert is_signed(headers, body, OTHER_KEY)
    assert not is_signed(headers, body, b"k" * 32)
    assert not is_signed(headers, body + b".", KEY)
    assert not is_signed({**headers, "webhook-timestamp": str(at_s + 1)}, body, KEY)
    assert not is_signed({**headers, "webhook-id": "a-2"}, body, KEY)


def test_a_credential_holds_one_key_or_several() -> None:
    assert keys_of(SECRET, "it") == (KEY,)
    assert keys_of(f"{SECRET}\n{secret(OTHER_KEY)}\n", "it") == (KEY, OTHER_KEY)
    assert keys_of(secret(b"k" * 64), "it") == (b"k" * 64,)


@pytest.mark.parametrize(
    "wrong",
    [
        "canary",
        "whsec_",
        "whsec_canary",
        secret(b"c" * 23),
        secret(b"c" * 65),
        secret(b"c" * 32).removeprefix("whsec_"),
        "whsec_\u00e4" + base64.b64encode(b"c" * 32).decode(),
        f"{SECRET} canary",
    ],
)
def test_what_is_no_key_is_refused_and_not_repeated(wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"^credential 'x': a key is whsec_ followed by 24 to 64 ") as caught:
        keys_of(wrong, "credential 'x'")
    assert "canary" not in str(caught.value)
    assert base64.b64encode(b"c" * 12).decode() not in str(caught.value)


@pytest.mark.parametrize("wrong", ["", " \n ", " ".join([SECRET] * (MOST_KEYS + 1))])
def test_there_are_one_to_four_keys(wrong: str) -> None:
    with pytest.raises(ConfigError, match="it must hold 1 to 4, one a line"):
        keys_of(wrong, "it")
