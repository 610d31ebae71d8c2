"""A receiver of webhooks on loopback: a real aiohttp server that checks signatures, knows what it has, and has faults.

Signatures are checked as a receiver would, by the text of Standard Webhooks 1.0.0, with nothing of ours.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Any, Self

from aiohttp import web

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
OTHER_KEY = b"o" * 24


class Act(Enum):
    """What happens to one request."""

    ANSWER = "answer"
    RESET = "reset"  # RST instead of an answer
    HANG = "hang"  # no answer at all
    DRIP = "drip"  # the status at once, then its text, byte by byte, for ever
    TAKE_THEN_RESET = "take_then_reset"  # taken, but nobody is told


@dataclass(frozen=True, slots=True)
class Reply:
    """One scripted answer; what it answers with 2xx is taken."""

    status: int = 204
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    act: Act = Act.ANSWER


@dataclass(frozen=True, slots=True)
class Posted:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes
    is_signed: bool

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class Receiver:
    """`async with Receiver() as receiver:` listens on `receiver.url`.

    Attributes:
        script: answers for the next requests; when it is empty everything is taken.
        requests: all that came; taken: what was taken, once for each id, in the order of the first time.
    """

    def __init__(self, script: Iterable[Reply] = (), *, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.script = deque(script)
        self.requests: list[Posted] = []
        self.taken: dict[str, Posted] = {}
        self.doubles = 0
        self._tls = tls
        self._port = port
        self._runner: web.AppRunner | None = None
        self._gone = asyncio.Event()

    @property
    def url(self) -> str:
        assert self._runner is not None
        port = self._runner.addresses[0][1]
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{port}/hooks/in"

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=self._tls).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        self._gone.set()
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        posted = Posted(request.path, headers, body, request.method == "POST" and is_signed(headers, body, KEY))
        self.requests.append(posted)
        reply = self.script.popleft() if self.script else Reply()
        if 200 <= reply.status < 300 and reply.act is not Act.RESET:
            self._take(posted)
        if reply.act is Act.HANG:
            await self._gone.wait()
            return web.Response()
        if reply.act in (Act.RESET, Act.TAKE_THEN_RESET):
            assert request.transport is not None
            raw: socket.socket = request.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.transport.abort()
            return web.Response()
        if reply.act is Act.DRIP:
            response = web.StreamResponse(status=reply.status, headers=reply.headers)
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):  # the sender need not hear it out
                while not self._gone.is_set():
                    await response.write(b"x")
                    await asyncio.sleep(0.01)
            return response
        return web.Response(status=reply.status, body=reply.body, headers=reply.headers)

    def _take(self, posted: Posted) -> None:
        if posted.id in self.taken:
            self.doubles += 1
            assert self.taken[posted.id].body == posted.body, f"another document under the id {posted.id}"
        self.taken.setdefault(posted.id, posted)


def is_signed(headers: dict[str, str], body: bytes, key: bytes) -> bool:
    """Whether one of the signatures is by this key."""
    signed = headers["webhook-id"] + "." + headers["webhook-timestamp"] + "."
    wanted = hmac.new(key, signed.encode() + body, hashlib.sha256).digest()
    versions = [each.split(",", 1) for each in headers["webhook-signature"].split(" ")]
    return any(hmac.compare_digest(base64.b64decode(text), wanted) for version, text in versions if version == "v1")


@contextlib.contextmanager
def received(receiver: Receiver) -> Iterator[Receiver]:
    """Serve it in a thread of its own, for daemons."""
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def main() -> None:
        async with receiver:
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), name="webhook-receiver")
    thread.start()
    assert ready.wait(10)
    try:
        yield receiver
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
