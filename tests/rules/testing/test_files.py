from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.config import ConfigError
from rules.testing.files import CaseAt, Result, cases, find, run_file, site_of, start_of
from rules.testing.models import Case, load_cases, load_timeline

GATE = Path(__file__).parent / "gate.tests.toml"
RULE = '[[rule]]\nname = "on"\nshape = "match"\non = "signal"\nwhen = \'e.name == "door" && e.value == {value}\'\n'
ONE = """
rules = "gate.toml"
{more}
[[test]]
name = "a door that opens"
given = [{{ at = "1s", signal = {{ device = "io", name = "door", value = true }} }}]
expect = [{{ event = "on" }}]
"""


def write(directory: Path, rules: str, more: str = "") -> Path:
    (directory / "gate.toml").write_text(rules)
    path = directory / "gate.tests.toml"
    path.write_text(ONE.format(more=more))
    return path


def test_files_are_found_by_name_beside_the_rules_and_in_directories(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    shutil.copytree(tmp_path, tmp_path / "below")
    shutil.copytree(tmp_path / "below", tmp_path / ".venv" / "hidden")
    assert find([path]) == find([tmp_path / "gate.toml"]) == [path]
    assert find([tmp_path]) == [tmp_path / "below" / "gate.tests.toml", path]
    with pytest.raises(
        ConfigError, match=r"other.toml: is no file of tests .*, nor is there other.tests.toml beside it"
    ):
        find([tmp_path / "other.toml"])


def test_rules_may_be_a_site_file_or_a_rule_file(tmp_path: Path) -> None:
    rule = RULE.format(value="true")
    for rules in (f'[site]\nname = "x"\n{rule}', rule):
        (result,) = run_file(write(tmp_path, rules))
        assert result.failures == []
    beside = '[[inline.zone]]\nname = "yard"\nread_points = ["p"]'
    (result,) = run_file(write(tmp_path, rule, beside))
    assert result.failures == []
    with pytest.raises(ConfigError, match=r"inline: gate.toml is a whole site file; move these tables into it"):
        list(run_file(write(tmp_path, f'[site]\nname = "x"\n{rule}', beside)))
    with pytest.raises(ConfigError, match=r"gate.toml:1: zone.*does not belong here"):
        list(run_file(write(tmp_path, "[[zone]]\n")))
    with pytest.raises(ConfigError, match="nothing of this type exists"):
        list(run_file(write(tmp_path, rule.replace("signal", "signl"))))


def test_a_failure_says_what_came_instead(tmp_path: Path) -> None:
    (result,) = run_file(write(tmp_path, RULE.format(value="false")))
    assert result.text().splitlines() == [
        f"FAILED {tmp_path}/gate.tests.toml: a door that opens",
        "  did not come: event on",
        "    no event of this type came at all",
        "  timeline:",
        "        1.000s  given signal device=io name=door value=True",
    ]


def test_tests_are_chosen_by_name_and_may_be_run_with_restarts() -> None:
    assert [result.name for result in run_file(GATE, ["drives in", "card"])] == [
        "a truck that drives in is told, with its name",
        "a card is known by its number, and called by its hash",
    ]
    for restarts in (False, True):
        results = list(run_file(GATE, restarts=restarts))
        assert len(results) == 7
        assert [result.text() for result in results if result.failures] == []


def test_a_step_that_cannot_be_played_fails_the_test(tmp_path: Path) -> None:
    path = write(tmp_path, RULE.format(value="true"))
    for step, why in (
        (
            'passage = { epc = "3034257BF7194E4000001A85", portal = "x", direction = "in" }',
            "no [[portal]] is named 'x'",
        ),
        ('card = { card = "paper:1", point = "p" }', "must begin with a technology"),
    ):
        path.write_text(ONE.format(more="").replace('signal = { device = "io", name = "door", value = true }', step))
        (result,) = run_file(path)
        assert result.failures[0].startswith(f"cannot be played: {why}")


def test_a_subject_with_a_colon_need_not_be_a_card(tmp_path: Path) -> None:
    path = write(tmp_path, RULE.format(value="true"))
    path.write_text(path.read_text().replace('event = "on"', 'event = "on", subject = "x:y"'))
    (result,) = run_file(path)
    assert "subject is 'io'" in result.text()
    assert Result(path, "x", ["wrong"]).text() == f"FAILED {path}: x\n  wrong"


def test_the_cases_of_a_directory_for_pytest(tmp_path: Path) -> None:
    write(tmp_path, RULE.format(value="true"))
    (case,) = cases(tmp_path)
    assert case == CaseAt(tmp_path / "gate.tests.toml", "a door that opens")
    assert case.id(tmp_path) == "gate: a door that opens"
    assert case.run().failures == []
    assert cases(tmp_path / "absent") == []


def test_a_timeline_may_leave_its_rules_to_the_command(tmp_path: Path) -> None:
    write(tmp_path, RULE.format(value="true"))
    path = tmp_path / "day.toml"
    path.write_text('given = [{ at = "0s", restart = true }]\n')
    timeline = load_timeline(path)
    assert [rule.name for rule in site_of(timeline, path, tmp_path / "gate.toml").rule] == ["on"]
    with pytest.raises(ConfigError, match="rules: is missing; name the site file there, or with --config"):
        site_of(timeline, path)


def test_the_start_is_utc_where_no_zone_is_written() -> None:
    case = load_cases(GATE).test[0]
    assert start_of(case) == 1_772_438_400_000_000
    steps = [{"at": 0, "restart": True}]
    for start, us in (
        ("2026-03-02T08:00:00", 1_772_438_400_000_000),
        ("2026-03-02T08:00:00+08:00", 1_772_409_600_000_000),
    ):
        assert start_of(Case.model_validate({"name": "x", "given": steps, "only": True, "start": start})) == us
