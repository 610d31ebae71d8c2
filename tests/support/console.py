"""A console for tests: all of its pages on a site file of the test, served by the real server."""

import asyncio
import concurrent.futures
import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from gateway.config.load import load_site
from gateway.console.access.accounts import Accounts
from gateway.console.app import application
from gateway.console.explaining import Explaining
from gateway.console.live import Live
from gateway.console.page import Console
from gateway.console.parts.part import Cursor
from gateway.console.registry import all_pages
from gateway.console.server import events_directory
from tests.gateway.console.access.served import Clock, Visitor, accounts_of


def make_console(directory: Path, more: str = "", *, accounts: Accounts | None = None) -> Console:
    """The console of the site `site`, whose site file has `more` in it; its event journal is in `directory/events`."""
    config = directory / "site.toml"
    config.write_text(f'[site]\nname = "site"\nstate_dir = "{directory}"\n{more}')
    site = load_site(config)
    events = events_directory(site)
    parts = {name: part for page in all_pages() for name, part in page.parts(site, events).items()}
    return Console(
        site=site,
        config=config,
        live=Live(site.site.name, parts),
        accounts=accounts_of(Clock()) if accounts is None else accounts,
        explaining=Explaining(config),
        state=directory,
        events=events,
    )


def told(cursor: Cursor) -> Any:
    """What a follower is told; there must be something."""
    news = cursor.news()
    assert news is not None
    return news


@dataclass(frozen=True, slots=True)
class Served:
    """A console that is served; its body runs in a thread beside the server."""

    console: Console
    visitor: Visitor
    loop: asyncio.AbstractEventLoop

    def feed(self, topic: str, payload: bytes) -> None:
        """Let the console hear a message; `topic` below the site's."""
        done: concurrent.futures.Future[None] = concurrent.futures.Future()

        def take() -> None:
            self.console.live.feed(f"tagwharf/1/site/{topic}", payload)
            done.set_result(None)

        self.loop.call_soon_threadsafe(take)
        done.result(10)

    def get(self, path: str) -> Any:
        """The body of an answer that must be 200."""
        answer = self.visitor.ask("GET", path)
        assert answer.status == 200, answer.raw
        return answer.body

    def refused(self, path: str, status: int = 400) -> str:
        """The words of a refusal."""
        answer = self.visitor.ask("GET", path)
        assert answer.status == status, answer.raw
        text: str = answer.body["error"]
        return text

    @contextmanager
    def stream(self, query: str) -> Iterator[Iterator[tuple[str, Any]]]:
        """The messages of a stream, each with its name."""
        connection = self.visitor.connection()
        try:
            connection.request("GET", f"/api/stream?{query}", headers=self.visitor.headers("GET", {}))
            response = connection.getresponse()
            assert response.status == 200, response.read()
            assert response.headers["Content-Type"] == "text/event-stream"
            yield _messages(response)
        finally:
            connection.close()


def _messages(response: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in response:
        text = line.decode().rstrip("\n")
        if text.startswith("event: "):
            name = text.removeprefix("event: ")
        elif text.startswith("data: "):
            yield name, json.loads(text.removeprefix("data: "))


def with_console(console: Console, body: Callable[[Served], None]) -> None:
    """Run `body`, which blocks, in a thread beside the server."""

    async def scenario() -> None:
        config = uvicorn.Config(
            application(console), host="127.0.0.1", port=0, log_config=None, timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            await asyncio.to_thread(body, Served(console, Visitor(port), asyncio.get_running_loop()))
        finally:
            server.should_exit = True
            await serving

    asyncio.run(scenario())
