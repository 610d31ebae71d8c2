from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.rules import LookUpTable
from rules.list_file import ChangingError, RefusedError
from rules.tables import shelf as shelf_module
from rules.tables.file import StoredTable
from rules.tables.shelf import Shelf
from rules.tables.source import load
from tests.rules.tables.desk import settings


def table(tmp_path: Path, name: str, text: str = "truck,bay\nT-1,3\n", **more: object) -> LookUpTable:
    path = tmp_path / f"{name}.csv"
    path.write_text(text)
    return settings(path, {"bay": "int"}, name=name, **more)


def test_all_tables_are_read_at_the_start(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.start([table(tmp_path, "a"), table(tmp_path, "b", "truck,bay\nT-1,4\n")])
    found = [shelf.tables.get(name) for name in ("a", "b", "c")]
    assert [each.find("T-1") if each is not None else None for each in found] == [(3,), (4,), None]
    shelf.close()
    assert shelf.tables.get("a") is None


def test_all_faults_of_all_tables_are_told_at_the_start(tmp_path: Path) -> None:
    bad, gone = table(tmp_path, "a", "truck,bay\nT-1,x\n"), settings(tmp_path / "gone.csv", name="b")
    with pytest.raises(RefusedError) as raised:
        Shelf(tmp_path).start([bad, table(tmp_path, "c"), gone])
    assert raised.value.faults == [
        f"site.toml: table[a].file = '{tmp_path}/a.csv': line 2: bay = 'x': must be a whole number of 64 bits",
        f"site.toml: table[b].file = '{tmp_path}/gone.csv': cannot be read: No such file or directory",
    ]


def test_a_file_that_is_being_written_is_waited_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts: list[str] = []

    def moving(each: LookUpTable, directory: Path) -> StoredTable:
        attempts.append(each.name)
        if len(attempts) < 3:
            raise ChangingError(f"{each.file} is being written")
        return load(each, directory)

    monkeypatch.setattr(shelf_module, "load", moving)
    shelf = Shelf(tmp_path)
    shelf.start([table(tmp_path, "a")], (0.0, 0.0))
    assert (attempts, list(shelf.kept)) == (["a"] * 3, ["a"])
    attempts.clear()
    with pytest.raises(RefusedError, match="is being written all the time; replace it by renaming a finished file"):
        Shelf(tmp_path).start([table(tmp_path, "a")], (0.0,))


def test_only_what_is_new_or_defined_otherwise_is_read_again(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    one, two = table(tmp_path, "a"), table(tmp_path, "b")
    shelf.start([one, two])
    kept, dropped = shelf.tables.get("a"), shelf.tables.get("b")
    three = table(tmp_path, "c")
    other = settings(one.file, {"bay": "string"}, name="a")
    assert [each.settings for each in shelf.read([one, three])] == [three]
    assert [each.settings.name for each in shelf.read([other])] == ["a"]
    shelf.install([one, three], shelf.read([one, three]))
    assert (shelf.tables.get("a"), shelf.tables.get("b"), sorted(shelf.kept)) == (kept, None, ["a", "c"])
    assert isinstance(dropped, StoredTable)
    with pytest.raises(Exception, match="closed"):
        dropped.find("T-1")


def test_a_newer_version_of_what_is_defined_otherwise_by_now_is_let_go(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    old = table(tmp_path, "a")
    shelf.start([old])
    read = shelf.read_one(old)
    new = settings(old.file, {"bay": "string"}, name="a")
    shelf.install([new], shelf.read([new]))
    shelf.renew(read)
    current = shelf.tables.get("a")
    assert current is not None
    assert current.find("T-1") == ("3",)
    with pytest.raises(Exception, match="closed"):
        read.table.find("T-1")
    shelf.renew(newer := shelf.read_one(new))
    assert shelf.tables.get("a") is newer.table
