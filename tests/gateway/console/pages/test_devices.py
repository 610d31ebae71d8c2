import time
from pathlib import Path
from typing import Any

from gateway.console.pages.devices import POINTS_MOST, US_PER_H
from gateway.contract.batches import Condition, ReadBatch, StatusBatch, TagRead, encode
from gateway.event_journal import EventJournal, Row
from tests.gateway.console.access.served import Clock, accounts_of
from tests.support.console import Served, make_console, with_console

EPC = "3034257BF7194E4000001A85"
S = 1_000_000
SITE = """
[[reader]]
name = "gate"
driver = "m100"
port = "rfc2217://127.0.0.1:4001"
read_points = { 1 = "in" }
line = { baud = 115200 }
settings = { tx_power_dbm = 20.0 }

[[reader]]
name = "substation"
driver = "dlt645"
port = "socket://127.0.0.1:4002"
settings = { meters = [{ name = "crane-1", address = "202411000101" }, { name = "crane-2", address = "202411000102" }] }

[rules]
read_rate_every_s = 10
"""
NO_JOURNAL = SITE + "[[sink]]\nname = 'hook'\nkind = 'webhook'\nurl = 'http://127.0.0.1:9/'\n"


def status(*conditions: Condition, watched: bool = True, **in_force: str) -> bytes:
    return encode(
        StatusBatch(
            gateway="edge-1",
            device="gate",
            received_at_us=1,
            state="online",
            reason="ok",
            since_us=1,
            watched=["in"] if watched else [],
            conditions=list(conditions),
            in_force=in_force,
        )
    )


def a_read(rssi_dbm: float = -60.0) -> bytes:
    read = TagRead(EPC, 1, "in", 7, rssi_dbm=rssi_dbm)
    return encode(ReadBatch(gateway="edge-1", device="gate", received_at_us=5, reads=[read]))


def keep(directory: Path, now_us: int, **tables: list[Row]) -> None:
    journal = EventJournal(directory / "events", keep_days=30, now_us=lambda: now_us)
    assert journal.append([tables]) == []
    journal.close()


def settings(answer: Any) -> dict[str, tuple[str | None, str | None, str]]:
    return {row["name"]: (row["asked"], row["in_force"], row["told"]) for row in answer["settings"]}


def test_the_site_file_tells_what_each_device_is(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        found = served.get("/api/devices/known")
        assert not found["has_journal"]
        devices = found["devices"]
        assert list(devices) == ["edge-1", "gate", "substation", "crane-1", "crane-2"]
        assert devices["edge-1"]["kind"] == "gateway"
        assert (devices["gate"]["kind"], devices["gate"]["walk"], devices["gate"]["points"]) == ("rfid", True, ["in"])
        line, meter = devices["substation"], devices["crane-1"]
        assert (line["behind"], line["points"], line["walk"]) == (2, [], False)
        assert (meter["line"], meter["points"], meter["kind"]) == ("substation", ["crane-1"], "meter")
        for path in ("/devices", "/devices/gate", "/devices/gate/walk"):
            assert served.visitor.ask("GET", path).status == 200

    with_console(make_console(tmp_path, NO_JOURNAL), body)


def test_what_was_asked_stands_beside_what_is_in_force(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        before = served.get("/api/devices/about?device=gate")
        assert settings(before)["tx_power_dbm"] == ("20", None, "not_told")
        assert (before["port"], before["serial_line"]["baud"]) == ("rfc2217://127.0.0.1:4001", 115200)
        assert before["antennas"] == [{"antenna_port": 1, "read_point": "in"}]
        broken = Condition("setting_differs", "warning", 1, key="region", detail="us asked, cn_920 in force")
        served.feed("gate/status", status(broken, tx_power_dbm="18", region="cn_920"))
        after = served.get("/api/devices/about?device=gate")
        assert settings(after)["tx_power_dbm"] == ("20", "18", "differs")
        assert settings(after)["region"] == (None, "cn_920", "differs")
        meter = served.get("/api/devices/about?device=crane-1")
        assert (meter["line"], meter["walk"], meter["behind"], meter["antennas"]) == ("substation", False, [], [])
        assert settings(meter)["address"] == ("202411000101", None, "not_told")
        line = served.get("/api/devices/about?device=substation")
        assert line["behind"] == ["crane-1", "crane-2"]
        assert "meters" not in settings(line)
        assert "not in the site file" in served.refused("/api/devices/about?device=%3Cscript%3E", 404)

    with_console(make_console(tmp_path, SITE), body)


def test_states_and_rates_come_from_the_event_journal(tmp_path: Path) -> None:
    now_us = time.time_ns() // 1_000
    begin_us = now_us - 3 * US_PER_H
    states: list[Row] = [
        ((begin_us + minute * 60 * S) * 1_000, "gate", "m100", state, reason, 0, 1, None)
        for minute, state, reason in ((0, "offline", "link_failed"), (90, "online", "ok"), (91, "online", "ok"))
    ]
    rates: list[Row] = [
        ((begin_us + n * 10 * S) * 1_000, "gate", port, "in", reads, 1, None, None, 10.0)
        for n in range(12)
        for port, reads in (("1", 50), ("2", 20), ("10", 10))
    ]
    keep(tmp_path, now_us, device_status=states, read_rates=rates)

    def body(served: Served) -> None:
        day = served.get("/api/devices/states?device=gate&hours=2")
        assert [(span["state"], span["reason"]) for span in day["spans"]] == [
            ("offline", "link_failed"),
            ("online", "ok"),
        ]
        assert abs(day["lasted_us"]["online"] - 1.5 * US_PER_H) < 10 * S
        assert served.get("/api/devices/states?device=gate")["spans"][0]["state"] == "unknown"
        found = served.get("/api/devices/rates?device=gate")
        assert [(each["antenna_port"], each["read_point"]) for each in found["antennas"]] == [
            ("1", "in"),
            ("2", "gate-2"),
            ("10", "gate-10"),
        ]
        assert [set(each["mean"]) for each in found["antennas"]] == [{5.0}, {2.0}, {1.0}]
        assert (found["to_us"] - found["from_us"]) / found["step_us"] <= POINTS_MOST + 1
        assert served.get("/api/devices/rates?device=crane-1")["antennas"] == []
        for path in ("states", "rates"):
            assert "device: say which" in served.refused(f"/api/devices/{path}")
            for hours in ("0", "169", "x", "-1"):
                assert "hours" in served.refused(f"/api/devices/{path}?device=gate&hours={hours}")

    with_console(make_console(tmp_path, SITE), body)


def test_a_site_without_a_journal_knows_no_past(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        for path in ("states", "rates"):
            assert "no event journal" in served.refused(f"/api/devices/{path}?device=gate", 409)

    with_console(make_console(tmp_path, NO_JOURNAL), body)


def test_a_walk_from_its_beginning_to_its_report(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        visitor = served.visitor.come()
        served.feed("gate/status", status())
        begun = visitor.ask("POST", "/api/devices/walk", {"device": "gate", "mask": "3034*"})
        assert begun.status == 200
        walk = begun.body["walk"]
        served.feed("gate/reads", a_read())
        with served.stream(f"parts=devices-walk&devices-walk.walk={walk}") as messages:
            name, news = next(messages)
            assert (name, news["whole"], news["running"], news["reads"]) == ("devices-walk", True, True, 1)
            served.feed("gate/reads", a_read(-40.0))
            while news["antennas"][0]["reads"] != 2:
                name, news = next(messages)
            stopped = visitor.ask("POST", "/api/devices/stop", {"walk": walk})
            while news["running"]:
                name, news = next(messages)
        assert stopped.body["antennas"][0]["reads"] == 2
        served.feed("gate/reads", a_read())
        answer = visitor.ask("GET", f"/api/devices/report?walk={walk}")
        report = answer.body
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="walk-gate-20')
        assert (report["reader"], report["epc"], report["antennas"][0]["reads"]) == ("gate", "3034*", 2)
        assert report["antennas"][0]["verdict"] == "good"
        page = visitor.ask("GET", f"/api/devices/report?walk={walk}&format=md")
        assert page.headers["Content-Type"] == "text/markdown; charset=utf-8"
        assert b"# Walk test of gate" in page.raw
        assert "there are json, md" in served.refused(f"/api/devices/report?walk={walk}&format=pdf")

    with_console(make_console(tmp_path, SITE), body)


def test_what_is_no_walk_is_refused(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        visitor = served.visitor.come()
        for order, status_, text in (
            ({"device": "substation"}, 404, "no reader of tags or cards"),
            ({"device": "gate", "mask": "<b>"}, 400, "no EPC mask"),
            ({"device": "gate", "power": 1}, 400, "unknown field"),
            ([], 400, "Expected `object`"),
            ({"mask": ""}, 400, "missing required field"),
        ):
            answer = visitor.ask("POST", "/api/devices/walk", order)
            assert answer.status == status_, order
            assert text in answer.body["error"]
        assert visitor.ask("POST", "/api/devices/stop", {"walk": "x"}).status == 404
        assert visitor.ask("POST", "/api/devices/stop", {}).status == 400
        assert "not remembered" in served.refused("/api/devices/report?walk=x", 404)
        assert visitor.ask("POST", "/api/devices/walk", {"device": "gate"}, X_CSRF_Token="forged").status == 403
        answers = [visitor.ask("POST", "/api/devices/walk", {"device": "gate"}) for _ in range(9)]
        assert [answer.status for answer in answers] == [200] * 8 + [503]
        assert "stop one" in answers[-1].body["error"]

    with_console(make_console(tmp_path, SITE), body)


def test_who_may_not_look_gets_nothing(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        visitor = served.visitor.come()
        assert visitor.ask("POST", "/api/devices/walk", {"device": "gate"}).status == 401
        assert visitor.ask("GET", "/api/devices/known").status == 401
        assert visitor.log_in("vera").status == 200
        assert visitor.ask("POST", "/api/devices/walk", {"device": "gate"}).status == 200

    with_console(make_console(tmp_path, SITE, accounts=accounts_of(Clock(), anonymous="nobody")), body)
