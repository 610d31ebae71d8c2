"""The console as an ASGI application: the shell, the pages' data, the streams, and who may have them.

Everything a device said is text to the page, never markup; the content security policy forbids the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.console.access.middleware import protected
from gateway.console.access.roles import Role, require
from gateway.console.access.routes import access_routes
from gateway.console.page import Console, Page, as_json, refusal
from gateway.console.registry import all_pages
from gateway.console.streams import Streams, TooManyError

STATIC: Final = Path(__file__).parent / "static"
SHELL: Final = STATIC / "index.html"
HOME: Final = "site"
LOGIN: Final = "login"


def application(console: Console) -> ASGIApp:
    """The whole console."""
    pages = all_pages()
    routes: list[BaseRoute] = [
        *access_routes(console.accounts),
        Route("/", _shell),
        Route(f"/{LOGIN}", _shell),
        Route("/api/shell", _about(console, pages)),
        Route("/api/stream", _Stream(console, pages), methods=["GET"]),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    for page in pages:
        data = [_guarded(route, page.least) for route in page.routes(console)]
        routes += [Mount(f"/api/{page.name}", routes=data), Route(f"/{page.name}", _shell)]
        routes.append(Route(f"/{page.name}/{{rest:path}}", _shell))
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refused, 500: _failed})
    return protected(app, console.accounts)


async def _shell(request: Request) -> Response:
    del request
    return FileResponse(SHELL)


def _about(console: Console, pages: tuple[Page, ...]) -> Callable[[Request], Response]:
    about = {
        "site": console.site.site.name,
        "home": HOME,
        "pages": [
            {"name": page.name, "is_in_menu": page.order is not None, "least": page.least.value} for page in pages
        ],
    }

    def tell(request: Request) -> Response:
        del request
        return as_json(about)

    return tell


class _Stream:
    """`/api/stream`; see `gateway.console.streams`."""

    def __init__(self, console: Console, pages: tuple[Page, ...]) -> None:
        self._streams, self._accounts = Streams(console.live.parts), console.accounts
        self._least = {part: _least_of(part, pages) for part in console.live.parts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        asked = request.query_params.get("parts", "").split(",")
        require(request, max(self._least.get(part, Role.VIEWER) for part in asked))
        response: ASGIApp
        try:
            response = self._streams.open(request.query_params, lambda: self._accounts.still_allowed(request))
        except TooManyError as error:
            response = refusal(str(error), 503)
        except LookupError as error:
            response = refusal(str(error), 404)
        except ValueError as error:
            response = refusal(str(error), 400)
        await response(scope, receive, send)


def _least_of(part: str, pages: tuple[Page, ...]) -> Role:
    """Who may follow a part: those who may see the page that it is named after."""
    own = [page.least for page in pages if part == page.name or part.startswith(f"{page.name}-")]
    return max(own, default=Role.VIEWER)


def _guarded(route: BaseRoute, least: Role) -> BaseRoute:
    """The same route, for those who may see its page."""
    if not isinstance(route, Route):
        raise TypeError(f"{route!r}: a page gives plain routes")
    inside = route.app

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        require(Request(scope), least)
        await inside(scope, receive, send)

    route.app = guard
    return route


def _refused(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, HTTPException)
    response = refusal(error.detail, error.status_code)
    response.headers.update(error.headers or {})
    return response


def _failed(request: Request, error: Exception) -> Response:
    del request, error  # Starlette raises it again, for the log
    return refusal("a defect of the console; its log says more", 500)
