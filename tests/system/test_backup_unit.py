"""The unit and timer of the nightly backup, as systemd reads them."""

from pathlib import Path

from tests.system.test_systemd_units import ABSENT, EXPOSURE_MOST, UNITS, needs_systemd, planted, run

SERVICE = "tagwharf-backup.service"
TIMER = "tagwharf-backup.timer"


@needs_systemd
def test_systemd_finds_no_fault_and_little_exposure(tmp_path: Path) -> None:
    unit = planted(tmp_path, SERVICE, serial=False)
    timer = planted(tmp_path, TIMER, serial=False)
    done = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit, timer)
    assert [line for line in (done.stdout + done.stderr).splitlines() if not ABSENT.fullmatch(line)] == []
    done = run("systemd-analyze", "security", "--offline=yes", f"--threshold={round(EXPOSURE_MOST * 10)}", unit)
    assert done.returncode == 0, done.stdout


def test_the_state_of_the_site_comes_before_the_place_of_the_archives() -> None:
    """The first directory is where the command looks for the state, see `gateway.config.load.state_directory`."""
    lines = (UNITS / SERVICE).read_text().splitlines()
    assert "StateDirectory=tagwharf tagwharf-backup" in lines
    assert any("--to /var/lib/tagwharf-backup --keep" in line for line in lines if line.startswith("ExecStart="))
