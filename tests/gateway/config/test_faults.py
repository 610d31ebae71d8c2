"""Every message about a wrong site file: `broken/NAME.toml` gives the lines of `broken/NAME.expected`."""

import os
from pathlib import Path

import pytest

from gateway.config.load import load_site
from readers import registry
from readers.errors import ConfigError

BROKEN = Path(__file__).parent / "broken"


def faults_of(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_site(path)
    return str(caught.value).splitlines()


def expected_of(path: Path) -> list[str]:
    text = path.with_suffix(".expected").read_text()
    return text.replace("{drivers}", ", ".join(registry.drivers())).replace("{here}", str(BROKEN)).splitlines()


@pytest.mark.parametrize("name", sorted(path.stem for path in BROKEN.glob("*.toml")))
def test_broken_file_gives_exactly_these_lines(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BROKEN)
    assert faults_of(Path(f"{name}.toml")) == expected_of(BROKEN / name)


def test_every_expectation_has_its_file() -> None:
    assert {path.stem for path in BROKEN.glob("*.expected")} == {path.stem for path in BROKEN.glob("*.toml")}


def test_no_message_repeats_a_secret() -> None:
    path = BROKEN / "secrets.toml"
    assert path.read_text().count("canary-") == 10
    assert not any("canary-" in line for line in faults_of(path))


def test_control_characters_of_the_file_do_not_reach_the_screen(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text('[site]\nname = "\\u001b[2J"\n[[reader]]\nname = "a\\nb"\n"\\u001b[31m" = 1\n')
    lines = faults_of(path)
    assert all(line.isprintable() for line in lines)
    assert len(lines) == 5


def test_missing_file_names_the_ways_to_give_one(tmp_path: Path) -> None:
    (line,) = faults_of(tmp_path / "absent.toml")
    assert line == (
        f"{tmp_path}/absent.toml: cannot be read: No such file or directory; "
        "name the site file with --config or TAGWHARF_CONFIG"
    )


def test_directory_is_no_site_file(tmp_path: Path) -> None:
    (line,) = faults_of(tmp_path)
    assert "cannot be read: Is a directory" in line


def test_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    with path.open("wb") as file:
        os.truncate(file.fileno(), 5 << 20)
    (line,) = faults_of(path)
    assert line.endswith("is larger than 4194304 bytes; this is no site file")
