from pathlib import Path

import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from gateway.console.access.accounts import Accounts
from gateway.console.app import _guarded, application
from gateway.console.page import as_json
from gateway.console.registry import all_pages
from gateway.contract.batches import StatusBatch, encode
from tests.gateway.console.access.served import Clock, accounts_of
from tests.support.console import Served, make_console, with_console

STATUS = StatusBatch(
    gateway="edge-1", device="gate-1", received_at_us=1, state="online", reason="<b>bold</b>", since_us=1
)


def closed() -> Accounts:
    return accounts_of(Clock(), anonymous="nobody")


def test_every_page_is_the_shell_with_a_policy_that_lets_in_nothing_foreign(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        paths = ["/", "/login", *(f"/{page.name}" for page in all_pages()), "/reads/a/b"]
        for path in paths:
            answer = served.visitor.ask("GET", path)
            assert answer.status == 200, path
            assert b"<title>Tagwharf" in answer.raw
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
            assert answer.headers["X-Frame-Options"] == "DENY"
        assert served.visitor.ask("GET", "/static/shell.js").status == 200

    with_console(make_console(tmp_path), body)


def test_the_shell_learns_what_pages_there_are_in_their_order(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        about = served.get("/api/shell")
        assert (about["site"], about["home"]) == ("site", "site")
        names = [page["name"] for page in about["pages"]]
        assert names == [page.name for page in all_pages()]
        assert names[0] == "site"
        assert {page["least"] for page in about["pages"]} <= {"viewer", "operator", "engineer"}

    with_console(make_console(tmp_path), body)


def test_a_page_that_rebinds_its_name_to_loopback_is_refused(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        for path in ("/", "/api/shell", "/api/stream?parts=devices", "/static/shell.js"):
            assert served.visitor.ask("GET", path, Host="evil.example").status == 400, path

    with_console(make_console(tmp_path), body)


def test_a_part_is_followed_by_those_who_may_see_its_page(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        served.visitor.come()
        for parts in ("control", "summary,control"):
            assert served.refused(f"/api/stream?parts={parts}", 401) == "log in first"
        assert served.visitor.log_in("vera").status == 200
        assert "this needs operator" in served.refused("/api/stream?parts=control", 403)
        with served.stream("parts=summary") as messages:
            assert next(messages)[0] == "summary"
        assert served.visitor.log_in("olga").status == 200
        with served.stream("parts=control") as messages:
            assert next(messages)[0] == "control"

    with_console(make_console(tmp_path), body)


def test_files_outside_the_page_are_not_served(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/%2e%2e%2fapp.py", "/etc/passwd"):
            assert served.visitor.ask("GET", path).status == 404, path

    with_console(make_console(tmp_path), body)


def test_what_is_not_there_and_what_is_wrong_are_refused_in_words(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        assert served.refused("/api/site/nothing", 404) == "Not Found"
        text = served.refused("/api/stream?parts=devices,secrets", 404)
        assert "'secrets' is none; there are alarms, " in text
        text = served.refused("/api/stream?parts=reads&reads.mask=xyz")
        assert text == "mask: 'XYZ' is no EPC mask; it has hex digits, ? for any digit, and may end in *"
        names = ",".join(sorted(set(served.console.live.parts) - {"control"})[:9])
        assert "9 in one stream; 8 at most" in served.refused(f"/api/stream?parts={names}")

    with_console(make_console(tmp_path), body)


def test_what_devices_say_is_data_and_never_markup(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        served.feed("gate-1/status", encode(STATUS))
        with served.stream("parts=devices") as messages:
            name, news = next(messages)
        assert (name, news["rows"]["gate-1"]["reason"]) == ("devices", "<b>bold</b>")

    with_console(make_console(tmp_path), body)


def test_a_stream_begins_with_everything_and_goes_on_with_changes(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        served.feed("gate-1/status", encode(STATUS))
        with served.stream("parts=devices") as messages:
            assert next(messages)[1]["whole"] is True
            served.feed("gate-2/status", encode(msgspec.structs.replace(STATUS, device="gate-2")))
            name, news = next(messages)
        assert (name, news["whole"], set(news["rows"])) == ("devices", False, {"gate-2"})

    with_console(make_console(tmp_path), body)


def test_where_nobody_may_look_unknown_visitors_get_neither_data_nor_streams(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        assert served.visitor.ask("GET", "/").status == 200  # the shell: it shows the login
        for path in ("/api/stream", "/api/site/plan", "/api/reads/choices", "/api/nothing"):
            assert served.visitor.ask("GET", path).status == 401, path
        served.visitor.come()
        assert served.visitor.log_in("vera").status == 200
        assert served.visitor.ask("GET", "/api/site/plan").status == 200

    with_console(make_console(tmp_path, accounts=closed()), body)


def test_a_stream_ends_when_its_user_logs_out(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        served.visitor.come()
        assert served.visitor.log_in("vera").status == 200
        with served.stream("parts=summary") as messages:
            assert next(messages)[0] == "summary"
            assert served.visitor.ask("POST", "/api/logout", {}).status == 200
            assert [name for name, _ in messages][-1] == "ended"

    with_console(make_console(tmp_path, accounts=closed()), body)


def test_a_page_gives_plain_routes_only() -> None:
    with pytest.raises(TypeError, match="a page gives plain routes"):
        _guarded(Mount("/x", routes=[]), all_pages()[0].least)


def test_a_defect_is_told_without_its_inside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    console = make_console(tmp_path)

    def broken(request: Request) -> Response:
        del request
        raise RuntimeError("the inside")

    (page,) = (page for page in all_pages() if page.name == "ledger")
    own = page.routes
    object.__setattr__(page, "routes", lambda _: [Route("/broken", broken), Route("/whole", lambda _: as_json({}))])
    try:

        def body(served: Served) -> None:
            assert served.get("/api/ledger/whole") == {}
            assert served.refused("/api/ledger/broken", 500) == "a defect of the console; its log says more"

        with_console(console, body)
    finally:
        object.__setattr__(page, "routes", own)
    assert "the inside" in caplog.text


def test_the_application_needs_no_event_journal(tmp_path: Path) -> None:
    sink = '[[sink]]\nkind = "influxdb"\nname = "main"\nurl = "http://127.0.0.1:1"\n'
    console = make_console(tmp_path, sink)
    assert console.events is None
    application(console)
