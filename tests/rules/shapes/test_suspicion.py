from __future__ import annotations

import pytest

from gateway.config.identity_rules import BindingRule
from rules.shapes.binding import Binding, BindingRow
from rules.shapes.catalogue import shape_of
from rules.shapes.suspicion import Suspicion, SuspicionRow
from rules.state import State
from tests.rules.play import START_US, Play, site, us


def shape(**more: object) -> Binding:
    rule = BindingRule.model_validate({"name": "r", "shape": "binding", "on": "card", "of": "name", **more})
    made = shape_of(rule, 0, State())
    assert isinstance(made, Binding)
    return made


CARD = f"nfca#{7:024X}"


@pytest.mark.parametrize(
    ("key", "fields", "expected"),
    [
        ("subject", {"subject": "nfca#1", "part": "whole"}, "nfca#1"),
        ("subject", {"subject": "wiegand~last24#1", "part": "last24"}, None),
        ("card", {"card": "wiegand~last24#1", "part": "last24"}, None),
        ("name", {"subject": "wiegand~last24#1", "name": "Kim", "part": "last24"}, "Kim"),
        ("name", {"subject": "nfca#1", "part": "whole"}, None),
    ],
)
def test_a_part_of_a_card_is_no_key_but_whoever_it_names_is(
    key: str, fields: dict[str, object], expected: str | None
) -> None:
    (intake,) = shape(key=key).intakes
    assert intake.key(fields) == expected  # type: ignore[arg-type]  # fields of a card


def test_the_times_of_a_key_move_with_the_clock_of_its_gateway() -> None:
    made = shape()
    rows = {
        "a": BindingRow("edge-1", START_US, START_US, 3, START_US + 9),
        "b": BindingRow("edge-1", START_US, 0, 0, START_US + 9),
        "c": BindingRow("edge-2", START_US, START_US, 0, START_US + 9),
    }
    for key, row in rows.items():
        made.rows.put(key, row)
    made.set_back("edge-1", 5)
    assert [(row.heard_us, row.told_us, row.due_us) for row in rows.values()] == [
        (START_US - 5, START_US - 5, START_US + 4),
        (START_US - 5, 0, START_US + 4),
        (START_US, START_US, START_US + 9),
    ]


def test_timers_are_wound_up_on_the_clock_of_their_gateway() -> None:
    made, wound = shape(), list[tuple[int, int, str]]()

    class Line:
        def wake(self, due_us: int, rule: int, key: str) -> None:
            wound.append((due_us, rule, key))

    made.rows.put("a", BindingRow("edge-1", due_us=7))
    made.rows.put("b", BindingRow("gone", due_us=8))
    made.restore({"edge-1": Line()})
    assert wound == [(7, 0, "a")]


def test_a_shape_says_how_its_sightings_move() -> None:
    rule = BindingRule.model_validate({"name": "r", "shape": "binding", "on": "card", "of": "name"})
    plain = Suspicion(rule, 0, State())
    with pytest.raises(NotImplementedError):
        plain.set_sightings_back("a", SuspicionRow("edge-1"), "edge-1", 1)


def test_what_is_not_known_can_be_let_go_and_a_timer_that_was_planned_anew_does_nothing() -> None:
    made = shape()
    made.let_go("a")
    assert made.rows.rows == {}
    played = Play(site(made.rule))  # type: ignore[arg-type]  # it is a rule of this shape
    played.tick(0)
    played.card(1, CARD)
    played.until(3)
    (bound,) = played.engine._rulebook.ordered
    bound.rows.put("b", BindingRow("edge-1", us(1), due_us=us(9)))
    played.engine._gateways["edge-1"].sequencer.wake(us(4), bound.number, "b")
    played.until(6)
    assert bound.rows.rows["b"].due_us == us(9)
