"""Signatures of webhooks: HMAC-SHA256 over `{id}.{time}.{body}`.

Source: Standard Webhooks 1.0.0, "Signature scheme" and "Webhook headers": symmetric keys are 24 to 64 random bytes,
written `whsec_` and base64; several signatures stand side by side while a key is replaced.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

from gateway.config import ConfigError

PREFIX: Final = "whsec_"
LEAST_KEY_BYTES: Final = 24
MOST_KEY_BYTES: Final = 64
MOST_KEYS: Final = 4
_VERSION: Final = "v1"


def keys_of(secret: str, what: str) -> tuple[bytes, ...]:
    """The keys that a credential holds, one a line or a word: the present one, and old ones while they are replaced.

    Raises:
        ConfigError: it holds none, too many, or something else; the message does not repeat it.
    """
    words = secret.split()
    keys = tuple(_key(word, what) for word in words)
    if not keys or len(keys) > MOST_KEYS:
        raise ConfigError(f"{what} holds {len(keys)} keys; it must hold 1 to {MOST_KEYS}, one a line")
    return keys


def signatures(keys: Iterable[bytes], message_id: str, sent_at_s: int, body: bytes) -> str:
    """The value of the header `webhook-signature`."""
    signed = f"{message_id}.{sent_at_s}.".encode() + body
    return " ".join(f"{_VERSION},{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}" for key in keys)


def _key(word: str, what: str) -> bytes:
    try:
        key = base64.b64decode(word.removeprefix(PREFIX), validate=True) if word.startswith(PREFIX) else b""
    except (binascii.Error, ValueError):
        key = b""
    if not LEAST_KEY_BYTES <= len(key) <= MOST_KEY_BYTES:
        raise ConfigError(
            f"{what}: a key is {PREFIX} followed by {LEAST_KEY_BYTES} to {MOST_KEY_BYTES} random bytes in base64; make "
            f'one: echo "{PREFIX}$(openssl rand -base64 32)"'
        )
    return key
