import tarfile
from pathlib import Path

import pytest

from gateway.support_bundle import bundle
from gateway.support_bundle.bundle import SupportError, default_name, make_bundle
from gateway.support_bundle.masking import Masker
from gateway.support_bundle.parts import Asked, Part
from tests.gateway.backup.plant import KEY, Site

CANARY = "CANARY"
SECRETS = {
    "mqtt-password": f"{CANARY}-mqtt-9f8e",
    "influx-main": f"{CANARY}-influx\nsecond {CANARY} line",
    "card-key": f"{CANARY}-card",
}


def unpacked(path: Path) -> dict[str, str]:
    found = {}
    with tarfile.open(path) as tar:
        for info in tar:
            source = tar.extractfile(info)
            assert source is not None
            found[info.name] = source.read().decode()
    return found


def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Secrets wherever people and programs leave them."""
    site = Site(tmp_path / "site")
    site.whole()
    store = tmp_path / "etc/credstore"
    store.mkdir(parents=True)
    for name, secret in SECRETS.items():
        (store / f"tagwharf.{name}").write_text(secret)
    (site.etc / "notes.txt").write_text(f"root password: {CANARY}")
    (site.etc / "own.pem").write_text(KEY)
    site.file.write_text(
        f"# the old password was {CANARY}\n{site.file.read_text()}"
        f'[[sink]]\nkind = "influxdb"\nname = "main"\nurl = "http://admin:{CANARY}@127.0.0.1:8086"\n'
    )
    programs = tmp_path / "bin"
    programs.mkdir()
    lines = [
        f"connect with {SECRETS['mqtt-password']} failed",
        f"hex {SECRETS['card-key'].encode().hex()}",
        f"GET http://x/write?u=a&p={CANARY}",
        f"Authorization: Token {CANARY}0123456789",
        f'login_failed password="{CANARY} {CANARY}"',
        KEY,
        "card nfca:04A1B2C3D4E5F6 refused",
    ]
    log = programs / "log.txt"
    log.write_text("\n".join(lines))
    for name in ("journalctl", "systemctl", "timedatectl", "chronyc"):
        (programs / name).write_text(f"#!/bin/sh\n/bin/cat {log}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    return Asked(site.file, 60.0, tmp_path)


def test_no_byte_of_it_is_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = hostile(tmp_path, monkeypatch)
    made = make_bundle(asked, tmp_path)
    assert made.path.stat().st_mode & 0o777 == 0o600
    content = unpacked(made.path)
    told = "\n".join([*content, *content.values()])
    for secret in (CANARY, CANARY.encode().hex(), "04A1B2C3D4E5F6", "second", "PRIVATE"):
        at = told.find(secret)
        assert at < 0, told[max(0, at - 200) : at + 200]
    assert "connect with [masked] failed" in content["log.txt"], "what is around it stays"
    assert '"name": "hamburg"' in content["site.json"]
    for name in content.keys() - {"MANIFEST.txt"}:
        assert name in content["MANIFEST.txt"]


def test_the_canary_test_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = hostile(tmp_path, monkeypatch)
    monkeypatch.setattr(Masker, "text", lambda _self, text: text)
    monkeypatch.setattr(Masker, "leaks", lambda _self, _text: False)
    assert CANARY in "".join(unpacked(make_bundle(asked, tmp_path).path).values())


def test_a_part_that_fails_or_leaks_does_not_stop_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise KeyError("thing")

    monkeypatch.setattr(bundle, "PART_BYTES_MOST", 1_000)
    made = [
        Part("a.txt", "fails", broken),
        Part("b.txt", "is long", lambda: "x" * 1_005),
        Part("c.txt", "is well", lambda: "well"),
    ]
    monkeypatch.setattr(bundle, "parts", lambda *_: made)
    content = unpacked(make_bundle(Asked(tmp_path / "none", 1.0, tmp_path), tmp_path / "b.tar.gz").path)
    assert content["a.txt"] == "could not be made: KeyError: 'thing'\n"
    assert content["b.txt"].startswith("... the end of")
    assert content["c.txt"] == "well"
    monkeypatch.setattr(Masker, "leaks", lambda _self, text: text == "well")
    content = unpacked(make_bundle(Asked(tmp_path / "none", 1.0, tmp_path), tmp_path / "c.tar.gz").path)
    assert content["c.txt"].startswith("left out: 4 characters")


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "parts", lambda *_: [])
    asked = Asked(tmp_path / "none", 1.0, tmp_path)
    there = tmp_path / "there.tar.gz"
    there.write_text("mine")
    with pytest.raises(SupportError, match="is there already"):
        make_bundle(asked, there)
    with pytest.raises(SupportError, match="its directory is not"):
        make_bundle(asked, tmp_path / "none" / "x.tar.gz")
    monkeypatch.setattr(bundle, "WITHIN_S", -1.0)
    with pytest.raises(SupportError, match="cannot be written"):
        make_bundle(asked, tmp_path / "x.tar.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["there.tar.gz"]
    assert default_name(0.0) == "tagwharf-support-19700101T000000Z.tar.gz"
