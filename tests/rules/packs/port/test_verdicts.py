"""Which reasons a lane has: only those that it can know."""

from __future__ import annotations

from typing import Any

from rules.packs.port.verdicts import HOLD, TROUBLE, verdicts
from tests.rules.packs.port.places import lane, settings


def reasons(*, lane_more: dict[str, Any] | None = None, **more: Any) -> list[str]:
    """The words of all verdicts."""
    found = settings(lane=[lane(**(lane_more or {}))], **more)
    return [each.reason for each in verdicts(found, found.lane[0])]


def test_without_lists_nobody_is_asked_for_what_stands_in_them() -> None:
    assert reasons() == [
        "No truck was read",
        "No container number was read",
        "The readings of the container number differ",
    ]


def test_trouble_is_tried_before_hold() -> None:
    found = settings(
        lane=[lane(scale="scale-1", card_point="card-1")],
        appointments={"table": "a", "declared_kg": "kg"},
        customs={"table": "c"},
    )
    kinds = [each.verdict for each in verdicts(found, found.lane[0])]
    assert kinds == sorted(kinds, key=[TROUBLE, HOLD].index)
    assert set(kinds) == {TROUBLE, HOLD}


def test_lists_of_the_other_direction_are_not_asked() -> None:
    assert "Not released by customs" in reasons(customs={"table": "c", "direction": "in"})
    assert "Not released by customs" not in reasons(customs={"table": "c", "direction": "out"})
    assert "No appointment for this container" not in reasons(appointments={"table": "a", "direction": "out"})


def test_a_weight_is_compared_only_where_one_is_declared() -> None:
    scale = {"scale": "scale-1"}
    assert "Heavier than declared" not in reasons(lane_more=scale, appointments={"table": "a"})
    assert "Heavier than declared" not in reasons(appointments={"table": "a", "declared_kg": "kg"})
    assert "Heavier than declared" in reasons(lane_more=scale, appointments={"table": "a", "declared_kg": "kg"})


def test_whoever_is_not_listed_may_pass_where_the_settings_say_so() -> None:
    assert "Not known to customs" in reasons(customs={"table": "c"})
    assert "Not known to customs" not in reasons(customs={"table": "c", "unlisted": "open"})


def test_a_lane_without_tags_is_asked_for_what_its_cameras_tell() -> None:
    camera = {"device": "camera-1", "name": "number"}
    plate = {"device": "camera-1", "name": "plate"}
    found = reasons(
        lane_more={"read_points": [], "cameras": [camera], "plate": plate},
        appointments={"table": "a", "key": "truck", "container": "box", "seal": "seal"},
    )
    assert "No appointment for this truck" in found
    assert "The appointment is for another container" in found
    assert "The seal is not the one that was declared" not in found
