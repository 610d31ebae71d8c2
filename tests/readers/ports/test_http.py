from __future__ import annotations

import asyncio
import hashlib
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from readers.driver import Port
from readers.errors import ConfigError, FrameError, LinkError
from readers.http_messages import Answer, parse, request
from readers.ports import http
from readers.ports.http import HttpPort, open_http
from readers.ports.mqtt_client import Login
from readers.ports.tcp import TlsSettings
from simulator.server import DeviceServer, server_tls
from tests.support.certificates import authority


class Server:
    """Answers every question with the same bytes, and keeps what it was asked."""

    def __init__(self, *answers: bytes, delay_s: float = 0.0) -> None:
        self._answers = list(answers)
        self._delay_s = delay_s
        self.asked: list[bytes] = []

    async def serve(self, port: Port) -> None:
        while self._answers:
            head = b""
            while b"\r\n\r\n" not in head:
                head += await port.receive(5.0)
            self.asked.append(head)
            await port.pause(self._delay_s)
            await port.send(self._answers.pop(0))


def reply(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def scene(server: Server, act: Callable[[HttpPort], Awaitable[None]], folder: str = "") -> None:
    async def play() -> None:
        async with DeviceServer(server.serve) as listening:
            port = await open_http(f"http://127.0.0.1:{listening.port}{folder}")
            try:
                await act(port)
            finally:
                await port.close()
                await port.close()  # harmless

    asyncio.run(play())


async def asked(port: HttpPort, path: str) -> Answer:
    await port.send(request(path))
    found = parse(bytearray(await port.receive(1.0)), 0)
    assert found is not None
    return found[0]


def test_questions_go_to_the_folder_of_the_port_and_are_answered_in_order() -> None:
    server = Server(reply(b"<a/>"), reply(b"no", "404 Not Found"))

    async def act(port: HttpPort) -> None:
        assert await asked(port, "/current") == Answer(200, b"<a/>")
        assert await asked(port, "/sample?from=1&count=2") == Answer(404, b"no")

    scene(server, act, "/Mill-1/")
    assert server.asked[0].startswith(b"GET /Mill-1/current HTTP/1.1\r\n")
    assert server.asked[1].startswith(b"GET /Mill-1/sample?from=1&count=2 HTTP/1.1\r\n")
    assert b"Authorization" not in server.asked[0]


def test_nobody_is_followed_elsewhere() -> None:
    async def act(port: HttpPort) -> None:
        assert (await asked(port, "/current")).status == 302

    scene(Server(reply(b"", "302 Found", "Location: http://127.0.0.1:1/secret")), act)


def test_what_is_no_answer_or_too_much_ends_in_a_link_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MOST_BODY_BYTES", 1000)
    for answer in (b"SSH-2.0-x\r\n\r\n", reply(b"x" * 2000), b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"):
        server = Server(answer)

        async def act(port: HttpPort) -> None:
            with pytest.raises(LinkError, match="check address, network and server"):
                await asked(port, "/current")

        scene(server, act)


def test_a_server_that_never_answers_costs_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "ANSWER_WITHIN_S", 0.2)

    async def act(port: HttpPort) -> None:
        began_s = time.monotonic()
        with pytest.raises(LinkError, match=r"no answer within 0.2 s"):
            await asked(port, "/current")
        assert time.monotonic() - began_s < 2

    scene(Server(reply(b""), delay_s=5.0), act)


def test_nobody_listens() -> None:
    async def play() -> None:
        port = await open_http("http://127.0.0.1:1")
        with pytest.raises(LinkError, match=r"http://127.0.0.1:1/current"):
            await asked(port, "/current")
        with pytest.raises(FrameError):
            await port.send(b"POST /\n")
        await port.close()
        with pytest.raises(LinkError):
            await port.send(request("/current"))

    asyncio.run(play())


def test_a_user_with_a_colon_is_none() -> None:
    with pytest.raises(ConfigError, match="no colon"):
        asyncio.run(open_http("http://127.0.0.1:1", None, Login("a:b")))


def test_tls_with_an_authority_or_a_pin_before_the_password_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = authority(tmp_path, agent="IP:127.0.0.1")
    (tmp_path / "agent-password").write_text("spindle\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    login = Login("anna", "agent-password")

    async def play() -> None:
        server = Server(*[reply(b"<a/>")] * 4)
        tls = server_tls(files / "agent.pem", files / "agent.key")
        async with DeviceServer(server.serve, tls=tls) as listening:
            url = f"https://127.0.0.1:{listening.port}"
            port = await open_http(url, TlsSettings(ca_file=files / "ca.pem"), login)
            assert (await asked(port, "/current")).status == 200
            await port.close()
            assert b"Authorization: Basic" in server.asked[0]
            for settings in (TlsSettings(), TlsSettings(fingerprint_sha256="00" * 32)):
                port = await open_http(url, settings, login)
                with pytest.raises(LinkError):
                    await asked(port, "/current")
                await port.close()
            assert len(server.asked) == 1
            der = ssl.PEM_cert_to_DER_cert((files / "agent.pem").read_text())
            pinned = TlsSettings(fingerprint_sha256=hashlib.sha256(der).hexdigest(), server_name="any.example")
            port = await open_http(url, pinned, login)
            assert (await asked(port, "/current")).status == 200
            await port.close()

    asyncio.run(play())
