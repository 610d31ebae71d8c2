import json
from pathlib import Path

import pytest
from tagwharf_ctl.cli import main
from tagwharf_ctl.switch import Outcome

from tests.packaging.plant import EDGE, Plant


def test_listing_marks_what_is_used(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "0.1.0", "0.2.0", current="0.2.0")
    (plant.root / "previous").symlink_to("versions/0.1.0")
    assert main(["list"], plant.machine) == Outcome.DONE
    assert [line.split() for line in plant.told] == [["0.1.0", "previous"], ["0.2.0", "current"]]


def test_status_is_not_well_while_a_service_runs_another_version(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "0.1.0", current="0.1.0")
    assert main(["status", "--json"], plant.machine) == Outcome.NOT_WELL  # its process is none of this directory
    told = json.loads(plant.told[0])
    assert told["current"] == "0.1.0"
    assert told["services"] == [{"unit": EDGE, "state": "active", "version": None}]
    plant.versions.begin("0.1.0")
    main(["status"], plant.machine)
    assert "cut short" in plant.told[-1]


def test_another_call_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant = Plant(tmp_path, "0.1.0", "0.2.0", current="0.1.0")
    with plant.versions.locked():
        assert main(["switch", "0.2.0"], plant.machine) == Outcome.BUSY
    assert "another tagwharf-ctl is at work" in capsys.readouterr().err
    assert plant.links == ("0.1.0", None)


def test_what_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant = Plant(tmp_path, "0.1.0", "0.2.0", current="0.1.0")
    for command, reason in {
        ("rollback",): "no previous version",
        ("switch", "0.9.0"): "installed: 0.1.0, 0.2.0",
        ("check", "0.9.0"): "is not installed",
        ("forget", "0.1.0"): "is what runs",
    }.items():
        assert main(command, plant.machine) == Outcome.REFUSED
        assert reason in capsys.readouterr().err
    assert plant.links == ("0.1.0", None)
    assert plant.starts == 0


def test_a_damaged_package_is_refused_with_what_dpkg_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant = Plant(tmp_path, "0.1.0", "0.2.0", current="0.1.0")
    plant.program("dpkg", '#!/bin/sh\necho "??5?????? /opt/$2/x.py"\n')
    assert main(["switch", "0.2.0"], plant.machine) == Outcome.REFUSED
    told = capsys.readouterr().err
    assert "is damaged" in told
    assert "tagwharf-runtime-0.2.0/x.py" in told
    (plant.here / "dpkg").unlink()
    assert main(["switch", "0.2.0"], plant.machine) == Outcome.REFUSED
    assert plant.links == ("0.1.0", None)


@pytest.mark.parametrize("bad", [["--ticks", "0"], ["--ticks", "x"], ["--within", "nan"], ["--within", "1e9"]])
def test_wrong_use(bad: list[str], tmp_path: Path) -> None:
    plant = Plant(tmp_path, "0.1.0", current="0.1.0")
    with pytest.raises(SystemExit) as left:
        main(["switch", "0.1.0", *bad], plant.machine)
    assert left.value.code == Outcome.WRONG_USE


def test_forgetting_what_does_not_run(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "0.1.0", "0.2.0", current="0.2.0")
    (plant.root / "previous").symlink_to("versions/0.1.0")
    assert main(["forget", "0.1.0"], plant.machine) == Outcome.DONE
    assert plant.links == ("0.2.0", None)


def test_recovering_when_nothing_was_cut_short(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "0.1.0", current="0.1.0")
    assert main(["recover"], plant.machine) == Outcome.DONE
    assert plant.told == ["no switch was cut short"]
    assert plant.starts == 0
