"""The yard. What its rules conclude is in terminal.tests.toml."""

from __future__ import annotations

from gateway.config.rules import PairRule
from rules.packs.port import yard
from tests.rules.packs.port.places import settings


def test_a_site_without_yard_zones_has_no_moves() -> None:
    assert [rule.name for rule in yard.rules("gate", settings())] == ["gate-dwell"]


def test_customs_holds_are_told_where_customs_are_asked() -> None:
    found = yard.rules("gate", settings(customs={"table": "c", "released": "free"}))
    customs = found[-1]
    assert isinstance(customs, PairRule)
    assert customs.entered == yard.HELD
    assert "e.customs_free == false" in customs.entry.when


def test_an_overdue_container_needs_a_limit() -> None:
    without = yard.rules("gate", settings(yard={"zones": ["a"]}))
    limited = yard.rules("gate", settings(yard={"zones": ["a"], "longest_dwell_s": 60}))
    assert [rule.overstay for rule in without if rule.name == "gate-dwell" and isinstance(rule, PairRule)] == [None]
    overdue = next(rule for rule in limited if rule.name == "gate-dwell")
    assert isinstance(overdue, PairRule)
    assert overdue.overstay is not None
    assert overdue.overstay.emit == yard.OVERDUE
