from __future__ import annotations

from pathlib import Path

import msgspec

from tests.gateway.console.gates.port_site import HOUR_US, SITE, S, decided, keep
from tests.gateway.journal_rows import NOON_US
from tests.support.console import Served, make_console, with_console


def test_the_list_the_hours_and_the_file(tmp_path: Path) -> None:
    keep(tmp_path, [decided(1, NOON_US), decided(2, NOON_US + S, "hold", reasons="=cmd()", container="<b>")])
    console = make_console(tmp_path, SITE)

    def body(served: Served) -> None:
        menu = served.get("/api/gate/menu")
        assert menu["kept_here"]
        assert [lane["name"] for lane in menu["lanes"]][:2] == ["gate-in", "lane-in"]
        page = served.get("/api/gate/events?kind=gate&limit=1")
        assert [event["fields"]["container"] for event in page["events"]] == ["<b>"]
        after = page["next"]
        assert served.get(f"/api/gate/events?kind=gate&before={after['at_us']}-{after['id']}")["next"] is None
        found = served.get(f"/api/gate/hours?kind=gate&from_us={NOON_US}&to_us={NOON_US + HOUR_US}")
        assert found["hours"] == [{"from_us": NOON_US, "verdicts": {"open": 1, "hold": 1}}]
        answer = served.visitor.ask("GET", "/api/gate/export.csv?verdict=hold")
        assert answer.headers["Content-Disposition"] == 'attachment; filename="gate.csv"'
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert ",'=cmd()," in answer.raw.decode()
        assert served.visitor.ask("GET", "/gate").status == 200

    with_console(console, body)


def test_refusals_say_what_can_be_asked(tmp_path: Path) -> None:
    console = make_console(tmp_path, SITE)

    def body(served: Served) -> None:
        for path in ("events", "hours", "export.csv"):
            assert "kind: 'x' is none of gate" in served.refused(f"/api/gate/{path}?kind=x")
        assert "48 hours" in served.refused("/api/gate/hours")
        assert served.get("/api/gate/events")["events"] == []

    with_console(console, body)


def test_a_site_without_a_journal_says_so(tmp_path: Path) -> None:
    console = make_console(
        tmp_path, f"{SITE}\n[[sink]]\nname = 'hook'\nkind = 'webhook'\nurl = 'http://127.0.0.1:9/'\n"
    )
    assert console.events is None

    def body(served: Served) -> None:
        assert not served.get("/api/gate/menu")["kept_here"]
        for path in ("events", "hours", "export.csv"):
            assert "no event journal" in served.refused(f"/api/gate/{path}", 409)

    with_console(console, body)


def test_lanes_come_by_the_stream(tmp_path: Path) -> None:
    keep(tmp_path, [decided(1, NOON_US)])
    console = make_console(tmp_path, SITE)

    def body(served: Served) -> None:
        with served.stream("parts=gate") as messages:
            name, news = next(messages)
            assert name == "gate"
            assert news["rows"]["gate/gate-in"]["last"]["fields"]["verdict"] == "open"
            event = decided(2, NOON_US + S, "trouble", reasons="No truck was read")
            served.feed("events/gate-decision", msgspec.json.encode(event))
            name, news = next(messages)
            assert list(news["rows"]) == ["gate/gate-in"]
            assert news["rows"]["gate/gate-in"]["last"]["fields"]["reasons"] == "No truck was read"

    with_console(console, body)
