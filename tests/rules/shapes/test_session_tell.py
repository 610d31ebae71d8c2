from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.config.rules import Input, LookUp, Part, SessionRule, Telling
from rules.shapes.session_fields import fields_of_session, session_faults
from rules.shapes.session_tell import Tellings, faults_of_tellings, types_told

KNOWN = {"seal": "string", "weight": "double", "subject": "string"}


def tell(**found: list[Telling]) -> dict[str, list[Telling]]:
    return dict(found)


def added(found: dict[str, list[Telling]], **fields: str | float) -> dict[str, object]:
    return dict(Tellings(found, KNOWN, is_open=True).added(dict(fields)))


def test_the_first_that_holds_and_has_a_value_is_told() -> None:
    state = tell(
        state=[
            Telling(of="said"),
            Telling(value="opened", when="e.seal.startsWith('00FF')"),
            Telling(value="sealed", when="has(e.seal)"),
        ]
    )
    assert added(state, said="broken", seal="00FF")["state"] == "broken"
    assert added(state, seal="00FF01")["state"] == "opened"
    assert added(state, seal="0000")["state"] == "sealed"
    assert "state" not in added(state)


def test_what_is_told_may_rest_on_what_was_told_before() -> None:
    found = tell(way=[Telling(value="in")], gate=[Telling(of="way", when="e.way == 'in'")])
    assert added(found)["gate"] == "in"


def test_nothing_to_tell_leaves_the_fields_as_they_are() -> None:
    fields: dict[str, str | int | float | bool | list[str]] = {"seal": "x"}
    assert Tellings({}, KNOWN, is_open=False).added(fields) is fields


def test_types_are_those_of_what_is_told() -> None:
    found = tell(
        a=[Telling(value="x")],
        b=[Telling(of="weight")],
        c=[Telling(of="weight"), Telling(value="none")],
        d=[Telling(of="order_kg")],
        e=[Telling(of="b")],
    )
    assert types_told(found, KNOWN) == {"a": "string", "b": "double", "c": "any", "d": "any", "e": "double"}


def test_faults_say_what_is_wrong() -> None:
    found = tell(
        a=[Telling(of="wieght")],
        b=[Telling(value="x", when="e.seal > 3")],
        c=[Telling(value="x", when="false")],
        d=[Telling(of="quite_unlike")],
    )
    lines = list(faults_of_tellings(found, KNOWN, is_open=False))
    assert len(lines) == 4
    assert lines[0] == "tell.a[0].of = 'wieght': the session has no such field; did you mean 'weight'?"
    assert lines[1].startswith("tell.b[0].when = 'e.seal > 3': ")
    assert "can never be true" in lines[2]
    assert "known are seal, subject, weight" in lines[3]
    assert len(list(faults_of_tellings(found, KNOWN, is_open=True))) == 2


def test_a_telling_is_a_text_or_a_field() -> None:
    with pytest.raises(ValidationError, match="either this, or of"):
        Telling()
    with pytest.raises(ValidationError, match="either this, or of"):
        Telling(value="x", of="seal")


def rule(found: dict[str, list[Telling]]) -> SessionRule:
    return SessionRule(
        shape="session", name="gate", open=Input(on="signal"), collect={"weight": Part(on="reading", of="value")},
        lookup={"order": LookUp(table="orders", key="weight")}, tell=found,
    )  # fmt: skip


def test_a_session_has_what_it_tells_among_its_fields_and_its_names_are_its_own() -> None:
    good = rule(tell(direction=[Telling(value="in")], declared_kg=[Telling(of="order_kg")], kg=[Telling(of="weight")]))
    assert session_faults(good, looked_up={"order_kg": "double"}) == []
    types = fields_of_session(good)
    assert (types["direction"], types["declared_kg"], types["kg"]) == ("string", "any", "double")
    taken = rule(tell(weight=[Telling(value="x")], zone=[Telling(value="x")]))
    assert [fault.partition(":")[0] for fault in session_faults(taken)] == ["tell.weight", "tell.zone"]
