import subprocess
import sys
from pathlib import Path

import pytest

from tests.gateway.cli.command import site_file, tagwharf
from tests.gateway.config.test_faults import BROKEN


def test_site_file_by_environment(tmp_path: Path) -> None:
    assert tagwharf("check", TAGWHARF_CONFIG=str(site_file(tmp_path))).returncode == 0
    assert "absent.toml: cannot be read" in tagwharf("check", TAGWHARF_CONFIG="absent.toml").stdout


def test_check_starts_quickly_because_it_loads_little(tmp_path: Path) -> None:
    program = "import sys; from gateway.cli import app; app(sys.argv[1:], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, "check", str(site_file(tmp_path))],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    loaded = {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert loaded.isdisjoint({"aiomqtt", "influxdb_client", "nats", "prometheus_client", "starlette", "uvicorn"})
    assert "pydantic" in loaded


@pytest.mark.parametrize("command", ["probe", "ledger", "where", "record"])
def test_faults_of_the_site_file_end_every_command_with_78(command: str, tmp_path: Path) -> None:
    arguments = {"where": ["3005"], "record": ["gate", "--to", str(tmp_path / "new")]}.get(command, [])
    done = tagwharf(command, *arguments, "--config", BROKEN / "empty.toml")
    assert done.returncode == 78
    assert done.stderr == f"{BROKEN}/empty.toml: site is missing\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "edgy"], "'edgy' is no daemon; choose edge, rules or console"),
        (["probe", "gaet"], "no reader is named 'gaet' (did you mean \"gate\"?); known: gate"),
        (["probe", "--for", "soon"], "'soon' is no duration above zero; write 250ms, 30s, 5m, 1.5h or 7d"),
        (["record", "gate", "--to", "."], "Invalid value for --to: . exists; name a new file"),
        (["simmulate"], "No such command 'simmulate'"),
    ],
)
def test_wrong_use_ends_with_2(arguments: list[str], message: str, tmp_path: Path) -> None:
    reader = '[[reader]]\nname = "gate"\ndriver = "m100"\nport = "/dev/ttyUSB0"\n'
    done = tagwharf(*arguments, TAGWHARF_CONFIG=str(site_file(tmp_path, more=reader)))
    assert done.returncode == 2
    assert message in done.stderr


def test_version() -> None:
    assert tagwharf("--version").stdout.startswith("tagwharf 0.")
