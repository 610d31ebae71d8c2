"""Whatever devices, tags and people say is text on every page; and what a page would never ask is refused."""

import asyncio
import csv
import io
import json
import re
import socket
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from gateway.console.access.middleware import BODY_MOST_BYTES, SAFE_HEADERS
from gateway.contract import batches
from gateway.mqtt import session
from tests.gateway.console.access.served import PASSWORD, Visitor, hash_of_password
from tests.support import hostile_site
from tests.support.broker import Broker, running_broker
from tests.support.console_pages import Visit, too_wide
from tests.support.hostile_site import ALARM_ID, EVENT_ID, IMAGE, MARK, NOW_US, TEXTS
from tests.system.console.lone_console import lone_console, publish

NAMED = urllib.parse.quote(IMAGE, safe="")
SHOWS_ATTACKS = (
    "/",
    "/gate",
    "/alarms",
    "/alarms/history",
    f"/alarms/{ALARM_ID}",
    "/reads",
    "/devices",
    f"/devices/{NAMED}",
    "/devices/gate",
    "/meters",
    "/meters/mains",
    "/machines",
    "/rules/hostile",
    "/ledger",
    "/audit",
    f"/event/{EVENT_ID}",
    f"/reads?device={NAMED}&mask={NAMED}",
    f"/alarms?text={NAMED}",
    f"/devices?text={NAMED}",
)
"""Pages of which each must show the first of the attacks."""
ASKED_WITH = (
    "/rules",
    "/control",
    f"/devices/gate/walk?walk={NAMED}",
    f"/devices/{NAMED}/walk",
    f"/meters/{NAMED}?from={NAMED}",
    f"/machines/{NAMED}",
    f"/rules/{NAMED}",
    f"/event/{NAMED}",
    f"/alarms/{NAMED}",
    f"/gate?lane={NAMED}&verdict={NAMED}&text={NAMED}&kind={NAMED}",
    f"/alarms/history?rule={NAMED}&state={NAMED}",
    f"/audit?by={NAMED}&outcome={NAMED}",
    f"/login?to={NAMED}",
)
NO_PAGES = (f"/{NAMED}", "/__proto__", "/constructor/prototype", f"/api/{NAMED}", f"/static/{NAMED}")
FOUND = """() => ({
  canary: window.canary ?? 0,
  made: [...document.querySelectorAll(`script:not([src]), iframe, object, embed, base, form[action^="http"], body style,
    body link, img:not(.brand img), [onerror], [onload], [onmouseover], body b b`)]
    .map((each) => each.outerHTML.slice(0, 200)),
  links: [...document.querySelectorAll("a[href], [src], [action]")].map((each) => each.href ?? each.src ?? each.action)
    .map((address) => address.baseVal ?? address).filter((address) => !address.startsWith(location.origin + "/")),
  polluted: Object.prototype.canary ?? null,
})"""
SHOWN = """(mark) => [...document.querySelectorAll("#page, #page input, #page option")]
  .some((each) => `${each.textContent} ${each.value ?? ""}`.includes(mark))"""
SHOWN_WITHIN_MS = 8_000
HARMLESS = {"canary": 0, "made": [], "links": [], "polluted": None}
FORMULA = re.compile(r"^\s*[=+\-@\t\r]")
NUMBER = re.compile(r"^-?[\d.]+$")
EXPORTS = (
    "/api/gate/export.csv",
    "/api/meters/registers.csv",
    "/api/meters/registers.csv?meter=mains",
    "/api/reads/export?format=csv",
)


@dataclass(frozen=True, slots=True)
class Site:
    url: str
    broker: Broker
    directory: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("hostile")
    (directory / "console-eve").write_text(hash_of_password())
    hostile_site.write_past(directory)
    with pytest.MonkeyPatch.context() as patch, running_broker(directory / "broker") as broker:
        patch.setenv("CREDENTIALS_DIRECTORY", str(directory))
        with lone_console(directory, broker, hostile_site.site_file()) as url:
            publish_all(broker)
            yield Site(url, broker, directory)


def publish_all(broker: Broker) -> None:
    """Send every attack, as devices, gateways and rules would."""

    async def send() -> None:
        async with session(broker.settings, client_id="hostile") as ours:
            for topic, payload in hostile_site.messages():
                await ours.send(f"tagwharf/1/site/{topic}", payload)
            while ours.in_flight:
                await asyncio.sleep(0.01)

    with ThreadPoolExecutor(1) as thread:  # in ours runs the loop of the browser
        thread.submit(lambda: asyncio.run(send())).result()


def visitor(site: Site) -> Visitor:
    found = Visitor(site.port).come()
    assert found.log_in("eve").status == 200
    return found


@pytest.fixture
def watched(page: Page, site: Site) -> Iterator[Page]:
    """The page, logged in; it asks nobody else, shows no dialogue of the browser, and opens no window."""
    asked: list[str] = []
    strange: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: strange.append(dialog.message))
    page.on("popup", lambda popup: strange.append(popup.url))
    page.on("download", lambda download: strange.append(download.url))
    page.goto(f"{site.url}/login")
    page.get_by_label("Name").fill("eve")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.locator("#logout").wait_for()
    yield page
    assert strange == []
    assert [each for each in asked if not each.startswith(site.url + "/")] == []


def is_harmless(page: Page, address: str) -> None:
    found = page.evaluate(FOUND)
    assert (address, found) == (address, HARMLESS)
    for width in (390, 1400):
        page.set_viewport_size({"width": width, "height": 844})
        assert (address, width, too_wide(page)) == (address, width, "")


def test_every_page_shows_attacks_as_text(watched: Page, site: Site) -> None:
    visit = Visit(watched, site.url)
    missing = []
    for address in SHOWS_ATTACKS:
        visit.open(address)
        try:
            watched.wait_for_function(SHOWN, arg=MARK, timeout=SHOWN_WITHIN_MS)
        except PlaywrightTimeoutError:
            missing.append(address)
        is_harmless(watched, address)
    assert missing == []
    expect(watched.locator("#link")).to_have_text("live")


def test_addresses_that_are_attacks_are_text(watched: Page, site: Site) -> None:
    visit = Visit(watched, site.url)
    for address in ASKED_WITH:
        visit.open(address)
        is_harmless(watched, address)
    for name in ("/alarms/", "/event/", "/devices/", "/meters/", "/rules/"):
        for text in ("..%2F..%2Fapi%2Fme", "%00", "%E0%A4%A4"):
            visit.open(name + text)
            is_harmless(watched, name + text)


def test_what_is_clicked_shows_attacks_as_text(watched: Page, site: Site) -> None:
    visit = Visit(watched, site.url)
    visit.open("/reads")
    publish(site.broker, "gate-0/reads", *[
        batches.encode(batches.ReadBatch(gateway="edge-1", device=text, received_at_us=NOW_US, reads=[
            batches.TagRead(text, 1, text, NOW_US, tid=text, user_memory=text)
        ])) for text in TEXTS[:10]
    ])  # fmt: skip
    buttons = watched.locator("tbody tr:not([hidden])").get_by_role("button")
    expect(buttons.nth(9)).to_be_visible()
    watched.get_by_role("button", name="Pause").click()
    for number in range(10):
        buttons.nth(number).click()
        expect(watched.get_by_role("dialog")).to_be_visible()
        visit.settle()
        is_harmless(watched, f"/reads, dialogue {number}")
        watched.keyboard.press("Escape")
    visit.open("/")
    watched.get_by_label("EPC, name, container, truck, plate, seal or card").fill(IMAGE)
    watched.keyboard.press("Enter")
    visit.settle()
    is_harmless(watched, "/ found")
    watched.locator("g.place").first.click()
    expect(watched.get_by_role("dialog")).to_be_visible()
    is_harmless(watched, "/ place")


def test_the_console_lives_on_and_hears_everything_that_is_right(site: Site) -> None:
    who = visitor(site)
    for text in TEXTS:
        address = urllib.parse.quote(text, safe="")
        for path in (
            f"/api/devices/about?device={address}",
            f"/api/reads/tag?epc={address}",
            f"/api/reads/check?mask={address}",
            f"/api/site/find?text={address}",
            f"/api/site/way?subject={address}",
            f"/api/meters/series?meter={address}",
            f"/api/gate/events?text={address}",
            f"/api/alarms/history?text={address}",
            f"/api/event/{address}",
            f"/api/rules/one/{address}",
            f"/api/audit/records?by={address}",
            f"/api/stream?parts={address}",
        ):
            if path == "/api/stream?parts=":
                continue  # that is a stream of nothing
            answer = who.ask("GET", path)
            assert answer.status < 500 or answer.status == 503, (path, answer.raw)
            assert answer.headers["Content-Type"] in ("application/json", None), path
    for text in TEXTS:
        assert who.ask("POST", "/api/login", {"name": text, text: text}).status == 400
    for path in NO_PAGES:
        answer = who.ask("GET", path)
        assert (answer.status, answer.headers["Content-Type"]) == (404, "application/json"), path
    assert who.ask("GET", "/api/devices/known").status == 200
    assert "Traceback" not in (site.directory / "console.log").read_text()


def test_exports_are_harmless_in_spreadsheets(site: Site) -> None:
    who = visitor(site)
    for path in EXPORTS:
        answer = who.ask("GET", path)
        assert answer.status == 200, (path, answer.raw)
        assert answer.headers["Content-Disposition"].startswith("attachment"), path
        rows = list(csv.reader(io.StringIO(answer.raw.decode("utf-8-sig"))))
        assert len(rows) > 1, path
        assert {len(row) for row in rows if row} == {len(rows[0])}, path
        cells = [cell for row in rows for cell in row]
        assert [cell for cell in cells if FORMULA.match(cell) and not NUMBER.match(cell)] == [], path
    for path in ("/api/reads/export?format=jsonl", "/api/audit/export"):
        answer = who.ask("GET", path)
        assert answer.status == 200
        lines = [json.loads(line) for line in answer.raw.decode().split("\n") if line]
        assert len(lines) > len(TEXTS) // 2
        assert any(IMAGE in json.dumps(line).replace('\\"', '"') for line in lines)


def exchange(site: Site, request: bytes, *more: bytes) -> bytes:
    """What the server answers to bytes; it may close at any time."""
    got = b""
    with socket.create_connection(("127.0.0.1", site.port), timeout=2) as link:
        try:
            for part in (request, *more):
                link.sendall(part)
            while part := link.recv(65536):
                got += part
        except (ConnectionError, TimeoutError):
            pass
    return got


def statuses(answer: bytes) -> list[int]:
    return [int(number) for number in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/%2e%2e/app.py", "/static/..\\app.py",
     "/static/..%5capp.py", "/static//etc/passwd", "/static/%00", "/static/....//....//etc/passwd",
     "/static/%252e%252e%252fapp.py", "/static/..%c0%af..%c0%afapp.py", "/../../etc/passwd",
     "/api/../../../etc/passwd", "/api/site/picture/../../etc/passwd", "/api/site/picture?file=../../etc/passwd",
     "http://127.0.0.1/static/../app.py", "//etc/passwd"],
)  # fmt: skip
def test_no_path_leads_out(site: Site, path: str) -> None:
    host = f"127.0.0.1:{site.port}"
    answer = exchange(site, f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("latin-1"))
    assert len(statuses(answer)) == 1
    assert statuses(answer)[0] < 500, answer
    for secret in (b"root:", b"def application", b"password_credential", b"scrypt"):
        assert secret not in answer


SMUGGLED = b"GET /api/devices/known?smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n",
        b"Content-Length: 0, 44\r\n\r\n",
        b"Content-Length: +0\r\n\r\n",
        b"Content-Length: 0x0\r\n\r\n",
        b"Content-Length : 0\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0_0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffffffff\r\n\r\n",
        b"X: a\rGET / HTTP/1.1\r\n\r\n",
        b"X\x00: a\r\n\r\n",
    ],
)
def test_no_request_hides_in_another(site: Site, head: bytes) -> None:
    host = f"Host: 127.0.0.1:{site.port}\r\n".encode()
    answer = exchange(site, b"POST /api/login HTTP/1.1\r\n" + host + head + SMUGGLED)
    assert 200 not in statuses(answer), answer
    assert b"smuggled" not in answer
    assert len(statuses(answer)) <= 1 or statuses(answer)[1] == 400, answer
    assert visitor(site).ask("GET", "/api/devices/known").status == 200


def test_what_is_too_large_or_comes_too_slowly_costs_nothing(site: Site) -> None:
    host = f"Host: 127.0.0.1:{site.port}\r\n".encode()
    for head in (b"X: " + b"a" * (1 << 20), b"X: a\r\n" * 100_000, b"Cookie: " + b"a=b;" * 100_000):
        answer = exchange(site, b"GET / HTTP/1.1\r\n" + host + head + b"\r\n\r\n")
        assert statuses(answer) in ([], [400], [431]), answer[:200]
    answer = exchange(site, b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\n" + host + b"\r\n")
    assert statuses(answer) in ([], [400], [414], [431])
    who = visitor(site)
    for path in ("/api/login", "/api/alarms/order", "/api/control/begin"):
        assert who.ask("POST", path, raw=b"[" * (BODY_MOST_BYTES + 1)).status == 413
        assert who.ask("POST", path, raw=b"[" * BODY_MOST_BYTES, Content_Type="application/json").status == 400
    idle = [socket.create_connection(("127.0.0.1", site.port)) for _ in range(200)]
    try:
        for link in idle:
            link.sendall(b"GET / HTTP/1.1\r\nX")
        assert who.ask("GET", "/api/devices/known").status == 200
    finally:
        for link in idle:
            link.close()


def test_another_name_another_origin_and_a_frame_get_nothing(site: Site) -> None:
    who = visitor(site)
    for name in ("evil.example", f"evil.example:{site.port}", "127.0.0.1.evil.example", "localhost.evil.example", ""):
        assert who.ask("GET", "/api/devices/known", Host=name).status == 400, name
    for origin in ("https://evil.example", "null", f"http://localhost:{site.port}", f"https://127.0.0.1:{site.port}"):
        assert who.ask("POST", "/api/logout", {}, Origin=origin).status == 403, origin
    for relation in ("cross-site", "same-site"):
        assert who.ask("GET", "/api/devices/known", Sec_Fetch_Site=relation).status == 403
    for path in ("/", "/api/devices/known", "/api/none", "/static/shell.js", "/static/none", "/api/gate/export.csv"):
        answer = who.ask("GET", path)
        assert {name: answer.headers[name] for name in SAFE_HEADERS} == dict(SAFE_HEADERS), path
        assert answer.headers["Access-Control-Allow-Origin"] is None
        assert answer.headers["Server"] is None
    assert who.ask("TRACE", "/").status in (403, 405)
    assert who.ask("GET", "/api/devices/known").status == 200


def test_no_page_of_another_origin_reads_it(context: BrowserContext, site: Site) -> None:
    foreign = context.new_page()
    foreign.goto("data:text/html,<p>here</p>")
    read = foreign.evaluate(
        """(url) => Promise.all([`${url}/api/devices/known`, `${url}/`].map((each) =>
             fetch(each, { credentials: "include" }).then((answer) => answer.text(), () => "refused")))""",
        site.url,
    )
    assert read == ["refused", "refused"]
