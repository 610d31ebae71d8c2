from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import ConfigError
from gateway.config.rules import MatchRule, PackUse
from rules.expansion import as_run, faults, load_as_run
from tests.rules.play import site

DOWN = MatchRule(shape="match", name="down", on="status", when="e.state == 'offline'")


def test_a_site_without_packs_runs_as_it_is() -> None:
    file = site(DOWN)
    assert as_run(file) == file
    assert faults(file) == []


def test_faults_of_packs_come_before_those_of_rules() -> None:
    bad = MatchRule(shape="match", name="bad", on="status", when="e.sate == 'x'")
    assert [line.split(":")[1] for line in faults(site(bad))] == [" rule[bad].when = \"e.sate == 'x'\""]
    unknown = site(bad).model_copy(update={"pack": [PackUse(name="gate", kind="prt")]})
    (line,) = faults(unknown)
    assert line.startswith("site.toml: pack[gate].kind = 'prt': no such pack; did you mean 'port'?")


def test_a_file_is_loaded_as_it_runs_or_refused_with_all_faults(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text('[site]\nname = "harbour"\n[[rule]]\nname = "down"\nshape = "match"\non = "status"\n')
    assert [rule.name for rule in load_as_run(path).rule] == ["down"]
    path.write_text('[site]\nname = "harbour"\n[[pack]]\nname = "gate"\nkind = "prt"\n')
    with pytest.raises(ConfigError, match=r"pack\[gate\]\.kind = .prt.: no such pack"):
        load_as_run(path)
