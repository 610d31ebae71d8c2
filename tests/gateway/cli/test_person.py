from pathlib import Path

import pytest
import typer

from gateway.cli.person import key_of_person
from gateway.config.control import Control, Person
from gateway.config.models import Site, SiteFile
from readers.errors import ConfigError

KEY = "0123456789abcdef" * 2
ANNA = Person(name="anna", key_credential="control-anna", roles=["operator"])
SITE = SiteFile(site=Site(name="quay"), control=Control(person=[ANNA]))


def test_a_key_comes_from_a_file_that_nobody_else_may_read(tmp_path: Path) -> None:
    file = tmp_path / "anna.key"
    file.write_text(f"{KEY}\n")
    file.chmod(0o600)
    assert key_of_person(SITE, "anna", file, "--by") == KEY.encode()
    file.chmod(0o640)
    with pytest.raises(typer.BadParameter, match="chmod 600"):
        key_of_person(SITE, "anna", file, "--by")
    with pytest.raises(typer.BadParameter, match="cannot be read"):
        key_of_person(SITE, "anna", tmp_path / "none", "--by")
    file.write_text("short")
    file.chmod(0o600)
    with pytest.raises(ConfigError, match="is no key"):
        key_of_person(SITE, "anna", file, "--by")


def test_without_a_file_it_is_the_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "control-anna").write_text(KEY)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert key_of_person(SITE, "anna", None, "--by") == KEY.encode()


def test_somebody_unknown_is_told_who_is_known() -> None:
    with pytest.raises(typer.BadParameter, match='did you mean "anna"'):
        key_of_person(SITE, "ana", None, "--by")
    with pytest.raises(typer.BadParameter, match="the site file has none"):
        key_of_person(SiteFile(site=Site(name="quay")), "anna", None, "--by")
