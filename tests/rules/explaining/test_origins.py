from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import ConfigError
from rules.expansion import load_as_run
from rules.explaining.origins import Origin, origins

SITE = """\
[site]
name = "port"

[[reader]]
name = "r-1"
driver = "llrp"
port = "tcp://127.0.0.1:5084"
read_points = { 1 = "p-1" }
"""
OWN = """
[[rule]]
name = "door"
shape = "match"
on = "signal"
"""
USE = """
[[pack]]
name = "power"
kind = "power"
[[pack.settings.meter]]
name = "mains"
nominal_v = 220
rated_current_a = 630
"""


def test_each_rule_has_its_line_or_its_pack(tmp_path: Path) -> None:
    config = tmp_path / "site.toml"
    config.write_text(SITE + OWN + OWN.replace("door", "window") + USE)
    found = origins(config)
    assert found["door"] == Origin(str(config), 10)
    assert found["window"].line == 15
    assert list(found) == [rule.name for rule in load_as_run(config).rule]
    others = [each for name, each in found.items() if name not in {"door", "window"}]
    assert others
    assert set(others) == {Origin(str(config), 20, "power", "power")}
    assert others[0].text() == f"{config}:20, pack power (power)"
    assert found["door"].text() == f"{config}:10"
    assert Origin("site.toml", None).text() == "site.toml"


def test_the_rule_file_is_named_where_there_is_one(tmp_path: Path) -> None:
    config = tmp_path / "site.toml"
    config.write_text(SITE + '\n[rules]\nfile = "rules.toml"\n')
    (tmp_path / "rules.toml").write_text(OWN)
    assert origins(config) == {"door": Origin(str(tmp_path / "rules.toml"), 2)}


def test_a_file_with_faults_has_none(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text("[site]\n")
    with pytest.raises(ConfigError, match=r"site\.name is missing"):
        origins(tmp_path / "site.toml")
