"""Who sees what, and who may do what: by the pages, and by asking the server without them."""

import http.client
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from gateway.console.access.limits import ADDRESS_BURST
from tests.gateway.console.access.served import PASSWORD, Answer, Visitor, hash_of_password
from tests.support.broker import running_broker
from tests.system.console.conftest import Demo
from tests.system.console.lone_console import lone_console

LOOKED_AT = ["Site now", "Gate", "Alarms", "Live reads", "Devices", "Meters", "Machines", "Rules", "Ledger"]
ORDERED = ["Control", "Audit"]
ROLES = ("", "viewer", "operator", "engineer")
ALARM = "0" * 20
ASKED = (
    ("GET", "/api/control/points", "operator"),
    ("GET", "/api/control/latest", "operator"),
    ("POST", "/api/control/begin", "operator"),
    ("POST", "/api/control/confirm", "operator"),
    ("POST", "/api/control/cancel", "operator"),
    ("GET", "/api/audit/about", "operator"),
    ("GET", "/api/audit/records", "operator"),
    ("GET", "/api/audit/export", "operator"),
    ("POST", "/api/audit/verify", "operator"),
    ("POST", "/api/alarms/order", "operator"),
    ("GET", f"/api/alarms/why/{ALARM}?at_us=x", "operator"),
    ("GET", f"/api/rules/why/{ALARM}?at_us=x", "operator"),
    ("GET", "/api/rules/why-not/wrong-way?at_us=x", "operator"),
    ("GET", "/api/rules/replay?from_us=x", "engineer"),
    ("GET", "/api/stream?parts=control", "operator"),
    ("GET", "/api/devices/known", ""),
    ("GET", "/api/site/plan", ""),
)
"""What is asked, and from which role on it may be; what is allowed may still be refused for what it says."""
USERS = """
[[console.user]]
name = "olga"
role = "operator"
password_credential = "console-olga"

[[console.user]]
name = "vera"
role = "viewer"
password_credential = "console-vera"
"""


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def visitor(demo: Demo, role: str) -> Visitor:
    found = Visitor(port_of(demo.url)).come()
    if role:
        assert found.log_in(role, demo.password).status == 200
    return found


def menu(page: Page) -> list[str]:
    return page.locator("#menu a").all_inner_texts()


@pytest.mark.parametrize("role", ROLES)
def test_each_sees_the_pages_of_their_role(page: Page, demo: Demo, log_in: Callable[[str], None], role: str) -> None:
    if role:
        log_in(role)
    else:
        page.goto(demo.url)
        page.locator("#login").wait_for()
    expect(page.locator("#menu a")).to_have_count(len(LOOKED_AT) + 2 * (role in ROLES[2:]))
    assert sorted(menu(page)) == sorted(LOOKED_AT + (ORDERED if role in ROLES[2:] else []))
    for name in ("control", "audit"):
        page.goto(f"{demo.url}/{name}")
        if not role:
            expect(page).to_have_url(f"{demo.url}/login?to=%2F{name}")
        elif role == "viewer":
            expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("You may not see this page"))
        else:
            expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^(Control|Audit)"))
    page.goto(f"{demo.url}/alarms")
    expect(page.locator("#page tbody tr").first).to_be_visible()
    assert page.locator("#page tbody input[type=checkbox]").count() > 0 or role not in ROLES[2:]
    assert page.locator("#page tbody input[type=checkbox]").count() == 0 or role in ROLES[2:]


@pytest.mark.parametrize("role", ROLES)
def test_the_server_asks_for_the_role_whatever_the_page_shows(demo: Demo, role: str) -> None:
    who = visitor(demo, role)
    for method, path, least in ASKED:
        if "stream" in path and ROLES.index(role) >= ROLES.index(least):
            continue  # it would go on for ever
        answer = who.ask(method, path, {} if method == "POST" else None)
        if ROLES.index(role) >= ROLES.index(least):
            assert answer.status in (200, 400, 404, 409, 415, 422, 429, 503), (path, answer.status, answer.raw)
        else:
            assert answer.status == (403 if role else 401), (path, answer.status, answer.raw)


def test_nothing_is_done_without_the_token_of_the_session_or_with_an_old_one(demo: Demo) -> None:
    who = visitor(demo, "operator")
    orders = [path for method, path, _ in ASKED if method == "POST"]
    for path in orders:
        for token in (None, "", "0" * 43, visitor(demo, "operator").csrf):
            answer = who.ask("POST", path, {}, X_CSRF_Token=token)
            assert (answer.status, answer.body["code"]) == (403, "csrf"), path
        assert who.ask("POST", path, {}, Origin=None).status == 403
        assert who.ask("POST", path, {}, Origin="https://evil.example").status == 403
    cookie, token = who.cookie, who.csrf
    assert who.ask("POST", "/api/logout", {}).status == 200
    old = Visitor(port_of(demo.url), cookie=cookie, csrf=token)
    for path in orders:
        assert old.ask("POST", path, {}).status == 401, path
    assert old.ask("GET", "/api/control/points").status == 401


def test_a_logout_in_one_tab_ends_the_other(page: Page, demo: Demo, log_in: Callable[[str], None]) -> None:
    log_in("operator")
    page.goto(f"{demo.url}/control")
    expect(page.get_by_role("heading", level=1)).to_have_text("Control")
    other = page.context.new_page()
    other.goto(f"{demo.url}/devices")
    other.locator("#logout").click()
    other.locator("#login").wait_for()
    expect(page).to_have_url(f"{demo.url}/login?to=%2Fcontrol")
    page.get_by_label("Name").fill("operator")
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{demo.url}/control")
    expect(page.get_by_role("heading", level=1)).to_have_text("Control")


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "/\t/evil.example", "\\\\evil.example",
     "javascript:alert(1)", "data:text/html,x", " //evil.example", "/%09/evil.example", "/../..//evil.example"],
)  # fmt: skip
def test_a_login_leads_nowhere_else(page: Page, demo: Demo, wanted: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.goto(f"{demo.url}/ledger")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.evaluate(
        """(to) => {
          history.pushState(null, "", `/login?to=${encodeURIComponent(to)}`);
          dispatchEvent(new PopStateEvent("popstate"));
        }""",
        wanted,
    )
    page.get_by_label("Name").fill("viewer")
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Log in").click()
    page.locator("#logout").wait_for()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.url.startswith(demo.url + "/")
    assert all(each.startswith(demo.url + "/") for each in asked)


@pytest.fixture
def lone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("olga", "vera"):
        (tmp_path / f"console-{name}").write_text(hash_of_password())
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with running_broker(tmp_path / "broker") as broker, lone_console(tmp_path, broker, USERS) as url:
        yield url


def test_who_guesses_waits_and_the_page_says_so(page: Page, lone: str) -> None:
    page.goto(f"{lone}/login")
    button = page.get_by_role("button", name="Log in")
    for _ in range(ADDRESS_BURST):
        page.get_by_label("Name").fill("olga")
        page.get_by_label("Password").fill("guess")
        with page.expect_response("**/api/login") as answer:
            button.click()
        assert answer.value.status == 401
        expect(page.get_by_role("alert")).to_have_text(re.compile("is wrong"))
    page.get_by_label("Name").fill("vera")
    page.get_by_label("Password").fill(PASSWORD)
    button.click()
    expect(page.get_by_role("alert")).to_have_text(re.compile("too many attempts"))
    page.close()  # before its console
    refused: Answer = Visitor(port_of(lone)).come().log_in("olga")
    assert refused.status == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


def test_a_stream_ends_with_its_session(lone: str) -> None:
    who = Visitor(port_of(lone)).come()
    assert who.log_in("olga").status == 200
    connection = http.client.HTTPConnection("127.0.0.1", port_of(lone), timeout=30)
    try:
        connection.request("GET", "/api/stream?parts=summary", headers={"Cookie": who.cookie})
        stream = connection.getresponse()
        assert stream.status == 200
        assert stream.readline()
        assert who.ask("POST", "/api/logout", {}).status == 200
        began_s, last = time.monotonic(), b""
        for line in stream:
            last = line if line.strip() else last
            if line.startswith(b"event: ended"):
                break
        assert b"ended" in last
        assert time.monotonic() - began_s < 20
    finally:
        connection.close()
