"""What a process says of its health: counters, progress, and a small HTTP server for them on loopback.

`/metrics` is for Prometheus, `/healthz` is 200 while every part of the pipeline makes progress, `/readyz` while the
process can do its work. An EPC is never a label: each tag would be a series of its own.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Info
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from gateway.logs import Log

PREFIX: Final = "tagwharf_"
REQUEST_MOST: Final = 8 << 10
REQUEST_WITHIN_S: Final = 5.0
CONNECTIONS_MOST: Final = 32
TROUBLE: Final = ("warning", "error", "critical")


class Progress:
    """Which parts of a pipeline moved lately. A part is watched from its first beat on, until it retires."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._limits: dict[str, float] = {}
        self._beats: dict[str, float] = {}

    def watch(self, part: str, limit_s: float) -> Callable[[], None]:
        """Watch `part`: it has stalled when it does not call the returned function for `limit_s` seconds."""
        self._limits[part] = limit_s
        self._beats[part] = self._clock()

        def beat() -> None:
            self._beats[part] = self._clock()

        return beat

    def retire(self, part: str) -> None:
        """Stop watching `part`, which has ended as it should."""
        self._limits.pop(part, None)

    def stalled(self) -> list[str]:
        """The parts that make no progress."""
        now_s = self._clock()
        return [part for part, limit_s in self._limits.items() if now_s - self._beats[part] > limit_s]


class Health:
    """Counters, progress and readiness of one process.

    Attributes:
        registry: what `/metrics` shows; further collectors may be registered.
        progress: what `/healthz` and the watchdog look at.
        not_ready: why the process cannot do its work, by name; empty when it can.
        degraded: what works less well than it should, by name; shown, but no reason to restart.
    """

    def __init__(self, process: str) -> None:
        self.process = process
        self.registry = CollectorRegistry()
        self.progress = Progress()
        self.not_ready: dict[str, str] = {"start": "the process is starting"}
        self.degraded: dict[str, str] = {}
        self._troubles = self.counter(
            "troubles_total", "Lines logged as warning or worse, by their event", ("event", "level")
        )
        Info(f"{PREFIX}build", "What runs here", registry=self.registry).info(
            {"process": process, "version": _version()}
        )

    def counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        """A counter named `tagwharf_{name}`; `name` ends in `_total`."""
        return Counter(PREFIX + name, text, labels, registry=self.registry)

    def gauge(self, name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
        """A gauge named `tagwharf_{name}`."""
        return Gauge(PREFIX + name, text, labels, registry=self.registry)

    def trouble(self, log: Log, event: str, *, level: str = "warning", **fields: object) -> None:
        """Log one line and count it: every trouble has a counter beside it. `level`: warning, error or critical."""
        self.count_trouble(event, level)
        getattr(log, level)(event, **fields)

    def count_trouble(self, event: str, level: str = "warning") -> None:
        """Count a trouble that was logged before and has not changed."""
        assert level in TROUBLE
        self._troubles.labels(event, level).inc()

    @property
    def alive(self) -> bool:
        """Whether every part makes progress."""
        return not self.progress.stalled()

    @property
    def ready(self) -> bool:
        """Whether the process can do its work."""
        return not self.not_ready

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body for one path."""
        if path == "/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest(self.registry)
        if path == "/healthz":
            stalled = self.progress.stalled()
            return _json(200 if not stalled else 503, {"alive": not stalled, "stalled": stalled})
        if path == "/readyz":
            body = {"ready": self.ready, "not_ready": self.not_ready, "degraded": self.degraded}
            return _json(200 if self.ready else 503, body)
        return _json(404, {"error": "no such page; there are /metrics, /healthz and /readyz"})

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """Serve over HTTP until the returned server is closed.

        Raises:
            OSError: the address is taken or not ours.
        """
        open_now = 0

        async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal open_now
            open_now += 1
            try:
                if open_now <= CONNECTIONS_MOST:
                    await self._converse(reader, writer)
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
                pass  # a visitor that went away, stalled or sent no HTTP; nothing of ours is at stake
            finally:
                open_now -= 1
                writer.close()

        return await asyncio.start_server(one, host, port, limit=REQUEST_MOST)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(REQUEST_WITHIN_S):
            head = await reader.readuntil(b"\r\n\r\n")
            words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
            if len(words) != 3 or words[0] not in ("GET", "HEAD"):  # noqa: PLR2004  # method, target, version
                status, kind, body = _json(405, {"error": "only GET and HEAD"})
            else:
                status, kind, body = self.answer(words[1].split("?", 1)[0])
            reason = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}[status]
            writer.write(
                f"HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n".encode()
            )
            if words[0] != "HEAD":
                writer.write(body)
            await writer.drain()


def _json(status: int, body: object) -> tuple[int, str, bytes]:
    return status, "application/json", json.dumps(body).encode() + b"\n"


def _version() -> str:
    try:
        return version("tagwharf")
    except PackageNotFoundError:  # run from a tree that is not installed
        return "unknown"
