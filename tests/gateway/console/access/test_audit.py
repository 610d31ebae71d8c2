from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from starlette.requests import HTTPConnection
from structlog.testing import capture_logs

from gateway.console.access.audit import LINE_EVERY_S, LINES_BURST, Audit
from gateway.console.access.roles import Account, Role
from gateway.health import Health
from tests.gateway.console.access.served import Clock, Visitor, accounts_of, with_door

Lines = list[MutableMapping[str, Any]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    with capture_logs() as found:
        yield found


def request(path: str = "/api/order", account: Account | None = None) -> HTTPConnection:
    scope = {"type": "http", "path": path, "headers": [], "client": ("10.0.0.9", 4711), "state": {"account": account}}
    return HTTPConnection(scope)


def test_logins_and_logouts_say_who_and_from_where(lines: Lines) -> None:
    audit = Audit(Health("console"), Clock())
    audit.logged_in(request(), "olga", "operator")
    audit.logged_out(request(), "olga")
    assert [(line["event"], line["user"], line["address"]) for line in lines] == [
        ("login_accepted", "olga", "10.0.0.9"),
        ("logout_done", "olga", "10.0.0.9"),
    ]


def test_a_refusal_says_why_and_cannot_forge_a_line(lines: Lines) -> None:
    audit = Audit(Health("console"), Clock())
    audit.refused(request("/api/\n\x1b[2J" + "x" * 999, Account("vera", Role.VIEWER)), "role")
    (line,) = lines
    assert (line["reason"], line["user"], line["log_level"]) == ("role", "vera", "warning")
    assert line["path"].isprintable()
    assert len(line["path"]) < 200


def test_lines_are_bounded_and_counters_are_not(lines: Lines) -> None:
    clock, health = Clock(), Health("console")
    audit = Audit(health, clock)
    for _ in range(1000):
        audit.refused(request(), "csrf")
    assert len(lines) == LINES_BURST
    clock.now_s += LINE_EVERY_S
    audit.refused(request(), "csrf")
    assert lines[-1]["lines_left_out"] == 1000 - LINES_BURST
    assert health.registry.get_sample_value("tagwharf_console_refusals_total", {"reason": "csrf"}) == 1001


def test_neither_passwords_nor_unknown_names_are_told(lines: Lines) -> None:
    def body(visitor: Visitor) -> None:
        visitor.come()
        visitor.log_in("my-secret-canary", "canary-of-nobody")
        visitor.log_in("olga", "canary-of-olga")
        visitor.log_in("olga")

    with_door(accounts_of(Clock()), body)
    told = [line for line in lines if line["event"].startswith("login_")]
    assert [(line["event"], line["user"]) for line in told] == [
        ("login_refused", "(unknown)"),
        ("login_refused", "olga"),
        ("login_accepted", "olga"),
    ]
    assert "canary" not in repr(lines)
