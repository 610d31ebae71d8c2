"""The page of faults is whole: every fault, each with tests that are there or with the reason why there is none."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "explanation" / "faults.md"
FAULTS: Final = 24
ROW: Final = re.compile(r"^\| (\d+) \| (.+?) \| (.+?) \| (.+?) \|(?: (.+?))? \|$", re.MULTILINE)
TEST: Final = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
NAMED: Final = re.compile(r"`(tests/[\w/.]+\.py)(?:::\w+)?`")
NOT_HELD: Final = "**Not held**: "


@cache
def functions(path: str) -> frozenset[str]:
    """The functions of a module."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(each.name for each in tree.body if isinstance(each, ast.FunctionDef))


def rows() -> list[tuple[str, ...]]:
    return ROW.findall(PAGE.read_text(encoding="utf-8"))


def test_every_fault_has_its_row() -> None:
    assert [int(row[0]) for row in rows()] == list(range(1, FAULTS + 1))


def test_every_row_names_tests_that_are_there() -> None:
    for number, _, _, held, _ in rows():
        tests = TEST.findall(held)
        assert tests or NOT_HELD in held, number
        for path, name in tests:
            assert (ROOT / path).is_file(), f"row {number}: {path}"
            assert name in functions(path), f"row {number}: {path}::{name}"


def test_every_file_that_is_named_is_there() -> None:
    named = NAMED.findall(PAGE.read_text(encoding="utf-8"))
    assert len(named) > FAULTS
    assert [path for path in named if not (ROOT / path).is_file()] == []


def test_every_file_of_fault_tests_holds_a_row_or_is_no_fault() -> None:
    page = PAGE.read_text(encoding="utf-8")
    others = {"test_soak_small.py", "test_hostile_input.py", "test_second_daemon.py"}
    found = {path.name for path in Path(__file__).parent.glob("test_*.py")}
    assert {name for name in found if name not in page} == {"test_rules_kill.py", *others}
