import time
from pathlib import Path

import msgspec

from gateway.contract.events import Alarm
from tests.gateway.console.access.served import PASSWORD
from tests.gateway.journal_rows import event, event_row, evidence, journal
from tests.support.broker import free_port
from tests.support.console import Served, make_console, with_console

S = 1_000_000
NOW_US = time.time_ns() // 1_000
ID = f"{7:020x}"
RAISED = Alarm(
    id=ID, rule="door", severity="warning", subject="plc", state="raised", since_us=NOW_US - 60 * S,
    at_us=NOW_US - 60 * S, message="The door is open", evidence=evidence(),
)  # fmt: skip
SEEN = msgspec.structs.replace(RAISED, at_us=NOW_US - 50 * S, acknowledged_by="anna", comment="on my way")
CLEARED = msgspec.structs.replace(SEEN, at_us=NOW_US - 40 * S, state="cleared")
NO_JOURNAL = '[[sink]]\nkind = "influxdb"\nname = "main"\nurl = "http://127.0.0.1:1"\n'


def write(directory: Path, alarms: list[Alarm]) -> None:
    rows = [
        (
            each.at_us, each.id, each.state, each.rule, each.severity, each.subject,
            each.since_us, each.message, msgspec.json.encode(each),
        )
        for each in alarms
    ]  # fmt: skip
    around = event_row(event(1, NOW_US - 61 * S, subject="plc", type="door-opened", rule="door"))
    far = event_row(event(2, NOW_US - 600 * S, subject="plc", type="door-opened", rule="door"))
    made = journal(directory, NOW_US)
    assert made.append([{"alarms": rows, "events": [around, far]}]) == []
    made.close()


def test_history_is_told_by_pages_newest_first(tmp_path: Path) -> None:
    write(tmp_path / "events", [RAISED, SEEN, CLEARED])

    def body(served: Served) -> None:
        served.visitor.come()
        first = served.get("/api/alarms/history?limit=2")
        assert [(each["state"], each.get("acknowledged_by")) for each in first["alarms"]] == [
            ("cleared", "anna"), ("raised", "anna"),
        ]  # fmt: skip
        after = first["next"]
        rest = served.get(f"/api/alarms/history?before={after['at_us']}-{after['state']}-{after['id']}")
        assert ([each["at_us"] for each in rest["alarms"]], rest["next"]) == ([RAISED.at_us], None)
        assert (
            len(served.get("/api/alarms/history?state=cleared&severity=warning&rule=door&subject=plc")["alarms"]) == 1
        )
        assert served.get("/api/alarms/history?severity=info")["alarms"] == []
        assert served.get(f"/api/alarms/history?to_us={RAISED.at_us}")["alarms"] == []
        for wrong in (
            "state=gone",
            "severity=loud",
            "limit=0",
            "limit=501",
            "from_us=x",
            "before=x",
            "from_us=9&to_us=8",
        ):
            assert served.refused(f"/api/alarms/history?{wrong}")

    with_console(make_console(tmp_path), body)


def test_one_alarm_tells_all_its_changes_and_the_events_around_its_beginning(tmp_path: Path) -> None:
    write(tmp_path / "events", [RAISED, SEEN])

    def body(served: Served) -> None:
        served.visitor.come()
        past = served.get(f"/api/alarms/one/{ID}")
        assert past["alarm"] is None
        served.feed(f"alarms/{ID}", msgspec.json.encode(SEEN))
        told = served.get(f"/api/alarms/one/{ID}")
        assert (told["alarm"]["acknowledged_by"], told["kept_here"], told["more"], told["slow"]) == (
            "anna",
            True,
            False,
            False,
        )
        assert [each.get("comment") for each in told["changes"]] == [None, "on my way"]
        assert [each["type"] for each in told["events"]] == ["door-opened"]
        assert served.refused(f"/api/alarms/one/{8:020x}", 404)
        assert served.refused("/api/alarms/one/door", 404)

    with_console(make_console(tmp_path), body)


def test_without_a_journal_an_alarm_that_stands_is_shown_all_the_same(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        served.visitor.come()
        served.feed(f"alarms/{ID}", msgspec.json.encode(RAISED))
        told = served.get(f"/api/alarms/one/{ID}")
        assert (told["alarm"]["id"], told["kept_here"], told["changes"]) == (ID, False, [])
        assert "journal" in served.refused("/api/alarms/history", 409)

    with_console(make_console(tmp_path, NO_JOURNAL), body)


def test_orders_need_an_operator_and_say_why_nothing_was_sent(tmp_path: Path) -> None:
    order = {"alarm": ID, "action": "acknowledge", "comment": ""}

    def body(served: Served) -> None:
        visitor = served.visitor.come()
        assert visitor.ask("POST", "/api/alarms/order", order).status == 401
        assert visitor.ask("GET", f"/api/alarms/why/{ID}").status == 401
        assert visitor.log_in("vera", PASSWORD).status == 200
        assert visitor.ask("POST", "/api/alarms/order", order).status == 403
        assert visitor.log_in("emil", PASSWORD).status == 200
        nobody = visitor.ask("POST", "/api/alarms/order", order)
        assert (nobody.status, nobody.body["code"]) == (403, "no_person")
        assert visitor.log_in("olga", PASSWORD).status == 200
        away = visitor.ask("POST", "/api/alarms/order", order)
        assert (away.status, away.body["code"]) == (503, "broker_away")
        for wrong in (
            {**order, "action": "silence"},
            {**order, "alarm": "door"},
            {**order, "comment": "x" * 501},
            {**order, "more": 1},
        ):
            answer = visitor.ask("POST", "/api/alarms/order", wrong)
            assert (answer.status, answer.body["code"]) == (400, "malformed")
        assert visitor.ask("POST", "/api/alarms/order", raw=b"{}", Content_Type="text/plain").status == 415
        assert visitor.ask("GET", "/api/alarms/why/door").status == 400
        assert visitor.ask("GET", f"/api/alarms/why/{ID}?at_us=x").status == 400
        assert visitor.ask("POST", "/api/alarms/order", order, X_CSRF_Token="old").status == 403

    with_console(make_console(tmp_path, f"[mqtt]\nport = {free_port()}\n"), body)
