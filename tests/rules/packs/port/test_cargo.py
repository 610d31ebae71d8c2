"""Seals and reefers. What their rules conclude is in terminal.tests.toml."""

from __future__ import annotations

from gateway.config.rules import HoldRule
from rules.packs.port import cargo
from tests.rules.packs.port.places import lane, settings


def test_seals_may_be_open_where_customs_and_the_gate_see_to_them() -> None:
    found = cargo.rules("gate", settings(seals={"opened_memory": "00FF", "allowed_points": ["customs-1"]}))
    assert len(found) == 1
    assert 'e.read_point in ["customs-1", "lane-1-tags"]' in found[0].when  # type: ignore[union-attr]  # it is a hold
    camera = {"device": "camera-1", "name": "number"}
    blind = lane(read_points=[], cameras=[camera], plate={"device": "camera-1", "name": "plate"})
    everywhere = cargo.rules("gate", settings(lane=[blind], seals={"opened_memory": "00FF"}))
    assert "read_point" not in everywhere[0].when  # type: ignore[union-attr]  # it is a hold


def test_reefers_are_signals_or_readings() -> None:
    by_signal = cargo.rules("gate", settings(reefers={"table": "r", "signal": "return_air", "power_signal": "power"}))
    by_reading = cargo.rules("gate", settings(reefers={"table": "r", "quantity": "temperature"}))
    assert [rule.name for rule in by_signal] == ["gate-reefer-temperature", "gate-reefer-power"]
    assert [rule.name for rule in by_reading] == ["gate-reefer-temperature"]
    assert isinstance(by_signal[0], HoldRule)
    assert isinstance(by_reading[0], HoldRule)
    assert (by_signal[0].on, by_reading[0].on) == ("signal", "reading")


def test_what_is_not_set_has_no_rules() -> None:
    assert cargo.rules("gate", settings()) == []
