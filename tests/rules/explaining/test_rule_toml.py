from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from gateway.config.rules import MatchRule, Rule
from rules import packs
from rules.explaining.rule_toml import MOST_WIDTH, rule_toml
from rules.testing.files import find, site_of
from rules.testing.models import load_cases
from tests.rules.every_shape import RULES

RULE: TypeAdapter[Rule] = TypeAdapter(Rule)
PACKS = find([Path(packs.__file__).parent])


def read(text: str) -> Rule:
    document = tomllib.loads(text)
    assert list(document) == ["rule"]
    [table] = document["rule"]
    return RULE.validate_python(table)


@pytest.mark.parametrize("table", RULES, ids=[str(each["name"]) for each in RULES])
def test_a_rule_of_each_shape_is_itself_again(table: dict[str, object]) -> None:
    rule = RULE.validate_python(table)
    text = rule_toml(rule)
    assert text.startswith(f'[[rule]]\nname = "{rule.name}"\nshape = "{rule.shape}"\n')
    assert read(text) == rule


@pytest.mark.parametrize("path", PACKS, ids=[path.stem for path in PACKS])
def test_the_rules_of_packs_are_themselves_again_and_their_tables_keep_their_order(path: Path) -> None:
    site = packs.expand(site_of(load_cases(path), path, None))
    assert site.rule
    for rule in site.rule:
        again = read(rule_toml(rule))
        assert again == rule
        for name in ("collect", "tell", "lookup", "places"):
            assert list(getattr(again, name, ())) == list(getattr(rule, name, ()))


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200))
def test_any_text_is_itself_again(text: str) -> None:
    rule = MatchRule(shape="match", name="x", on=text)
    assert read(rule_toml(rule)) == rule


def test_what_is_long_gets_lines_of_its_own() -> None:
    found = "".join(rule_toml(RULE.validate_python(table)) for table in RULES)
    assert "\n[rule.collect]\n" in found
    assert "\nsteps = [\n    { on = " in found
    assert all(len(line) <= MOST_WIDTH for line in found.splitlines() if not line.startswith("    "))


def test_places() -> None:
    table = next(each for each in RULES if each["shape"] == "rate")
    rule = RULE.validate_python({**table, "places": {"a-b": ["x"]}})
    assert 'places = { a-b = ["x"] }' in rule_toml(rule)
    assert read(rule_toml(rule)) == rule
