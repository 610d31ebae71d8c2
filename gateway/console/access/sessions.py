"""Sessions: kept here, named by a random token in a cookie; and the token of each against forged requests."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.console.access.roles import Account

TOKEN_BYTES: Final = 32
TOKEN_CHARACTERS: Final = 43
"""256 bits in URL-safe base 64, without padding."""
MOST: Final = 256
MOST_OF_ONE: Final = 8
"""Sessions at once of all users, and of one: the one unused for longest ends for a new one."""


@dataclass(slots=True, eq=False)
class Session:
    """Somebody who has logged in, on one browser."""

    account: Account
    began_s: float
    used_s: float
    has_ended: bool = False


class Sessions:
    """The sessions of this process; none outlives it.

    Args:
        idle_s: a session ends when it is not used for so long.
        most_s: ... and so long after its login in any case.
        now: a monotonic clock, in seconds.
    """

    def __init__(self, idle_s: float, most_s: float, now: Callable[[], float]) -> None:
        self._idle_s, self._most_s, self._now = idle_s, most_s, now
        self._open: dict[bytes, Session] = {}  # by the hash of the token; the one unused for longest comes first
        self._csrf_key = secrets.token_bytes(TOKEN_BYTES)

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, account: Account) -> tuple[str, Session]:
        """A new session and its token, which nobody has seen before."""
        self._sweep()
        own = [digest for digest, session in self._open.items() if session.account.name == account.name]
        if len(own) >= MOST_OF_ONE:
            self._end(own[0])
        if len(self._open) >= MOST:
            self._end(next(iter(self._open)))
        token, now_s = new_token(), self._now()
        session = self._open[_digest(token)] = Session(account, now_s, now_s)
        return token, session

    def find(self, token: str) -> Session | None:
        """The session of a token, which is used with this."""
        digest = _digest(token)
        session = self._open.get(digest)
        if session is None:
            return None
        if not self.is_open(session):
            self._end(digest)
            return None
        session.used_s = self._now()
        self._open[digest] = self._open.pop(digest)
        return session

    def is_open(self, session: Session) -> bool:
        """Whether a session goes on; asking is no use of it."""
        now_s = self._now()
        has_time = now_s - session.used_s < self._idle_s and now_s - session.began_s < self._most_s
        return has_time and not session.has_ended

    def end(self, token: str) -> None:
        """End the session of a token, if there is one."""
        self._end(_digest(token))

    def csrf_of(self, token: str) -> str:
        """What a request that changes something must carry besides the cookie with this token."""
        made = hmac.digest(self._csrf_key, token.encode(), "sha256")
        return urlsafe_b64encode(made).rstrip(b"=").decode()

    def _end(self, digest: bytes) -> None:
        session = self._open.pop(digest, None)
        if session is not None:
            session.has_ended = True

    def _sweep(self) -> None:
        for digest in [digest for digest, session in self._open.items() if not self.is_open(session)]:
            self._end(digest)


@dataclass(frozen=True, slots=True)
class Cookie:
    """The cookie that carries the token; under TLS no other host or path can set it for us.

    Source: RFC 6265bis, section 4.1.3.2 (the prefix `__Host-`).
    """

    is_secure: bool

    @property
    def name(self) -> str:
        """Its name."""
        return "__Host-tagwharf" if self.is_secure else "tagwharf"

    def read(self, headers: list[str]) -> str | None:
        """The token in the `Cookie` headers; None where there is none, several, or something else."""
        pairs = [pair.strip().partition("=") for header in headers for pair in header.split(";")]
        found = [value for name, _, value in pairs if name == self.name]
        return found[0] if len(found) == 1 and _is_token(found[0]) else None

    def header(self, token: str) -> str:
        """`Set-Cookie` with a token; it ends with the browser."""
        return f"{self.name}={token}; Path=/; HttpOnly; SameSite=Strict{'; Secure' if self.is_secure else ''}"


def new_token() -> str:
    """256 bits by chance."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def _is_token(text: str) -> bool:
    return len(text) == TOKEN_CHARACTERS and text.isascii() and text.replace("-", "a").replace("_", "a").isalnum()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
