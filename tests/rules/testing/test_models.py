from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.config import ConfigError
from rules.testing.models import Case, Expected, Given, load_cases, load_timeline, moment

EPC = "3034257BF7194E4000001A85"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0.0), ("0", 0.0), ("0.0h", 0.0), ("1.5s", 1.5), ("2m", 120.0), ("0.5h", 1800.0), (3, 3)],
)
def test_moments(text: object, seconds: float) -> None:
    assert moment(text) == seconds


@pytest.mark.parametrize("text", ["soon", "-3s", "s", "1 week"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        moment(text)


def given(**more: Any) -> Given:
    return Given.model_validate({"at": "1s", **more})


def test_a_step_is_exactly_one_thing() -> None:
    assert given(read={"epc": EPC, "point": "p"}).what() == ["read"]
    assert given(watched=[]).what() == ["watched"]
    for wrong in ({}, {"silent": "5s", "restart": True}):
        with pytest.raises(ValidationError, match="goes with exactly one of read, stay, passage"):
            given(**wrong)


def test_what_is_expected_is_an_event_or_an_alarm() -> None:
    assert Expected.model_validate({"event": "x", "at": "3s..5s"}).at == (3, 5)
    assert Expected.model_validate({"alarm": "x", "at": "3s"}).at == (3, 3)
    with pytest.raises(ValidationError, match="at"):
        Expected.model_validate({"event": "x", "at": 3})
    for wrong in ({}, {"event": "x", "alarm": "y"}):
        with pytest.raises(ValidationError, match="either this, or alarm"):
            Expected.model_validate(wrong)


def test_a_test_that_cannot_fail_is_refused() -> None:
    steps = [{"at": 0, "restart": True}]
    with pytest.raises(ValidationError, match="the test cannot fail"):
        Case.model_validate({"name": "x", "given": steps})
    assert Case.model_validate({"name": "x", "given": steps, "only": True}).expect == []


WRONG = """
[inline]
[[test]]
name = "one"
given = [
  { at = "soon", restart = true },
  { at = "1s", read = { epc = "XYZ", point = "p" } },
]
expect = [{ event = "x", subjct = "y" }]
"""


def test_all_faults_of_a_file_are_told_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "gate.tests.toml"
    path.write_text(WRONG)
    with pytest.raises(ConfigError) as caught:
        load_cases(path)
    lines = str(caught.value).splitlines()
    assert [line.removeprefix(f"{path}:").partition(":")[0] for line in lines] == ["6", "7", "9"]
    assert "is no duration above zero" in lines[0]
    assert "test[one].given" in lines[1]
    assert '(did you mean "subject"?)' in lines[2]


def test_a_file_needs_rules(tmp_path: Path) -> None:
    path = tmp_path / "gate.tests.toml"
    path.write_text('[[test]]\nname = "one"\nonly = true\ngiven = [{ at = "0s", restart = true }]\n')
    with pytest.raises(ConfigError, match="rules: is missing; name a file, or write tables"):
        load_cases(path)
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory; name a file of tests"):
        load_cases(tmp_path / "absent.tests.toml")


def test_a_timeline_expects_nothing(tmp_path: Path) -> None:
    path = tmp_path / "day.toml"
    path.write_text('given = [{ at = "0s", restart = true }]\n')
    assert len(load_timeline(path).given) == 1
    path.write_text('given = [{ at = "0s", restart = true }]\nexpect = []\n')
    with pytest.raises(ConfigError, match="expect"):
        load_timeline(path)
