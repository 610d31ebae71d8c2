import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway import day_sum
from gateway.backup import names
from gateway.backup.making import BackupError, Order, make_backup
from gateway.backup.reading import checked, extract
from gateway.edge import segment
from tests.gateway.backup.plant import NOW_US, Site, state_of

BACKUPS = 8


def order(site: Site, to: Path, **changes: object) -> Order:
    return Order(site.file, to, system=site.etc / "no-system", **changes)  # type: ignore[arg-type]  # by name, below


def test_everything_is_in_it_but_secrets(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.whole()
    made = make_backup(order(site, tmp_path), site.site)
    kinds = {Path(member.path).name: member.kind for member in made.manifest.members}
    assert {name: kind for name, kind in kinds.items() if kind == "config"} == dict.fromkeys(
        ("site.toml", "rules.toml", "plates.csv", "ca.pem", "own.pem"), "config"
    )
    assert {"rules", "events", "journal", "state"} <= set(kinds.values())
    assert "edge.lock" not in kinds
    assert [Path(left.path).name for left in made.manifest.left_out] == ["mqtt.key"]
    assert made.manifest.credentials == ["mqtt-password"]
    assert made.manifest.one_moment
    assert made.archive.stat().st_mode & 0o777 == 0o600
    assert checked(made.archive) == made.manifest
    with closing(sqlite3.connect(site.state / "rules.db")) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == 1
    assert {member.schema for member in made.manifest.members if member.kind == "rules"} == {1}


def test_older_ones_go_when_the_new_one_stands(tmp_path: Path) -> None:
    site = Site(tmp_path)
    share = tmp_path / "share"
    share.mkdir()
    made_names = []
    for day in range(4):
        now_us = NOW_US + day * 86_400_000_000
        made = make_backup(order(site, share, keep=2), site.site, now_us=lambda now_us=now_us: now_us)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        made_names.append(made.archive.name)
    assert sorted(path.name for path in share.iterdir()) == made_names[-2:]
    assert [path.name for path in made.deleted] == made_names[1:2]


@pytest.mark.parametrize(
    ("to", "changes", "told"),
    [
        ("none", {}, "is no directory that is there"),
        ("none/a.tar.gz", {}, "is not there; mount the share"),
        ("share", {"keep": 0}, "must be at least 1"),
        ("share", {"within_s": -1.0}, "too slow or hangs"),
        ("share", {"work": Path("/dev/null/x")}, "Not a directory"),
    ],
)
def test_what_stands_against_it_is_told_and_the_last_good_one_stays(
    tmp_path: Path, to: str, changes: dict[str, object], told: str
) -> None:
    site = Site(tmp_path)
    share = tmp_path / "share"
    share.mkdir()
    good = make_backup(order(site, share), site.site, now_us=lambda: NOW_US).archive
    before = good.read_bytes()
    with pytest.raises(BackupError, match=told):
        make_backup(order(site, tmp_path / to, **changes), site.site)
    assert [path.name for path in share.iterdir()] == [good.name]
    assert good.read_bytes() == before


def test_a_directory_without_its_share_is_refused(tmp_path: Path) -> None:
    if any(each.is_mount() for each in (tmp_path, *list(tmp_path.parents)[:-1])):
        pytest.skip("the directory of this test is on a mount of its own")
    site = Site(tmp_path)
    with pytest.raises(BackupError, match="nothing is mounted there"):
        make_backup(order(site, tmp_path, mounted=True), site.site)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="a small disk needs root")
def test_a_full_share_is_told_and_keeps_the_last_good_one(tmp_path: Path) -> None:
    site = Site(tmp_path)
    (site.etc / "plates.csv").write_bytes(b"plate,owner\n" + os.urandom(600_000).hex().encode())
    share = tmp_path / "share"
    share.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", share], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no small disk: {mounted.stderr.decode()}")
    try:
        (share / "good").write_text("good")
        with pytest.raises(BackupError, match=rf"{os.strerror(errno.ENOSPC)}.*was not made, older archives"):
            make_backup(order(site, share, mounted=True), site.site)
        assert [path.name for path in share.iterdir()] == ["good"]
    finally:
        subprocess.run(["umount", share], check=True)


def test_a_damaged_database_does_not_stand_in_the_way_of_the_rest(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.whole()
    (day,) = (site.state / "events").glob("*.db")
    content = bytearray(day.read_bytes())
    content[4_096:16_384] = b"\xa5" * 12_288
    day.write_bytes(content)
    manifest = make_backup(order(site, tmp_path), site.site).manifest
    assert [left.path for left in manifest.left_out if "damaged" in left.why] == [str(day)]
    assert "rules" in {member.kind for member in manifest.members}


def test_a_day_whose_values_were_altered_is_left_out(tmp_path: Path) -> None:
    """What SQLite does not notice, its checksum does."""
    site = Site(tmp_path)
    site.store()
    (day,) = (site.state / "events").glob("*.db")
    day_sum.put(day)
    before = day.stat()
    content = bytearray(day.read_bytes())
    at = content.rindex(b"beam")
    content[at : at + 4] = b"team"
    day.write_bytes(content)
    os.utime(day, ns=(before.st_atime_ns, before.st_mtime_ns))
    manifest = make_backup(order(site, tmp_path), site.site).manifest
    assert [left.path for left in manifest.left_out if "damaged: is not what" in left.why] == [str(day)]


def test_copies_are_of_moments_in_the_direction_of_the_data(tmp_path: Path) -> None:
    """While a site works: whatever moment a backup meets, nothing falls between two of its databases."""
    site = Site(tmp_path)
    command = [sys.executable, "-m", "tests.gateway.backup.site_writer", str(site.state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "begun\n"
            moments = [_backup(site, tmp_path / f"{number}", writer) for number in range(BACKUPS)]
        finally:
            writer.kill()
    assert moments == sorted(moments)
    assert moments[-1] > moments[0]


def _backup(site: Site, directory: Path, writer: subprocess.Popen[str]) -> int:
    directory.mkdir()
    acknowledged = state_of(site.state).next_sequence - 1
    made = make_backup(order(site, directory), site.site)
    assert writer.poll() is None
    assert writer.stdout is not None
    writer.stdout.readline()
    extract(made.archive, made.manifest, lambda member: directory / member.path.lstrip("/"))
    state = directory / str(site.state).lstrip("/")
    edge = state_of(state)
    with closing(sqlite3.connect(state / "rules.db")) as db:
        (watermark,) = db.execute("SELECT watermark FROM flows").fetchone()
        waiting = {int(body) for (body,) in db.execute("SELECT body FROM parcels")}
    stored = set()
    for day in (state / "events").glob("*.db"):
        with closing(sqlite3.connect(day)) as db:
            stored |= {int(value) for (value,) in db.execute("SELECT value FROM signals")}
    journalled = set()
    for path in segment.paths(state / "journal"):
        segment.check(path)
        with segment.reading(path) as db:
            journalled |= {sequence for (sequence,) in db.execute("SELECT sequence FROM batch")}
    assert edge.next_sequence - 1 >= acknowledged, "what was acknowledged before is in it"
    assert edge.watermark <= watermark, "what the edge would not send again, the rules have judged"
    assert journalled >= set(range(edge.watermark + 1, edge.next_sequence)), "what was not judged is in it"
    assert stored | waiting >= set(range(1, watermark + 1)), "what was judged is stored, or waits to be"
    if made.manifest.one_moment:
        assert stored <= set(range(1, watermark + 1)), "the event journal is not ahead of the rules"
    return int(watermark)


def test_what_cannot_be_deleted_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path)
    stuck = tmp_path / "stuck"
    stuck.mkdir()
    monkeypatch.setattr(names, "older", lambda *_: [stuck])
    with pytest.raises(BackupError, match="was made, but an older one cannot be deleted"):
        make_backup(order(site, tmp_path, keep=1), site.site)
