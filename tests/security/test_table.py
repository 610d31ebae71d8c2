"""The table is whole: fifty inputs, each with a test or a reason at every way in, and the tests are there."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.security.attacks import ATTACKS
from tests.security.table import BRINGS_ALL, Way, as_markdown, cell

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "threat-model.md"
BEGINS, ENDS = "<!-- table of inputs: begins -->\n", "<!-- table of inputs: ends -->\n"


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(each.name for each in tree.body if isinstance(each, ast.FunctionDef))


def test_there_are_fifty() -> None:
    assert [attack.number for attack in ATTACKS] == list(range(1, 51))
    assert len({attack.name for attack in ATTACKS}) == 50


@pytest.mark.parametrize("way", Way)
def test_every_cell_is_a_test_that_is_there_or_a_reason(way: Way) -> None:
    for attack in ATTACKS:
        text = cell(attack.number, way)
        if text.startswith("does not apply: "):
            assert len(text) > 40, text
            assert not attack.payloads, f"{attack.number} has bytes, so that it can be tried at every way"
            continue
        path, _, name = text.partition("::")
        assert name in names_in(path), text


@pytest.mark.parametrize("number", range(1, 51))
def test_every_input_is_tried_somewhere(number: int) -> None:
    assert any("::" in cell(number, way) for way in Way)


def test_what_brings_all_brings_all() -> None:
    for text in BRINGS_ALL.values():
        path, _, name = text.partition("::")
        source = (ROOT / path).read_text(encoding="utf-8")
        begins = source.index(f"def {name}(")
        before = source.rfind("\n\n\n", 0, begins)
        after = source.find("\n\n\n", begins)
        body = source[before:after]
        assert any(word in body for word in ("PAYLOADS", "WITH_TEXT")), text


def test_the_page_shows_the_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    shown = page.partition(BEGINS)[2].partition(ENDS)[0]
    assert shown == as_markdown(), "put `tests.security.table.as_markdown()` between the marks of the page"
