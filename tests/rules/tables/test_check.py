from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.config.load import load_site
from gateway.config.machines import Production, ShiftCalendar, ShiftSettings
from gateway.config.models import Site, SiteFile
from gateway.config.rules import (
    Decision,
    Input,
    LookUp,
    LookUpTable,
    MatchRule,
    Part,
    Rule,
    SequenceRule,
    SessionRule,
    Verdict,
)
from rules.tables.check import faults_of_lookups
from rules.tables.source import load
from tests.rules.tables.desk import settings

FILE = Path("slots.csv")


def site(*rules: Rule, tables: tuple[LookUpTable, ...] = (settings(FILE),)) -> SiteFile:
    shift = ShiftSettings(name="day", begin="06:00", end="14:00")
    calendar = ShiftCalendar(name="works", shift=[shift])
    return SiteFile(
        site=Site(name="harbour"), table=list(tables), production=Production(calendar=[calendar]), rule=list(rules)
    )


def rule(
    on: str = "arrived", table: str = "slots", key: str = "subject", alias: str = "truck", **more: object
) -> MatchRule:
    lookup = {alias: LookUp(table=table, key=key)}
    return MatchRule(**({"shape": "match", "name": "r", "on": on, "lookup": lookup} | more))


NUMBERED = settings(FILE, {"truck": "int", "bay": "int"}, name="numbered")


def test_sound_look_ups_and_calendars_have_no_faults() -> None:
    chained = {"truck": LookUp(table="slots", key="subject"), "bay": LookUp(table="numbered", key="truck_bay")}
    sequence = SequenceRule(
        shape="sequence", name="s", steps=[Input(on="card"), Input(on="signal")], within_s=1,
        lookup={"x": LookUp(table="slots", key="card")},
    )  # fmt: skip
    session = SessionRule(
        shape="session", name="gate", open=Input(on="signal"),
        collect={"plate": Part(on="signal", of="value"), "box": Part(on="arrived", carry=["name"])},
        decide=Decision(emit="decided", verdicts=[Verdict(verdict="hold", when="!e.order_found", reason="no order")]),
        lookup={"order": LookUp(table="slots", key="box_name"), "other": LookUp(table="numbered", key="plate")},
    )  # fmt: skip
    file = site(
        rule(emit="x"), rule(on="x", key="truck_company", name="on-x", during="works"), rule(name="c", lookup=chained),
        sequence, session, tables=(settings(FILE), NUMBERED),
    )  # fmt: skip
    assert faults_of_lookups(file) == []


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (rule(table="slot"), "rule[r].lookup.truck.table = 'slot': there is no such table; did you mean 'slots'?"),
        (rule(table="x"), "rule[r].lookup.truck.table = 'x': there is no such table; write a [[table]] of this name"),
        (rule(key="subjekt"), "rule[r].lookup.truck.key = 'subjekt': there is no such field; did you mean 'subject'?"),
        (
            rule(key="dwell_s"),
            (
                "rule[r].lookup.truck.key = 'dwell_s': is a double, and column truck of slots is a string; "
                "nothing would ever be found"
            ),
        ),
        (
            rule(table="numbered"),
            (
                "rule[r].lookup.truck.key = 'subject': is a string, and column truck of numbered is a int; "
                "nothing would ever be found"
            ),
        ),
        (rule(during="work"), "rule[r].during = 'work': there is no such calendar; did you mean 'works'?"),
        (
            rule(during="night"),
            "rule[r].during = 'night': there is no such calendar; write a [[production.calendar]] of this name",
        ),
        (
            rule(alias="rssi", table="maxima"),
            "rule[r].lookup.rssi: e.rssi_max_dbm is a field of the item already; give the look-up another name",
        ),
        (
            rule(
                lookup={
                    "a": LookUp(table="nested", key="subject"),
                    "a_b": LookUp(table="flat", key="subject"),
                }
            ),
            "rule[r].lookup.a_b: e.a_b_c is of look-up 'a' already; give one of them another name",
        ),
    ],
)
def test_each_fault_is_told_with_the_nearest_name(wrong: MatchRule, fault: str) -> None:
    tables = (
        settings(FILE), NUMBERED, settings(FILE, {"max_dbm": "double"}, name="maxima"),
        settings(FILE, {"b_c": "int"}, name="nested"), settings(FILE, {"c": "int"}, name="flat"),
    )  # fmt: skip
    assert faults_of_lookups(site(wrong, tables=tables)) == [f"site.toml: {fault}"]


def test_the_key_of_a_session_is_what_it_has_collected() -> None:
    wrong = SessionRule(
        shape="session", name="gate", open=Input(on="signal"), collect={"plate": Part(on="signal", of="value")},
        lookup={"order": LookUp(table="slots", key="value")},
    )  # fmt: skip
    [fault] = faults_of_lookups(site(wrong))
    assert fault.startswith("site.toml: rule[gate].lookup.order.key = 'value': there is no such field; known are ")
    assert "plate" in fault


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({"truck": "time"}, "columns.truck = 'time': is the key, and must be string or int"),
        (
            {"found": "bool"},
            "columns.found: this field says what came of the look-up; give the column another name",
        ),
        (
            {f"c{n}": "int" for n in range(33)},
            "columns: has 33 columns; at most 32, those that rules ask for",
        ),
    ],
)
def test_faults_of_a_table_are_told_whether_it_is_used_or_not(columns: dict[str, str], fault: str) -> None:
    assert faults_of_lookups(site(tables=(settings(FILE, columns),))) == [f"site.toml: table[slots].{fault}"]


PAGE = Path(__file__).parents[3] / "docs/reference/rules/tables.md"


def test_the_examples_of_the_page_can_be_used(tmp_path: Path) -> None:
    blocks = re.findall(r"```(toml|csv)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert [kind for kind, _ in blocks] == ["toml", "csv", "toml"]
    (tmp_path / "releases.csv").write_text(blocks[1][1])
    for number in (0, 2):
        path = tmp_path / "site.toml"
        path.write_text(f'[site]\nname = "harbour"\n{blocks[number][1]}')
        file = load_site(path)
        assert [each.name for each in file.rule] == [("leaves-unreleased", "", "door-held-open")[number]]
        for each in file.table:
            table = load(each, tmp_path)
            assert (table.find("CSQU3054383"), table.rows) == ((True, "HH-AB 123", 1_772_348_400_000_000, 18250.5), 2)
