"""The transaction of a lane: what it is made of. What it decides is in gate.tests.toml."""

from __future__ import annotations

from gateway.config.rules import Pick, SequenceRule, SessionRule
from rules.packs.port import gate
from tests.rules.packs.port.places import lane, settings

LEFT = {"device": "io-1", "name": "exit"}
CAMERA = {"device": "camera-1", "name": "number"}


def session(**more: object) -> SessionRule:
    """The session of the one lane."""
    found = gate.rules("gate", settings(lane=[lane(**more)]))
    return next(rule for rule in found if isinstance(rule, SessionRule))


def test_a_lane_ends_by_itself_only_where_something_tells() -> None:
    assert session().close.on is None
    assert not [rule for rule in gate.rules("gate", settings()) if isinstance(rule, SequenceRule)]
    closing = session(left=LEFT).close.on
    assert closing is not None
    assert closing.on == gate.LEFT


def test_the_number_comes_from_cameras_where_there_are_some_and_the_tag_only_confirms_it() -> None:
    assert session().collect["container"].on == "read"
    with_camera = session(cameras=[CAMERA])
    assert with_camera.collect["container"].on == "signal"
    assert with_camera.collect["container"].pick is Pick.MOST
    assert with_camera.collect["container_tag"].on == "read"


def test_a_plate_is_the_truck_where_no_tags_are_read() -> None:
    plate = {"device": "camera-1", "name": "plate"}
    assert session(read_points=[], plate=plate, cameras=[CAMERA]).collect["truck"].of == "value"
    assert set(session(plate=plate).collect) >= {"truck", "plate"}


def test_a_lane_hears_its_own_places_only() -> None:
    found = session(left=LEFT, scale="scale-1", card_point="card-1", cameras=[CAMERA])
    assert found.places == {"lane-1": ["camera-1", "card-1", "io-1", "lane-1-tags", "scale-1"]}
    assert found.figures == ["duration_s", "weight_kg"]
