"""Everything that says who may use the console of a site: users, keys, sessions, limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import HTTPConnection

from gateway.config.console import Anonymous, Console
from gateway.config.models import SiteFile
from gateway.console.access.audit import Audit
from gateway.console.access.limits import LoginLimits
from gateway.console.access.passwords import Passwords, check_hash
from gateway.console.access.roles import Account, Role, account_of
from gateway.console.access.sessions import Cookie, Session, Sessions
from gateway.control.people import key_of
from gateway.credentials import credential
from gateway.health import Health
from readers.errors import ConfigError

VISIT: Final = "visit"
"""Key of `scope["state"]` under which the middleware leaves a `Visit`."""
LOOKER: Final = Account("", Role.VIEWER)
"""Somebody who has not logged in, where anybody may look."""


@dataclass(frozen=True, slots=True)
class Visit:
    """The cookie that came with a request, and the session that it stands for, if any."""

    token: str | None
    session: Session | None


class Accounts:
    """The users of the console, and who of them is here.

    Args:
        hashes: of the users' passwords, by name of the user.
        keys: that sign orders, by name of the person.
        now: a monotonic clock, in seconds.

    Attributes:
        anonymous: what somebody is who has not logged in; None where that is nobody.
        login_possible: whether there is a user at all.
    """

    def __init__(
        self,
        settings: Console,
        hashes: Mapping[str, str],
        keys: Mapping[str, bytes],
        *,
        health: Health | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.health = Health("console") if health is None else health
        self.settings = settings
        self.audit = Audit(self.health, now)
        self.limits = LoginLimits(now)
        self.passwords = Passwords(hashes)
        self.sessions = Sessions(settings.session_idle_s, settings.session_most_s, now)
        self.cookie = Cookie(is_secure=settings.tls is not None)
        self.anonymous = LOOKER if settings.anonymous_may is Anonymous.VIEWER else None
        self.login_possible = bool(settings.user)
        self._accounts = {user.name: Account(user.name, Role(user.role), user.person) for user in settings.user}
        self._keys = dict(keys)

    def find(self, name: str) -> Account | None:
        """The user of that name."""
        return self._accounts.get(name)

    def key(self, person: str) -> bytes:
        """The key that signs what is ordered in the name of a person.

        Raises:
            KeyError: no user orders in the name of this person.
        """
        return self._keys[person]

    def still_allowed(self, request: HTTPConnection) -> bool:
        """Whether who began a request that lasts, such as a stream, is still here."""
        visit = request.scope.get("state", {}).get(VISIT)
        if isinstance(visit, Visit) and visit.session is not None:
            return self.sessions.is_open(visit.session)
        return account_of(request) is not None


def load_accounts(
    site: SiteFile, *, health: Health | None = None, now: Callable[[], float] = time.monotonic
) -> Accounts:
    """The accounts of a site, with the hashes and keys of their credentials.

    Raises:
        ConfigError: a credential is missing, or holds something else; one line for each.
    """
    faults: list[str] = []
    hashes: dict[str, str] = {}
    keys: dict[str, bytes] = {}
    for user in site.console.user:
        try:
            hashes[user.name] = _hash_of(user.password_credential)
            if user.person is not None:
                keys[user.person] = _key_of(user.person, site)
        except ConfigError as error:
            faults.append(f"console.user[{user.name}]: {error}")
    if faults:
        raise ConfigError("\n".join(faults))
    return Accounts(site.console, hashes, keys, health=health, now=now)


def _hash_of(name: str) -> str:
    text = credential(name)
    try:
        check_hash(text)
    except ValueError as error:
        raise ConfigError(f"credential {name!r}: {error}") from None
    return text


def _key_of(name: str, site: SiteFile) -> bytes:
    for person in site.control.person:
        if person.name == name:
            return key_of(credential(person.key_credential), f"credential {person.key_credential!r}")
    raise ConfigError(f"person {name!r}: no [[control.person]] has this name")
