"""Who asks, and what each may do: `require` at the head of every page and order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import total_ordering
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

ACCOUNT: Final = "account"
REFUSED: Final = "refused"
"""Keys of `scope["state"]`, set by the middleware: the `Account` or None, and who is told of a refusal."""

NOT_LOGGED_IN: Final = "log in first"


@total_ordering
class Role(Enum):
    """What somebody may do; each includes those before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Role):
            return NotImplemented
        ranks = list(Role)
        return ranks.index(self) < ranks.index(other)


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may use the console.

    Attributes:
        name: of the `[[console.user]]`; empty for a visitor who has not logged in and may look all the same.
        person: of the `[[control.person]]` in whose name this user orders and acknowledges, if any.
    """

    name: str
    role: Role
    person: str | None = None


def account_of(request: HTTPConnection) -> Account | None:
    """Who asks; None for somebody who may do nothing."""
    account = request.scope.get("state", {}).get(ACCOUNT)
    return account if isinstance(account, Account) else None


def require(request: HTTPConnection, role: Role) -> Account:
    """Who asks, if they have this role or a higher one.

    Raises:
        HTTPException: 401 where a login would help, 403 where it would not.
    """
    account = account_of(request)
    if account is not None and account.role >= role:
        return account
    refused: Callable[[HTTPConnection, str], None] | None = request.scope.get("state", {}).get(REFUSED)
    if account is None or not account.name:
        if refused is not None:
            refused(request, "login")
        raise HTTPException(401, NOT_LOGGED_IN)
    if refused is not None:
        refused(request, "role")
    raise HTTPException(403, f"{account.name} is {account.role.value}; this needs {role.value}")
