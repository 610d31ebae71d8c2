"""Every fault of the settings says what to do."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from rules import packs
from tests.rules.packs.port.places import lane, settings, site

LOOP = {"device": "io-1", "name": "inner"}
CUSTOMS = {"table": "customs"}


def test_the_shortest_settings_are_one_lane() -> None:
    found = settings()
    assert [each.value for each in found.lane[0].require] == ["truck", "container"]
    assert found.weighing.tolerance_kg == 500


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"direction": "both"}, "arrives_inside: goes with direction = 'both'"),
        ({"arrives_inside": LOOP}, "arrives_inside: goes with direction = 'both'"),
        ({"direction": "both", "arrives_inside": {"device": "io-2", "name": "loop"}}, "must differ from arrives.name"),
        ({"require": ["truck", "container", "weight_kg"]}, "nothing tells 'weight_kg' here; set scale"),
        ({"require": ["truck", "container", "driver"]}, "nothing tells 'driver' here; set card_point"),
        ({"read_points": []}, "nothing tells 'truck' here; set read_points or plate"),
        ({"read_points": [], "plate": LOOP}, "nothing tells 'container' here; set read_points or cameras"),
        ({"require": ["container"]}, "a truck alone opens nothing"),
        ({"require": ["truck"]}, "a truck alone opens nothing"),
        ({"arrives": {"device": "io-1", "name": 'a"b'}}, "arrives.name"),
    ],
)
def test_faults_of_a_lane(more: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault.replace(".", r"\.")):
        settings(lane=[lane(**more)])


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"lane": []}, "at least 1"),
        ({"lane": [lane(), lane()]}, "another lane has this name"),
        ({"decide_within_s": 4000}, "must not be more than longest_s"),
        ({"quiet_s": 10}, "must not be less than decide_within_s"),
        ({"appointments": {"table": "a", "container": "box"}}, "container: is the key of the table already"),
        ({"seals": {"opened_memory": "FF"}}, "opened_memory"),
        ({"reefers": {"table": "r"}}, "signal: either this, or quantity"),
        ({"reefers": {"table": "r", "signal": "a", "quantity": "b"}}, "signal: either this, or quantity"),
        ({"custom": CUSTOMS}, "Extra inputs are not permitted"),
    ],
)
def test_faults_of_the_whole(more: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        settings(**more)


def test_a_truck_alone_is_enough_where_it_is_expected() -> None:
    by_truck = {"table": "expected", "key": "truck"}
    only_truck = lane(require=["truck"])
    assert settings(lane=[only_truck], appointments=by_truck).lane[0].require == ["truck"]
    with pytest.raises(ValidationError, match="opens nothing"):
        settings(lane=[only_truck], appointments={**by_truck, "direction": "out"})


def test_faults_are_told_with_their_place_in_the_site_file() -> None:
    found = packs.faults(site(quiet_s=-1))
    assert found == ["site.toml: pack[gate].settings.quiet_s = -1: Input should be greater than 0"]
