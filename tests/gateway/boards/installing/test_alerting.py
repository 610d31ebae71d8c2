from __future__ import annotations

import json
import re

import pytest

from gateway.boards.catalogue import boards, found
from gateway.boards.installing.alerting import EVERY_S, RULES, AlertRule, Reducer, as_rule, stages
from gateway.boards.installing.provisioning import board_uid
from gateway.contract.measurements import MEASUREMENTS

EVERY_RULE = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
OWN_NAMES = {"alarms"}  # columns that an inner query makes for the outer one
LABEL = re.compile(r"\$labels\.([a-z_]+)")


def schema_faults(query: str) -> list[str]:
    """Names in a query that the measurements it asks do not have."""
    names = re.findall(r'FROM "([a-z_]+)"', query)
    columns: set[str] = set()
    for name in names:
        if name not in MEASUREMENTS:
            return [f"measurement {name}"]
        columns |= {*MEASUREMENTS[name].tags, *MEASUREMENTS[name].fields}
    grouped = {each for part in re.findall(r"GROUP BY ([^)]+)", query) for each in re.findall(r'"([a-z_]+)"', part)}
    tags = {tag for name in names for tag in MEASUREMENTS[name].tags}
    asked = set(re.findall(r'"([a-z_]+)"', query)) - set(names) - OWN_NAMES
    return sorted(asked - columns) + sorted(f"grouped by {each}" for each in grouped - tags)


def test_there_is_a_rule_for_each_trouble_that_must_wake_somebody() -> None:
    assert {rule.name for rule in RULES} >= {
        "ledger-differs",
        "backlog-grows",
        "sink-down",
        "device-offline",
        "alarm-critical",
        "demand-above-limit",
        "silent",
    }
    assert len({rule.uid for rule in RULES}) == len(RULES)
    assert [rule.name for rule in RULES if rule.silent] == ["silent"]


@EVERY_RULE
def test_queries_name_what_the_schema_has_and_are_bounded(rule: AlertRule) -> None:
    for query in rule.queries.values():
        assert schema_faults(query) == []
        assert query.count("$timeFilter") == query.count("SELECT")
        assert "*" not in query


def test_the_check_of_names_finds_a_renamed_column() -> None:
    assert schema_faults('SELECT last("hearrd") FROM "ledger" GROUP BY "site"') == ["hearrd"]
    assert schema_faults('SELECT last("heard") FROM "legder"') == ["measurement legder"]
    assert schema_faults('SELECT last("id") FROM "alarm" GROUP BY "id"') == ["grouped by id"]


@EVERY_RULE
def test_texts_show_only_labels_that_the_query_keeps_apart(rule: AlertRule) -> None:
    kept = set(re.findall(r'"([a-z_]+)"', rule.query.rsplit("GROUP BY", 1)[1])) if "GROUP BY" in rule.query else set()
    for text in (rule.en, rule.zh):
        assert all(text.title for text in (rule.en, rule.zh))
        assert set(LABEL.findall(text.summary + text.what_to_do)) <= kept
    assert LABEL.findall(rule.en.summary) != [] or rule.silent
    assert set(LABEL.findall(rule.en.summary)) == set(LABEL.findall(rule.zh.summary))
    assert re.search(r"[\u4e00-\u9fff]", rule.zh.title + rule.zh.summary + rule.zh.what_to_do)


@EVERY_RULE
def test_stages_lead_from_queries_to_the_condition(rule: AlertRule) -> None:
    data = json.loads(json.dumps(stages(rule)))
    made = {each["refId"]: each for each in data}
    assert len(made) == len(data)
    for ref, each in made.items():
        assert each["model"]["refId"] == ref
        if each["datasourceUid"] == "__expr__":
            expression = each["model"]["expression"]
            needed = re.findall(r"\$([A-Z])", expression) if each["model"]["type"] == "math" else [expression]
            assert needed
            assert set(needed) <= set(made) - {ref}
        else:
            assert each["relativeTimeRange"] == {"from": rule.within_s, "to": 0}
    reached, more = set[str](), {"C"}
    while more:
        ref = more.pop()
        reached.add(ref)
        expression = made[ref]["model"].get("expression", "")
        more |= set(re.findall(r"[A-Z]", expression)) - reached
    assert reached == set(made)
    assert made["C"]["model"]["type"] == "threshold"


@EVERY_RULE
def test_what_is_common_to_files_and_api_is_whole(rule: AlertRule) -> None:
    made = as_rule(rule, ("en", "zh"), "board-uid", "https://console.example/")
    assert made["labels"] == {"severity": rule.severity, "source": "tagwharf"}
    assert rule.severity in {"warning", "critical"}
    notes = made["annotations"]
    assert isinstance(notes, dict)
    assert set(notes) == {"summary", "description", "summary_zh", "description_zh", "board", "console"}
    assert str(notes["board"]).endswith("/d/board-uid")
    assert notes["console"] == f"https://console.example/{rule.page}"
    assert rule.for_s > 0
    assert rule.for_s % EVERY_S == 0  # Grafana wants whole evaluations
    assert made["noDataState"] == ("Alerting" if rule.silent else "OK")


def test_chinese_alone_speaks_chinese() -> None:
    rule = RULES[0]
    made = as_rule(rule, ("zh",), "uid", "http://console")
    assert made["title"] == rule.zh.title
    notes = made["annotations"]
    assert isinstance(notes, dict)
    assert notes["summary"] == rule.zh.summary
    assert "summary_en" not in notes


def test_boards_that_rules_lead_to_exist_in_both_languages() -> None:
    uids = {board["uid"] for board in boards().values()}
    for rule in RULES:
        for language in ("en", "zh"):
            assert found()[rule.board].uid(language) == board_uid(rule.board, language)
            assert board_uid(rule.board, language) in uids


def test_only_two_rules_ask_a_query_within_a_query() -> None:
    nested = {rule.name for rule in RULES for query in rule.queries.values() if query.count("SELECT") > 1}
    assert nested == {"device-offline", "alarm-critical"}
    assert [rule.name for rule in RULES if rule.reducer is Reducer.STANDING] == ["alarm-critical"]
