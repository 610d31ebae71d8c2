import asyncio
import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn

from gateway.console.app import STREAMS_MOST, Streams, application
from gateway.console.live import Live
from gateway.contract.batches import StatusBatch, encode

STATUS = StatusBatch(
    gateway="edge-1", device="gate-1", received_at_us=1, state="online", reason="<b>bold</b>", since_us=1
)


def fetch(url: str, host: str | None = None) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(url, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def with_console(body: Callable[[str, Live, Streams], Awaitable[None]]) -> None:
    async def scenario() -> None:
        live = Live("site")
        streams = Streams(live)
        config = uvicorn.Config(
            application(live, streams), host="127.0.0.1", port=0, log_config=None, timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            await body(f"http://127.0.0.1:{port}", live, streams)
        finally:
            server.should_exit = True
            await serving

    asyncio.run(scenario())


def test_the_page_comes_with_a_policy_that_lets_in_nothing_foreign() -> None:
    async def body(url: str, live: Live, streams: Streams) -> None:
        del live, streams
        for path, text in (("/", b"<title>Tagwharf"), ("/static/console.js", b"textContent")):
            status, headers, content = await asyncio.to_thread(fetch, url + path)
            assert status == 200
            assert text in content
            assert headers["content-security-policy"].startswith("default-src 'none'")
            assert headers["x-frame-options"] == "DENY"

    with_console(body)


def test_state_is_data_and_never_markup() -> None:
    async def body(url: str, live: Live, streams: Streams) -> None:
        del streams
        live.feed("tagwharf/1/site/gate-1/status", encode(STATUS))
        status, headers, content = await asyncio.to_thread(fetch, url + "/api/state")
        assert status == 200
        assert headers["content-type"] == "application/json"
        assert json.loads(content)["devices"]["gate-1"]["reason"] == "<b>bold</b>"

    with_console(body)


def test_a_page_that_rebinds_its_name_to_loopback_is_refused() -> None:
    async def body(url: str, live: Live, streams: Streams) -> None:
        del live, streams
        status, _, _ = await asyncio.to_thread(fetch, url + "/api/state", "evil.example")
        assert status == 400

    with_console(body)


def test_files_outside_the_page_are_not_served() -> None:
    async def body(url: str, live: Live, streams: Streams) -> None:
        del live, streams
        for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/etc/passwd"):
            status, _, _ = await asyncio.to_thread(fetch, url + path)
            assert status == 404

    with_console(body)


def _parse(message: bytes) -> tuple[str, Any]:
    head, body = message.decode().strip().split("\n", 1)
    return head.removeprefix("event: "), json.loads(body.removeprefix("data: "))


def test_a_stream_begins_with_everything_and_goes_on_with_changes() -> None:
    async def scenario() -> None:
        live = Live("site")
        streams = Streams(live)
        pump = asyncio.create_task(streams.pump())
        follower = streams.follow()
        kind, whole = _parse(await anext(follower))
        assert (kind, whole["site"]) == ("whole", "site")
        live.feed("tagwharf/1/site/gate-1/status", encode(STATUS))
        kind, news = _parse(await anext(follower))
        assert (kind, set(news["devices"])) == ("changes", {"gate-1"})
        await follower.aclose()
        pump.cancel()
        assert not streams._waiting

    asyncio.run(scenario())


def test_a_page_that_does_not_keep_up_is_given_everything_anew() -> None:
    async def scenario() -> None:
        streams = Streams(Live("site"))
        follower = streams.follow()
        await anext(follower)
        (queue,) = streams._waiting
        while not queue.full():
            queue.put_nowait(b"old")
        pump = asyncio.create_task(streams.pump())
        await asyncio.sleep(0.4)
        pump.cancel()
        assert _parse(await anext(follower))[0] == "whole"
        await follower.aclose()

    asyncio.run(scenario())


def test_the_number_of_open_pages_is_bounded() -> None:
    async def body(url: str, live: Live, streams: Streams) -> None:
        del live
        followers = [streams.follow() for _ in range(STREAMS_MOST)]
        for follower in followers:
            await anext(follower)
        status, _, content = await asyncio.to_thread(fetch, url + "/api/stream")
        assert status == 503
        assert b"pages are open already" in content
        for follower in followers:
            await follower.aclose()

    with_console(body)


def console_of(directory: Path, port: int, more: str = "", **environment: str) -> subprocess.Popen[str]:
    config = directory / "site.toml"
    config.write_text(
        f'[site]\nname = "port"\nstate_dir = "{directory}"\n[mqtt]\nport = 1\n{more}\n[console]\nport = {port}\n'
    )
    return subprocess.Popen(
        [sys.executable, "-m", "gateway.console", "--config", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )


def test_the_process_tells_systemd_that_it_serves_and_feeds_its_watchdog(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        console = console_of(tmp_path, 0, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="300000")
        try:
            told = ""
            while "READY=1" not in told or told.count("WATCHDOG=1") < 2:
                told += systemd.recv(4096).decode() + "\n"
            url = next(line for line in told.splitlines() if line.startswith("STATUS=")).removeprefix("STATUS=")
            assert json.loads(fetch(f"{url}api/state")[2])["connected"] is False
            console.terminate()
            output, _ = console.communicate(timeout=20)
        finally:
            console.kill()
            console.wait()
        assert console.returncode == 0, output
        while "STOPPING=1" not in told:
            told += systemd.recv(4096).decode() + "\n"


def test_a_port_that_is_taken_and_a_credential_that_is_missing_end_the_process(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        console = console_of(tmp_path, taken)
        output, _ = console.communicate(timeout=20)
    assert console.returncode == 70
    assert f"console.port = {taken}: cannot listen on 127.0.0.1: Address already in use" in output
    console = console_of(tmp_path, 0, more='user = "console"')
    output, _ = console.communicate(timeout=20)
    assert console.returncode == 78
    assert "mqtt-password" in output
