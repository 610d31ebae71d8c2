from __future__ import annotations

from msgspec.structs import replace

from gateway.config.rules import Input
from gateway.contract.events import Evidence
from rules.item import Item
from rules.shapes.ordered import Intake
from rules.shapes.roles import Roles

ITEM = Item(
    on="card",
    known_us=1,
    at_us=1,
    origin="edge-1/7/1/0",
    source="p",
    is_historical=False,
    fields={"subject": "x", "device": "reader-1", "read_point": "p", "antenna_port": 3},
    evidence=Evidence(gateway="edge-1", epoch=7, sequence_from=1, sequence_to=1),
)


def intake(role: str, when: str = "true", *, on: str = "card", key: str | None = None) -> Intake:
    return Intake(role, Input(on=on, when=when, key=key), "subject", {})


def test_an_item_is_all_that_it_fits_once_for_each_key() -> None:
    roles = Roles(
        [
            intake("chosen", "e.device == 'reader-1'"),
            intake("not chosen", "e.device == 'reader-2'"),
            intake("tested", "e.antenna_port > 2"),
            intake("chosen, not tested", "e.device in ['reader-1', 'reader-9'] && e.antenna_port > 3"),
            intake("of another key", key="device"),
            intake("of another kind", on="signal"),
        ]
    )
    assert roles.of("tested", "x", ITEM) == ["chosen", "tested"]
    assert roles.of("chosen", "x", ITEM) == []
    assert roles.of("of another key", "reader-1", ITEM) == ["of another key"]
    assert roles.of("of another key", "reader-1", ITEM) == []


def test_each_item_is_asked_for_anew_and_a_copy_of_it_is_not() -> None:
    roles = Roles([intake("a"), intake("b")])
    for item in (ITEM, replace(ITEM, origin="edge-1/7/1/1"), ITEM):
        assert roles.of("a", "x", item) == ["a", "b"]
        assert roles.of("b", "x", replace(item, fields=item.fields | {"name": "Lorry 7"})) == []


def test_the_only_input_of_its_kind_is_taken_as_it_comes() -> None:
    roles = Roles([intake("a"), intake("b", on="signal")])
    assert roles.of("a", "x", ITEM) == ["a"]
