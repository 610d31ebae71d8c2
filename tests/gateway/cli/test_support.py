import tarfile
from pathlib import Path

from tests.gateway.backup.plant import Site
from tests.gateway.cli.command import tagwharf


def test_a_bundle_is_made_and_says_what_is_in_it(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.whole()
    secrets = tmp_path / "credentials"
    secrets.mkdir()
    (secrets / "mqtt-password").write_text("CANARY-4711")
    site.file.write_text(f"# CANARY-4711\n{site.file.read_text()}")
    to = tmp_path / "bundle.tar.gz"
    done = tagwharf("support", "--config", site.file, "--to", to, "--since", "10m", CREDENTIALS_DIRECTORY=str(secrets))
    assert done.returncode == 0, done.stderr
    assert "site.json" in done.stdout
    assert "read it before you send it" in done.stdout
    with tarfile.open(to) as tar:
        names = tar.getnames()
        content = b"".join(source.read() for info in tar if (source := tar.extractfile(info)) is not None)
    assert names[-1] == "MANIFEST.txt"
    assert {"check.txt", "ledger.txt", "journals.txt", "rules-metrics.txt"} <= set(names)
    assert b"CANARY" not in content


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    done = tagwharf("support", "--config", tmp_path / "none.toml", "--to", tmp_path / "none" / "x.tar.gz")
    assert done.returncode == 74
    assert "its directory is not" in done.stderr
    assert tagwharf("support", "--since", "long ago").returncode == 2
