import os
from pathlib import Path

import pytest

from gateway.support_bundle.masking import Masker
from gateway.support_bundle.parts import Asked, parts
from tests.gateway.backup.plant import Site


def texts(asked: Asked) -> dict[str, str]:
    return {part.name: part.make() for part in parts(asked, Masker())}


def test_a_site_at_rest_tells_what_is_there(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.whole()
    (tmp_path / "dev/serial/by-id").mkdir(parents=True)
    (tmp_path / "dev/serial/by-id/usb-FTDI-if00").symlink_to("/dev/null")
    (tmp_path / "dev/serial/by-id/usb-gone").symlink_to("/dev/none")
    (site.state / "ledger.json").write_text("not one")
    more = "\n[health]\nedge_port = 0\nrules_port = 9\n"
    site.file.write_text(site.file.read_text() + more)
    told = texts(Asked(site.file, 3600.0, tmp_path))
    assert told["check.txt"].startswith(f"{site.file}: ok")
    assert '"name": "hamburg"' in told["site.json"]
    assert '"name": "plates"' in told["site.json"], "the rule file, too"
    assert "tagwharf " in told["versions.txt"]
    assert "msgspec " in told["versions.txt"]
    assert "MemTotal" in told["platform.txt"]
    assert "usb-FTDI-if00 -> /dev/null" in told["serial.txt"]
    assert "usb-gone: No such file" in told["serial.txt"]
    assert "the broker does not answer" in told["ledger.txt"]
    assert "not readable" in told["ledger.txt"]
    assert "rules.db: " in told["journals.txt"]
    assert "schema 1" in told["journals.txt"]
    assert told["edge-readyz.txt"] == "switched off in the site file\n"
    assert "does not answer" in told["rules-metrics.txt"]


def test_a_site_file_with_faults_still_makes_parts(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text('[site]\nnme = "x"\n')
    told = texts(Asked(file, 3600.0, tmp_path))
    assert "nme" in told["check.txt"]
    assert '"nme": "x"' in told["site.json"]
    assert told["serial.txt"] == "none\n"
    assert "ledger.txt" not in told
    file.write_text("[site")
    assert "TOML syntax" in texts(Asked(file, 3600.0, tmp_path))["site.json"]


def test_commands_that_are_not_here_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    told = texts(Asked(tmp_path / "none.toml", 3600.0, tmp_path))
    assert told["log.txt"] == "journalctl is not here\n"
    assert "timedatectl is not here" in told["clock.txt"]
    script = tmp_path / "journalctl"
    script.write_text('#!/bin/sh\necho "$@"; echo complaint >&2; exit 3\n')
    script.chmod(0o755)
    said = texts(Asked(tmp_path / "none.toml", 3600.0, tmp_path))["log.txt"]
    assert "-u tagwharf-* --since=-3600s" in said
    assert said.endswith("complaint\n")
    script.write_text("no program")
    assert texts(Asked(tmp_path / "none.toml", 3600.0, tmp_path))["log.txt"].startswith("journalctl: ")
    assert os.environ["PATH"] == str(tmp_path)
