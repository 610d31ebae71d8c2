from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.rules import LookUp
from rules.language import chooser
from rules.language.chooser import Chooser, texts_asked
from rules.language.expressions import Expression, conjuncts
from rules.language.vocabulary import Fields

TEXTS = st.sampled_from(["a", "b", "c"])
ASKED = st.dictionaries(st.sampled_from(["zone", "kind", "class"]), st.frozensets(TEXTS, min_size=1), max_size=3)
ITEM = st.dictionaries(st.sampled_from(["zone", "kind", "class", "other"]), TEXTS | st.integers(0, 2) | st.booleans())


def has(fields: Fields, asked: dict[str, frozenset[str]]) -> bool:
    return all(isinstance(fields.get(name), str) and fields[name] in texts for name, texts in asked.items())


@given(st.lists(st.lists(ASKED, min_size=1, max_size=2), max_size=8), st.lists(ITEM, max_size=8))
def test_it_finds_what_a_look_at_each_would_find(
    rules: list[list[dict[str, frozenset[str]]]], items: list[Fields]
) -> None:
    found: Chooser[tuple[int, int], list[tuple[int, int]]] = Chooser(lambda entries: entries)
    for number, choices in enumerate(rules):
        found.add(*(((number, choice), asked) for choice, asked in enumerate(choices)))
    for item in (*items, *items):
        expected = []
        for number, choices in enumerate(rules):
            fitting = [choice for choice, asked in enumerate(choices) if has(item, asked)]
            expected += [(number, choice) for choice in fitting[:1]]
        assert found.of(item) == expected


def test_what_is_added_later_is_found_too() -> None:
    found: Chooser[str, list[str]] = Chooser(lambda entries: entries)
    found.add(("one", {"zone": frozenset({"a"})}))
    assert found.of({"zone": "a", "kind": "b"}) == ["one"]
    found.add(("two", {"kind": frozenset({"b"})}))
    found.add(("all", {}))
    assert found.of({"zone": "a", "kind": "b"}) == ["one", "two", "all"]
    assert found.of({}) == ["all"]


def test_what_it_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chooser, "MOST_REMEMBERED", 10)
    found: Chooser[int, list[int]] = Chooser(lambda entries: entries)
    for number in range(50):
        found.add((number, {"subject": frozenset({str(number)})}))
    numbers = list(range(50))
    random.Random(1).shuffle(numbers)
    for number in numbers:
        assert found.of({"subject": str(number)}) == [number]
        assert len(found._found) <= 10


def test_texts_that_strangers_send_are_not_remembered() -> None:
    found: Chooser[str, list[str]] = Chooser(lambda entries: entries)
    found.add(("one", {"zone": frozenset({"a"})}))
    for number in range(1_000):
        assert found.of({"zone": f"z-{number}"}) == []
    assert len(found._found) == 1


@pytest.mark.parametrize(
    ("text", "asked", "others"),
    [
        ("e.zone == 'a'", {"zone": {"a"}}, 0),
        ("'a' == e.zone && e.kind in ['b', 'c'] && e.reads > 2", {"zone": {"a"}, "kind": {"b", "c"}}, 1),
        ("e.kind in ['a', 'b'] && e.kind in ['b', 'c']", {"kind": {"b"}}, 0),
        ("e.zone == 'a' || e.kind == 'b'", {}, 1),
        ("!(e.zone == 'a')", {}, 1),
        ("e.zone != 'a'", {}, 1),
        ("e.reads == 3", {}, 1),
        ("e.zone == e.from_zone", {}, 1),
        ("e.truck_found && e.truck_state == 'here' && e.zone == 'a'", {"zone": {"a"}}, 2),
    ],
)
def test_what_a_condition_asks_for(text: str, asked: dict[str, set[str]], others: int) -> None:
    fields = {"zone": "string", "from_zone": "string", "kind": "string", "reads": "int"}
    condition = Expression(text, fields, is_open=True)
    found, rest = texts_asked(conjuncts(condition.node), {"truck": LookUp(table="trucks", key="subject")})
    assert found == asked
    assert len(rest) == others
