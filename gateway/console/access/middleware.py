"""What every request passes before a page sees it: host name, size, origin, session. Streams pass unbuffered.

    SafeHeaders ─► TrustedHostMiddleware ─► BodyLimit ─► Door ─► the application

Sources: OWASP Cross-Site Request Forgery Prevention and Session Management Cheat Sheets; W3C Fetch Metadata; RFC 9112,
section 6.3.
"""

from __future__ import annotations

import asyncio
import hmac
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.console.access.accounts import VISIT, Accounts, Visit
from gateway.console.access.roles import ACCOUNT, NOT_LOGGED_IN, REFUSED

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; media-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SAFE_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with "no-referrer" a browser may say `Origin: null` to ourselves
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), serial=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
TRANSPORT_SECURITY: Final = "max-age=31536000"
BODY_MOST_BYTES: Final = 64 << 10
BODY_WITHIN_S: Final = 10.0
"""A body of that size takes less, even by a mobile network."""

CSRF_HEADER: Final = "x-csrf-token"
DATA: Final = "/api/"
ANYBODYS: Final = frozenset({"/api/me", "/api/login", "/api/logout", "/api/shell"})
"""Data that says nothing of the site, and that a login needs."""
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_TOO_LARGE: Final = f"the body is larger than {BODY_MOST_BYTES} bytes"


def protected(app: ASGIApp, accounts: Accounts) -> ASGIApp:
    """The application behind everything that every request must pass."""
    inside: ASGIApp = BodyLimit(Door(app, accounts))
    inside = TrustedHostMiddleware(inside, accounts.settings.allowed_hosts, www_redirect=False)
    return SafeHeaders(inside, is_encrypted=accounts.settings.tls is not None)


class SafeHeaders:
    """Adds to each response what tells browsers to be careful; what a response says itself stays, but for these."""

    def __init__(self, app: ASGIApp, *, is_encrypted: bool) -> None:
        self._app = app
        self._headers = {**SAFE_HEADERS, **({"Strict-Transport-Security": TRANSPORT_SECURITY} if is_encrypted else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)


class BodyLimit:
    """Refuses bodies that are too large, and does not wait for those that do not come."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if "content-length" in headers and "transfer-encoding" in headers:
            response = _refusal(400, "the length of the body is told twice", "size")
            response.headers["Connection"] = "close"  # a proxy may see another request in what follows
            await response(scope, receive, send)
            return
        announced = headers.get("content-length", "0")
        if not announced.isdecimal() or int(announced) > BODY_MOST_BYTES:
            await _refusal(413, _TOO_LARGE, "size")(scope, receive, send)
            return
        got_bytes, is_whole = 0, False

        async def limited() -> Message:
            nonlocal got_bytes, is_whole
            if is_whole:
                return await receive()
            try:
                async with asyncio.timeout(BODY_WITHIN_S):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, f"the body did not come within {BODY_WITHIN_S:.0f} seconds") from None
            got_bytes += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if got_bytes > BODY_MOST_BYTES:
                raise HTTPException(413, _TOO_LARGE)
            return message

        await self._app(scope, limited, send)


class Door:
    """Finds out who asks, and lets in what is theirs to ask.

    It leaves the account, the visit and who is told of refusals in `scope["state"]`.
    """

    def __init__(self, app: ASGIApp, accounts: Accounts) -> None:
        self._app, self._accounts = app, accounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, accounts = HTTPConnection(scope), self._accounts
        token = accounts.cookie.read(request.headers.getlist("cookie"))
        session = None if token is None else accounts.sessions.find(token)
        account = accounts.anonymous if session is None else session.account
        state = scope.setdefault("state", {})
        state.update({ACCOUNT: account, VISIT: Visit(token, session), REFUSED: accounts.audit.refused})
        wrong = self._wrong(request, token)
        if wrong is None and account is None and _is_closed(scope["path"]):
            wrong = (401, NOT_LOGGED_IN, "login")
        if wrong is not None:
            accounts.audit.refused(request, wrong[2])
            await _refusal(*wrong)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _wrong(self, request: HTTPConnection, token: str | None) -> tuple[int, str, str] | None:
        """Status, text and code of what is not asked by a page of ours."""
        site = request.headers.get("sec-fetch-site")
        if request.scope["method"] in _SAFE_METHODS:
            is_link = request.headers.get("sec-fetch-mode") == "navigate"
            if site in (None, "none", "same-origin") or is_link:
                return None
            return 403, f"a page of another site ({site}) asks for this", "origin"
        if site not in (None, "same-origin") or not _is_own_origin(request):
            return 403, "this was not sent by a page of this console", "origin"
        given = request.headers.get(CSRF_HEADER, "")
        if token is None or not _is_same(given, self._accounts.sessions.csrf_of(token)):
            return 403, "X-CSRF-Token is missing or old; GET /api/me tells it", "csrf"
        return None


def _is_own_origin(request: HTTPConnection) -> bool:
    """Whether `Origin` is where the request goes to; the name of that was found to be ours."""
    origins, hosts = request.headers.getlist("origin"), request.headers.getlist("host")
    if len(origins) != 1 or len(hosts) != 1:
        return False
    return origins[0].lower() == f"{request.scope['scheme']}://{hosts[0].lower()}"


def _is_same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _is_closed(path: str) -> bool:
    return path.startswith(DATA) and path not in ANYBODYS


def _refusal(status: int, text: str, code: str) -> JSONResponse:
    return JSONResponse({"error": text, "code": code}, status)
