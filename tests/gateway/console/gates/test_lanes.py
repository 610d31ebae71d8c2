from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gateway.config.load import load_site
from gateway.config.models import SiteFile
from gateway.config.rules import PackUse
from gateway.console.gates.lanes import TOLERANCE_KG, Lane, Watched, Weighing, kinds_of, lanes_of
from tests.gateway.console.gates.port_site import port_site


def by_name(site: SiteFile) -> dict[str, Lane]:
    return {lane.name: lane for lane in lanes_of(site)}


def test_every_kind_of_lane_is_found_in_the_site_file(tmp_path: Path) -> None:
    lanes = by_name(port_site(tmp_path))
    assert {name: lane.kind for name, lane in lanes.items()} == {
        "gate-in": "gate",
        "lane-in": "access",
        "lane-out": "access",
        "desk-1": "session",
        "portal-1": "portal",
        "scale": "scale",
    }
    gate = lanes["gate-in"]
    assert (gate.decision, gate.receipt, gate.direction) == ("gate-decision", "gate-transaction", "in")
    assert gate.arrives == Watched("gate-io", "loop")
    assert gate.devices == ("gate-io", "scale")
    assert gate.weighing == Weighing(TOLERANCE_KG, 2.0)
    access = lanes["lane-in"]
    assert access.direction == "in"
    assert access.devices == ("gate-io", "entry-card")
    assert lanes["desk-1"].verdicts == ("open", "stop")
    assert lanes["portal-1"].is_zone
    assert lanes["portal-1"].read_points == ("outer", "inner")
    assert lanes["scale"].decision == "truck-weighed"


def test_kinds_name_the_types_that_the_site_has(tmp_path: Path) -> None:
    kinds = kinds_of(port_site(tmp_path))
    assert kinds["gate"] == ("gate-decision",)
    assert kinds["receipts"] == ("gate-transaction", "access-closed", "desk-closed")
    assert {"truck-turn", "parking-visit"} <= set(kinds["others"])


def test_a_site_without_lanes_has_none(tmp_path: Path) -> None:
    config = tmp_path / "site.toml"
    config.write_text('[site]\nname = "site"\n')
    site = load_site(config)
    assert lanes_of(site) == ()
    assert kinds_of(site) == {}


@pytest.mark.parametrize(
    "settings",
    [
        {"lane": "no list"},
        {"lane": ["no table", {"direction": "in"}, {"name": 7}]},
        {"lane": [{"name": "x", "arrives": "?", "read_points": [1], "scale": 3}], "weighing": {"tolerance_kg": True}},
    ],
)
def test_settings_that_the_rules_will_refuse_do_no_harm_here(tmp_path: Path, settings: dict[str, object]) -> None:
    site = port_site(tmp_path)
    odd = site.model_copy(update={"pack": [PackUse(name="gate", kind="port", settings=settings)]})
    lanes = [lane for lane in lanes_of(odd) if lane.kind == "gate"]
    assert [lane.name for lane in lanes] in ([], ["x"])
    for lane in lanes:
        assert (lane.arrives, lane.read_points, lane.devices) == (None, (), ())
        assert lane.weighing is not None
        assert lane.weighing.tolerance_kg == TOLERANCE_KG
    assert msgspec.json.encode(lanes)
