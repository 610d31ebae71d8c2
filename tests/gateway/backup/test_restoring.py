import errno
import fcntl
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from gateway.backup import restoring
from gateway.backup.making import Made, Order, make_backup
from gateway.backup.manifest import NAME
from gateway.backup.notice import take
from gateway.backup.restoring import ArchiveError, RestoreError, Wish, restore
from tests.gateway.backup.plant import Site, sequences, state_of
from tests.gateway.backup.test_reading import entry, packed

LATER_US = 1 << 51


def tree(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()
    }


@pytest.fixture(name="site")
def whole_site(tmp_path: Path) -> Site:
    site = Site(tmp_path / "old")
    site.whole()
    return site


@pytest.fixture(name="made")
def backup(site: Site, tmp_path: Path) -> Made:
    return make_backup(Order(site.file, tmp_path, system=tmp_path / "no-system"), site.site)


def below(root: Path, path: Path) -> Path:
    return root / str(path).lstrip("/")


def test_a_fresh_machine_has_everything_and_goes_on(site: Site, made: Made, tmp_path: Path) -> None:
    root = tmp_path / "fresh"
    done = restore(Wish(made.archive, root), now_us=LATER_US)
    state = below(root, site.state)
    assert done.site_file == below(root, site.file)
    assert tree(done.site_file.parent) == {k: v for k, v in tree(site.etc).items() if k != "mqtt.key"}
    assert sequences(state) == sequences(site.state) == list(range(1, 41))
    (journal,) = done.journals
    assert (journal.gateway, journal.last, journal.watermark) == ("edge-1", 40, 25)
    assert state_of(state).next_sequence == journal.next_sequence > 40
    notice = take(state)
    assert notice is not None
    assert (notice.made_at_us, notice.restored_at_us) == (made.manifest.made_at_us, LATER_US)
    with closing(sqlite3.connect(state / "rules.db")) as db:
        assert db.execute("SELECT watermark FROM flows").fetchall() == [(27,)]
        assert db.execute("PRAGMA auto_vacuum").fetchone()[0] == 2, "space comes back in it as it did"
    assert (done.aside, done.remarks) == ([], [])
    assert not list(root.rglob(".*restoring*"))
    assert state.stat().st_mode & 0o777 == (0o750 if os.geteuid() == 0 else state.stat().st_mode & 0o777)


def test_what_is_there_is_refused_or_set_aside(site: Site, made: Made) -> None:
    before = tree(site.state)
    wish = Wish(made.archive, elsewhere=True)
    with pytest.raises(RestoreError, match="there is state already; say --replace"):
        restore(wish, now_us=LATER_US)
    assert tree(site.state) == before
    site.file.write_text(site.file.read_text() + "# changed\n")
    done = restore(Wish(made.archive, replace=True, elsewhere=True), now_us=LATER_US)
    assert len(done.aside) == 2
    state, file = done.aside
    assert state.name.startswith("state.before-restore-20")
    assert tree(state) == before
    assert file.read_text().endswith("# changed\n")
    assert not site.file.read_text().endswith("# changed\n")
    assert (site.etc / "mqtt.key").exists(), "what is not in it is not touched"


def test_another_site_file_is_not_overwritten(site: Site, made: Made) -> None:
    site.state.rename(site.state.with_name("gone"))
    site.file.write_text("# mine\n")
    with pytest.raises(RestoreError, match=r"site.toml is there and is another; say --replace.*nothing was changed"):
        restore(Wish(made.archive, elsewhere=True), now_us=LATER_US)
    assert site.file.read_text() == "# mine\n"
    assert not site.state.exists()
    assert not list(site.state.parent.glob(".*"))


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize(("lock", "daemon"), [("edge.lock", "edge"), ("rules.lock", "rules")])
def test_daemons_that_run_are_never_robbed(site: Site, made: Made, lock: str, daemon: str, *, replace: bool) -> None:
    before = tree(site.state)
    with (site.state / lock).open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(RestoreError, match=f"the {daemon} daemon runs on .*; stop it first"):
            restore(Wish(made.archive, replace=replace, elsewhere=True), now_us=LATER_US)
    (site.state / lock).unlink()
    before.pop(lock, None)
    assert tree(site.state) == before


def test_a_clock_before_the_backup_is_refused(made: Made, tmp_path: Path) -> None:
    with pytest.raises(RestoreError, match="set it first"):
        restore(Wish(made.archive, tmp_path / "fresh"), now_us=made.manifest.made_at_us - 1)
    assert not (tmp_path / "fresh").exists()


def test_no_room_is_told_before_anything_is_written(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "SPARE_BYTES", 1 << 60)
    with pytest.raises(RestoreError, match="bytes are needed"):
        restore(Wish(made.archive, tmp_path / "fresh"), now_us=LATER_US)
    assert not (tmp_path / "fresh").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may write everywhere")
def test_an_archive_cannot_make_root_write_anywhere(made: Made, site: Site) -> None:
    before = tree(site.etc)
    with pytest.raises(RestoreError, match=r"the archive would write to .*--elsewhere"):
        restore(Wish(made.archive, replace=True), now_us=LATER_US)
    assert tree(site.etc) == before


def test_what_is_no_archive_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(RestoreError, match="cannot be read"):
        restore(Wish(tmp_path / "none"))
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(ArchiveError, match="is damaged or no backup"):
        restore(Wish(tmp_path / "text"))


def test_a_damaged_database_in_it_is_refused(made: Made, tmp_path: Path) -> None:
    content = b"SQLite format 3\0" + b"\xa5" * 5_000
    member = msgspec.structs.replace(made.manifest.members[-1], size_bytes=len(content), sha256=_digest(content))
    manifest = msgspec.structs.replace(made.manifest, members=[member])
    path = packed(tmp_path / "hand-made", entry(f"root{member.path}", content), manifest=manifest)
    with pytest.raises(RestoreError, match=r"in the archive is damaged.*nothing was changed"):
        restore(Wish(path, tmp_path / "fresh"), now_us=LATER_US)
    assert tree(tmp_path / "fresh") == {}
    assert NAME not in tree(tmp_path)


def test_a_disk_that_fails_half_way_leaves_the_old_state(
    site: Site, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(site.state)

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), "somewhere")

    monkeypatch.setattr(restoring, "extract", fail)
    with pytest.raises(RestoreError, match=r"somewhere: Input/output error; nothing was changed"):
        restore(Wish(made.archive, replace=True, elsewhere=True), now_us=LATER_US)
    assert tree(site.state) == before
    monkeypatch.undo()
    monkeypatch.setattr(restoring, "sync_directory", fail)
    with pytest.raises(RestoreError, match=r"interrupted half way; what was there before: .*before-restore"):
        restore(Wish(made.archive, replace=True, elsewhere=True), now_us=LATER_US)
    monkeypatch.undo()
    restore(Wish(made.archive, replace=True, elsewhere=True), now_us=LATER_US + 1_000_000)
    assert sequences(site.state) == list(range(1, 41))


def test_owners_that_this_machine_does_not_know_are_told(made: Made, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    members = [msgspec.structs.replace(each, owner="nobody-knows", group="nogroup") for each in made.manifest.members]
    contents = {each.path: Path(each.path).read_bytes() for each in members if each.kind in ("config", "state")}
    members = [each for each in members if each.path in contents]
    path = packed(
        tmp_path / "other",
        *(entry(f"root{name}", content) for name, content in contents.items()),
        manifest=msgspec.structs.replace(made.manifest, members=members),
    )
    done = restore(Wish(path, tmp_path / "fresh"), now_us=LATER_US)
    assert [line.split(":")[0] for line in done.remarks] == ["nobody-knows"]


def _digest(content: bytes) -> str:
    from hashlib import sha256

    return sha256(content).hexdigest()
