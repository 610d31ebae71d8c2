import json
import sqlite3
from pathlib import Path

import msgspec
import pytest

from gateway.console.page import Console
from gateway.contract.commands import Command, Outcome
from gateway.control.audit import FILE, Audit
from tests.support.console import Served, make_console, with_console

AT_US = 1_700_000_000_000_000
MORE = "[control]\nenabled = false\n"


@pytest.fixture
def console(tmp_path: Path) -> Console:
    audit = Audit(tmp_path)
    for number in range(1, 8):
        command = {
            "id": f"command-{number}", "gateway": "edge-1", "issued_at_us": 1, "expires_at_us": 2, "by": "anna",
            "kind": "direct", "device": "io", "point": "red", "action": "on", "reason": "=1+1",
        }  # fmt: skip
        outcome = {
            "gateway": "edge-1", "id": f"command-{number}", "state": "verified" if number % 2 else "refused",
            "at_us": AT_US + number, "device": "io", "point": "red", "by": "anna", "action": "on", "code": "done",
        }  # fmt: skip
        audit.append(msgspec.convert(outcome, Outcome), msgspec.convert(command, Command))
    audit.close()
    return make_console(tmp_path, MORE)


def logged_in(served: Served, name: str = "olga") -> None:
    served.visitor.come()
    assert served.visitor.log_in(name).status == 200


def test_records_newest_first_a_sheet_at_a_time(console: Console) -> None:
    def body(served: Served) -> None:
        logged_in(served)
        first = served.get("/api/audit/records?limit=3&by=anna")
        assert [record["sequence"] for record in first["records"]] == [7, 6, 5]
        assert first["records"][0]["reason"] == "=1+1"
        assert first["head"] == first["records"][0]["receipt"]
        rest = served.get(f"/api/audit/records?limit=5&before={first['before']}")
        assert [record["sequence"] for record in rest["records"]] == [4, 3, 2, 1]
        assert rest["before"] is None
        assert len(served.get("/api/audit/records?state=refused")["records"]) == 3
        assert served.get(f"/api/audit/records?from_us={AT_US + 6}&to_us={AT_US + 7}")["records"][0]["sequence"] == 6
        assert served.get("/api/audit/about") == {
            "gateway": "edge-1", "is_enabled": False, "people": [], "points": [],
        }  # fmt: skip

    with_console(console, body)


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "before=x", "from_us=-1", f"by={'x' * 65}"])
def test_what_cannot_be_asked_is_refused(console: Console, query: str) -> None:
    def body(served: Served) -> None:
        logged_in(served)
        assert query.partition("=")[0] in served.refused(f"/api/audit/records?{query}")

    with_console(console, body)


def test_only_operators_look(console: Console) -> None:
    def body(served: Served) -> None:
        served.visitor.come()
        for path in ("records", "export", "about"):
            assert served.visitor.ask("GET", f"/api/audit/{path}").status == 401
        logged_in(served, "vera")
        for path in ("records", "export", "about"):
            assert served.visitor.ask("GET", f"/api/audit/{path}").status == 403
        assert served.visitor.ask("POST", "/api/audit/verify", {}).status == 403

    with_console(console, body)


def test_the_export_is_lines_oldest_first(console: Console) -> None:
    def body(served: Served) -> None:
        logged_in(served)
        answer = served.visitor.ask("GET", "/api/audit/export?state=refused")
        assert answer.headers["Content-Type"].startswith("application/x-ndjson")
        assert ".jsonl" in answer.headers["Content-Disposition"]
        lines = [json.loads(line) for line in answer.raw.splitlines()]
        assert [line["record"]["sequence"] for line in lines] == [2, 4, 6]

    with_console(console, body)


def test_it_verifies_and_finds_what_was_changed(console: Console) -> None:
    def verify(served: Served, receipt: str = "") -> dict[str, object]:
        answer = served.visitor.ask("POST", "/api/audit/verify", {"receipt": receipt})
        assert answer.status == 200, answer.raw
        found: dict[str, object] = answer.body
        return found

    def body(served: Served) -> None:
        logged_in(served)
        found = verify(served)
        assert (found["records"], found["faults"], found["faults_count"]) == (7, [], 0)
        receipt = str(found["head"])
        assert verify(served, f" {receipt} ")["faults_count"] == 0
        other = verify(served, f"9:{'0' * 64}")
        assert other["faults"] == ["records 8 to 9 are missing at the end: it was cut off"]
        answer = served.visitor.ask("POST", "/api/audit/verify", {"receipt": "7:short"})
        assert (answer.status, "SEQUENCE:HASH" in answer.body["error"]) == (400, True)
        assert served.visitor.ask("POST", "/api/audit/verify", raw=b"[").status == 400
        with sqlite3.connect(console.state / FILE) as db:
            db.execute("DROP TRIGGER no_update")
            db.execute("UPDATE record SET body = replace(body, 'anna', 'emma') WHERE sequence = 3")
        db.close()
        found = verify(served)
        assert (found["faults_count"], "record 3" in str(found["faults"])) == (1, True)

    with_console(console, body)


def test_where_there_is_no_audit_it_says_so(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        logged_in(served)
        for path in ("records", "export"):
            answer = served.visitor.ask("GET", f"/api/audit/{path}")
            assert (answer.status, answer.body["code"]) == (409, "no_audit")
        assert served.visitor.ask("POST", "/api/audit/verify", {}).body["code"] == "no_audit"

    with_console(make_console(tmp_path, MORE), body)
