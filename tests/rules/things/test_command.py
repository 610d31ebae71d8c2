from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.models import IdentityStyle
from gateway.identity import Identities
from rules import cli
from rules.things.command import EX_CONFIG, EX_IOERR
from rules.things.source import load
from rules.things.thing import KNOWN, Answer, Thing
from tests.rules.things.registries import IDENTITIES, KEY
from tests.support.card_readers import CANARY, leaks

LIST = f"epc,tid,card,name\n3034,,,Box\n,E280,,Seal\n,,{CANARY},Kim\n"


@pytest.fixture(autouse=True)
def _key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "card-key").write_bytes(KEY)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))


def imported(tmp_path: Path, text: str = LIST, site: str = '[site]\nassets = "things.db"\n') -> int:
    (tmp_path / "site.toml").write_text(site)
    (tmp_path / "things.csv").write_text(text)
    return cli.main(
        ["registry", "import", str(tmp_path / "things.csv"), "--to", str(tmp_path / "things.db"),
         "--config", str(tmp_path / "site.toml")]
    )  # fmt: skip


def test_a_list_becomes_the_registry_that_the_site_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert imported(tmp_path) == 0
    to = tmp_path / "things.db"
    assert capsys.readouterr().out == (
        f'{to}: 3 things with 1 EPCs, 1 TIDs and 1 cards; write assets = "{to}" into [site]\n'
    )
    assert load(to, tmp_path, IDENTITIES).things == 3


def test_a_site_of_numbers_is_minded(tmp_path: Path) -> None:
    assert imported(tmp_path, site='[cards]\nidentity = "raw"\n') == 0
    raw = Identities(IdentityStyle.RAW)
    assert load(tmp_path / "things.db", tmp_path, raw).card(CANARY) == Answer(KNOWN, Thing("Kim"))


def test_every_fault_is_told_without_a_card_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert imported(tmp_path, f"card,name\n{CANARY},\n{CANARY[5:]},Kim\n") == EX_CONFIG
    said = capsys.readouterr().err
    assert [line.split(": ")[1] for line in said.splitlines()] == ["line 2", "line 3"]
    assert leaks(said.encode()) == []


def test_without_the_key_a_list_with_numbers_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "card-key").unlink()
    assert imported(tmp_path) == EX_CONFIG
    assert "LoadCredential=card-key" in capsys.readouterr().err
    assert imported(tmp_path, "epc,name\n3034,Box\n") == 0


@pytest.mark.parametrize("site", ["[cards]\nidentity = 7\n", "[cards\n"])
def test_a_site_file_with_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str], site: str) -> None:
    assert imported(tmp_path, site=site) == EX_CONFIG
    assert "`tagwharf check" in capsys.readouterr().err


def test_files_that_are_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["registry", "import", "/nonexistent.csv", "--to", str(tmp_path / "x"), "--config"]
    assert cli.main([*arguments, str(tmp_path / "none.toml")]) == EX_CONFIG
    (tmp_path / "site.toml").touch()
    assert cli.main([*arguments, str(tmp_path / "site.toml")]) == EX_IOERR
    said = capsys.readouterr().err
    assert said.splitlines()[0].endswith(
        "none.toml: cannot be read: No such file or directory; name the site file with --config"
    )
    assert "No such file" in said.splitlines()[1]
    assert not (tmp_path / "x").exists()
