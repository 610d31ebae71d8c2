"""`/api/v2/write` of InfluxDB 2 in front of a real InfluxDB 1.6: its engine, its parser, its log; the other's manners.

What it adds is what `http/write_handler.go` of InfluxDB 2 does around the same engine: a token, organisation and bucket
names, 400 for a whole batch that does not parse (1.6 would store the good lines), 422 for points the engine drops.
Whether a batch parses is asked of influxd itself, on a database kept for that.
"""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.support.servers import Influx

PRECISIONS: Final = {"ns": "n", "us": "u", "ms": "ms", "s": "s"}
_TRIAL: Final = "trial"


@dataclass
class Face:
    """What it knows: `buckets` may grow while it runs; `statuses` are its answers so far."""

    url: str
    token: str
    org: str
    buckets: set[str]
    statuses: list[int] = field(default_factory=list)


@contextmanager
def influx_v2_face(influx: Influx, *, token: str, org: str, buckets: set[str]) -> Iterator[Face]:
    """Serve on a free loopback port until the end; each bucket is a database that must exist."""
    influx.create_database(_TRIAL)
    face = Face("", token, org, buckets)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            answer = _answer(face, influx, self.path, dict(self.headers.items()), body)
            if answer is None:  # the store died under the request: so does the connection
                self.close_connection = True
                self.connection.close()
                return
            status, message = answer
            face.statuses.append(status)
            content = b"" if status == 204 else json.dumps({"code": _CODES[status], "message": message}).encode()
            with suppress(ConnectionError):  # the client was killed, or did not wait for the answer
                self.send_response(status)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the library's
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    face.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield face
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


_CODES: Final = {
    400: "invalid",
    401: "unauthorized",
    404: "not found",
    413: "request too large",
    422: "unprocessable entity",
    500: "internal error",
}


def _answer(face: Face, influx: Influx, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str] | None:
    target = urlsplit(path)
    query = {name: values[0] for name, values in parse_qs(target.query).items()}
    bucket, org, precision = query.get("bucket", ""), query.get("org", ""), query.get("precision", "ns")
    if target.path != "/api/v2/write":
        return 404, "path not found"
    if headers.get("Authorization") != f"Token {face.token}":
        return 401, "unauthorized access"
    if precision not in PRECISIONS:
        return 400, f"precision {precision!r} is not valid"
    if org != face.org:
        return 404, f"organization name {org!r} not found"
    if bucket not in face.buckets:
        return 404, f'bucket "{bucket}" not found'
    encoding = headers.get("Content-Encoding")
    trial = _forward(influx, _TRIAL, PRECISIONS[precision], body, encoding)
    if trial is None or trial[0] == 413:
        return trial
    if "unable to parse" in trial[1]:
        return 400, trial[1]
    answer = _forward(influx, bucket, PRECISIONS[precision], body, encoding)
    if answer is not None and answer[0] == 400 and "partial write" in answer[1]:
        return 422, f"failure writing points to database: {answer[1]}"
    return answer


def _forward(
    influx: Influx, database: str, precision: str, body: bytes, encoding: str | None
) -> tuple[int, str] | None:
    url = f"{influx.url}/write?{urlencode({'db': database, 'precision': precision})}"
    request = urllib.request.Request(url, data=body, headers={"Content-Encoding": encoding} if encoding else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, ""
    except urllib.error.HTTPError as error:
        with error:
            return error.code, str(json.loads(error.read() or b"{}").get("error", ""))
    except OSError:
        return None
    except ValueError:  # killed in the middle of an answer
        return None
