from __future__ import annotations

from pathlib import Path
from typing import Any

from gateway.console.gates.lanes import lanes_of
from gateway.console.gates.lanes_now import LanesNow
from gateway.console.parts.part import Cursor
from gateway.contract.batches import Signal, SignalBatch
from tests.gateway.console.gates.port_site import S, decided, keep, made, port_site
from tests.gateway.journal_rows import NOON_US


def signals(at_us: int, *told: Signal, device: str = "gate-io") -> SignalBatch:
    return SignalBatch(gateway="edge-1", device=device, received_at_us=at_us, signals=list(told))


def news_of(follower: Cursor) -> list[str]:
    news = follower.news()
    return [] if news is None else list(news["rows"])


def row(part: LanesNow, key: str = "gate/gate-in") -> dict[str, Any]:
    found: dict[str, Any] = part.whole()[key]
    return found


def test_a_lane_shows_its_last_decision_and_receipt(tmp_path: Path) -> None:
    part = LanesNow(lanes_of(port_site(tmp_path)), None)
    assert row(part)["last"] is None
    follower = part.follow({})
    assert set(news_of(follower)) == set(part.whole())
    part.take(decided(1, NOON_US, "hold", reasons="Not released by customs"))
    part.take(made(2, NOON_US + S, "gate-transaction", {"verdict": "hold"}))
    part.take(made(3, NOON_US + S, "moved"))
    assert row(part)["last"]["fields"]["reasons"] == "Not released by customs"
    assert row(part)["receipt"]["id"] == f"{2:020x}"
    assert news_of(follower) == ["gate/gate-in"]
    assert news_of(follower) == []


def test_late_news_does_not_replace_newer_ones(tmp_path: Path) -> None:
    part = LanesNow(lanes_of(port_site(tmp_path)), None)
    part.take(decided(2, NOON_US + S))
    part.take(decided(1, NOON_US, "hold"))
    assert row(part)["last"]["id"] == f"{2:020x}"


def test_a_passage_is_known_by_its_portal_and_a_weight_by_its_scale(tmp_path: Path) -> None:
    part = LanesNow(lanes_of(port_site(tmp_path)), None)
    part.take(made(1, NOON_US, "passage", subject="AA" * 12, zone="portal-1"))
    part.take(made(2, NOON_US, "truck-weighed", {"value": 39_000.0, "unit": "kg"}, subject="scale"))
    part.take(made(3, NOON_US, "passage", subject="AA" * 12, zone="portal-9"))
    assert row(part, "portal/portal-1")["last"]["subject"] == "AA" * 12
    assert row(part, "scale/scale")["last"]["fields"]["value"] == 39_000.0


def test_the_loop_says_whether_somebody_stands_there(tmp_path: Path) -> None:
    part = LanesNow(lanes_of(port_site(tmp_path)), None)
    assert row(part)["occupied"] is None
    part.take(signals(5, Signal("loop", value=True), Signal("other", value=False)))
    part.take(signals(6, Signal("loop", value=True)))
    assert (row(part)["occupied"], row(part)["occupied_since_us"]) == (True, 5)
    assert row(part, "access/lane-in")["occupied"] is None
    part.take(signals(7, Signal("loop", value=False), device="another"))
    assert row(part)["occupied"] is True
    part.take(signals(8, Signal("loop", value=False)))
    assert (row(part)["occupied"], row(part)["occupied_since_us"]) == (False, 8)


def test_after_a_start_the_journal_tells_what_was_last(tmp_path: Path) -> None:
    events = [decided(1, NOON_US - S), decided(2, NOON_US, "trouble"), made(3, NOON_US, "passage", zone="portal-1")]
    kept = keep(tmp_path, events)
    part = LanesNow(lanes_of(port_site(tmp_path)), kept)
    assert row(part)["last"]["fields"]["verdict"] == "trouble"
    assert row(part, "portal/portal-1")["last"]["id"] == f"{3:020x}"
    assert row(part, "scale/scale")["last"] is None
