from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rules.cli import main
from tests.rules.recorded import recorded

OF_THE_DAEMON = ("uvloop", "influxdb_client", "rules.daemon.process", "rules.sinks.influxdb", "prometheus_client")
LOADED = """
import sys
from rules.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(*sys.modules, file=sys.stderr)
"""


def loaded(*words: str) -> set[str]:
    """The modules that a process has after a command."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stderr.splitlines()[-1].split())


def test_commands_on_files_do_without_the_libraries_of_the_daemon(tmp_path: Path) -> None:
    config = str(recorded(tmp_path).config)
    for words in (["list", config], ["check", config], ["replay", "--diff", config]):
        found = loaded(*words)
        assert "rules.expansion" in found
        assert [name for name in OF_THE_DAEMON if name in found] == [], words
    assert set(OF_THE_DAEMON) - loaded("run", "--config", str(tmp_path / "none.toml")) == set()  # the test can fail


def test_help_loads_no_command() -> None:
    found = loaded("--help")
    assert "rules.commands.catalogue" in found
    assert not {"rules.commands.tracing", "rules.commands.listing", "gateway.config.load"} & found


def test_each_command_is_there_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["explode"])
    assert ended.value.code == 2
    assert (
        "'run', 'registry', 'check', 'list', 'test', 'trace', 'replay', 'simulate'"
        in capsys.readouterr().err.replace('"', "'")
    )


def test_the_words_of_the_process_are_taken_when_none_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = recorded(tmp_path)
    monkeypatch.setattr(sys, "argv", ["rules", "list", "--json", "--config", str(known.config)])
    assert main() == 0
    assert json.loads(capsys.readouterr().out)["site"]
