from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.boards.installing.http_json import JsonServer, NotAllowedError, Reply, UnreachableError
from readers.errors import ConfigError
from tests.support.certificates import authority
from tests.support.json_server import Answered, Asked, json_server
from tests.support.servers import free_port


def ask(url: str, *, authorization: str | None = "Bearer t", ca_file: Path | None = None) -> Reply:
    async def once() -> Reply:
        async with JsonServer("It", url, authorization, ca_file=ca_file) as server:
            return await server.ask("GET", "/path", query={"a": "b c"})

    return asyncio.run(once())


def test_question_and_answer() -> None:
    heard: list[Asked] = []

    def answer(asked: Asked) -> Answered:
        heard.append(asked)
        return Answered(200, {"message": "well\nthen"})

    with json_server(answer) as url:
        reply = ask(url + "/")
    assert (reply.status, reply.is_good, reply.message) == (200, True, "well then")
    assert (heard[0].path, heard[0].query, heard[0].headers["authorization"]) == ("/path", {"a": "b c"}, "Bearer t")


@pytest.mark.parametrize(
    ("answered", "error", "text"),
    [
        (
            Answered(401, {"message": "Invalid API key"}),
            NotAllowedError,
            "401 Invalid API key; it does not know the token",
        ),
        (Answered(403, {"message": "no"}), NotAllowedError, "403 no; the token is known and may not"),
        (Answered(302, headers={"Location": "/login"}), UnreachableError, "302 to '/login'; name that address itself"),
        (Answered(200, raw=b"<html>proxy</html>"), UnreachableError, "with a web page"),
        (Answered(200, raw=b" " * (16 << 20) + b"1"), UnreachableError, "longer than 16 MiB"),
    ],
)
def test_answers_that_are_none(answered: Answered, error: type[Exception], text: str) -> None:
    with json_server(lambda _: answered) as url, pytest.raises(error, match=text):
        ask(url)


def test_nobody_there() -> None:
    with pytest.raises(UnreachableError, match=r"It: http://127\.0\.0\.1:"):
        ask(f"http://127.0.0.1:{free_port()}")


def test_no_json_is_no_body() -> None:
    with json_server(lambda _: Answered(500, raw=b"oops")) as url:
        reply = ask(url)
    assert (reply.status, reply.body, reply.message) == (500, None, "")


def test_tls_is_verified_by_the_own_authority(tmp_path: Path) -> None:
    made = authority(tmp_path / "ours", server="IP:127.0.0.1")
    other = authority(tmp_path / "other")
    with json_server(lambda _: Answered(200, {}), made / "server.pem") as url:
        assert ask(url, ca_file=made / "ca.pem").is_good
        for ca_file in (None, other / "ca.pem"):
            with pytest.raises(UnreachableError, match="certificate verify failed"):
                ask(url, ca_file=ca_file)


def test_a_token_goes_to_no_other_machine_in_the_clear() -> None:
    with pytest.raises(ConfigError, match="anybody on the way can read the token"):
        JsonServer("Grafana", "http://grafana.example:3000", "Bearer t")
    JsonServer("Grafana", "http://grafana.example:3000", "Bearer t", insecure=True)
    JsonServer("Grafana", "http://grafana.example:3000", None)
    with pytest.raises(ConfigError, match="is no URL"):
        JsonServer("Grafana", "grafana.example:3000", "Bearer t")
