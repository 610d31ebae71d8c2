from collections.abc import Callable
from pathlib import Path

import msgspec

from gateway.book_tables import BOOK_COLUMNS
from gateway.contract.batches import Signal, SignalBatch
from gateway.event_journal import Row
from tests.gateway.console.metering.sites import PLANT
from tests.gateway.history.day_rows import HOUR, S, signal, write
from tests.gateway.journal_rows import NOON_US
from tests.support.console import Served, make_console, with_console

SPAN = f"machine=warper-1&from_us={NOON_US}&to_us={NOON_US + HOUR}"


def book(period: str, **values: str | float) -> Row:
    given: dict[str, str | float] = {
        "machine": "warper-1",
        "period": period,
        "shift": "",
        "unit": "m",
        "at_ns": NOON_US * 1_000,
        **values,
    }
    return tuple(given.get(column) for column in BOOK_COLUMNS["production"])


def serve(directory: Path, body: Callable[[Served], None], more: str = PLANT) -> None:
    with_console(make_console(directory, more), body)


def test_it_knows_the_machines_of_the_books(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        known = served.get("/api/machines/known")
        (machine,) = known["machines"]
        assert (machine["name"], machine["device"], machine["meter"], machine["unit"]) == (
            "warper-1",
            "loom",
            "feeder",
            "m",
        )
        assert (known["timezone"], known["interval_min"], known["has_journal"]) == ("Asia/Shanghai", 5, True)

    serve(tmp_path, body)


def test_a_site_without_machines_has_none(tmp_path: Path) -> None:
    serve(tmp_path, _none, "")


def _none(served: Served) -> None:
    assert served.get("/api/machines/known")["machines"] == []
    assert served.refused(f"/api/machines/timeline?{SPAN}", 404) == "machine: the site file names no such machine"


def test_its_past_comes_from_the_journal(tmp_path: Path) -> None:
    write(
        tmp_path / "events",
        signals=[signal(NOON_US + S, "execute", device="loom", name="machine_state")],
        production=[book("interval", planned_s=300.0, execute_s=240.0), book("shift", shift="early", oee=0.5)],
        machine_stop=[(NOON_US * 1_000, "warper-1", "interval", "", "yarn", 60.0, 1)],
    )

    def body(served: Served) -> None:
        found = served.get(f"/api/machines/timeline?{SPAN}")
        assert found["spans"] == [{"from_us": NOON_US + S, "to_us": NOON_US + HOUR, "state": "execute"}]
        assert found["offline"] == []
        books = served.get(f"/api/machines/books?{SPAN}")
        assert books["sum"]["availability"] == 0.8
        assert [(row["shift"], row["oee"]) for row in books["shifts"]] == [("early", 0.5)]
        assert books["reasons"] == [{"reason": "yarn", "stood_s": 60.0, "stops": 1}]

    serve(tmp_path, body)


def test_what_cannot_be_asked_is_refused_in_words(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        assert served.refused("/api/machines/books?from_us=1&to_us=2") == "machine: say which"
        assert served.refused("/api/machines/books?machine=warper-1").startswith("from_us: ''")
        assert served.refused("/api/machines/books?machine=loom&from_us=1&to_us=2", 404).startswith("machine: ")
        late = served.refused(f"/api/machines/timeline?machine=warper-1&from_us=0&to_us={NOON_US}")
        assert "days apart" in late

    serve(tmp_path, body)


def test_the_stream_tells_what_machines_do_now(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        signals = [Signal("machine_state", "held"), Signal("stop_reason", "<script>alert(1)</script>")]
        batch = SignalBatch(gateway="edge-1", device="loom", received_at_us=NOON_US, signals=signals)
        served.feed("loom/signals", msgspec.json.encode(batch))
        with served.stream("parts=machines") as messages:
            row = next(data for name, data in messages if name == "machines")["rows"]["loom"]
        assert (row["state"], row["signals"]["stop_reason"][0]) == ("held", "<script>alert(1)</script>")

    serve(tmp_path, body)
