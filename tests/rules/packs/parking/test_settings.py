from typing import Any

import pytest
from pydantic import ValidationError

from gateway.config.models import SiteFile
from rules import packs
from rules.packs.parking.settings import Direction
from tests.rules.packs.parking.place import HOLDERS, LANES, settings

ENTRY, EXIT = LANES


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"lane": [ENTRY]}, "needs an entry and an exit"),
        ({"lane": [EXIT]}, "needs an entry and an exit"),
        ({"lane": [ENTRY, {**EXIT, "name": "north"}]}, "two lanes have the name 'north'"),
        ({"lane": [ENTRY, {**EXIT, "read_points": ["in-2"]}]}, "two lanes have the read point 'in-2'"),
        ({"lane": [ENTRY, {**EXIT, "name": "in-1"}]}, "'in-1' is a read point of another lane"),
        ({"lane": [ENTRY, {**EXIT, "barrier_up": ENTRY["barrier_up"]}]}, "two lanes have the input 'io/north-up'"),
        ({"lists": [{"name": "staff"}]}, "needs holders.list"),
        ({"lists": [{"name": "staff"}], "holders": {"table": "holders"}}, "needs holders.list"),
        ({"lists": [{"name": "staff"}, {"name": "staff"}], "holders": HOLDERS}, "two have the name 'staff'"),
        ({"lists": [{"name": 'x" || true || "'}], "holders": HOLDERS}, "pattern"),
        ({"duress_class": "a\\"}, "pattern"),
        ({"antipassback": "timed"}, "goes with antipassback = 'timed'"),
        ({"forgive_after_s": 60}, "goes with antipassback = 'timed'"),
        ({"fire": {"device": "io", "signal": "x"}, "reset": {"device": "io", "signal": "x"}}, "is the input of fire"),
        ({"capacity": 0}, "greater than or equal to 1"),
        ({"cooldown_s": 0}, "greater than or equal to 0.5"),
        ({"capcity": 3}, "Extra inputs"),
    ],
)
def test_what_cannot_be_meant_is_refused(changed: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        settings(**changed)


def test_lanes_are_told_apart_by_their_direction() -> None:
    found = settings()
    assert [lane.name for lane in found.lanes(Direction.ENTRY)] == ["north"]
    assert [lane.name for lane in found.lanes(Direction.EXIT)] == ["south"]


def test_faults_of_a_site_file_name_the_pack_and_the_setting() -> None:
    site = SiteFile.model_validate(
        {
            "site": {"name": "harbour"},
            "pack": [
                {"name": "park", "kind": "parking", "settings": {"lane": LANES, "capacity": "many"}},
                {"name": "lot", "kind": "parkin"},
            ],
        }
    )
    found = packs.faults(site)
    assert found[0].startswith("site.toml: pack[park].settings.capacity = 'many': ")
    assert found[1] == "site.toml: pack[lot].kind = 'parkin': no such pack; did you mean 'parking'?"
