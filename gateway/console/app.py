"""The web console: one page, its data, and a stream of what changes. Loopback only, read only.

Everything a device said is text to the page, never markup; the content security policy forbids the rest.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from gateway import systemd
from gateway.config.models import SiteFile
from gateway.console.live import Live
from gateway.event_history import EventHistory
from gateway.health import Progress
from gateway.logs import get_log
from gateway.mqtt import Session, stay_connected

STATIC: Final = Path(__file__).parent / "static"
EVERY_S: Final = 0.25
STREAMS_MOST: Final = 32
PUMP_STALLED_S: Final = 5.0
POLICY: Final = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'"
HOSTS: Final = ["127.0.0.1", "localhost", "[::1]", "::1"]
"""Names under which a loopback page is asked for; any other is a page elsewhere that rebinds its name to us."""


class Streams:
    """The pages that are open, each with its own queue; a page that does not keep up is given everything anew."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._waiting: set[asyncio.Queue[bytes]] = set()

    async def pump(self, beat: Callable[[], None] = lambda: None) -> None:
        """Send what changed to every page, four times a second; `beat` is called each time."""
        while True:
            beat()
            await asyncio.sleep(EVERY_S)
            news = _message("changes", self._live.changes())
            for queue in self._waiting:
                if queue.full():
                    while not queue.empty():
                        queue.get_nowait()
                    queue.put_nowait(_message("whole", self._live.whole()))
                else:
                    queue.put_nowait(news)

    async def follow(self) -> AsyncGenerator[bytes, None]:
        """The stream of one page."""
        queue: asyncio.Queue[bytes] = asyncio.Queue(maxsize=20)
        queue.put_nowait(_message("whole", self._live.whole()))
        self._waiting.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._waiting.discard(queue)

    @property
    def full(self) -> bool:
        """Whether no further page may follow."""
        return len(self._waiting) >= STREAMS_MOST


class _SafeHeaders(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response


def application(live: Live, streams: Streams, journal: EventHistory | None = None) -> Starlette:
    """The console as an ASGI application."""

    async def page(request: Request) -> Response:
        del request
        return FileResponse(STATIC / "index.html")

    async def state(request: Request) -> Response:
        del request
        return _json(live.whole())

    async def stream(request: Request) -> Response:
        del request
        if streams.full:
            return _json({"error": f"{STREAMS_MOST} pages are open already; close one"}, status=503)
        return StreamingResponse(streams.follow(), media_type="text/event-stream")

    async def where(request: Request) -> Response:
        subject = request.query_params.get("subject", "")[:128]
        if journal is None or not subject:
            return _json({"subject": subject, "history": []})
        history = await asyncio.to_thread(journal.where, subject)
        return _json({"subject": subject, "history": [msgspec.to_builtins(event) for event in history]})

    return Starlette(
        routes=[
            Route("/", page),
            Route("/api/state", state),
            Route("/api/stream", stream),
            Route("/api/where", where),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS), Middleware(_SafeHeaders)],
    )


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: they end the process before anybody can say goodbye."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def end(self) -> None:
        """Stop serving."""
        self.should_exit = True


async def serve(site: SiteFile, journal: EventHistory | None) -> None:
    """Serve the console of a site until cancelled or told to stop by a signal.

    Raises:
        ConfigError: a credential or certificate is missing. OSError: the address is taken.
    """
    live = Live(site.site.name)
    streams = Streams(live)
    progress = Progress()
    log = get_log()
    host, port = site.console.host, site.console.port
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise OSError(error.errno, f"console.port = {port}: cannot listen on {host}: {error.strerror}") from error
    server = _Server(
        uvicorn.Config(
            application(live, streams, journal), log_config=None, access_log=False, timeout_graceful_shutdown=1
        )
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.end)
    url = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/"

    def changed(reason: str | None) -> None:
        live.connected = reason is None
        log.info("broker_connected" if reason is None else "broker_lost", reason=reason)

    async def listen(session: Session) -> None:
        while True:
            message = await session.receive()
            live.feed(message.topic, message.payload)

    async def follow_broker() -> None:
        await stay_connected(
            site.mqtt,
            listen,
            client_id=f"tagwharf-console-{site.site.name}",
            topics=Live.topics(site.site.name),
            changed=changed,
        )

    work = [
        asyncio.create_task(follow_broker()),
        asyncio.create_task(streams.pump(progress.watch("pump", PUMP_STALLED_S))),
        asyncio.create_task(systemd.feed_watchdog(progress.stalled)),
    ]
    serving = asyncio.create_task(server.serve([listener]))
    systemd.ready(url)  # connections wait in the listener's queue for the moment that uvicorn still needs
    log.info("console_started", url=url)
    try:
        await asyncio.wait({serving, work[0], work[1]}, return_when=asyncio.FIRST_COMPLETED)
        for task in work[:2]:
            if task.done():
                await task  # a credential that is missing, or a defect: neither may look like a healthy console
        await serving
    finally:
        systemd.stopping()
        server.end()
        for task in work:
            task.cancel()
        await asyncio.gather(serving, *work, return_exceptions=True)
        listener.close()


def _message(event: str, body: object) -> bytes:
    return b"event: " + event.encode() + b"\ndata: " + msgspec.json.encode(body) + b"\n\n"


def _json(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json")
