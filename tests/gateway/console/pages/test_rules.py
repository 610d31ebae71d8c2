from __future__ import annotations

import dataclasses
import http.client
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.console.explaining import COMMAND, Explaining
from gateway.console.page import Console
from gateway.console.pages import rules
from gateway.event_journal import EventJournal
from tests.gateway.console.access.served import Visitor
from tests.gateway.history.day_rows import alarm, alarm_row
from tests.gateway.journal_rows import event, event_row
from tests.rules.recorded import SITE, START_US, TRUCK, Recorded, recorded
from tests.support.console import Served, make_console, with_console

S = 1_000_000
JOURNAL = '[[sink]]\nkind = "journal"\nname = "events"\n'
OTHER_STORE = '[[sink]]\nkind = "influxdb"\nname = "main"\nurl = "http://127.0.0.1:1"\n'


@dataclasses.dataclass
class Patient(Visitor):
    """Waits for commands, which a busy machine takes its time to start."""

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return recorded(tmp_path_factory.mktemp("rules-page"))


def site_of(known: Recorded) -> str:
    """The site of a recording, but for its name."""
    return f'assets = "{known.config.parent / "assets.csv"}"\n' + SITE[SITE.index("[[reader]]") :].format(for_s=15)


def serve(console: Console, body: Callable[[Served], None]) -> None:
    with_console(
        console,
        lambda served: body(dataclasses.replace(served, visitor=Patient(served.visitor.port).come())),
    )


def saying(console: Console, text: str) -> Console:
    """A console whose commands are a small program."""
    return dataclasses.replace(console, explaining=Explaining(console.config, command=(sys.executable, "-c", text)))


def texts(answer: dict[str, Any]) -> str:
    return "\n".join(line["text"] for line in answer["lines"])


def test_rules_are_listed_and_explained_to_whom_may_ask(known: Recorded) -> None:
    console = make_console(known.state, site_of(known) + JOURNAL)
    made, raised = known.event("truck-in"), known.alarm("voltage-low")
    why, replay = f"/api/rules/why/{made.id}", f"/api/rules/replay?from_us={START_US}&to_us={START_US + 90 * S}"

    def body(served: Served) -> None:
        found = served.get("/api/rules/list")
        assert [rule["name"] for rule in found["rules"]] == ["truck-in", "busy", "voltage-low"]
        assert found["fault"] is None
        assert "toml" not in found["rules"][0]
        one = served.get("/api/rules/one/truck-in")
        assert one["rule"]["toml"].startswith('[[rule]]\nname = "truck-in"')
        for path in (why, "/api/rules/why-not/busy?about=x", "/api/rules/recording", replay):
            assert "log in" in served.refused(path, 401)
        assert served.visitor.log_in("olga").status == 200
        assert "this needs engineer" in served.refused(replay, 403)
        answer = served.get(why)
        assert (answer["answer"], answer["told"]["id"]) == ("made", made.id)
        answer = served.get(f"/api/rules/why/{raised.id}?at_us={raised.at_us}&look_back_s=60")
        assert answer["told"]["since_us"] == raised.since_us
        answer = served.get(f"/api/rules/why-not/truck-in?about=truck%207&at_us={START_US + 42 * S}&within_s=10")
        assert 'e.direction is "out"' in texts(answer)
        span = served.get("/api/rules/recording")
        assert span["first_us"] <= START_US + S < START_US + 60 * S <= span["last_us"]
        assert served.visitor.log_in("emil").status == 200
        answer = served.get(replay)
        assert answer["is_same"]
        assert answer["rules"]["truck-in"]["same"] == 2

    serve(console, body)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("why/x", "20 hex digits"),
        (f"why/{'0' * 20}?at_us=soon", "at_us: 'soon' must be a whole number"),
        (f"why/{'0' * 20}?at_us={'9' * 19}", "must be a whole number"),
        (f"why/{'0' * 20}?look_back_s=90000", "look back 86400 s at most"),
        ("why-not/busy", "say what it is about"),
        ("why-not/busy?about=%20%20", "say what it is about"),
        ("why-not/busy?about=a%00b", "say what it is about"),
        ("why-not/--all?about=x", "a rule has a name"),
        ("why-not/busy?about=x&within_s=0", "3600 s before and after at most"),
        ("why-not/busy?about=x&within_s=1e9", "must be a whole number"),
        ("replay", "say from when to when"),
        (f"replay?from_us={START_US}", "say from when to when"),
        (f"replay?from_us={START_US}&to_us={START_US}", "a day at most"),
        (f"replay?from_us={START_US}&to_us={START_US + 86_401 * S}", "a day at most"),
        (f"replay?from_us=-1&to_us={START_US}", "must be a whole number"),
    ],
)
def test_what_is_no_question_is_refused_and_starts_nothing(tmp_path: Path, path: str, told: str) -> None:
    mark = tmp_path / "started"
    console = saying(make_console(tmp_path), f"open({str(mark)!r}, 'w')")

    def body(served: Served) -> None:
        assert served.visitor.log_in("emil").status == 200
        assert told in served.refused(f"/api/rules/{path}")

    serve(console, body)
    assert not mark.exists()


def write(directory: Path, events: Sequence[Any], alarms: Sequence[Any]) -> None:
    journal = EventJournal(directory, keep_days=90)
    rows = {"events": [event_row(each) for each in events], "alarms": [alarm_row(each) for each in alarms]}
    assert journal.append([rows]) == []
    journal.close()


def test_how_often_rules_fired_is_counted_from_the_event_journal(tmp_path: Path) -> None:
    now_us = time.time_ns() // 1_000
    ages_s = (60, 600, 7_200, 172_800)
    events = [event(number, now_us - age_s * S, rule="hot") for number, age_s in enumerate(ages_s)]
    alarms = [alarm(now_us - 90_000 * S), alarm(now_us - 30 * S), alarm(now_us - 20 * S, state="cleared")]
    write(tmp_path / "events", [*events, event(9, now_us - S)], alarms)
    console = saying(make_console(tmp_path, JOURNAL), "print('{\"rules\": []}')")

    def body(served: Served) -> None:
        found = served.get("/api/rules/fired")
        assert found["rules"] == {"hot": {"hour": [2, 1], "day": [3, 1], "week": [4, 2], "last_us": now_us - 30 * S}}
        assert (found["kept_here"], found["slow"], found["damaged"]) == (True, [], [])
        one = served.get("/api/rules/one/hot")  # which runs no more
        assert (one["rule"], one["fault"]) == (None, None)
        curve = one["curve"]
        assert (len(curve["events"]), sum(curve["events"]), sum(curve["alarms"])) == (144, 3, 1)
        assert curve["from_us"] + 144 * curve["step_us"] > now_us
        assert [each["id"] for each in one["events"]] == [each.id for each in events]
        assert [each["state"] for each in one["alarms"]] == ["cleared", "raised", "raised"]
        assert "none of this name" in served.refused("/api/rules/one/cold", 404)

    serve(console, body)


def hot_rule(tmp_path: Path) -> tuple[Console, Path]:
    """A console whose one rule fired just now, and the day file that knows it."""
    write(tmp_path / "events", [event(1, time.time_ns() // 1_000, rule="hot")], [])
    (file,) = (tmp_path / "events").glob("*.db")
    return saying(make_console(tmp_path, JOURNAL), 'print(\'{"rules": [{"name": "hot"}]}\')'), file


def test_a_day_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    console, file = hot_rule(tmp_path)
    file.write_bytes(b"no database" * 1_000)

    def body(served: Served) -> None:
        for path in ("fired", "one/hot"):
            found = served.get(f"/api/rules/{path}")
            assert [line.split(":")[0] for line in found["damaged"]] == [file.name]
            assert found["slow"] == []

    serve(console, body)


def test_a_journal_that_does_not_answer_in_time_leaves_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "ANSWERS_WITHIN_S", 0.0)
    console, _ = hot_rule(tmp_path)

    def body(served: Served) -> None:
        found = served.get("/api/rules/fired")
        assert (found["slow"], found["rules"]) == (["hour", "day", "week"], {})
        one = served.get("/api/rules/one/hot")
        assert (one["slow"], one["rule"]["name"]) == (["curve", "events", "alarms"], "hot")

    serve(console, body)


def test_a_site_without_an_event_journal_has_rules_all_the_same(tmp_path: Path) -> None:
    console = saying(make_console(tmp_path, OTHER_STORE), 'print(\'{"rules": [{"name": "hot", "toml": "x"}]}\')')

    def body(served: Served) -> None:
        assert served.get("/api/rules/list") == {"rules": [{"name": "hot"}], "fault": None}
        assert not served.get("/api/rules/fired")["kept_here"]
        one = served.get("/api/rules/one/hot")
        assert (one["rule"]["toml"], one["kept_here"], one["curve"], one["events"]) == ("x", False, None, [])
        assert served.visitor.log_in("olga").status == 200
        assert "holds no journal of a gateway" in served.refused("/api/rules/recording", 404)

    serve(console, body)


def test_a_file_with_faults_is_told_beside_the_rules_that_go_on(known: Recorded, tmp_path: Path) -> None:
    console = make_console(tmp_path, site_of(known))
    well = console.config.read_text()

    def body(served: Served) -> None:
        console.config.write_text(
            well + '[[rule]]\nname = "wrong"\nshape = "match"\non = "passage"\nwhen = "e.zone =="\n'
        )
        found = served.get("/api/rules/list")
        assert found["rules"] == []  # none was ever known
        assert "wrong" in found["fault"]
        assert served.get("/api/rules/one/busy")["fault"] == found["fault"]
        console.config.write_text(well)
        assert len(served.get("/api/rules/list")["rules"]) == 3
        console.config.write_text(well + "[mqttt]\n")
        found = served.get("/api/rules/list")
        assert len(found["rules"]) == 3
        assert "mqttt" in found["fault"]

    serve(console, body)


def test_who_leaves_ends_the_process_that_worked_for_him(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    text = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    console = saying(make_console(tmp_path), text)

    def body(served: Served) -> None:
        assert served.visitor.log_in("emil").status == 200
        connection = served.visitor.connection()
        path = f"/api/rules/replay?from_us={START_US}&to_us={START_US + S}"
        connection.request("GET", path, headers=served.visitor.headers("GET", {}))
        until(lambda: pid.exists() and bool(pid.read_text()))
        os.kill(int(pid.read_text()), 0)  # it works
        connection.close()
        until(lambda: not Path(f"/proc/{pid.read_text()}").exists())

    serve(console, body)


def until(met: Callable[[], bool], within_s: float = 20.0) -> None:
    ends_s = time.monotonic() + within_s
    while not met():
        assert time.monotonic() < ends_s
        time.sleep(0.05)


def test_who_asks_for_what_an_attacker_would_gets_an_answer_and_no_more(known: Recorded) -> None:
    console = make_console(known.state, site_of(known) + JOURNAL)
    assert console.explaining._command == COMMAND

    def body(served: Served) -> None:
        assert served.visitor.log_in("olga").status == 200
        answer = served.get("/api/rules/why-not/truck-in?about=--config%3D%2Fetc%2Fpasswd")
        assert answer["about"] == ["--config=/etc/passwd"]
        answer = served.get(f"/api/rules/why-not/truck-in?about={TRUCK}%27%3B--&within_s=5")
        assert answer["answer"] == "history"
        assert "no rule is named" in served.refused("/api/rules/one/%3Cscript%3E", 404)

    serve(console, body)
