"""A store that answers by script: a real HTTP server on loopback for the answers that no real store gives on demand.

`Judge` says what a store does of itself with each line; `script` holds answers that come before its judgement, one a
request. Rows are kept under series and time, as InfluxDB keeps them.

Sources of statuses and bodies: influxdata/influxdb `http/write_handler.go` and docs.influxdata.com, "Troubleshoot
issues writing data" (InfluxDB 2: 400 refuses all, 422 stores the rest); InfluxDB 1.6.7 and 3: 400 "partial write".
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from tests.support.line_protocol import FieldValue, Row, parse

Key = tuple[str, tuple[tuple[str, str], ...], int]


class Act(Enum):
    """What happens to the connection."""

    ANSWER = "answer"
    JUDGE = "judge"  # as without a script
    RESET = "reset"  # RST instead of an answer
    HANG = "hang"  # no answer at all
    COMMIT_THEN_RESET = "commit_then_reset"  # stored, but nobody is told


@dataclass(frozen=True, slots=True)
class Reply:
    """One scripted answer; `after_s` before it is given."""

    status: int = 204
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    act: Act = Act.ANSWER
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, and the answer that the script had for it."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    at_s: float
    scripted: Reply | None = None


class Partial(Enum):
    """How a store reports lines that it refuses."""

    V2_PARSE = "400, nothing stored"
    V2_CONFLICT = "422, the rest stored"
    V1 = "400, the rest stored"


def problem(status: int, code: str, message: str, **headers: str) -> Reply:
    """An error as InfluxDB 2 words it; `Retry_After=...` becomes a header."""
    body = json.dumps({"code": code, "message": message}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, body, {"Content-Type": "application/json; charset=utf-8", **named})


class HttpStore:
    """`async with HttpStore() as store:` listens on `store.url`.

    Attributes:
        script: answers for the next requests, in order; when it is empty the store judges by itself.
        refuse: says of a row why it is refused, None if it is taken.
        partial: how refusals are reported.
        most_bytes: a larger body gets 413.
        rows: what is stored.
    """

    def __init__(
        self,
        script: Iterable[Reply] = (),
        *,
        refuse: Callable[[Row], str | None] = lambda _: None,
        partial: Partial = Partial.V2_PARSE,
        most_bytes: int = 25_000_000,
    ) -> None:
        self.script = deque(script)
        self.refuse = refuse
        self.partial = partial
        self.most_bytes = most_bytes
        self.rows: dict[Key, dict[str, FieldValue]] = {}
        self.requests: list[Request] = []
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._converse, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        await asyncio.sleep(0)

    def all_rows(self) -> list[Row]:
        """What is stored, as rows."""
        return [Row(name, dict(tags), fields, at_ns) for (name, tags, at_ns), fields in self.rows.items()]

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            # A client that goes away while we read or hang is one of the scripted cases.
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while await self._one(reader, writer):
                    pass
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        scripted, request = None, await _read(reader)
        if self.script:
            scripted = self.script.popleft()
        self.requests.append(replace(request, scripted=scripted))
        body = gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
        reply = self._judge(body) if scripted is None or scripted.act is Act.JUDGE else scripted
        if reply.act is Act.COMMIT_THEN_RESET:
            self._commit(parse(body))
        if reply.after_s:
            await asyncio.sleep(reply.after_s)
        if reply.act is Act.HANG:
            await reader.read()
            return False
        if reply.act is not Act.ANSWER:
            raw: socket.socket = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        headers = {"Content-Length": str(len(reply.body)), **reply.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {reply.status} Scripted\r\n{head}\r\n".encode() + reply.body)
        await writer.drain()
        return True

    def _commit(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.rows.setdefault(row.key, {}).update(row.fields)

    def _judge(self, body: bytes) -> Reply:
        if len(body) > self.most_bytes:
            return problem(413, "request too large", "unable to read data: points batch is too large")
        good, reasons = [], []
        for line in body.split(b"\n"):
            try:
                rows = parse(line)
            except ValueError as error:
                reasons.append(str(error))
                continue
            for row in rows:
                reason = self.refuse(row)
                if reason is None:
                    good.append(row)
                else:
                    reasons.append(reason)
        if not reasons:
            self._commit(good)
            return Reply(204)
        if self.partial is Partial.V2_PARSE:
            return problem(400, "invalid", reasons[0])
        self._commit(good)
        message = f"partial write: {reasons[0]} dropped={len(reasons)}"
        if self.partial is Partial.V1:
            return Reply(400, json.dumps({"error": message}).encode(), {"Content-Type": "application/json"})
        return problem(422, "unprocessable entity", f"failure writing points to database: {message}")


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    target = urlsplit(first.split(" ")[1])
    query = {name: values[0] for name, values in parse_qs(target.query, keep_blank_values=True).items()}
    body = await reader.readexactly(int(headers["content-length"]))
    return Request(target.path, query, headers, body, time.monotonic())


@contextlib.contextmanager
def served(store: HttpStore) -> Iterator[HttpStore]:
    """Serve it in a thread of its own, for daemons; look into it when they have stopped."""
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def main() -> None:
        async with store:
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), name="http-store")
    thread.start()
    assert ready.wait(10)
    try:
        yield store
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
