from __future__ import annotations

import asyncio
import json
import re
import socketserver
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from gateway.init.influx_v1 import InfluxV1, Login, identifier, literal
from gateway.init.steps import StepError

T = TypeVar("T")


def ask(url: str, work: Callable[[InfluxV1], Awaitable[T]], login: Login | None = None) -> T:
    async def once() -> T:
        async with InfluxV1(url, login) as store:
            return await work(store)

    return asyncio.run(once())


@contextmanager
def server(status: int, body: bytes, header: str = "X-Influxdb-Version: 1.6.7") -> Iterator[tuple[str, list[bytes]]]:
    """Answers every request in the same way; gives its URL, and what it was asked: head and body."""
    asked: list[bytes] = []
    head = f"HTTP/1.1 {status} X\r\n{header}\r\nConnection: close\r\n"
    head += "\r\n" if status == 204 else f"Content-Length: {len(body)}\r\n\r\n"

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            lines = []
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                lines.append(line)
            length = next(int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length"))
            asked.append(b"".join(lines) + self.rfile.read(length))
            self.wfile.write(head.encode() + (b"" if status == 204 else body))

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{serving.server_address[1]}", asked
        serving.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (401, b'{"error": "unable to parse authentication credentials"}', "store.admin_user"),
        (403, b'{"error": "x"}', "does not allow it"),
        (400, b'{"error": "error parsing query"}', "400: error parsing query"),
        (200, b'{"results": [{"statement_id": 0, "error": "conflict\\u001b[2J"}]}', r"200: conflict\[2J"),
        (200, b"<html>", "an answer of somebody else"),
        (200, b"[]", "an answer of somebody else"),
        (302, b"", "302: an answer of somebody else"),
        (204, b"", "204: an answer of somebody else"),
        (200, b" " * 5_000_000, "longer than 4 MiB"),
    ],
)
def test_what_is_refused_is_told_without_the_statement(status: int, body: bytes, why: str) -> None:
    with server(status, body, "Location: http://127.0.0.1:1/") as (url, asked), pytest.raises(StepError) as refused:
        ask(url, lambda store: store.create_writer("tagwharf", "s3cret", "tagwharf"))
    assert re.search(why, str(refused.value))
    assert "s3cret" not in str(refused.value)
    (request,) = asked
    head, _, statement = request.partition(b"q=")
    assert b"s3cret" in statement
    assert b"s3cret" not in head


def test_a_long_list_is_read_whole() -> None:
    names = [[f"database-{number}"] for number in range(20_000)]
    body = json.dumps({"results": [{"series": [{"columns": ["name"], "values": names}]}]}).encode()
    with server(200, body) as (url, _):
        assert ask(url, lambda store: store.databases()) == [name for (name,) in names]


def test_nobody_there() -> None:
    with pytest.raises(StepError, match=r"InfluxDB at http://127\.0\.0\.1:1:"):
        ask("http://127.0.0.1:1", lambda store: store.databases())


def test_a_password_does_not_cross_the_network_in_clear() -> None:
    with pytest.raises(StepError, match="use https://"):
        InfluxV1("http://influx.port.example:8086", Login("root", "s3cret"))


def test_names_and_texts_cannot_leave_their_quotes() -> None:
    assert identifier('a"; DROP DATABASE "b') == '"a\\"; DROP DATABASE \\"b"'
    assert literal("it's \\") == "'it\\'s \\\\'"


def test_the_administrator_is_named_in_the_head() -> None:
    with server(200, b'{"results": [{}]}') as (url, asked):
        assert ask(url, lambda store: store.users(), Login("Aladdin", "open sesame")) == []
    assert b"Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n" in asked[0]
