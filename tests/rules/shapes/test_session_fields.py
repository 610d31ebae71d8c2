from __future__ import annotations

from collections.abc import Mapping

import pytest

from gateway.config.rules import Close, Decision, Input, LookUp, Part, SessionRule, Verdict
from gateway.contract.events import Scalar
from rules.shapes.session_fields import fields_of_session, fields_seen, session_faults, told_by_session

LOOP = Input(on="signal", when="e.name == 'loop'")
TRUCK = Part(on="read", of="epc", pick="most", carry=["rssi_dbm", "name"])
BOX = Part(on="ocr-read", of="text", valid="iso6346")
WEIGHT = Part(on="signal", of="value")


def rule(**more: object) -> SessionRule:
    settings: dict[str, object] = {"name": "gate", "open": LOOP, "collect": {"truck": TRUCK}}
    return SessionRule(shape="session", **(settings | more))


def decision(*conditions: str, **more: object) -> Decision:
    return Decision(
        emit="decided", verdicts=[Verdict(verdict="hold", when=when, reason="x") for when in conditions], **more
    )


def test_the_types_of_its_fields_come_from_its_inputs() -> None:
    assert fields_of_session(rule(collect={"truck": TRUCK, "box": BOX, "weight": WEIGHT})) == {
        "subject": "string",
        "missing": "string",
        "missing_count": "int",
        "opened_at_us": "int",
        "truck": "string",
        "truck_count": "int",
        "truck_at_us": "int",
        "truck_share": "double",
        "truck_rssi_dbm": "double",
        "truck_name": "string",
        "box": "string",
        "box_count": "int",
        "box_at_us": "int",
        "box_invalid": "int",
        "weight": "any",
        "weight_count": "int",
        "weight_at_us": "int",
    }


def test_what_other_rules_make_has_the_types_that_the_caller_knows() -> None:
    def types(on: str) -> Mapping[str, str]:
        return {"text": "string", "score": "double"} if on == "ocr-read" else {}

    part = Part(on="ocr-read", of="score")
    assert fields_of_session(rule(collect={"box": part}))["box"] == "any"
    assert fields_of_session(rule(collect={"box": part}), types)["box"] == "double"


def test_its_events_tell_more() -> None:
    told = told_by_session(rule())
    assert (told["closed_by"], told["duration_s"]) == ("string", "double")
    assert "verdict" not in told
    assert told_by_session(rule(decide=decision()))["verdict"] == "string"


def test_a_good_rule_has_no_faults() -> None:
    conditions = ("e.truck_count == 0", "e.missing.contains('truck')", "e.subject == 'lane-1' && has(e.truck)")
    assert session_faults(rule(decide=decision(*conditions))) == []
    assert session_faults(rule()) == []


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ("e.trukc == ''", "decide.verdicts[0].when = \"e.trukc == ''\": e.trukc is no field here; did you mean e."),
        ("e.truck > 5", "compares a string with a number; it can never be true"),
        ("false", "decide.verdicts[0].when = 'false': can never be true"),
        ("e.truck == 'x' ||" * 20 + " e.x", ' ...": e.x is no field here'),
    ],
)  # fmt: skip
def test_a_verdict_that_asks_for_nothing_that_exists_is_a_fault(when: str, told: str) -> None:
    [fault] = session_faults(rule(decide=decision(when)))
    assert told in fault


def test_the_fields_of_look_ups_are_known_or_may_be_any() -> None:
    looked = rule(
        decide=decision("e.order_found", "e.order_dock > 3"), lookup={"order": LookUp(table="orders", key="truck")}
    )
    assert session_faults(looked) == []
    [fault] = session_faults(looked, looked_up={"order_found": "bool", "order_date": "int"})
    assert "e.order_dock is no field here" in fault
    assert len(session_faults(rule(decide=decision("e.order_found")))) == 1


def test_names_that_stand_for_two_things_are_faults() -> None:
    parts = {
        "subject": WEIGHT,
        "a": Part(on="signal", of="value", carry=["count"]),
        "b": WEIGHT,
        "b_count": WEIGHT,
        "opened": Part(on="event", carry=["at_us"]),
    }
    faults = session_faults(rule(collect=parts))
    assert [fault.partition(":")[0] for fault in faults if "e." in fault] == [
        "collect.subject",
        "collect.a",
        "collect.b_count",
        "collect.opened",
    ]
    assert "e.b_count is told of part 'b' already" in faults[2]


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (Part(on="read", of="ecp"), "collect.p.of = 'ecp': read has no such field; did you mean 'epc'?"),
        (Part(on="read", of="zzz"), "known are antenna_port, channel_index"),
        (Part(on="status", of="watched"), "collect.p.of = 'watched': is a list"),
        (Part(on="read", carry=["ecp"]), "collect.p.carry = 'ecp': read has no such field"),
        (Part(on="read", of="count", valid="iso6346"), "is a int, never a container number"),
    ],
)
def test_a_part_of_nothing_that_exists_is_a_fault(part: Part, told: str) -> None:
    [fault] = session_faults(rule(collect={"p": part}))
    assert told in fault


def test_a_decision_after_the_end_is_a_fault() -> None:
    [fault] = session_faults(rule(decide=decision(after_s=900), close=Close(within_s=600)))
    assert fault.startswith("decide.after_s = 900: the session ends earlier, after close.within_s = 600")


def test_what_the_verdicts_saw_is_told_by_the_event() -> None:
    told: dict[str, Scalar] = {
        "kind": "truck", "opened_at_us": 3, "truck": "X", "truck_count": 2, "slot_found": True, "truck_name": None,
        "verdict": "hold", "reasons": "x", "decided_at_us": 9, "duration_s": 2.0, "closed_by": "event",
    }  # fmt: skip
    seen = {"subject": "lane-1", "opened_at_us": 3, "truck": "X", "truck_count": 2, "slot_found": True}
    assert fields_seen(rule(), "lane-1", told) == seen
    assert fields_seen(rule(collect={"truck": TRUCK, "kind": WEIGHT}), "lane-1", told) == {**seen, "kind": "truck"}
