"""Server-sent events: one stream for each open page, with the parts that it shows.

    GET /api/stream?parts=summary,reads&reads.mask=3035*

Each message is an event named after its part, with what changed as JSON. A page that does not keep up gets later news,
not older: nothing is queued for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from starlette.types import Receive, Scope, Send

from gateway.console.live import SUMMARY
from gateway.console.parts.part import Cursor, Part

EVERY_S: Final = 0.25
QUIET_S: Final = 15.0
"""A comment is sent after so long, so that both sides notice a connection that is gone."""
SEND_WITHIN_S: Final = 30.0
STREAMS_MOST: Final = 64
NAME_MOST: Final = 8
"""Parts in one stream at most."""

_encoder: Final = msgspec.json.Encoder()


class Streams:
    """The pages that are open."""

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self._parts = parts
        self._open = 0

    def open(self, query: Mapping[str, str], is_allowed: Callable[[], bool]) -> EventStream:
        """A stream of the parts that a query names; it ends when `is_allowed` says so.

        Raises:
            LookupError: there is no such part. ValueError: a filter has no right form. TooManyError: no more pages.
        """
        if self._open >= STREAMS_MOST:
            raise TooManyError(f"{STREAMS_MOST} pages are open already; close one")
        names = list(dict.fromkeys(name for name in query.get("parts", SUMMARY).split(",") if name))
        for name in names:
            if name not in self._parts:
                raise LookupError(f"parts: {name[:40]!r} is none; there are {', '.join(sorted(self._parts))}")
        if len(names) > NAME_MOST:
            raise ValueError(f"parts: {len(names)} in one stream; {NAME_MOST} at most")
        cursors = {name: self._parts[name].follow(_asked(query, name)) for name in names}
        return EventStream(cursors, is_allowed, self._count)

    def _count(self, change: int) -> None:
        self._open += change


class TooManyError(Exception):
    """No further page may follow."""


class EventStream:
    """The response that streams."""

    def __init__(
        self, cursors: Mapping[str, Cursor], is_allowed: Callable[[], bool], count: Callable[[int], None]
    ) -> None:
        self._cursors, self._is_allowed, self._count = cursors, is_allowed, count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the page goes away, or may not look any more."""
        del scope
        self._count(1)
        leaving = asyncio.create_task(_left(receive))
        try:
            headers = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async with asyncio.timeout(None) as limit:
                await self._send_news(send, limit, leaving)
        except (TimeoutError, OSError):
            pass  # it takes nothing any more; what it missed, it gets when it comes back
        finally:
            leaving.cancel()
            self._count(-1)

    async def _send_news(self, send: Send, limit: asyncio.Timeout, leaving: asyncio.Task[None]) -> None:
        loop = asyncio.get_running_loop()
        told_at_s = loop.time()
        while not leaving.done():
            body = b"".join(
                message(name, news) for name, cursor in self._cursors.items() if (news := cursor.news()) is not None
            )
            if not body and loop.time() - told_at_s > QUIET_S:
                body = b": quiet\n\n"
            if body:
                told_at_s = loop.time()
                limit.reschedule(told_at_s + SEND_WITHIN_S)
                await send({"type": "http.response.body", "body": body, "more_body": True})
                limit.reschedule(None)
            await asyncio.wait({leaving}, timeout=EVERY_S)
            if not self._is_allowed():
                await send({"type": "http.response.body", "body": message("ended", {}), "more_body": False})
                return


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def message(event: str, body: object) -> bytes:
    """One message of a stream."""
    return b"event: " + event.encode() + b"\ndata: " + _encoder.encode(body) + b"\n\n"


def _asked(query: Mapping[str, str], part: str) -> dict[str, str]:
    """What of a query is meant for a part: `reads.mask` is `mask` of `reads`."""
    prefix = part + "."
    return {name.removeprefix(prefix): value for name, value in query.items() if name.startswith(prefix)}
