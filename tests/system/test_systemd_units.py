"""The units as systemd reads them: no unknown key, little exposure. Needs the programs of the package `systemd`."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "systemd"
SERVICES = ["tagwharf-edge.service", "tagwharf-edge@.service", "tagwharf-rules.service", "tagwharf-console.service"]
PROGRAM = "/opt/tagwharf/bin/tagwharf"
ABSENT = re.compile(rf".*: Command {PROGRAM} is not executable: No such file or directory")
EXPOSURE_MOST = 1.5
EXPOSURE_MOST_SERIAL = 2.0

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], check=False, capture_output=True, text=True, timeout=120)


def planted(directory: Path, service: str, *, serial: bool) -> Path:
    """A unit alone in a directory, with the drop-in for serial lines or without: systemd-analyze looks beside it."""
    unit = directory / service
    shutil.copy(UNITS / service, unit)
    if serial:
        shutil.copytree(UNITS / "tagwharf-edge.service.d", directory / f"{service}.d")
    return unit


@needs_systemd
@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("serial", [False, True])
def test_systemd_finds_no_fault_in_the_unit(service: str, *, serial: bool, tmp_path: Path) -> None:
    unit = planted(tmp_path, service, serial=serial)
    done = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit)
    found = [line for line in (done.stdout + done.stderr).splitlines() if not ABSENT.fullmatch(line)]
    assert found == []


@needs_systemd
def test_the_check_can_fail(tmp_path: Path) -> None:
    unit = planted(tmp_path, SERVICES[0], serial=False)
    unit.write_text(unit.read_text().replace("ProtectSystem=", "ProtektSystem="))
    done = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit)
    assert "ProtektSystem" in done.stderr


@needs_systemd
@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(("serial", "most"), [(False, EXPOSURE_MOST), (True, EXPOSURE_MOST_SERIAL)])
def test_exposure(service: str, *, serial: bool, most: float, tmp_path: Path) -> None:
    unit = planted(tmp_path, service, serial=serial)
    done = run("systemd-analyze", "security", "--offline=yes", f"--threshold={round(most * 10)}", unit)
    overall = re.search(r"Overall exposure level for \S+: (\d+\.\d+)", done.stdout)
    assert overall is not None, done.stdout + done.stderr
    remaining = json.loads(run("systemd-analyze", "security", "--offline=yes", "--json=short", unit).stdout or "[]")
    exposed = [f"{each['name']}: {each['exposure']}" for each in remaining if float(each["exposure"] or 0) > 0]
    assert float(overall[1]) <= most, exposed
    assert done.returncode == 0


@needs_systemd
def test_no_hardening_would_be_noticed(tmp_path: Path) -> None:
    unit = tmp_path / "plain.service"
    unit.write_text("[Service]\nExecStart=/bin/true\n")
    assert run("systemd-analyze", "security", "--offline=yes", "--threshold=15", unit).returncode != 0


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd-sysusers is not installed")
def test_sysusers_makes_the_users_of_the_units(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    done = run("systemd-sysusers", f"--root={tmp_path}", UNITS / "tagwharf.sysusers")
    assert done.returncode == 0, done.stderr
    users = {line.split(":")[0] for line in (tmp_path / "etc/passwd").read_text().splitlines()}
    groups = {line.split(":")[0]: line.split(":")[3] for line in (tmp_path / "etc/group").read_text().splitlines()}
    for service in SERVICES:
        unit = settings_of(UNITS / service)
        assert unit["User"][0] in users
        assert unit["Group"][0] in groups
    assert set(groups["tagwharf"].split(",")) == {"tagwharf-rules", "tagwharf-console"}
    assert groups["tagwharf-edge"] == "tagwharf-console"


@pytest.mark.skipif(shutil.which("systemd-tmpfiles") is None, reason="systemd-tmpfiles is not installed")
def test_tmpfiles_makes_the_directories(tmp_path: Path) -> None:
    done = run("systemd-tmpfiles", "--create", f"--root={tmp_path}", UNITS / "tagwharf.tmpfiles")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "etc/credstore").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "etc/tagwharf").is_dir()


@pytest.mark.parametrize("service", SERVICES)
def test_what_every_unit_promises(service: str) -> None:
    unit = settings_of(UNITS / service)
    assert unit["Restart"] == ["always"]
    assert unit["RestartPreventExitStatus"] == ["78"]
    assert unit["StartLimitIntervalSec"] == ["0"]
    assert unit["ExecStart"][0].startswith(f"{PROGRAM} run ")
    assert unit["User"] != ["root"]
    assert unit["CapabilityBoundingSet"] == [""]
    # A relative path is looked up in the credential stores, and may be absent: not every site has every secret.
    assert all(":tagwharf." in credential for credential in unit["LoadCredential"])


@pytest.mark.parametrize("service", SERVICES)
def test_daemons_are_watched_and_have_time_to_bring_out_what_they_hold(service: str) -> None:
    unit = settings_of(UNITS / service)
    assert unit["Type"] == ["notify"]
    assert unit["WatchdogSec"] == ["10s"]
    assert int(unit["TimeoutStopSec"][0].removesuffix("s")) >= (20 if "console" in service else 30)


@pytest.mark.parametrize("service", SERVICES)
def test_every_unit_is_bounded(service: str) -> None:
    unit = settings_of(UNITS / service)
    high, most = (int(unit[key][0].removesuffix("M")) for key in ("MemoryHigh", "MemoryMax"))
    assert 0 < high < most <= 640  # four daemons and their broker fit into an industrial PC of 4 GiB
    assert int(unit["TasksMax"][0]) <= 64
    assert 0 < int(unit["LimitNOFILE"][0]) <= 4096
    assert unit["LimitCORE"] == ["0"]  # a core file would hold secrets
    assert unit["IPAddressDeny"] == ["any"]


def test_who_may_read_a_journal_by_its_group_finds_it_readable_and_not_writable() -> None:
    for service in SERVICES:
        unit = settings_of(UNITS / service)
        if "StateDirectory" in unit:
            assert unit["StateDirectoryMode"] == ["0750"]
            assert unit["UMask"] == ["0027"]
    assert "StateDirectory" not in settings_of(UNITS / "tagwharf-console.service")


def test_the_console_can_trace_and_replay() -> None:
    unit = settings_of(UNITS / "tagwharf-console.service")
    assert "card-key:tagwharf.card-key" in unit["LoadCredential"]  # else a list with card numbers cannot be read
    assert unit["OOMPolicy"] == ["continue"]  # a replay that takes too much ends, and not the console
    assert int(unit["MemoryMax"][0].removesuffix("M")) >= int(unit["MemoryHigh"][0].removesuffix("M")) >= 512
    assert unit["CPUWeight"] == ["50"]


def test_the_template_and_the_plain_edge_unit_are_the_same_but_for_the_instance() -> None:
    template = (UNITS / "tagwharf-edge@.service").read_text()
    plain = template.replace("/etc/tagwharf/%i.toml", "/etc/tagwharf/site.toml")
    plain = plain.replace("tagwharf-edge/%i", "tagwharf-edge").replace("tagwharf.%i.", "tagwharf.")
    assert plain.replace(" %i", "") == (UNITS / "tagwharf-edge.service").read_text()


def test_hardening_is_the_same_in_every_unit() -> None:
    def hardening(service: str) -> str:
        return (UNITS / service).read_text().split("# What a process")[1]

    assert len({hardening(service) for service in SERVICES}) == 1


def test_udev_rules_jump_to_labels_that_are_there() -> None:
    text = (UNITS / "99-tagwharf-serial.rules").read_text()
    assert set(re.findall(r'GOTO="(\w+)"', text)) == set(re.findall(r'LABEL="(\w+)"', text))
    rule = re.compile(r'(?:\w+(?:\{\w+\})?(?:==|!=|\+=|=)"[^"]*"(?:, |$))+')
    for line in text.splitlines():
        assert not line or line.startswith("#") or rule.fullmatch(line), line


def settings_of(unit: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        key, separator, value = line.partition("=")
        if separator and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found
