import asyncio
import http.client
import socket

import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway.console.access.accounts import Accounts
from gateway.console.access.middleware import BODY_MOST_BYTES, protected
from tests.gateway.console.access.served import Clock, Visitor, accounts_of, application, with_door


def test_anybody_may_look_on_loopback_and_no_more() -> None:
    def body(visitor: Visitor) -> None:
        assert visitor.ask("GET", "/api/look").body == {"account": ""}
        visitor.come()
        refused = visitor.ask("POST", "/api/order", {})
        assert (refused.status, refused.body["error"]) == (401, "log in first")

    with_door(accounts_of(Clock()), body)


def test_nobody_sees_data_where_a_login_is_required() -> None:
    accounts = accounts_of(Clock(), anonymous="nobody")

    def body(visitor: Visitor) -> None:
        assert visitor.ask("GET", "/").raw == b"shell"
        for path in ("/api/look", "/api/stream", "/api/absent", "/api//look"):
            refused = visitor.ask("GET", path)
            assert (refused.status, refused.body["code"]) == (401, "login")
        assert visitor.ask("GET", "/api/me").body["role"] is None
        visitor.log_in("vera")
        assert visitor.ask("GET", "/api/look").body == {"account": "vera"}

    with_door(accounts, body)


def test_every_response_carries_the_headers_and_a_page_cannot_weaken_them() -> None:
    def body(visitor: Visitor) -> None:
        answers = [
            visitor.ask("GET", "/"),
            visitor.ask("GET", "/absent"),
            visitor.ask("POST", "/api/order", {}),
            visitor.ask("GET", "/", Host="evil.example"),
        ]
        assert [answer.status for answer in answers] == [200, 404, 403, 400]
        for answer in answers:
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
            assert "unsafe" not in answer.headers["Content-Security-Policy"]
            assert answer.headers.get_all("X-Frame-Options") == ["DENY"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert "camera=()" in answer.headers["Permissions-Policy"]
            assert "Strict-Transport-Security" not in answer.headers
        assert answers[0].headers["Cache-Control"] == "max-age=60"
        assert answers[1].headers["Cache-Control"] == "no-store"

    with_door(accounts_of(Clock()), body)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.", "", "quay.example@evil.example"]
)
def test_a_page_that_rebinds_its_name_to_us_is_refused(host: str) -> None:
    def body(visitor: Visitor) -> None:
        assert visitor.ask("GET", "/api/look", Host=host).status == 400

    with_door(accounts_of(Clock(), names=["quay.example"]), body)


def test_names_of_the_site_file_are_ours_with_any_port() -> None:
    def body(visitor: Visitor) -> None:
        for host in ("quay.example", "QUAY.example:8443", "localhost:9000", "[::1]:8680"):
            assert visitor.ask("GET", "/api/look", Host=host).status == 200

    with_door(accounts_of(Clock(), names=["quay.example"]), body)


def test_a_change_needs_the_token_of_this_very_session() -> None:
    accounts = accounts_of(Clock())

    def body(visitor: Visitor) -> None:
        visitor.come()
        anonymous = visitor.csrf
        assert visitor.log_in().status == 200
        other = Visitor(visitor.port).come()
        other.log_in("emil")
        for token in (None, "", anonymous, other.csrf, visitor.csrf + "x", "ä"):
            refused = visitor.ask("POST", "/api/order", {}, X_CSRF_Token=token)
            assert (refused.status, refused.body["code"]) == (403, "csrf")
        assert visitor.ask("POST", "/api/order", {}).body["by"] == "olga"

    with_door(accounts, body)


def test_a_visitor_without_a_cookie_changes_nothing_even_before_a_login() -> None:
    def body(visitor: Visitor) -> None:
        visitor.come()
        visitor.cookie = ""
        assert visitor.log_in().body["code"] == "csrf"

    with_door(accounts_of(Clock()), body)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": None},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://127.0.0.1.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_a_page_elsewhere_changes_nothing_whatever_it_knows(headers: dict[str, str | None]) -> None:
    def body(visitor: Visitor) -> None:
        visitor.come().log_in()
        refused = visitor.ask("POST", "/api/order", {}, headers)
        assert (refused.status, refused.body["code"]) == (403, "origin")
        assert visitor.ask("POST", "/api/order", {}, Sec_Fetch_Site="same-origin").status == 200

    with_door(accounts_of(Clock()), body)


def test_a_page_elsewhere_reads_nothing_but_may_link_to_us() -> None:
    def body(visitor: Visitor) -> None:
        for mode in ("cors", "no-cors", None):
            refused = visitor.ask("GET", "/api/stream", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode=mode)
            assert (refused.status, refused.body["code"]) == (403, "origin")
        assert visitor.ask("GET", "/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status == 200
        assert visitor.ask("GET", "/", Sec_Fetch_Site="none", Sec_Fetch_Mode="navigate").status == 200

    with_door(accounts_of(Clock()), body)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "LOCK", "get"])
def test_every_other_method_is_a_change(method: str) -> None:
    def body(visitor: Visitor) -> None:
        assert visitor.ask(method, "/api/look").status in (400, 403)

    with_door(accounts_of(Clock()), body)


def test_roles_are_not_climbed() -> None:
    accounts = accounts_of(Clock())

    def body(visitor: Visitor) -> None:
        got: dict[str, list[int]] = {}
        for name in ("vera", "olga", "emil"):
            visitor.come().log_in(name)
            paths = ("/api/order?role=engineer", "/api/setup")
            got[name] = [visitor.ask("POST", path, {"role": "engineer"}, X_Role="engineer").status for path in paths]
        assert got == {"vera": [403, 403], "olga": [200, 403], "emil": [200, 200]}
        refused = accounts.health.registry.get_sample_value("tagwharf_console_refusals_total", {"reason": "role"})
        assert refused == 3

    with_door(accounts, body)


def test_a_body_that_is_too_large_is_refused_before_it_is_read() -> None:
    def body(visitor: Visitor) -> None:
        visitor.come().log_in()
        assert visitor.ask("POST", "/api/order", raw=b"x" * BODY_MOST_BYTES).body["body"] == BODY_MOST_BYTES
        connection = visitor.connection()
        connection.putrequest("POST", "/api/order", skip_host=True)
        length = str(BODY_MOST_BYTES + 1)
        for name, value in visitor.headers("POST", {"Content-Length": length}).items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        assert response.status == 413
        assert b"larger than 65536 bytes" in response.read()
        connection.close()

    with_door(accounts_of(Clock()), body)


def test_a_body_of_unknown_length_is_refused_where_it_becomes_too_large() -> None:
    def body(visitor: Visitor) -> None:
        visitor.come().log_in()
        connection = visitor.connection()
        chunks = iter([b"x" * 8192] * 9)
        connection.request("POST", "/api/order", chunks, visitor.headers("POST", {}), encode_chunked=False)
        assert connection.getresponse().status == 413
        connection.close()

    with_door(accounts_of(Clock()), body)


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.console.access.middleware.BODY_WITHIN_S", 0.1)

    def body(visitor: Visitor) -> None:
        visitor.come().log_in()
        connection = visitor.connection()
        connection.putrequest("POST", "/api/order", skip_host=True)
        for name, value in visitor.headers("POST", {"Content-Length": "10"}).items():
            connection.putheader(name, value)
        connection.endheaders(b"x")
        assert connection.getresponse().status == 408
        connection.close()

    with_door(accounts_of(Clock()), body)


def test_a_body_whose_length_is_told_twice_ends_the_connection() -> None:
    def body(visitor: Visitor) -> None:
        with socket.create_connection(("127.0.0.1", visitor.port), timeout=10) as link:
            head = f"POST /api/order HTTP/1.1\r\nHost: 127.0.0.1:{visitor.port}\r\nContent-Length: 5\r\n"
            hidden = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{visitor.port}\r\n\r\n"
            link.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}".encode())
            answer = b""
            while part := link.recv(65536):
                answer += part
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1") == 1

    with_door(accounts_of(Clock()), body)


def test_headers_that_are_too_large_end_the_connection() -> None:
    def body(visitor: Visitor) -> None:
        with socket.create_connection(("127.0.0.1", visitor.port), timeout=10) as line:
            line.sendall(b"GET /api/look HTTP/1.1\r\nHost: localhost\r\nCookie: " + b"x" * (20 << 10))
            assert line.recv(100).startswith(b"HTTP/1.1 400 ")

    with_door(accounts_of(Clock()), body)


def test_two_hosts_or_two_origins_are_nobodys() -> None:
    def body(visitor: Visitor) -> None:
        visitor.come().log_in()
        connection = visitor.connection()
        connection.putrequest("POST", "/api/order", skip_host=True)
        for name, value in visitor.headers("POST", {"Content-Length": "0"}).items():
            connection.putheader(name, value)
        connection.putheader("Origin", "https://evil.example")
        connection.endheaders()
        assert connection.getresponse().status == 403
        connection.close()

    with_door(accounts_of(Clock()), body)


def test_a_stream_is_not_held_back_and_ends_with_its_session() -> None:
    clock = Clock()

    def body(visitor: Visitor) -> None:
        visitor.come().log_in()
        for end in (lambda: visitor.ask("POST", "/api/logout"), lambda: setattr(clock, "now_s", clock() + 1800)):
            visitor.come().log_in()
            connection = visitor.connection()
            connection.request("GET", "/api/stream", headers=visitor.headers("GET", {}))
            response = connection.getresponse()
            assert response.headers["Content-Type"].startswith("text/event-stream")
            assert "Content-Length" not in response.headers
            assert response.readline() == b"data: 1\n"
            end()
            assert response.read().endswith(b"event: ended\ndata: {}\n\n")
            connection.close()

    with_door(accounts_of(clock), body)


def run(accounts: Accounts, scope: Scope, receive: Receive, send: Send) -> None:
    async def scenario() -> None:
        await protected(application(accounts), accounts)(scope, receive, send)

    asyncio.run(scenario())


def test_a_web_socket_is_closed_before_it_opens() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    accounts = accounts_of(Clock(), users=[])
    scope = {"type": "websocket", "path": "/api/stream", "headers": [(b"host", b"localhost")]}
    run(accounts, scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_the_application_is_told_of_its_start_and_end() -> None:
    said: list[str] = []

    async def receive() -> Message:
        return {"type": "lifespan.shutdown" if said else "lifespan.startup"}

    async def send(message: Message) -> None:
        said.append(message["type"])

    accounts = accounts_of(Clock(), users=[])
    run(accounts, {"type": "lifespan"}, receive, send)
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_web_socket_is_not_spoken() -> None:
    def body(visitor: Visitor) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", visitor.port, timeout=10)
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        connection.request("GET", "/api/stream", headers={**upgrade, "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw=="})
        assert connection.getresponse().status != 101
        connection.close()

    with_door(accounts_of(Clock()), body)
