import asyncio
import json

import pytest
import structlog

from gateway.health import Health, Progress


async def get(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await reader.read()
    finally:
        writer.close()


def serve(health: Health, *requests: bytes) -> list[bytes]:
    async def main() -> list[bytes]:
        server = await health.serve("127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            return [await get(port, request) for request in requests]
        finally:
            server.close()

    return asyncio.run(main())


def body(answer: bytes) -> object:
    return json.loads(answer.split(b"\r\n\r\n", 1)[1])


def test_metrics_healthz_and_readyz() -> None:
    health = Health("edge")
    health.counter("things_total", "Things").inc(3)
    health.gauge("level", "Level").set(2)
    health.degraded["broker"] = "gone"
    metrics, alive, unready = serve(
        health,
        b"GET /metrics HTTP/1.1\r\n\r\n",
        b"GET /healthz?x=1 HTTP/1.1\r\n\r\n",
        b"GET /readyz HTTP/1.1\r\n\r\n",
    )
    assert b"tagwharf_things_total 3.0" in metrics
    assert b"tagwharf_level 2.0" in metrics
    assert b'tagwharf_build_info{process="edge"' in metrics
    assert alive.startswith(b"HTTP/1.1 200 OK")
    assert unready.startswith(b"HTTP/1.1 503 ")
    assert body(unready) == {
        "ready": False,
        "not_ready": {"start": "the process is starting"},
        "degraded": {"broker": "gone"},
    }
    health.not_ready.clear()
    (ready,) = serve(health, b"GET /readyz HTTP/1.1\r\n\r\n")
    assert ready.startswith(b"HTTP/1.1 200 ")


def test_a_stalled_part_is_named() -> None:
    health = Health("edge")
    now = [0.0]
    health.progress = Progress(lambda: now[0])
    beat = health.progress.watch("journal", 5.0)
    now[0] = 4.0
    beat()
    now[0] = 9.0
    assert health.alive
    now[0] = 9.1
    (answer,) = serve(health, b"GET /healthz HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert body(answer) == {"alive": False, "stalled": ["journal"]}
    health.progress.retire("journal")
    assert health.alive


def test_other_requests_are_refused() -> None:
    missing, posted, head = serve(
        Health("edge"),
        b"GET /secret HTTP/1.1\r\n\r\n",
        b"POST /metrics HTTP/1.1\r\n\r\n",
        b"HEAD /healthz HTTP/1.0\r\n\r\n",
    )
    assert missing.startswith(b"HTTP/1.1 404 ")
    assert posted.startswith(b"HTTP/1.1 405 ")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert head.endswith(b"\r\n\r\n")


def test_an_endless_header_is_cut_off() -> None:
    (answer,) = serve(Health("edge"), b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000)
    assert answer == b""


def test_a_trouble_is_a_line_and_a_counter() -> None:
    health = Health("edge")
    with structlog.testing.capture_logs() as lines:
        health.trouble(structlog.get_logger(), "frame_rejected", level="error", reader="gate")
        health.count_trouble("frame_rejected", "error")
    assert lines == [{"event": "frame_rejected", "reader": "gate", "log_level": "error"}]
    sample = health.registry.get_sample_value("tagwharf_troubles_total", {"event": "frame_rejected", "level": "error"})
    assert sample == 2.0


def test_an_ordinary_level_is_no_trouble() -> None:
    with pytest.raises(AssertionError):
        Health("edge").trouble(structlog.get_logger(), "x", level="info")
