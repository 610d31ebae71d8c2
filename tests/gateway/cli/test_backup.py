import os
import subprocess
from pathlib import Path

from tests.gateway.backup.plant import Site
from tests.gateway.cli.command import COMMAND, tagwharf


def elsewhere() -> list[str]:
    return ["--elsewhere"] if os.geteuid() == 0 else []


def test_a_backup_is_made_listed_verified_and_restored(tmp_path: Path) -> None:
    site = Site(tmp_path / "old")
    site.whole()
    share = tmp_path / "share"
    share.mkdir()
    done = tagwharf("backup", "--config", site.file, "--to", share, "--keep", "1", "--within", "5m")
    assert done.returncode == 0, done.stderr
    assert "10 files" in done.stdout
    assert f"not in it: {site.etc / 'mqtt.key'}: a private key" in done.stdout
    assert "not in it: credential mqtt-password" in done.stdout
    (archive,) = share.iterdir()

    listed = tagwharf("restore", archive, "--list")
    assert listed.returncode == 0
    assert f"config   {site.file}" in listed.stdout
    assert "whole; site hamburg, gateway edge-1" in listed.stdout
    assert tagwharf("restore", archive, "--verify").stdout.count("\n") == 1

    refused = tagwharf("restore", archive, *elsewhere())
    assert refused.returncode == 1
    assert "say --replace" in refused.stderr
    restored = tagwharf("restore", archive, "--replace", *elsewhere())
    assert restored.returncode == 0, restored.stderr
    for line in (
        "gateway edge-1: batches 1 to 40, judged to 25; it goes on with",
        "set aside: ",
        "put back the credential mqtt-password: /etc/credstore/tagwharf.mqtt-password",
        "mqtt.key: a private key: put it back by hand",
        f"tagwharf check {site.file}",
    ):
        assert line in restored.stdout

    archive.write_bytes(archive.read_bytes()[:-100])
    damaged = tagwharf("restore", archive, "--verify")
    assert damaged.returncode == 1
    assert "is damaged or no backup" in damaged.stderr


def test_what_cannot_be_done_is_told_with_its_exit_code(tmp_path: Path) -> None:
    site = Site(tmp_path)
    nowhere = tagwharf("backup", "--config", site.file, "--to", tmp_path / "none")
    assert nowhere.returncode == 74
    assert "is no directory that is there" in nowhere.stderr
    assert tagwharf("backup", "--config", tmp_path / "none.toml", "--to", tmp_path).returncode == 78
    assert tagwharf("backup", "--config", site.file, "--to", tmp_path, "--keep", "0").returncode == 2
    assert tagwharf("backup", "--config", site.file, "--to", tmp_path, "--within", "soon").returncode == 2
    assert tagwharf("restore", tmp_path / "none", "--list").returncode == 74
    assert tagwharf("restore", tmp_path / "none").returncode == 1


def test_a_backup_that_is_killed_leaves_nothing_under_a_name_that_counts(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.whole()
    share = tmp_path / "share"
    share.mkdir()
    (site.state / "large.json").write_bytes(os.urandom(30 << 20))
    for after_s in (0.4, 0.7, 1.0):
        with subprocess.Popen([*COMMAND, "backup", "--config", str(site.file), "--to", str(share)]) as child:
            try:
                child.wait(after_s)
            except subprocess.TimeoutExpired:
                child.kill()
    whole = [path for path in share.iterdir() if path.name.endswith(".tar.gz") and not path.name.startswith(".")]
    for path in whole:
        assert tagwharf("restore", path, "--verify").returncode == 0
