from __future__ import annotations

from typing import Any

import pytest

from gateway.contract.events import Alarm, Event, Evidence
from rules.testing.models import Case, Given
from rules.testing.player import Made
from rules.testing.verdict import MOST_LINES, Judge, given_text, line_of, text_of, timeline

START_US = 1_790_000_000_000_000
EVIDENCE = Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=1)


def event(at_s: float = 1.0, kind: str = "arrived", subject: str = "T1", **more: Any) -> Made:
    at_us = START_US + round(at_s * 1e6)
    told = Event(id=f"{kind}{at_us}", type=kind, at_us=at_us, subject=subject, evidence=EVIDENCE, **more)
    return Made(at_us, told)


def alarm(at_s: float = 1.0, rule: str = "r", state: str = "raised", **fields: Any) -> Made:
    at_us = START_US + round(at_s * 1e6)
    told = Alarm(id=rule, rule=rule, severity="warning", subject="T1", state=state, since_us=at_us, at_us=at_us,
                 message="it is", evidence=EVIDENCE, fields=fields)  # fmt: skip
    return Made(at_us, told)


def failures(made: list[Made], **case: Any) -> list[str]:
    steps = [{"at": "1s", "restart": True}]
    return Judge(Case.model_validate({"name": "x", "given": steps, **case}), START_US).failures(made)


@pytest.mark.parametrize(
    "expected",
    [
        {"event": "arrived"},
        {"event": "arrived", "at": "1s", "subject": "T1"},
        {"event": "arrived", "at": "0s..2s", "zone": "yard", "fields": {"reads": 3, "share": 0.5, "ok": True}},
        {"event": "arrived", "historical": False},
    ],
)
def test_what_is_not_said_may_be_anything(expected: dict[str, Any]) -> None:
    made = [event(zone="yard", fields={"reads": 3, "share": 0.5 + 1e-13, "ok": True, "more": "x"})]
    assert failures(made, expect=[expected]) == []


@pytest.mark.parametrize(
    ("expected", "differs"),
    [
        ({"at": "2s"}, "at 1s"),
        ({"at": "1.5s..2s"}, "at 1s"),
        ({"subject": "T2"}, "subject is 'T1'"),
        ({"zone": "yard", "fields": {"ok": 1}}, "zone is None; fields.ok is True"),
        ({"historical": True}, "historical is False"),
        ({"severity": "info"}, "severity is None"),
    ],
)
def test_the_nearest_is_told_with_its_differences(expected: dict[str, Any], differs: str) -> None:
    (failure,) = failures([event(fields={"ok": True})], expect=[{"event": "arrived", **expected}])
    assert failure.splitlines()[0] == f"did not come: {text_of(Case.model_validate(case(expected)).expect[0])}"
    assert failure.splitlines()[-1] == f"  differs in: {differs}"


def case(expected: dict[str, Any]) -> dict[str, Any]:
    return {"name": "x", "given": [{"at": 0, "restart": True}], "expect": [{"event": "arrived", **expected}]}


def test_of_several_the_nearest_is_told() -> None:
    made = [event(9, zone="far"), event(1, zone="near"), event(1, kind="moved", zone="yard")]
    (failure,) = failures(made, expect=[{"event": "arrived", "at": "1s", "zone": "yard", "subject": "T1"}])
    assert failure.splitlines()[1:] == [
        "  nearest:        1.000s  event arrived  subject T1  zone near",
        "  differs in: zone is 'near'",
    ]


def test_alarms_have_a_state() -> None:
    made = [alarm(1), alarm(5, state="cleared", value=3)]
    assert failures(made, expect=[{"alarm": "r"}, {"alarm": "r", "state": "cleared", "fields": {"value": 3}}]) == []
    (failure,) = failures(made[:1], expect=[{"alarm": "r", "state": "cleared"}])
    assert failure.endswith("differs in: state is raised")
    (failure,) = failures(made, expect=[{"alarm": "q"}])
    assert failure == "did not come: alarm q raised\n  no alarm of this rule came at all"


def test_each_outcome_is_taken_once_and_as_many_as_possible() -> None:
    made = [event(1), event(2)]
    assert failures(made, expect=[{"event": "arrived"}, {"event": "arrived", "at": "1s"}]) == []
    assert failures(made, expect=[{"event": "arrived", "count": 2}]) == []
    (failure,) = failures(made, expect=[{"event": "arrived", "count": 3}])
    assert failure == "did not come: event arrived  (3 times)\n  no other event of this type came at all"


def test_what_must_never_come() -> None:
    (failure,) = failures([event(), event(kind="moved")], never=[{"event": "moved", "subject": "T1"}])
    assert failure.startswith("must never come: event moved  subject T1\n  came:     1.000s  event moved")
    assert failures([event()], never=[{"event": "arrived", "subject": "T2"}]) == []


def test_only_what_is_expected_counts_what_rules_made() -> None:
    made = [event(), event(kind="x", rule="x"), alarm()]
    assert failures(made[:1], only=True) == []
    assert len(failures(made, only=True)) == 2
    assert failures(made, only=True, expect=[{"event": "x"}, {"alarm": "r"}]) == []


def given(**step: Any) -> Given:
    return Given.model_validate({"at": "1s", **step})


def test_lines_of_a_timeline() -> None:
    assert given_text(given(watched=["a", "b"])) == "watched a, b"
    assert given_text(given(unwatched=[])) == "unwatched nothing"
    assert given_text(given(silent="90s")) == "silent for 90s"
    assert given_text(given(restart=True)) == "restart"
    assert (
        given_text(given(signal={"device": "io", "name": "door", "value": True}))
        == "signal device=io name=door value=True"
    )
    assert line_of(alarm(2.5, value=3), START_US) == "    2.500s  alarm r raised  subject T1  warning  'it is'  value=3"
    lines = timeline([given(restart=True)], [event(1), event(0.5, zone="yard", rule="r")], START_US)
    assert [line.split()[:3] for line in lines] == [
        ["0.500s", "event", "arrived"],
        ["1.000s", "given", "restart"],
        ["1.000s", "event", "arrived"],
    ]


def test_a_long_timeline_loses_its_middle() -> None:
    judge = Judge(Case.model_validate({"name": "x", "given": [{"at": 0, "restart": True}], "only": True}), START_US)
    lines = judge.timeline([], [event(number) for number in range(200)])
    assert len(lines) == MOST_LINES + 1
    assert "140 lines more" in lines[MOST_LINES // 2]
