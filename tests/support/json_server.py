"""A JSON server on loopback, in a thread of its own: what it answers is said by a function with its own state."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; header names in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer; `raw` goes out instead of `body`."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None


@contextmanager
def json_server(answer: Callable[[Asked], Answered], certificate: Path | None = None) -> Iterator[str]:
    """Serve until the end; gives the URL. `certificate`: PEM beside its `.key`, for TLS."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            target = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(target.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            with lock:
                made = answer(Asked(self.command, target.path, query, headers, json.loads(text) if text else None))
            content = made.raw
            if content is None:
                content = b"" if made.body is None else json.dumps(made.body).encode()
            with suppress(ConnectionError):  # the client had enough
                self.send_response(made.status)
                for name, value in made.headers.items():
                    self.send_header(name, value)
                if made.status != 204:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if made.status != 204:
                    self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815  # the names are the library's

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the library's
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that breaks the connection, or the handshake, is one of the cases."""

    server = Server(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http{'s' if certificate else ''}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
