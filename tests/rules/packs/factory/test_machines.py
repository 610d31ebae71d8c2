from __future__ import annotations

from rules.packs.factory.machines import rules
from rules.packs.factory.settings import Machine
from tests.rules.packs.factory.factories import WHOLE


def names(**settings: object) -> list[str]:
    return [rule.name for rule in rules("hall", Machine.model_validate({"name": "loom"} | settings))]


def test_each_limit_has_a_rule() -> None:
    (settings,) = WHOLE["machine"]
    assert [rule.name for rule in rules("hall", Machine.model_validate(settings))] == [
        "hall-loom-stopped", "hall-loom-long-stop", "hall-loom-stops", "hall-loom-oee-low", "hall-loom-scrap-high",
        "hall-loom-energy-per-unit-high", "hall-loom-slow",
    ]  # fmt: skip
    assert names(oee_least=0.6) == ["hall-loom-oee-low"]
    assert names(stops_most=3) == ["hall-loom-stops"]
