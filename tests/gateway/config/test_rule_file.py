"""What is wrong with a rule file stands in `broken/rule_file*`; here is what is right."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.config.load import load_site, site_files
from gateway.config.rule_file import named_in, read_rule_file
from readers.errors import ConfigError

SITE = '[site]\nname = "hamburg"\n'
RULE = '[[rule]]\nname = "weak"\nshape = "match"\non = "read"\nwhen = "e.rssi_dbm < -80.0"\n'


def written(directory: Path, site: str, rules: str | None = None) -> Path:
    path = directory / "site.toml"
    path.write_text(site)
    if rules is not None:
        (directory / "rules.toml").write_text(rules)
    return path


def test_rules_are_the_same_wherever_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = load_site(written(tmp_path, SITE + RULE))
    beside = load_site(written(tmp_path, SITE + '[rules]\nfile = "rules.toml"\nlateness_s = 2\n', RULE))
    assert beside.rule == here.rule
    assert beside.rules.lateness_s == 2
    assert beside.rules.file == tmp_path / "rules.toml"
    monkeypatch.chdir(tmp_path)
    assert load_site(Path("site.toml")) == beside


def test_an_empty_rule_file_is_a_site_without_rules(tmp_path: Path) -> None:
    assert load_site(written(tmp_path, SITE + '[rules]\nfile = "rules.toml"\n', "# none yet\n")).rule == []


def test_its_faults_bear_its_name_and_its_lines(tmp_path: Path) -> None:
    path = written(tmp_path, SITE + '[rules]\nfile = "rules.toml"\n', "\n\n" + RULE.replace("-80.0", "'x'"))
    with pytest.raises(ConfigError) as refused:
        load_site(path)
    assert str(refused.value).startswith(f"{tmp_path}/rules.toml:7: rule[weak].when = ")


@pytest.mark.parametrize("name", ["5", "true", '""', "[]"])
def test_what_is_no_name_names_no_file(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, f"{SITE}[rules]\nfile = {name}\n{RULE}")
    assert site_files(path) == [path]
    if name != '""':
        with pytest.raises(ConfigError, match=r"site.toml:4: rules.file"):
            load_site(path)


def test_files_of_a_site(tmp_path: Path) -> None:
    path = written(tmp_path, SITE)
    assert site_files(path) == [path]
    written(tmp_path, SITE + '[rules]\nfile = "rules.toml"\n')
    assert site_files(path) == [path, tmp_path / "rules.toml"]
    written(tmp_path, "[")
    assert site_files(path) == [path]
    assert named_in({"rules": {"file": "/etc/other.toml"}}, path) == Path("/etc/other.toml")


def test_tables_that_are_not_there_have_a_place_all_the_same(tmp_path: Path) -> None:
    written(tmp_path, SITE, RULE)
    found = read_rule_file(tmp_path / "rules.toml")
    assert list(found.tables) == ["rule"]
    assert {name for name, _ in found.positions.values()} == {str(tmp_path / "rules.toml")}
    assert found.faults == []


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=9), st.binary(max_size=80))
@example("rules.toml", RULE.encode())
@example("\x1b[2J", b"")
@example("a\0", b"")
@settings(max_examples=200, deadline=None)
def test_any_name_and_any_bytes_are_loaded_or_refused_with_lines_that_people_can_read(
    name: str, content: bytes
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        (directory / "rules.toml").write_bytes(content)
        path = written(directory, f"{SITE}[rules]\nfile = {json.dumps(name, ensure_ascii=False)}\n")
        lines = []
        try:
            load_site(path)
        except ConfigError as error:
            lines = str(error).splitlines()
            assert lines
        assert all(line.isprintable() for line in lines)
