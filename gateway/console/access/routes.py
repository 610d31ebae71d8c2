"""Login, logout, and who one is.

GET  /api/me      {name, role, person, csrf, login_possible, language}; makes the cookie where there is none
POST /api/login   {name, password} as application/json; answers as /api/me with a new cookie, 401, or 429
POST /api/logout  answers as /api/me
"""

from __future__ import annotations

import math
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.console.access.accounts import VISIT, Accounts, Visit
from gateway.console.access.audit import address_of
from gateway.console.access.passwords import BUSY_RETRY_S, BusyError
from gateway.console.access.roles import Account, account_of
from gateway.console.access.sessions import new_token

WRONG: Final = "name or password is wrong"
LANGUAGES: Final = ("en", "zh")
_MOST_CHARACTERS: Final = 1024


class Login(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a login."""

    name: str
    password: str


def access_routes(accounts: Accounts) -> list[Route]:
    """The routes of this room."""
    door = _Desk(accounts)
    return [
        Route("/api/me", door.me, methods=["GET"]),
        Route("/api/login", door.login, methods=["POST"]),
        Route("/api/logout", door.logout, methods=["POST"]),
    ]


class _Desk:
    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def me(self, request: Request) -> Response:
        token = _visit(request).token
        if token is None:
            return self._about(request, account_of(request), new_token(), is_new=True)
        return self._about(request, account_of(request), token)

    async def login(self, request: Request) -> Response:
        accounts = self._accounts
        asked = await _login_in(request)
        if not accounts.login_possible:
            raise HTTPException(409, "nobody can log in here: the site file has no [[console.user]]")
        account = accounts.find(asked.name)
        user = None if account is None else account.name
        wait_s = accounts.limits.begin(address_of(request), asked.name)
        if wait_s > 0:
            accounts.audit.login_refused(request, user, "limit")
            raise _later(429, "too many attempts", math.ceil(wait_s))
        try:
            is_right = await accounts.passwords.verify(asked.name, asked.password)
        except BusyError:
            accounts.limits.forgive(address_of(request), asked.name)
            accounts.audit.login_refused(request, user, "busy")
            raise _later(503, "too many log in at once", BUSY_RETRY_S) from None
        if account is None or not is_right:
            accounts.audit.login_refused(request, user, "password")
            raise HTTPException(401, WRONG)
        accounts.limits.forgive(address_of(request), asked.name)
        self._end(request)
        token, _ = accounts.sessions.begin(account)
        accounts.audit.logged_in(request, account.name, account.role.value)
        return self._about(request, account, token, is_new=True)

    async def logout(self, request: Request) -> Response:
        session = _visit(request).session
        if session is not None:
            self._accounts.audit.logged_out(request, session.account.name)
        self._end(request)
        return self._about(request, self._accounts.anonymous, new_token(), is_new=True)

    def _end(self, request: Request) -> None:
        token = _visit(request).token
        if token is not None:
            self._accounts.sessions.end(token)

    def _about(self, request: Request, account: Account | None, token: str, *, is_new: bool = False) -> Response:
        accounts = self._accounts
        body = {
            "name": None if account is None else account.name,
            "role": None if account is None else account.role.value,
            "person": None if account is None else account.person,
            "csrf": accounts.sessions.csrf_of(token),
            "login_possible": accounts.login_possible,
            "language": language_of(request.headers.get("accept-language", "")),
        }
        headers = {"Set-Cookie": accounts.cookie.header(token)} if is_new else None
        return Response(msgspec.json.encode(body), headers=headers, media_type="application/json")


def language_of(accepted: str) -> str:
    """The first of ours that `Accept-Language` names; browsers write them in the order of preference."""
    for each in accepted[:_MOST_CHARACTERS].split(","):
        name = each.partition(";")[0].strip().lower().partition("-")[0]
        if name in LANGUAGES:
            return name
    return LANGUAGES[0]


async def _login_in(request: Request) -> Login:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "send application/json")
    try:
        asked = msgspec.json.decode(await request.body(), type=Login)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise HTTPException(400, 'send {"name": ..., "password": ...}') from None
    if max(len(asked.name), len(asked.password)) > _MOST_CHARACTERS:
        raise HTTPException(400, f"name and password have at most {_MOST_CHARACTERS} characters")
    return asked


def _later(status: int, text: str, after_s: int) -> HTTPException:
    return HTTPException(status, f"{text}; try again in {after_s} seconds", {"Retry-After": str(after_s)})


def _visit(request: Request) -> Visit:
    visit = request.scope["state"][VISIT]
    assert isinstance(visit, Visit)
    return visit
