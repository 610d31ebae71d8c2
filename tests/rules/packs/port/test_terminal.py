"""The rules of the pack, as the site file has them: they can be run, and their names are their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.config.models import SiteFile
from gateway.config.table import Table
from rules import expansion
from rules.anatomy import makes
from rules.packs.port import settings as module
from rules.packs.port.settings import PortSettings
from rules.packs.port.terminal import PACK
from tests.rules.packs.port.places import lane, settings, site

TABLES = {
    "expected": {"truck": "string", "not_before": "time", "not_after": "time", "kg": "double", "seal": "string"},
    "customs": {"released": "bool"},
    "trucks": {"tare_kg": "double"},
    "drivers": {"valid_until": "time"},
    "reefers": {"set_point_celsius": "double"},
}
EVERYTHING: dict[str, Any] = {
    "lane": [
        lane(
            left={"device": "io-1", "name": "exit"},
            cameras=[{"device": "camera-1", "name": "number"}],
            plate={"device": "camera-1", "name": "plate"},
            seal_state={"device": "seals", "name": "state"},
            scale="scale-1",
            card_point="lane-1-card",
            rssi_floor_dbm=-60,
        ),
        lane(
            name="lane-2",
            direction="both",
            arrives_inside={"device": "io-1", "name": "inside"},
            read_points=["lane-2-tags"],
        ),
        lane(name="lane-3", direction="out", read_points=["lane-3-tags"], scale="scale-3"),
    ],
    "appointments": {
        "table": "expected",
        "truck": "truck",
        "not_before": "not_before",
        "not_after": "not_after",
        "declared_kg": "kg",
        "seal": "seal",
        "direction": "in",
    },
    "customs": {"table": "customs", "direction": "out"},
    "vehicles": {"table": "trucks", "tare_kg": "tare_kg", "must_be_listed": True},
    "drivers": {"table": "drivers"},
    "queue": {"zone": "queue", "longest_s": 600},
    "yard": {"zones": ["block-a", "block-b"], "longest_dwell_s": 86_400},
    "seals": {"opened_memory": "00FF", "allowed_points": ["customs-1"]},
    "reefers": {"table": "reefers", "quantity": "temperature", "power_signal": "power"},
    "weighing": {"heaviest_kg": 44_000},
}


def everything() -> SiteFile:
    """A site that uses all there is."""
    return site(tables=TABLES, **EVERYTHING)


@pytest.mark.parametrize("more", [{}, EVERYTHING], ids=["least", "most"])
def test_the_rules_can_be_run(more: dict[str, Any]) -> None:
    assert expansion.faults(site(tables=TABLES if more else {}, **more)) == []


def test_names_are_unique_and_begin_with_the_name_of_the_use() -> None:
    names = [rule.name for rule in PACK.rules("gate", PortSettings.model_validate(EVERYTHING))]
    assert len(set(names)) == len(names)
    assert all(name.startswith("gate-") for name in names)


def test_the_same_settings_give_the_same_rules() -> None:
    assert PACK.rules("gate", settings()) == PACK.rules("gate", settings())


def test_what_is_not_set_has_no_rules() -> None:
    names = {rule.name for rule in PACK.rules("gate", settings())}
    assert names == {"gate-lane-1", "gate-lane-1-refused", "gate-turn", "gate-moves", "gate-dwell"}


def test_a_table_that_is_missing_is_told() -> None:
    found = expansion.faults(site(customs={"table": "customs"}))
    assert found
    assert all("customs" in fault for fault in found)


def test_the_page_lists_every_setting_and_every_event() -> None:
    page = (Path(__file__).parents[4] / "docs" / "reference" / "packs" / "port.md").read_text()
    for name, model in vars(module).items():
        if isinstance(model, type) and issubclass(model, Table) and name != "SignalAt" and model is not Table:
            for key, field in model.model_fields.items():
                assert f"| `{key}` | " in page, (name, key)
                assert str(field.description) in page, (name, key)
    for rule in PACK.rules("gate", PortSettings.model_validate(EVERYTHING)):
        for _, kind in makes(rule):
            assert f"`{kind}`" in page
        for figure in rule.figures:
            assert f"`{figure}`" in page
