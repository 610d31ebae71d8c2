from __future__ import annotations

import pytest

from rules.packs.factory.words import both, of_kind, one_of


def test_a_list_of_texts() -> None:
    assert one_of("zone", ["a", "b"]) == 'e.zone in ["a", "b"]'


@pytest.mark.parametrize(
    ("conditions", "whole"),
    [
        ((), "true"),
        (("", ""), "true"),
        (("e.a", ""), "e.a"),
        (("e.a || e.b",), "e.a || e.b"),
        (("e.a || e.b", "e.c"), "(e.a || e.b) && e.c"),
    ],
)
def test_all_that_is_asked_holds(conditions: tuple[str, ...], whole: str) -> None:
    assert both(*conditions) == whole


def test_a_thing_of_any_kind() -> None:
    assert of_kind([], []) == ""
    assert of_kind(["tool"], ["big", "small"]) == 'e.kind in ["tool"] && e.class in ["big", "small"]'
