"""Passwords: Argon2id hashes, made and verified with one set of parameters.

Source: RFC 9106, section 4, the SECOND RECOMMENDED option (for environments with little memory): Argon2id version 0x13,
t = 3 passes, m = 64 MiB, p = 4 lanes, 128-bit salt, 256-bit tag. Two verifications at once need 128 MiB, which the
service's memory limit allows for.
"""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final

from argon2 import Parameters, PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHashError, VerifyMismatchError

PARAMETERS: Final = Parameters(
    type=Type.ID, version=0x13, salt_len=16, hash_len=32, time_cost=3, memory_cost=64 << 10, parallelism=4
)
LEAST_CHARACTERS: Final = 10
MOST_CHARACTERS: Final = 256
AT_ONCE: Final = 2
WAITING_MOST: Final = 8
"""A verification takes about a tenth of a second; who would wait longer than a second is told to come back."""
BUSY_RETRY_S: Final = 2

_HASHER: Final = PasswordHasher.from_parameters(PARAMETERS)


class BusyError(Exception):
    """Too many passwords are being verified."""


class Passwords:
    """Verifies passwords.

    Args:
        hashes: those of the users, by name, each found right by `check_hash`.
    """

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._hashes = dict(hashes)
        self._nobody = _hash_of_nobody() if hashes else ""
        self._threads = ThreadPoolExecutor(AT_ONCE, "password")
        self._waiting = 0

    async def verify(self, name: str, password: str) -> bool:
        """Whether this is the user's password; takes as long where there is no such user.

        Raises:
            BusyError: too many are waiting for an answer already.
        """
        if not self._hashes:
            return False
        if self._waiting >= AT_ONCE + WAITING_MOST:
            raise BusyError
        known = self._hashes.get(name)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            matches = await loop.run_in_executor(self._threads, _matches, known or self._nobody, password)
        finally:
            self._waiting -= 1
        return matches and known is not None


def make_hash(password: str) -> str:
    """The hash of a new password.

    Raises:
        ValueError: it is too short or too long.
    """
    characters = len(_normal(password))
    if not LEAST_CHARACTERS <= characters <= MOST_CHARACTERS:
        raise ValueError(f"must have {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters; this has {characters}")
    return _HASHER.hash(_bytes(password))


def check_hash(text: str) -> None:
    """Refuse a hash that was made in another way: it would be weaker, or betray by its time who is a user.

    Raises:
        ValueError: why, without the hash itself.
    """
    advice = "make one: tagwharf console password"
    try:
        found = extract_parameters(text)
    except InvalidHashError:
        raise ValueError(f"is no Argon2 hash; {advice}") from None
    if found != PARAMETERS:
        raise ValueError(
            f"is {found.type.name} with t={found.time_cost}, m={found.memory_cost}, p={found.parallelism}; "
            f"must be Argon2id with t=3, m=65536, p=4, 16 bytes of salt and 32 of hash; {advice}"
        )


@cache
def _hash_of_nobody() -> str:
    """Of a password that nobody knows: what it takes to find out that there is no such user."""
    return make_hash(secrets.token_urlsafe(32))


def _matches(known: str, password: str) -> bool:
    try:
        return _HASHER.verify(known, _bytes(password[: MOST_CHARACTERS + 1]))
    except VerifyMismatchError:
        return False


def _normal(password: str) -> str:
    """The same characters however a keyboard composes them. Source: RFC 8265, section 4.2.2 (OpaqueString)."""
    return unicodedata.normalize("NFC", password)


def _bytes(password: str) -> bytes:
    return _normal(password).encode("utf-8", "surrogatepass")
