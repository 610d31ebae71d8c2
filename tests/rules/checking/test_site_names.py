from __future__ import annotations

import pytest

from gateway.config.models import Portal, Reader, Site, SiteFile, Zone
from gateway.config.rules import AbsenceRule, Function, Input, MatchRule, RateRule, Rule, Window
from rules.checking.site_names import faults_of_condition, names_of, warnings
from rules.language.grammar import parse


def a_site(*rules: Rule, readers: bool = True, portals: bool = True) -> SiteFile:
    llrp = Reader(name="gate-1", driver="llrp", port="tcp://127.0.0.1", read_points={1: "out", 2: "in", 3: "yard-1"})
    points = Reader(name="desk", driver="llrp", port="tcp://127.0.0.2", read_points={})
    meters = Reader(
        name="line-1",
        driver="dlt645",
        port="/dev/ttyUSB0",
        settings={"meters": [{"name": "meter-1", "address": "000000000001"}]},
    )
    return SiteFile(
        site=Site(name="harbour", gateway="edge-1"),
        reader=[llrp, points, meters] if readers else [],
        zone=[Zone(name="yard", read_points=["yard-1"])],
        portal=[Portal(name="lane-1", outer=["out"], inner=["in"])] if portals else [],
        rule=list(rules),
    )


@pytest.mark.parametrize(
    ("on", "when", "fault"),
    [
        (
            "passage",
            "e.zone == 'lane-9'",
            "e.zone is never 'lane-9'; a passage has the name of a portal; did you mean 'lane-1'? (column 11)",
        ),
        (
            "arrived",
            "e.zone == 'yard-1'",
            (
                "e.zone is never 'yard-1'; this read point belongs to zone 'yard'; ask for that, or for e.read_point "
                "(column 11)"
            ),
        ),
        (
            "moved",
            "e.from_zone in ['yard', 'in']",
            (
                "e.from_zone is never 'in'; this read point belongs to portal 'lane-1'; ask for that, or for "
                "e.read_point (column 16)"
            ),
        ),
        (
            "departed",
            "e.zone == 'lane-1'",
            "e.zone is never 'lane-1'; it is a portal, and tells of tags by on = 'passage' (column 11)",
        ),
        (
            "read",
            "e.gateway == 'edge-1' && e.read_point == 'yard-2'",
            "e.read_point is never 'yard-2' at gateway 'edge-1'; did you mean 'yard-1'?",
        ),
        (
            "reading",
            "e.gateway == 'edge-1' && (e.device == 'meter-2' || e.value > 3)",
            "e.device is never 'meter-2' at gateway 'edge-1'; did you mean 'meter-1'?",
        ),
    ],
)
def test_names_that_are_surely_wrong_are_faults(on: str, when: str, fault: str) -> None:
    assert list(faults_of_condition(names_of(a_site()), on, parse(when))) == [fault]


@pytest.mark.parametrize(
    ("on", "when"),
    [
        ("passage", "e.zone == 'lane-1'"),
        ("arrived", "e.zone == 'lane-9'"),  # perhaps a read point of another gateway
        ("arrived", "e.zone == 'yard' && e.from_zone != 'desk-1'"),
        ("read", "e.gateway == 'edge-2' && e.read_point == 'anywhere'"),
        ("read", "e.gateway == 'edge-1' && e.read_point in ['yard-1', 'desk-4']"),  # antenna 4 of reader `desk`
        ("read", "e.gateway == 'edge-1' && e.read_point != 'anywhere'"),
        ("reading", "e.gateway == 'edge-1' && e.device == 'meter-1'"),
        ("here", "e.zone == 'anything'"),
    ],
)
def test_what_another_gateway_may_have_is_none(on: str, when: str) -> None:
    assert list(faults_of_condition(names_of(a_site()), on, parse(when))) == []


def test_without_portals_nothing_is_said_of_passages() -> None:
    names = names_of(a_site(portals=False))
    assert list(faults_of_condition(names, "passage", parse("e.zone == 'lane-9'"))) == []


def match(name: str, on: str, when: str) -> MatchRule:
    return MatchRule(shape="match", name=name, on=on, when=when)


def test_what_is_probably_a_mistake_is_a_warning() -> None:
    found = list(
        warnings(
            a_site(
                match("a", "arrived", "e.zone == 'yart'"),
                match("b", "reading", "e.device == 'meter-1' && e.value > 3.0"),
                match("c", "status", "e.subject in ['gate-1', 'gate-7']"),
                match("d", "read", "e.read_point == 'desk-2'"),
                match("e", "read", "e.read_point =="),
                AbsenceRule(
                    shape="absence", name="f", expect=Input(on="arrived"), within_s=3, watched=["yard-1", "yard-7"]
                ),
                RateRule(
                    shape="rate",
                    name="g",
                    on="read",
                    window=Window.TUMBLING,
                    within_s=3,
                    function=Function.COUNT,
                    watched=["gate-1"],
                ),
            )
        )
    )
    assert found == [
        (
            "rule[a].when: nothing in this file is called 'yart' (column 11); did you mean 'yard'?; "
            "right only if another gateway has it"
        ),
        (
            "rule[c].when: nothing in this file is called 'gate-7' (column 14); did you mean 'gate-1'?; "
            "right only if another gateway has it"
        ),
        (
            "rule[f].watched: nothing in this file is called 'yard-7'; did you mean 'yard-1'?; "
            "right only if another gateway has it"
        ),
    ]


def test_a_file_without_readers_knows_no_names() -> None:
    file = a_site(
        match("a", "read", "e.read_point == 'x'"), match("b", "passage", "true"), readers=False, portals=False
    )
    assert list(warnings(file)) == ["rule[b].on = 'passage': there is no [[portal]], so that no tag ever passes"]
