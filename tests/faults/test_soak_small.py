"""The long proofs, small: what must hold by count holds here, too. What is measured by the clock is not asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.__main__ import PROOFS, main, run
from tests.soak.checks import Check, Outcome, at_most, exactly, told
from tests.soak.report import put
from tests.support.seeds import chosen_seed
from tests.support.servers import ServerError, program

SCALES = {"days_offline": 0.002, "full_journal": 0.001, "overload": 0.001}
LEAST_BOUNDS = 8


@pytest.mark.parametrize("name", SCALES)
def test_a_proof_holds_when_it_is_small(name: str) -> None:
    if name != "full_journal":
        needs_mosquitto()
    outcome = run(name, SCALES[name], chosen_seed())
    assert not outcome.failure, outcome.failure
    assert not outcome.skipped
    bounds = [check for check in outcome.checks if check.holds is not None and not check.by_the_clock]
    assert len(bounds) >= LEAST_BOUNDS
    assert [check for check in bounds if not check.holds] == []


def needs_mosquitto() -> None:
    try:
        program("mosquitto")
    except ServerError as error:
        pytest.skip(str(error))


def test_a_check_holds_at_its_bound_and_fails_beyond_it() -> None:
    assert [at_most("it", value, 2.0).holds for value in (1.9, 2.0, 2.1, float("nan"))] == [True, True, False, False]
    assert [exactly("it", value, 2).holds for value in (1, 2, 3)] == [False, True, False]
    assert told("it", 3).holds is None
    failing = Outcome("overload", "Overload", 1, 2.0, [exactly("it", 1, 2)])
    assert failing.failed
    assert Outcome("overload", "Overload", 1, 2.0, failure="it ended").failed
    assert not Outcome("overload", "Overload", 1, 2.0, [told("it", 1)]).failed


def test_the_report_keeps_the_last_run_of_each_proof(tmp_path: Path) -> None:
    page = tmp_path / "report.md"
    put(page, Outcome("overload", "Overload", 7, 2.0, [exactly("lost | found", 1, 2)]), 1.0)
    put(page, Outcome("power_cuts", "Power cuts", 8, 0.0, skipped="qemu is not installed"), 1.0)
    before = page.read_text()
    assert "| lost \\| found | = 2 | 1 | **FAILS** |" in before
    assert "**Did not run**: qemu is not installed." in before
    put(page, Outcome("overload", "Overload", 9, 2.0, [exactly("lost", 2, 2)]), 0.5)
    after = page.read_text()
    assert "FAILS" not in after
    assert "scale 0.5, seed 9" in after
    assert after.count("## ") == before.count("## ") == 2
    assert after.endswith("<!-- end of power_cuts -->\n")


def test_the_command_ends_with_what_came_of_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found: list[Check] = [told("it", 1)]
    monkeypatch.setattr("tests.soak.full_journal.prove", lambda _scale, _seed: found)
    arguments = ["--only", "full_journal", "--scale", "0.5", "--seed", "3", "--report", str(tmp_path / "report.md")]
    assert main(arguments) == 0
    found.append(exactly("it", 1, 2))
    assert main(arguments) == 1
    with pytest.raises(SystemExit):
        main(["--scale", "2"])
    assert set(SCALES) < set(PROOFS)
