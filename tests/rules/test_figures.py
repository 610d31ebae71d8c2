from __future__ import annotations

import math

import pytest

from gateway.config.rules import MatchRule, RateRule, SetRule, Window
from gateway.contract.events import Event, Evidence, Scalar
from gateway.contract.measurements import MEASUREMENTS
from rules.figures import figure_points
from rules.outputs import Outputs
from rules.sinks.cardinality import SeriesGuard
from rules.sinks.influx_points import Encoder
from tests.rules.play import EPC, OTHER, START_US, Play, site

EVIDENCE = Evidence(gateway="edge-1", epoch=7, sequence_from=1, sequence_to=2, reads=5, confidence=0.75)


def event(number: int = 1, **fields: Scalar) -> Event:
    return Event(
        id=f"{number:020x}",
        type="truck-left",
        at_us=START_US,
        subject=EPC,
        evidence=EVIDENCE,
        zone="lane-1",
        rule="truck-turn",
        fields=fields,
    )


def test_each_number_that_is_named_is_a_point() -> None:
    made = figure_points(event(dwell_s=90.5, inside=3, gross="heavy"), ["dwell_s", "inside", "reads"], "harbour")
    tags = (("site", "harbour"), ("event", "truck-left"), ("zone", "lane-1"), ("rule", "truck-turn"))
    assert [(point.measurement, point.tags, dict(point.fields), point.at_ns) for point in made] == [
        ("figure", (*tags, ("figure", name)), {"value": value, "id": f"{1:020x}"}, START_US * 1000)
        for name, value in (("dwell_s", 90.5), ("inside", 3.0), ("reads", 5.0))
    ]
    schema = MEASUREMENTS["figure"]
    for point in made:
        assert tuple(name for name, _ in point.tags) == schema.tags
        assert dict(point.fields).keys() == schema.fields.keys()


@pytest.mark.parametrize("value", ["90", True, None, math.inf, math.nan, 10**400])
def test_what_is_no_finite_number_is_none(value: Scalar) -> None:
    assert figure_points(event(dwell_s=value), ["dwell_s", "absent", "subject"], "harbour") == []


def test_an_event_without_a_zone_has_no_such_tag() -> None:
    played = Play(site(MatchRule(shape="match", name="seen", on="read", figures=["reads", "reads"])))
    played.read(1.0, "a")
    [point] = [point for point in played.points if point.measurement == "figure"]
    assert dict(point.tags) == {"site": "harbour", "event": "seen", "rule": "seen", "figure": "reads"}
    assert dict(point.fields) == {"value": 1.0, "id": played.events[0].id}


def test_every_type_of_event_that_a_rule_makes_has_its_figures_and_no_other() -> None:
    rules = (
        MatchRule(shape="match", name="power", on="reading", figures=["value"]),
        MatchRule(shape="match", name="silent", on="reading"),
        RateRule(
            shape="rate", name="energy", on="reading", window=Window.TUMBLING, within_s=10, figures=["count", "value"]
        ),
        SetRule(shape="set", name="rack", on="read", duration_s=5, figures=["count", "added"]),
    )
    played = Play(site(*rules))
    played.watch(0.0, "a")
    played.reading(1.0, "120.5")
    played.read(2.0, "a")
    played.read(2.5, "a", OTHER)
    played.until(30.0)
    made = [(dict(point.tags), dict(point.fields)) for point in played.points if point.measurement == "figure"]
    assert [(tags["rule"], tags["figure"], fields["value"]) for tags, fields in made] == [
        ("power", "value", 120.5), ("rack", "count", 2.0), ("rack", "added", 2.0), ("energy", "count", 1.0),
        ("energy", "value", 1.0),
    ]  # fmt: skip
    ids = {event.id for event in played.events}
    assert {str(fields["id"]) for _, fields in made} <= ids


def test_figures_of_one_moment_are_kept_apart_by_the_store() -> None:
    encoder = Encoder(site="harbour", guard=SeriesGuard(1000, lambda *_: None), store_reads=False)
    points = [
        point for number in range(500) for point in figure_points(event(number, dwell_s=1.5), ["dwell_s"], "harbour")
    ]
    lines, _ = encoder.lines(Outputs(START_US, points=points))
    assert len({line.rpartition(" ")[2] for line in lines}) == 500
    assert encoder.lines(Outputs(START_US, points=points))[0] == lines
    assert lines[0].startswith(
        "figure,site=harbour,event=truck-left,zone=lane-1,rule=truck-turn,figure=dwell_s value=1.5"
    )
