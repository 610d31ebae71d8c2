"""Every attack on what listens: the page of health, and the door of the console."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import socket
import urllib.parse
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPException
from typing import Any

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from gateway.health import Health
from gateway.logs import TEXT_MOST, configure, get_log
from tests.gateway.console.access.served import Clock, Visitor, accounts_of, with_door
from tests.security.attacks import ATTACKS, IDS, PAYLOADS

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
REFUSED = (None, 400, 401, 403, 413, 415, 422, 429, 503)
TEXTS = [text for attack in ATTACKS for text in attack.texts()]


def requests(payload: bytes) -> list[bytes]:
    """The payload as a request, in its path, in a header, and as what follows one."""
    return [
        payload,
        b"GET /" + payload + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: " + payload + b"\r\n\r\n",
        payload + b" /metrics HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + payload,
    ]


@pytest.mark.parametrize("payload", PAYLOADS, ids=IDS)
def test_the_page_of_health(payload: bytes) -> None:
    async def ask(port: int, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request)
            writer.write_eof()
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def main() -> None:
        server = await Health("edge").serve("127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            for request in requests(payload):
                answer = await ask(port, request)
                assert len(STATUS.findall(answer)) <= 1, "a request that hides in another is none"
                head, _, body = answer.partition(b"\r\n\r\n")
                assert not answer or STATUS.match(answer)
                assert b"Set-Cookie" not in head
                assert len(payload) < 4 or payload not in answer or b"/metrics" in payload or payload in b"/healthz"
                assert b"Connection: close" in head or not answer
                assert len(body) < 64 << 10
            assert (await ask(port, b"GET /healthz HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        finally:
            server.close()

    asyncio.run(main())


def exchange(port: int, request: bytes) -> bytes:
    found = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as link:
        try:
            link.sendall(request)
            link.shutdown(socket.SHUT_WR)
            while part := link.recv(1 << 16):
                found += part
        except OSError:
            pass
    return found


def asked(visitor: Visitor, method: str, path: str, *what: Any, **more: Any) -> int | None:
    """The status; None where the connection ends instead, or where this client will not even send it."""
    try:
        return visitor.ask(method, path, *what, **more).status
    except (HTTPException, OSError, ValueError):
        return None


def test_the_door_of_the_console() -> None:
    def body(visitor: Visitor) -> None:
        visitor.come()
        for payload in PAYLOADS:
            for request in requests(payload):
                answer = exchange(visitor.port, request.replace(b"Host: x", b"Host: 127.0.0.1"))
                found = [int(each) for each in STATUS.findall(answer)]
                assert all(each < 500 for each in found), answer[:300]
                assert b"canary=1" not in answer.partition(b"\r\n\r\n")[0]
            quoted = urllib.parse.quote(payload[:2_000], safe="")
            for path in (f"/{quoted}", f"/api/{quoted}", f"/api/look?{quoted}={quoted}"):
                assert asked(visitor, "GET", path) in (None, 200, 307, 400, 401, 404), path
            text = payload[:8_000].decode("latin-1")
            told = {"name": text, "password": text}
            assert asked(visitor, "POST", "/api/login", told) in REFUSED
            assert asked(visitor, "POST", "/api/login", raw=payload[: 60 << 10]) in REFUSED
            for name in ("Cookie", "Origin", "X-CSRF-Token", "Host", "Sec-Fetch-Site"):
                assert asked(visitor, "POST", "/api/order", {}, {name: text[:500]}) in REFUSED, (name, text)
        visitor.cookie = visitor.csrf = ""
        assert visitor.ask("GET", "/api/me").status == 200

    with_door(accounts_of(Clock()), body)


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers, root.level
    stream = io.StringIO()
    configure("test", stream=stream)
    yield stream
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers = before
    root.setLevel(level)


def say(text: str) -> None:
    """In a value, in an error, in tables, in a traceback, and through a library."""
    log = get_log()
    log.warning("frame_rejected", text=text, error=ValueError(text), several=[text], table={text: 1})
    error = ValueError(text)
    with suppress(ValueError):
        raise error
    log.error("driver_failed", exc_info=error)
    # pytest keeps what libraries say, and hands it on between processes, which takes no halves of surrogate pairs
    logging.getLogger("library").warning("%s", text.encode("utf-8", "replace").decode())


def test_a_log_line_is_one_line_of_json_whatever_is_in_it(out: io.StringIO) -> None:
    """Neither a line nor a field of the journal more: its priority prefix is read at the beginning of a line."""
    lines = 0
    for text in TEXTS:
        say(text)
        lines += 3
    written = out.getvalue().split("\n")
    assert written.pop() == ""
    assert len(written) == lines
    for line in written:
        assert line.startswith("{")
        assert line.isascii()
        assert line.isprintable()
        told = json.loads(line)
        assert told["process"] == "test"
        assert told["level"] in ("warning", "error")
        assert len(str(told.get("text", ""))) < TEXT_MOST + 40


def test_a_terminal_is_not_steered() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    root = logging.getLogger()
    before, level = root.handlers, root.level
    stream = Terminal()
    configure("test", stream=stream)
    try:
        for text in TEXTS:
            if len(text) > 300:
                continue
            say(text)
    finally:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
        root.handlers = before
        root.setLevel(level)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())  # the colours of the renderer itself
    assert "\x1b" not in shown
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    assert "\x1b[2J" not in stream.getvalue()


def test_a_label_stays_in_its_quotes() -> None:
    health = Health("edge")
    counter = health.counter("things_total", "Things", ("reason",))
    for text in TEXTS:
        if any("\ud800" <= each <= "\udfff" for each in text):
            continue
        counter.labels(text).inc()
    _, _, body = health.answer("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    told = {name.removeprefix("tagwharf_").removesuffix("_created").removesuffix("_info") for name in families}
    assert told == {"troubles", "build", "things"}
    reasons = {s.labels["reason"] for s in families["tagwharf_things"].samples if s.name.endswith("_total")}
    assert reasons >= {'\n} 1\n# HELP x "label"', 'x"} 1\nup 0', "ends with \\"}
