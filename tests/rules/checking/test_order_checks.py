from __future__ import annotations

from typing import Any

import pytest

from gateway.config.control import Control, ControlledPoint, Person
from gateway.config.models import Site, SiteFile
from gateway.config.rules import Order
from readers.control import Action
from rules.checking.order_checks import faults_of_orders

TYPES = ("signal", "passage", "gate-decision")


def site(*orders: Order, enabled: bool = True, **point: Any) -> SiteFile:
    allowed = {"device": "barriers", "point": "lane-1", "actions": [Action.PULSE], "roles": ["automation"]}
    return SiteFile(
        site=Site(name="harbour"),
        control=Control(
            enabled=enabled,
            person=[Person(name="gate-rules", key_credential="gate-rules", roles=["automation"])],
            point=[ControlledPoint(**{**allowed, "two_steps": False, **point})],
        ),
        order=list(orders),
    )


def order(**changed: Any) -> Order:
    found = {
        "name": "open-lane-1",
        "on": "gate-decision",
        "when": "e.verdict == 'open'",
        "device": "barriers",
        "point": "lane-1",
        "action": Action.PULSE,
        "person": "gate-rules",
    }
    return Order(**{**found, **changed})


def test_an_order_that_its_point_allows_has_no_faults() -> None:
    assert faults_of_orders(site(order(), order(name="second", on="passage", when="e.direction == 'in'")), TYPES) == []


def test_what_another_gateway_allows_is_not_known_here() -> None:
    assert faults_of_orders(site(order(gateway="edge-2", point="lane-9"), enabled=False), TYPES) == []


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"on": "gate-decisions"}, "on = 'gate-decisions': nothing makes such an event; did you mean 'gate-decision'?"),
        ({"on": "signal"}, "on = 'signal': nothing makes such an event; name an event that"),
        ({"on": "passage", "when": "e.lane == 'x'"}, "when = \"e.lane == 'x'\": e.lane is no field here"),
        ({"action": Action.TRIP}, "action = 'trip': is armed and confirmed by people; no rule can order it"),
        ({"person": "nobody"}, "person = 'nobody': no [[control.person]] has this name"),
        (
            {"point": "lane-2"},
            "point = 'lane-2': no [[control.point]] allows barriers/lane-2; there are: barriers/lane-1",
        ),
        ({"action": Action.ON}, "action = 'on': its [[control.point]] allows pulse"),
    ],
)
def test_what_would_only_be_refused(changed: dict[str, Any], fault: str) -> None:
    found = faults_of_orders(site(order(**changed)), TYPES)
    assert any(line.startswith(f"site.toml: order[open-lane-1].{fault}") for line in found), found


@pytest.mark.parametrize(
    ("made", "fault"),
    [
        (site(order(), two_steps=True), "point: is armed and confirmed; set two_steps = false"),
        (site(order(), roles=["guards"]), "person = 'gate-rules': has none of the roles guards"),
        (site(order(), enabled=False), "person: [control] is not enabled"),
        (site(order(), order()), "name = 'open-lane-1': another order has this name"),
    ],
)
def test_what_the_control_tables_say_against_it(made: SiteFile, fault: str) -> None:
    [line] = faults_of_orders(made, TYPES)
    assert line.startswith(f"site.toml: order[open-lane-1].{fault}")
