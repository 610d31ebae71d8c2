from __future__ import annotations

from pathlib import Path

import msgspec

from gateway.contract.batches import ReadBatch, TagRead
from gateway.control.audit import Audit
from tests.gateway.console.gates.port_site import SITE, TRUCK, S, decided, keep, made
from tests.gateway.console.gates.test_orders import audited
from tests.gateway.journal_rows import NOON_US
from tests.rules.recorded import write_journal
from tests.support.console import Served, make_console, with_console


def test_an_event_is_told_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    decision = decided(2, NOON_US, truck="truck-1", truck_epc=TRUCK)
    opened = decision.fields["opened_at_us"]
    receipt = made(3, NOON_US + 4 * S, "gate-transaction", {"opened_at_us": opened, "verdict": "open"})
    keep(tmp_path, [decided(1, NOON_US - 60 * S), decision, receipt, decided(4, NOON_US + 60 * S)])
    audited(tmp_path, decision, "sending", "verified")
    read = TagRead(TRUCK, 1, "gate-in-tags", NOON_US, -50.0)
    batch = ReadBatch(gateway="edge-1", epoch=3, sequence=12, device="gate-tags", received_at_us=NOON_US, reads=[read])
    write_journal(tmp_path / "journal", [batch])
    console = make_console(tmp_path, SITE)

    def body(served: Served) -> None:
        told = served.get(f"/api/event/{decision.id}")
        assert told["event"]["fields"]["truck"] == "truck-1"
        assert told["lane"]["name"] == "gate-in"
        assert [each["id"] for each in told["siblings"]] == [receipt.id]
        assert [step["state"] for step in told["orders"]["orders"][0]["steps"]] == ["sending", "verified"]
        assert told["neighbours"]["previous"]["id"] == f"{1:020x}"
        assert told["neighbours"]["next"]["id"] == f"{4:020x}"
        assert (told["slow"], told["damaged"]) == ([], [])
        assert receipt.id in {each["id"] for each in told["around"]["events"]}
        of_receipt = served.get(f"/api/event/{receipt.id}")
        assert [each["id"] for each in of_receipt["siblings"]] == [decision.id]
        assert of_receipt["orders"]["orders"][0]["event"] == decision.id
        raw = served.get(f"/api/event/{decision.id}/raw")
        assert [each["epc"] for each in raw["reads"]] == [TRUCK]
        assert served.visitor.ask("GET", f"/event/{decision.id}").status == 200

    with_console(console, body)


def test_an_unknown_event_says_why_it_may_be_so(tmp_path: Path) -> None:
    console = make_console(tmp_path, SITE)

    def body(served: Served) -> None:
        for path in (f"/api/event/{9:020x}", f"/api/event/{9:020x}/raw"):
            answer = served.visitor.ask("GET", path)
            assert answer.status == 404
            assert (answer.body["reason"], answer.body["keep_days"]) == ("unknown", 90)
        for odd in ("x", "A" * 20, f"{9:020x}0", "..%2f..%2fetc"):
            assert served.visitor.ask("GET", f"/api/event/{odd}").status == 404

    with_console(console, body)


def test_a_site_without_a_journal_has_no_events(tmp_path: Path) -> None:
    console = make_console(
        tmp_path, f"{SITE}\n[[sink]]\nname = 'hook'\nkind = 'webhook'\nurl = 'http://127.0.0.1:9/'\n"
    )

    def body(served: Served) -> None:
        assert "no event journal" in served.refused(f"/api/event/{1:020x}", 404)

    with_console(console, body)


def test_an_audit_that_is_empty_and_a_day_that_is_damaged_are_told(tmp_path: Path) -> None:
    decision = decided(2, NOON_US)
    kept = keep(tmp_path, [decision])
    (kept / "events-2026-01-02.db").write_bytes(b"no database" * 1000)
    Audit(tmp_path).close()
    console = make_console(tmp_path, SITE)

    def body(served: Served) -> None:
        told = served.get(f"/api/event/{decision.id}")
        assert told["orders"]["orders"] == []
        assert told["orders"]["elsewhere"] == ["edge-2"]
        assert any("events-2026-01-02.db" in line for line in told["damaged"])

    with_console(console, body)


def test_only_operators_ask_why(tmp_path: Path) -> None:
    console = make_console(tmp_path, SITE)
    path = f"/api/event/{1:020x}/why"

    def body(served: Served) -> None:
        assert served.visitor.ask("GET", path).status in {401, 403}
        served.visitor.come()
        assert served.visitor.log_in("vera").status == 200
        assert "this needs operator" in served.refused(path, 403)
        assert served.visitor.log_in("olga").status == 200
        answer = served.visitor.ask("GET", path)  # the rules are asked, and find nothing to play again
        assert answer.status == 404
        assert "holds no journal of a gateway" in answer.body["error"]

    with_console(console, body)


def test_the_page_of_an_event_is_what_is_kept(tmp_path: Path) -> None:
    event = made(1, NOON_US, "truck-weighed", {"value": 39_000.0, "unit": "kg", "name": "<img src=x>"}, subject="scale")
    keep(tmp_path, [event])
    console = make_console(tmp_path, SITE)

    def body(served: Served) -> None:
        told = served.get(f"/api/event/{event.id}")
        assert told["event"] == msgspec.to_builtins(event)
        assert told["lane"]["kind"] == "scale"
        assert told["siblings"] == []

    with_console(console, body)
