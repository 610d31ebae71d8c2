from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from pathlib import Path

import pytest

from gateway.config.models import IdentityStyle
from gateway.identity import Identities
from readers.tagdata.cards import CardIdentity
from rules.things import source
from rules.things.file import RegistryError
from rules.things.listing import build_from_csv, import_csv
from rules.things.source import ChangingError, empty, load, stamp_of
from rules.things.thing import KNOWN, UNKNOWN, Answer, Thing
from tests.rules.things.registries import IDENTITIES

CARD = "nfca:04A1B2C3D4E5F6"
NAME = IDENTITIES.name(CardIdentity.from_text(CARD))
LIST = f"epc,card,name\n3034,,Box 4\n,{CARD},Kim\n"


def written(tmp_path: Path, text: str = LIST) -> Path:
    path = tmp_path / "things.csv"
    path.write_text(text)
    return path


def test_a_list_and_a_registry_made_of_it_say_the_same(tmp_path: Path) -> None:
    path, to = written(tmp_path), tmp_path / "things.db"
    import_csv(path, to, IDENTITIES)
    for file in (path, to):
        things = load(file, tmp_path, IDENTITIES)
        assert (things.things, things.cards) == (2, 1)
        assert things.tag("3034") == Thing("Box 4")
        assert things.card(NAME) == Answer(KNOWN, Thing("Kim"))
        assert things.version == hashlib.blake2b(file.read_bytes(), digest_size=6).hexdigest()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["things.csv", "things.db"]


def test_a_registry_needs_no_key_to_be_used_but_the_same_if_there_is_one(tmp_path: Path) -> None:
    path, to = written(tmp_path), tmp_path / "things.db"
    import_csv(path, to, IDENTITIES)
    assert load(to, tmp_path, Identities(IdentityStyle.KEYED)).card(NAME) == Answer(KNOWN, Thing("Kim"))
    for other in (Identities(IdentityStyle.KEYED, b"another key, as long"), Identities(IdentityStyle.RAW)):
        with pytest.raises(RegistryError, match="was imported with another key"):
            load(to, tmp_path, other)


def test_without_cards_the_key_does_not_matter(tmp_path: Path) -> None:
    path, to = written(tmp_path, "epc,name\n3034,Box 4\n"), tmp_path / "things.db"
    import_csv(path, to, IDENTITIES)
    assert load(to, tmp_path, Identities(IdentityStyle.RAW)).tag("3034") == Thing("Box 4")


def test_what_happens_to_the_file_afterwards_changes_nothing(tmp_path: Path) -> None:
    path, to = written(tmp_path), tmp_path / "things.db"
    import_csv(path, to, IDENTITIES)
    things = load(to, tmp_path, IDENTITIES)
    to.write_bytes(b"x" * 100_000)
    assert things.card(NAME) == Answer(KNOWN, Thing("Kim"))
    to.unlink()
    assert things.tag("3034") == Thing("Box 4")


def test_a_registry_that_lacks_its_description_is_refused(tmp_path: Path) -> None:
    path, to = written(tmp_path), tmp_path / "things.db"
    import_csv(path, to, IDENTITIES)
    with contextlib.closing(sqlite3.connect(to)) as db, db:
        db.execute("DELETE FROM meta WHERE name = 'cards'")
    with pytest.raises(RegistryError, match="lacks its own description"):
        load(to, tmp_path, IDENTITIES)


def test_a_file_that_changes_while_it_is_read_is_for_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path)

    def slowly(path: Path, to: Path, identities: Identities) -> object:
        made = build_from_csv(path, to, identities)
        path.write_text(LIST + "3035,,Box 5\n")
        return made

    monkeypatch.setattr(source, "build_from_csv", slowly)
    with pytest.raises(ChangingError):
        load(path, tmp_path, IDENTITIES)
    monkeypatch.undo()
    assert load(path, tmp_path, IDENTITIES).things == 3


def test_half_a_file_that_grows_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, 'epc,name\n3034,"half')

    def slowly(path: Path, to: Path, identities: Identities) -> object:
        try:
            return build_from_csv(path, to, identities)
        finally:
            path.write_text(LIST)

    monkeypatch.setattr(source, "build_from_csv", slowly)
    with pytest.raises(ChangingError):
        load(path, tmp_path, IDENTITIES)


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    left = tmp_path / "things-abc"
    left.mkdir()
    (left / "things.db").write_text("half")
    load(written(tmp_path), tmp_path, IDENTITIES)
    assert not left.exists()


def test_a_stamp_changes_with_the_file(tmp_path: Path) -> None:
    path = written(tmp_path)
    before = stamp_of(path)
    assert stamp_of(path) == before
    os.utime(path, ns=(1, 1))
    touched = stamp_of(path)
    beside = tmp_path / "new"
    beside.write_text(LIST)
    os.utime(beside, ns=(1, 1))
    beside.replace(path)
    assert len({before, touched, stamp_of(path)}) == 3
    path.unlink()
    with pytest.raises(FileNotFoundError):
        stamp_of(path)


def test_a_site_without_a_list_knows_nobody() -> None:
    nothing = empty(IDENTITIES)
    assert (nothing.tag("3034"), nothing.card(NAME), nothing.version) == (None, Answer(UNKNOWN), "")
