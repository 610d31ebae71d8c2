"""Every file of tests that stands beside rules anywhere in the source tree: each test once, and once with restarts."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.testing.files import CaseAt, cases

ROOT = Path(__file__).resolve().parents[2]
CASES = [case for room in ("rules", "simulator", "systemd", "docs", "tests/rules") for case in cases(ROOT / room)]


@pytest.mark.parametrize("restarts", [False, True], ids=["plain", "restarted"])
@pytest.mark.parametrize("case", CASES, ids=[case.id(ROOT) for case in CASES])
def test_rules_do_what_their_tests_say(case: CaseAt, *, restarts: bool) -> None:
    result = case.run(restarts=restarts)
    assert not result.failures, result.text()
