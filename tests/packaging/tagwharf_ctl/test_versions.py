from pathlib import Path

import pytest
from tagwharf_ctl.versions import BusyError, RefusedError, Versions

from tests.packaging.plant import Plant


def test_versions_are_sorted_as_releases_are(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "0.10.0", "0.2.0", "0.2.0rc1", "0.9.1")
    (plant.root / "versions/half-unpacked").mkdir()
    (plant.root / "versions/0.3.0").mkdir()  # without an environment
    assert plant.versions.installed() == ["0.2.0rc1", "0.2.0", "0.9.1", "0.10.0"]


@pytest.mark.parametrize("name", ["", ".", "..", "../opt", "0.1.0/..", "/etc", "0.1.0\n", "-x", "0" * 80])
def test_a_name_that_is_no_version_is_not_there(name: str, tmp_path: Path) -> None:
    assert not Plant(tmp_path, "0.1.0").versions.is_there(name)


def test_one_at_a_time(tmp_path: Path) -> None:
    versions = Plant(tmp_path, "0.1.0").versions
    with versions.locked(), pytest.raises(BusyError, match="another tagwharf-ctl"), Versions(versions.root).locked():
        pass
    with versions.locked():
        pass


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "0.1.0")
    target = tmp_path / "elsewhere"
    (plant.root / ".lock").symlink_to(target)
    with pytest.raises(RefusedError, match="lock"), plant.versions.locked():
        pass
    assert not target.exists()


def test_beginning_and_undoing(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "0.0.9", "0.1.0", "0.2.0", current="0.1.0")
    (plant.root / "previous").symlink_to("versions/0.0.9")
    before = plant.versions.begin("0.2.0")
    assert plant.links == ("0.2.0", "0.1.0")
    assert plant.versions.unfinished() == before
    plant.versions.undo(before)
    assert plant.links == ("0.1.0", "0.0.9")
    plant.versions.finish()
    assert plant.versions.unfinished() is None


def test_switching_to_what_is_current_keeps_the_previous_one(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "0.1.0", "0.2.0", current="0.2.0")
    (plant.root / "previous").symlink_to("versions/0.1.0")
    plant.versions.begin("0.2.0")
    assert plant.links == ("0.2.0", "0.1.0")


def test_a_note_that_cannot_be_understood_is_not_guessed_at(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "0.1.0")
    for text in ("", "{", "[]", '{"to": "0.1.0"}'):
        (plant.root / ".switching").write_text(text)
        with pytest.raises(RefusedError, match="delete that file"):
            plant.versions.unfinished()


def test_what_is_removed_is_nobodys_previous_version(tmp_path: Path) -> None:
    plant = Plant(tmp_path, "0.1.0", "0.2.0", current="0.2.0")
    (plant.root / "previous").symlink_to("versions/0.1.0")
    plant.versions.forget("0.0.1")
    assert plant.links == ("0.2.0", "0.1.0")
    plant.versions.forget("0.1.0")
    assert not (plant.root / "previous").is_symlink()
