import csv
import io
import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from gateway.contract.batches import Reading, ReadingBatch
from gateway.event_journal import Row
from tests.gateway.console.metering.sites import PLANT
from tests.gateway.history.day_rows import HOUR, S, energy, write
from tests.gateway.journal_rows import NOON_US, reading
from tests.support.console import Served, make_console, with_console

DAY = "2026-01-01"
QUARTER = 900 * S
Serve = Callable[..., None]


def evil(text: str) -> Reading:
    return Reading(quantity=text, obis="1-0:16.7.0", value=None, unit="W", quality="absent")


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Serves a plant whose journal holds these rows."""

    def run(body: Callable[[Served], None], now_us: int = NOON_US, **rows: Sequence[Row]) -> None:
        if rows:
            write(tmp_path / "events", now_us, **rows)
        with_console(make_console(tmp_path, PLANT), body)

    return run


def sheet(served: Served, path: str) -> list[list[str]]:
    answer = served.visitor.ask("GET", path)
    assert answer.status == 200, answer.raw
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith("attachment; ")
    return list(csv.reader(io.StringIO(answer.raw.decode("utf-8-sig"), newline="")))


def test_it_knows_the_meters_of_the_site_and_their_limits(serve: Serve) -> None:
    def body(served: Served) -> None:
        known = served.get("/api/meters/known")
        assert [(meter["name"], meter["limit"]["limit_w"]) for meter in known["meters"]] == [
            ("feeder", 20_000),
            ("mains", 50_000),
        ]
        assert (known["timezone"], known["interval_min"], known["has_journal"]) == ("Asia/Shanghai", 15, True)
        assert known["tariff_names"][0] == "sharp"

    serve(body)


def test_curves_of_many_registers_come_in_one_answer_and_as_a_sheet(serve: Serve) -> None:
    rows = [reading(NOON_US + n * S, str(n), meter="mains") for n in range(120)]
    rows += [reading(NOON_US + n * S, "230", meter="mains", quantity="voltage") for n in range(60)]
    asked = f"series=mains/active_power//&series=mains/voltage//&from_us={NOON_US}&to_us={NOON_US + 120 * S}&points=2"

    def body(served: Served) -> None:
        found = served.get(f"/api/meters/curves?{asked}")
        power, voltage = found["curves"]
        assert (found["from_us"], found["step_us"]) == (NOON_US, 60 * S)
        assert (power["step"], power["low"], power["high"], power["mean"]) == ([0, 1], [0, 60], [59, 119], [29.5, 89.5])
        assert (voltage["step"], voltage["last"]) == ([0], [230])
        head, *lines = sheet(served, f"/api/meters/curves.csv?{asked}")
        assert head[2] == "mains active_power mean [W]"
        assert [line[0] for line in lines] == ["2026-01-01T20:00:00+08:00", "2026-01-01T20:01:00+08:00"]
        assert lines[1][2:] == ["89.5", "60.0", "119.0", "119.0", "", "", "", ""]
        assert served.refused("/api/meters/curves?series=a&from_us=1&to_us=2").startswith("series: 'a'")
        assert served.refused("/api/meters/curves?series=a/b//&from_us=x&to_us=2").startswith("from_us: 'x'")
        assert served.refused(f"/api/meters/curves?{asked}0000").startswith("points: ")
        assert served.refused("/api/meters/curves.csv?series=a/b//&from_us=1&to_us=1").startswith("from_us: must be")

    serve(body, readings=rows)


def test_series_are_what_the_journal_knows_of_a_meter(serve: Serve) -> None:
    now_us = time.time_ns() // 1_000
    rows = [reading(now_us, "1", meter="mains"), reading(now_us, "1", meter="feeder", quantity="voltage")]

    def body(served: Served) -> None:
        found = served.get("/api/meters/series?meter=mains")
        assert [each["key"] for each in found["series"]] == [
            {"kind": "reading", "device": "mains", "name": "active_power"}
        ]
        assert served.refused("/api/meters/series") == "meter: say which"

    serve(body, now_us, readings=rows)


def test_books_are_by_the_clocks_of_the_site(serve: Serve) -> None:
    night_us = round(datetime(2025, 12, 31, 16, tzinfo=UTC).timestamp()) * S  # midnight in Jiangyin
    rows = [energy(night_us - QUARTER, 1, meter="mains"), energy(night_us, 10, meter="mains", cost=2.5)]
    rows += [energy(night_us + HOUR, 30, meter="mains", quality="gap"), energy(night_us, 7, meter="feeder")]

    def body(served: Served) -> None:
        hours = served.get(f"/api/meters/books?meter=mains&day={DAY}")
        assert (len(hours["edges_us"]), hours["edges_us"][0]) == (25, night_us)
        assert [(bar["from_us"], bar["energy"]) for bar in hours["bars"]] == [(night_us, 10), (night_us + HOUR, 30)]
        assert [total["energy"] for total in hours["totals"]] == [40]
        week = served.get("/api/meters/books?meter=mains&day=2025-12-31&days=2")
        assert [(bar["energy"], bar["cost"], bar["quality"]) for bar in week["bars"]] == [
            (1, None, "measured"),
            (40, 2.5, "gap"),
        ]
        day = served.get(f"/api/meters/intervals?meter=mains&day={DAY}")
        assert [each["quality"] for each in day["intervals"]] == ["measured", "missing", "gap"]
        lines = sheet(served, f"/api/meters/intervals.csv?meter=mains&day={DAY}")
        assert lines[1][:4] == ["2026-01-01T00:00:00+08:00", "2026-01-01T00:15:00+08:00", "measured", "10"]
        lines = sheet(served, "/api/meters/books.csv?meter=mains&day=2025-12-31&days=2")
        assert lines[0][3] == "energy [Wh]"
        assert lines[2][:4] == ["2026-01-01T00:00:00+08:00", "2026-01-02T00:00:00+08:00", "total", "40"]
        assert served.get(f"/api/meters/books?meter=mains&day={DAY}&quantity=heat_energy")["bars"] == []

    serve(body, energy=rows)


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        (f"day={DAY}", "meter: say which"),
        ("meter=m", "day: ''"),
        ("meter=m&day=2026-13-01", "day: '2026-13-01'"),
        (f"meter=m&day={DAY}&days=63", "days: '63'"),
        ("meter=m&day=9999-12-31", "day: 9999-12-31 is too far away"),
        (f"meter={'m' * 600}&day={DAY}", "meter: must be at most 512"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(serve: Serve, query: str, fault: str) -> None:
    def body(served: Served) -> None:
        assert served.refused(f"/api/meters/books?{query}").startswith(fault)
        assert served.refused(f"/api/meters/books.csv?{query}").startswith(fault)

    serve(body)


def test_the_forecast_of_a_meter_with_a_limit(serve: Serve) -> None:
    now_us = time.time_ns() // 1_000
    rows = [reading(now_us - 5 * S, "61000", meter="mains", quantity="active_demand_forecast")]

    def body(served: Served) -> None:
        found = served.get("/api/meters/forecasts")["meters"]
        assert (found["mains"]["forecast_w"], found["feeder"]["forecast_w"]) == (61_000, None)
        assert list(served.get("/api/meters/forecasts?meter=mains")["meters"]) == ["mains"]
        assert served.get("/api/meters/forecasts?meter=other")["meters"] == {}

    serve(body, now_us, readings=rows)


def test_a_site_without_a_journal_says_so(tmp_path: Path) -> None:
    sink = '[[sink]]\nkind = "influxdb"\nname = "influx"\nurl = "http://127.0.0.1:9"\n'

    def body(served: Served) -> None:
        assert served.get("/api/meters/known")["has_journal"] is False
        for path in ("curves", "curves.csv", "books", "books.csv", "intervals", "intervals.csv", "series", "forecasts"):
            assert "keeps no event journal" in served.refused(f"/api/meters/{path}", 409)

    with_console(make_console(tmp_path, PLANT + sink), body)


def feed(served: Served, meter: str, *readings: Reading) -> None:
    batch = ReadingBatch(gateway="edge-1", device=meter, received_at_us=NOON_US, readings=list(readings))
    served.feed(f"{meter}/readings", msgspec.json.encode(batch))


def test_the_registers_now_are_a_sheet_that_runs_nothing(serve: Serve) -> None:
    def body(served: Served) -> None:
        feed(served, "mains", evil("voltage"), evil("=cmd|' /C calc'!A0"))
        feed(served, "feeder", evil("current"))
        lines = sheet(served, "/api/meters/registers.csv?meter=mains")
        assert [line[0] for line in lines[1:]] == ["'=cmd|' /C calc'!A0", "voltage"]
        assert len(sheet(served, f"/api/meters/registers.csv?meter={quote('=1')}")) == 1

    serve(body)


def test_the_stream_follows_all_meters_or_one(serve: Serve) -> None:
    def body(served: Served) -> None:
        feed(served, "mains", evil("voltage"))
        feed(served, "feeder", evil("voltage"))
        assert sorted(first(served, "parts=meters")["rows"]) == ["feeder", "mains"]
        alone = first(served, "parts=meters&meters.meter=mains")["rows"]
        assert alone["mains"]["paces"] == {"voltage//": 0}
        assert json.dumps(alone["mains"]["figures"]["voltage"]) == f'[null, "W", "absent", {NOON_US}, 0]'

    serve(body)


def first(served: Served, query: str) -> Any:
    with served.stream(query) as messages:
        return next(data for name, data in messages if name == "meters")
