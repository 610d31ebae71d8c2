import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tagwharf_ctl.cli import main
from tagwharf_ctl.switch import Outcome

from tests.packaging.plant import Plant

KILLED = Path(__file__).parents[1] / "killed.py"
QUICK = ("--ticks", "1", "--within", "20")


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tagwharf_ctl.units.POLL_S", 0.02)


def test_switching_there_and_back(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "0.1.0", "0.2.0", current="0.1.0")
    assert main(["switch", "0.2.0", *QUICK], plant.machine) == Outcome.DONE
    assert plant.links == ("0.2.0", "0.1.0")
    assert plant.running == "0.2.0"
    for current, previous in [("0.1.0", "0.2.0"), ("0.2.0", "0.1.0")]:
        assert main(["rollback", *QUICK], plant.machine) == Outcome.DONE
        assert plant.links == (current, previous)
        assert plant.running == current
    assert plant.leftovers() == []


@pytest.mark.parametrize("how", ["dies", "loops", "starves", "hangs"])
def test_a_version_that_is_not_well_is_switched_back(how: str, tmp_path: Path) -> None:
    plant = Plant(tmp_path, "0.1.0", "0.2.0", "0.3.0", current="0.1.0")
    assert main(["switch", "0.2.0", *QUICK], plant.machine) == Outcome.DONE
    plant.behaves("0.3.0", how)
    assert main(["switch", "0.3.0", "--ticks", "1", "--within", "2"], plant.machine) == Outcome.SWITCHED_BACK
    assert plant.links == ("0.2.0", "0.1.0")
    assert plant.running == "0.2.0"
    assert "tagwharf-edge.service: it" in "\n".join(plant.told)
    assert plant.leftovers() == []


def test_a_version_that_is_not_well_and_an_old_one_that_is_not_either(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "0.1.0", "0.2.0", current="0.1.0")
    plant.behaves("0.1.0", "hangs")  # active, so it counts as what ran before
    plant.behaves("0.2.0", "dies")
    assert main(["switch", "0.2.0", "--ticks", "1", "--within", "2"], plant.machine) == Outcome.NOT_WELL
    assert plant.links == ("0.1.0", None)
    assert "which is not well either" in plant.told[-1]


def test_the_first_version_has_nothing_to_go_back_to(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "0.1.0")
    plant.behaves("0.1.0", "dies")
    assert main(["switch", "0.1.0", "--ticks", "1", "--within", "2"], plant.machine) == Outcome.NOT_WELL
    assert plant.links == ("0.1.0", None)
    assert plant.leftovers() == []


def test_the_gate_is_passed_before_anything_changes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant = Plant(tmp_path, "0.1.0", current="0.1.0")
    plant.install("0.2.0", fault="cannot import uvloop")
    assert main(["switch", "0.2.0", *QUICK], plant.machine) == Outcome.REFUSED
    assert "cannot import uvloop" in capsys.readouterr().err
    assert main(["check", "0.2.0"], plant.machine) == Outcome.REFUSED
    assert plant.links == ("0.1.0", None)
    assert plant.starts == 0


def test_without_restart_only_the_links_change(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "0.1.0", "0.2.0", current="0.1.0")
    plant.behaves("0.2.0", "dies")
    assert main(["switch", "0.2.0", "--no-restart"], plant.machine) == Outcome.DONE
    assert plant.links == ("0.2.0", "0.1.0")
    assert plant.starts == 0


@pytest.mark.parametrize("how", ["well", "dies"])
def test_killed_at_each_step_the_next_call_finds_one_version(how: str, tmp_path: Path) -> None:
    step, seen = 0, set[tuple[str | None, str | None]]()
    while True:
        step += 1
        place = tmp_path / "plant"
        plant = Plant(place, "0.0.9", "0.1.0", "0.2.0", current="0.1.0")
        (plant.root / "previous").symlink_to("versions/0.0.9")
        plant.behaves("0.2.0", how)
        command = [sys.executable, str(KILLED), str(step), str(place), "switch", "0.2.0", *QUICK]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        if done.returncode != -signal.SIGKILL:
            break
        assert plant.links[0] in {"0.1.0", "0.2.0"}, step
        seen.add(plant.links)
        assert main(["recover", *QUICK], plant.machine) == Outcome.DONE, step
        # Taken back as if it had never been, or finished: nothing between.
        assert plant.links in {("0.1.0", "0.0.9"), ("0.2.0", "0.1.0")}, step
        assert plant.running == plant.links[0], step
        assert not (plant.root / ".switching").exists()
        if step % 4 == 0:
            assert main(["switch", "0.2.0", *QUICK], plant.machine) in {Outcome.DONE, Outcome.SWITCHED_BACK}
            assert plant.running == plant.links[0], step
            assert plant.leftovers() == [], step
        shutil.rmtree(place)
    assert done.returncode == (0 if how == "well" else 1), done.stderr
    assert step > 15
    assert {("0.1.0", "0.1.0"), ("0.2.0", "0.1.0"), ("0.1.0", "0.0.9")} <= seen
