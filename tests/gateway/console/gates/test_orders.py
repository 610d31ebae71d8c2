from __future__ import annotations

from pathlib import Path

import msgspec

from gateway.console.gates.orders import orders_of
from gateway.contract.commands import Outcome
from gateway.contract.events import Event, event_id
from gateway.control.audit import FILE, Audit
from tests.gateway.console.gates.port_site import S, decided, port_site
from tests.gateway.journal_rows import NOON_US


def audited(directory: Path, event: Event, *states: str) -> str:
    """An audit with what became of the order of an event, and of one of nobody's; returns the command."""
    command = event_id("order", "raise", event.id)
    made = Audit(directory)
    for number, state in enumerate(states):
        for each in (command, "0" * 20):
            fields = {"gateway": "edge-1", "id": each, "state": state, "at_us": NOON_US + number * S}
            made.append(
                msgspec.convert({**fields, "device": "gate-io", "point": "barrier", "signature": "ab"}, Outcome)
            )
    made.close()
    return command


def test_the_order_of_a_decision_is_found_with_what_became_of_it(tmp_path: Path) -> None:
    event = decided(1, NOON_US)
    command = audited(tmp_path, event, "sending", "verified")
    found = orders_of(port_site(tmp_path), tmp_path, [event])
    (order,) = found.orders
    assert (order.order, order.event, order.device, order.point) == ("raise", event.id, "gate-io", "barrier")
    assert [(step.id, step.state, step.audit_sequence) for step in order.steps] == [
        (command, "sending", 1),
        (command, "verified", 3),
    ]
    assert {step.signature for step in order.steps} == {""}  # it is for him who ordered
    assert found.elsewhere == ["edge-2"]
    assert found.fault == ""


def test_a_decision_that_led_to_none_has_none(tmp_path: Path) -> None:
    audited(tmp_path, decided(1, NOON_US), "sending")
    assert orders_of(port_site(tmp_path), tmp_path, [decided(2, NOON_US, "hold")]).orders == []


def test_events_that_no_order_asks_for_ask_no_audit(tmp_path: Path) -> None:
    event = msgspec.structs.replace(decided(1, NOON_US), type="passage")
    assert orders_of(port_site(tmp_path), tmp_path, [event]) == orders_of(port_site(tmp_path), tmp_path, [])


def test_an_audit_that_is_not_there_or_no_audit_is_told(tmp_path: Path) -> None:
    site, events = port_site(tmp_path), [decided(1, NOON_US)]
    assert "there is no audit yet" in orders_of(site, tmp_path, events).fault
    (tmp_path / FILE).write_bytes(b"no database" * 100)
    found = orders_of(site, tmp_path, events)
    assert "not a database" in found.fault
    assert found.orders == []
