from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from readers.errors import ConfigError

SITE = '[site]\nname = "hamburg"\ngateway = "{}"\n'


def test_the_access_list_of_all_site_files_is_printed(tmp_path: Path) -> None:
    for gateway in ("edge-1", "edge-2"):
        (tmp_path / f"{gateway}.toml").write_text(SITE.format(gateway))
    arguments = ["broker", "acl", "--config", str(tmp_path / "edge-1.toml"), "--config", str(tmp_path / "edge-2.toml")]
    found = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert found.exit_code == 0
    users = [line for line in found.stdout.splitlines() if line.startswith("user ")]
    assert users == ["user edge-1", "user edge-2", "user rules", "user console", "user exporter"]


def test_a_fault_is_told(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(SITE.format("edge-1"))
    twice = ["--config", str(tmp_path / "site.toml")] * 2
    with pytest.raises(ConfigError, match="two files are of the gateway"):
        CliRunner().invoke(app, ["broker", "acl", *twice], catch_exceptions=False)
