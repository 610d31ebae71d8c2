from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.broker import EmbeddedBroker
from gateway.config.models import SiteFile
from gateway.control.audit import Audit
from gateway.demo import operator
from gateway.demo.operator import Operator, audit_of, faults
from tests.gateway.control.scenes import order
from tests.gateway.control.test_audit import outcome, raw


def site(port: int, *, enabled: bool = True) -> SiteFile:
    point = {"device": "feeder-7", "point": "relay", "actions": ["trip", "close"], "roles": ["o"], "close_roles": ["o"]}
    return SiteFile.model_validate(
        {
            "site": {"name": "quay"},
            "mqtt": {"port": port},
            "control": {"enabled": enabled, "point": [point]},
        }
    )


def at_once(device: str) -> bool:
    return bool(device)


def test_it_waits_for_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator, "LOOKS_EVERY_S", 0.001)
    asked: list[str] = []

    def is_online(device: str) -> bool:
        asked.append(device)
        return len(asked) > 2

    person = Operator(site(1), "k" * 32)
    asyncio.run(person.work(is_online, once=True))
    assert asked == ["feeder-7"] * 3
    assert len(person.orders) == 1


def test_it_tells_that_nobody_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator, "ARM_WITHIN_S", 0.2)

    async def main() -> list[dict[str, Any]]:
        async with EmbeddedBroker(tmp_path / "broker") as broker:
            person = Operator(site(broker.port), "k" * 32)
            await person.work(at_once, once=True)
        return person.orders

    orders = asyncio.run(main())
    assert [(each["device"], each["action"], each["state"]) for each in orders] == [("feeder-7", "trip", "no_outcome")]
    assert faults({"orders": orders, "audit": {"faults": []}}) == [
        "order trip of feeder-7 ended as no_outcome: no outcome"
    ]


def test_it_tells_that_the_broker_is_away() -> None:
    person = Operator(site(1), "k" * 32)
    asyncio.run(person.work(at_once, once=True))
    assert "127.0.0.1:1" in person.orders[0]["detail"]


def test_where_control_is_off_nothing_is_ordered() -> None:
    person = Operator(site(1, enabled=False), "k" * 32)
    asyncio.run(person.work(at_once, once=True))
    assert person.orders == []


def test_the_audit_is_told_record_by_record_with_what_is_wrong_with_it(tmp_path: Path) -> None:
    audit = Audit(tmp_path)
    for state in ("armed", "sending", "verified"):
        audit.append(outcome(state, by="operator", action="trip"), order("arm"))
    audit.close()

    told = audit_of(tmp_path)
    assert (told["records"], told["faults"]) == (3, [])
    assert [(each["sequence"], each["state"], each["action"]) for each in told["trail"]] == [
        (1, "armed", "trip"),
        (2, "sending", "trip"),
        (3, "verified", "trip"),
    ]

    raw(tmp_path, "DELETE FROM record WHERE sequence = 3")
    assert faults({"orders": [], "audit": audit_of(tmp_path)}) == [
        "the audit of control is not whole: records 3 to 3 are missing at the end: it was cut off"
    ]
    assert "no" in audit_of(tmp_path / "nowhere")["faults"][0]
