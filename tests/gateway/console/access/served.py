"""A small application behind the real door, served by the real server, and a browser-like visitor."""

import asyncio
import http.client
import json
import ssl
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway.config.console import Console, ConsoleTls, User
from gateway.console.access.accounts import Accounts
from gateway.console.access.middleware import protected
from gateway.console.access.passwords import make_hash
from gateway.console.access.roles import Role, require
from gateway.console.access.routes import access_routes
from gateway.console.access.tls import Certificate

PASSWORD = "correct horse 电池"
USERS = [
    User(name="vera", role="viewer", password_credential="console-vera"),
    User(name="olga", role="operator", password_credential="console-olga", person="olga"),
    User(name="emil", role="engineer", password_credential="console-emil"),
]


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@cache
def hash_of_password() -> str:
    return make_hash(PASSWORD)


def accounts_of(clock: Callable[[], float], users: list[User] | None = None, **settings: Any) -> Accounts:
    users = USERS if users is None else users
    hashes = {user.name: hash_of_password() for user in users}
    return Accounts(Console(user=users, **settings), hashes, {"olga": b"k" * 32}, now=clock)


def application(accounts: Accounts) -> Starlette:
    def look(request: Request) -> Response:
        return JSONResponse({"account": require(request, Role.VIEWER).name})

    async def order(request: Request) -> Response:
        account = require(request, Role.OPERATOR)
        return JSONResponse({"by": account.person, "body": len(await request.body())})

    def setup(request: Request) -> Response:
        return JSONResponse({"account": require(request, Role.ENGINEER).name})

    def shell(request: Request) -> Response:
        del request
        return PlainTextResponse("shell", headers={"Cache-Control": "max-age=60", "X-Frame-Options": "ALLOW"})

    async def stream(request: Request) -> Response:
        require(request, Role.VIEWER)

        async def news() -> AsyncGenerator[bytes, None]:
            while accounts.still_allowed(request):
                yield b"data: 1\n\n"
                await asyncio.sleep(0.02)
            yield b"event: ended\ndata: {}\n\n"

        return StreamingResponse(news(), media_type="text/event-stream")

    def refused(request: Request, error: Exception) -> Response:
        del request
        assert isinstance(error, HTTPException)
        return JSONResponse({"error": error.detail}, error.status_code, dict(error.headers or {}))

    routes = [
        *access_routes(accounts),
        Route("/", shell),
        Route("/api/look", look),
        Route("/api/order", order, methods=["POST"]),
        Route("/api/setup", setup, methods=["POST"]),
        Route("/api/stream", stream),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: refused})


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Visitor:
    """Keeps its cookie and token as the page does."""

    port: int
    tls: ssl.SSLContext | None = None
    cookie: str = ""
    csrf: str = ""
    host: str = "127.0.0.1"

    @property
    def origin(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    def connection(self) -> http.client.HTTPConnection:
        if self.tls:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)

    def headers(self, method: str, headers: dict[str, str | None]) -> dict[str, str]:
        made: dict[str, str | None] = {"Host": f"{self.host}:{self.port}"}
        made |= {"Cookie": self.cookie} if self.cookie else {}
        made |= {"Origin": self.origin, "X-CSRF-Token": self.csrf} if method == "POST" else {}
        return {name: value for name, value in {**made, **headers}.items() if value is not None}

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: dict[str, str | None] | None = None,
        *,
        raw: bytes | None = None,
        **more: str | None,
    ) -> Answer:
        given = {name.replace("_", "-"): value for name, value in {**(headers or {}), **more}.items()}
        if body is not None:
            raw = json.dumps(body).encode()
            given.setdefault("Content-Type", "application/json")
        connection = self.connection()
        try:
            connection.request(method, path, raw, self.headers(method, given))
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        finally:
            connection.close()
        set_cookie = answer.headers.get("Set-Cookie")
        if set_cookie:
            self.cookie = set_cookie.partition(";")[0]
        if path in ("/api/me", "/api/login", "/api/logout") and answer.status == 200:
            self.csrf = answer.body["csrf"]
        return answer

    def come(self) -> "Visitor":
        assert self.ask("GET", "/api/me").status == 200
        return self

    def log_in(self, name: str = "olga", password: str = PASSWORD) -> Answer:
        return self.ask("POST", "/api/login", {"name": name, "password": password})


def with_door(accounts: Accounts, body: Callable[[Visitor], None], certificate: Certificate | None = None) -> None:
    """Run `body`, which blocks, in a thread beside the server."""

    async def scenario() -> None:
        config = uvicorn.Config(
            protected(application(accounts), accounts),
            host="127.0.0.1",
            port=0,
            log_config=None,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=16 << 10,
        )
        config.load()
        config.ssl = None if certificate is None else certificate.context
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            await asyncio.to_thread(body, Visitor(port))
        finally:
            server.should_exit = True
            await serving

    asyncio.run(scenario())


def tls_of(directory: Path, name: str) -> ConsoleTls:
    return ConsoleTls(certificate_file=directory / f"{name}.pem", key_file=directory / f"{name}.key")
