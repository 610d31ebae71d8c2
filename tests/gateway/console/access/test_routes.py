import pytest

from gateway.console.access.limits import ADDRESS_BURST
from gateway.console.access.passwords import AT_ONCE
from gateway.console.access.routes import language_of
from tests.gateway.console.access.served import PASSWORD, Clock, Visitor, accounts_of, with_door


def test_me_tells_who_one_is() -> None:
    def body(visitor: Visitor) -> None:
        me = visitor.ask("GET", "/api/me", Accept_Language="zh-CN,zh;q=0.9,en;q=0.8")
        assert {key: me.body[key] for key in me.body if key != "csrf"} == {
            "name": "",
            "role": "viewer",
            "person": None,
            "login_possible": True,
            "language": "zh",
        }
        done = visitor.log_in()
        assert (done.body["name"], done.body["role"], done.body["person"]) == ("olga", "operator", "olga")
        again = visitor.ask("GET", "/api/me")
        assert again.body["csrf"] == done.body["csrf"]
        assert "Set-Cookie" not in again.headers

    with_door(accounts_of(Clock()), body)


def test_the_cookie_is_for_us_alone() -> None:
    def body(visitor: Visitor) -> None:
        for answer in (visitor.ask("GET", "/api/me"), visitor.log_in(), visitor.ask("POST", "/api/logout")):
            (cookie,) = answer.headers.get_all("Set-Cookie") or []
            name, *flags = cookie.split("; ")
            assert name.startswith("tagwharf=")
            assert flags == ["Path=/", "HttpOnly", "SameSite=Strict"]

    with_door(accounts_of(Clock()), body)


def test_a_login_has_a_token_that_nobody_has_seen_before() -> None:
    accounts = accounts_of(Clock())

    def body(visitor: Visitor) -> None:
        planted = visitor.come().cookie
        visitor.log_in()
        assert visitor.cookie != planted
        thief = Visitor(visitor.port, cookie=planted)
        assert thief.ask("GET", "/api/look").body == {"account": ""}
        first = visitor.cookie
        visitor.log_in("emil")
        assert visitor.cookie != first
        assert Visitor(visitor.port, cookie=first).ask("GET", "/api/look").body == {"account": ""}
        assert len(accounts.sessions) == 1

    with_door(accounts, body)


def test_a_cookie_of_ones_own_making_is_no_session() -> None:
    def body(visitor: Visitor) -> None:
        visitor.cookie = f"tagwharf={'A' * 43}"
        visitor.come()
        visitor.log_in()
        assert visitor.cookie != f"tagwharf={'A' * 43}"
        good = visitor.cookie
        for cookie in (good + "x", good[:-1], f"{good}; {good}", f"{good}; tagwharf={'A' * 43}", "tagwharf=", "x"):
            assert Visitor(visitor.port, cookie=cookie).ask("GET", "/api/look").body == {"account": ""}
        assert Visitor(visitor.port, cookie=f"theme=dark; {good}").ask("GET", "/api/look").body == {"account": "olga"}

    with_door(accounts_of(Clock()), body)


def test_sessions_end_unused_and_in_any_case() -> None:
    clock = Clock()

    def body(visitor: Visitor) -> None:
        visitor.come().log_in()
        clock.now_s += 1799
        assert visitor.ask("GET", "/api/look").body == {"account": "olga"}
        clock.now_s += 1800
        assert visitor.ask("GET", "/api/look").body == {"account": ""}
        visitor.come().log_in()
        for _ in range(25):
            clock.now_s += 1700
            assert visitor.ask("GET", "/api/look").body == {"account": "olga"}
        clock.now_s += 700
        assert visitor.ask("GET", "/api/look").body == {"account": ""}

    with_door(accounts_of(clock), body)


def test_a_logout_ends_the_session_for_whoever_has_the_cookie() -> None:
    accounts = accounts_of(Clock())

    def body(visitor: Visitor) -> None:
        visitor.come().log_in()
        cookie = visitor.cookie
        assert visitor.ask("POST", "/api/logout").body["name"] == ""
        assert visitor.ask("POST", "/api/logout").status == 200
        assert Visitor(visitor.port, cookie=cookie).ask("GET", "/api/look").body == {"account": ""}
        assert accounts.health.registry.get_sample_value("tagwharf_console_logouts_total") == 1

    with_door(accounts, body)


@pytest.mark.parametrize(
    ("name", "password"),
    [("olga", "wrong horse 电池"), ("nobody", PASSWORD), ("", ""), ("OLGA", PASSWORD), ("olga", "")],
)
def test_what_is_wrong_is_not_told(name: str, password: str) -> None:
    def body(visitor: Visitor) -> None:
        refused = visitor.come().log_in(name, password)
        assert (refused.status, refused.body) == (401, {"error": "name or password is wrong"})
        assert "Set-Cookie" not in refused.headers
        assert visitor.ask("GET", "/api/look").body == {"account": ""}

    with_door(accounts_of(Clock()), body)


@pytest.mark.parametrize(
    ("kind", "raw", "status"),
    [
        ("application/json", b"", 400),
        ("application/json", b"[]", 400),
        ("application/json", b'{"name": "olga"}', 400),
        ("application/json", b'{"name": 1, "password": "x"}', 400),
        ("application/json", b'{"name": "olga", "password": "x", "role": "engineer"}', 400),
        ("application/json", b'{"name": "olga", "password": "\xff"}', 400),
        ("application/json", b'{"name": "olga", "password": "' + b"x" * 2000 + b'"}', 400),
        ("application/json", b"[" * 60_000, 400),
        ("application/x-www-form-urlencoded", b"name=olga&password=x", 415),
        ("text/plain", b'{"name": "olga", "password": "x"}', 415),
    ],
)
def test_what_is_no_login(kind: str, raw: bytes, status: int) -> None:
    def body(visitor: Visitor) -> None:
        visitor.come()
        assert visitor.ask("POST", "/api/login", raw=raw, Content_Type=kind).status == status

    with_door(accounts_of(Clock()), body)


def test_guessing_is_slowed_down_by_address() -> None:
    clock = Clock()
    accounts = accounts_of(clock)

    def body(visitor: Visitor) -> None:
        visitor.come()
        statuses = [visitor.log_in(f"guess-{n}").status for n in range(ADDRESS_BURST)]
        assert statuses == [401] * ADDRESS_BURST
        limited = visitor.log_in()
        assert limited.status == 429
        assert 0 < int(limited.headers["Retry-After"]) <= 30
        forged = visitor.ask("POST", "/api/login", {"name": "olga", "password": PASSWORD}, X_Forwarded_For="10.0.0.9")
        assert forged.status == 429
        clock.now_s += 31
        assert visitor.log_in().status == 200
        value = accounts.health.registry.get_sample_value
        assert value("tagwharf_console_logins_total", {"result": "limit"}) == 2
        assert value("tagwharf_console_logins_total", {"result": "password"}) == ADDRESS_BURST
        assert value("tagwharf_console_logins_total", {"result": "accepted"}) == 1

    with_door(accounts, body)


def test_logins_that_succeed_are_not_counted_against_anybody() -> None:
    def body(visitor: Visitor) -> None:
        visitor.come()
        assert {visitor.log_in().status for _ in range(ADDRESS_BURST + 3)} == {200}

    with_door(accounts_of(Clock()), body)


def test_who_comes_while_too_many_are_verified_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.console.access.passwords.WAITING_MOST", -AT_ONCE)

    def body(visitor: Visitor) -> None:
        visitor.come()
        for _ in range(ADDRESS_BURST + 1):  # it is no attempt at guessing
            busy = visitor.log_in()
            assert (busy.status, busy.headers["Retry-After"]) == (503, "2")

    with_door(accounts_of(Clock()), body)


def test_where_nobody_can_log_in_that_is_said() -> None:
    def body(visitor: Visitor) -> None:
        assert visitor.ask("GET", "/api/me").body["login_possible"] is False
        assert visitor.log_in().status == 409

    with_door(accounts_of(Clock(), users=[]), body)


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("zh", "zh"),
        ("de, zh-TW;q=0.5, en;q=0.1", "zh"),
        ("en-GB,zh", "en"),
        ("*", "en"),
        ("," * 5000, "en"),
    ],
)
def test_the_language_is_the_first_of_ours(accepted: str, language: str) -> None:
    assert language_of(accepted) == language
