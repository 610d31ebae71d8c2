from __future__ import annotations

import asyncio
import os
import shutil
import stat
from pathlib import Path

import pytest

from gateway.config.load import load_site
from gateway.init.first_run import CARD_KEY, ExistsError, Options, Outcome, run
from gateway.init.mosquitto import CREDENTIAL, PASSWORDS
from gateway.init.questions import Asker, QuestionError
from gateway.init.steps import Root, StepError
from readers.errors import ConfigError
from tests.gateway.init.machine import DEBIAN, add_adapter, machine

pytestmark = pytest.mark.skipif(
    shutil.which("mosquitto_passwd") is None and "CI" not in os.environ, reason="mosquitto_passwd is not installed"
)


def answers(tmp_path: Path, more: str = "") -> Path:
    path = tmp_path / "answers.toml"
    path.write_text(f'[site]\nname = "hamburg"\nkind = "gate"\n[search]\nmdns = false\n{more}')
    return path


def started(options: Options, *lines: str) -> tuple[Outcome, str]:
    left, said = [f"{line}\n" for line in lines], list[str]()
    outcome = asyncio.run(run(options, Asker(lambda: left.pop(0) if left else "", said.append), said.append))
    return outcome, "\n".join(said)


def everything(root: Root) -> dict[str, str]:
    files = (path for path in root.directory.rglob("*") if path.is_file())
    return {str(path.relative_to(root.directory)): path.read_text() for path in files}


def test_nobody_is_asked_and_all_is_done(tmp_path: Path) -> None:
    root = machine(tmp_path / "root", mosquitto=DEBIAN)
    add_adapter(root, "usb-1", "../../ttyUSB0", "FTDI", "FT232R")
    add_adapter(root, "usb-2", "../../ttyUSB1", "WCH", "CH340")
    file = answers(tmp_path, '[[line]]\nadapter = "usb-1"\ndriver = "pn532"\nname = "gatehouse"\n')
    outcome, said = started(Options(root, "/etc/tagwharf", file, agreed=True))
    assert outcome is Outcome.DONE
    place = root.at("/etc/tagwharf/site.toml")
    assert stat.S_IMODE(place.stat().st_mode) == 0o644
    site = load_site(place)
    assert (site.site.name, site.mqtt.user) == ("hamburg", "tagwharf")
    assert [(each.name, each.driver, each.port) for each in site.reader] == [
        ("gatehouse", "pn532", "/dev/serial/by-id/usb-1")
    ]
    key, password = root.get_secret(CARD_KEY), root.get_secret(CREDENTIAL)
    assert key is not None
    assert password is not None
    assert key not in said
    assert password not in said
    assert "1 readers switched on, 1 to be completed by hand" in said
    assert "complete the readers in /etc/tagwharf/site.toml that begin with #" in said
    assert said.index("The plan:") < said.index("written: /etc/mosquitto/conf.d/tagwharf.conf")
    assert said.index(f"written: {PASSWORDS}") < said.index(f"written: {place}, checked")
    assert "systemctl restart mosquitto" in said


def test_a_site_file_is_never_overwritten(tmp_path: Path) -> None:
    root = machine(tmp_path / "root", mosquitto=DEBIAN)
    place = root.at("/etc/tagwharf/site.toml")
    place.parent.mkdir()
    place.write_text("theirs\n")
    before = everything(root)
    with pytest.raises(ExistsError, match="never overwritten; choose another --directory"):
        started(Options(root, "/etc/tagwharf", answers(tmp_path), agreed=True))
    assert everything(root) == before
    outcome, said = started(Options(root, "/etc/other", answers(tmp_path), agreed=True))
    assert outcome is Outcome.DONE
    assert "tagwharf ledger --config /etc/other/site.toml" in said
    assert place.read_text() == "theirs\n"


def test_a_run_that_was_interrupted_is_repeated(tmp_path: Path) -> None:
    root = machine(tmp_path / "root", mosquitto=DEBIAN)
    options = Options(root, "/etc/tagwharf", answers(tmp_path), agreed=True)
    started(options)
    first = everything(root)
    root.at("/etc/tagwharf/site.toml").unlink()
    _, said = started(options)
    assert everything(root) == first
    assert said.count("is so") == 3


@pytest.mark.parametrize("lines", [("no",), ()])
def test_who_does_not_agree_gets_nothing(tmp_path: Path, lines: tuple[str, ...]) -> None:
    root = machine(tmp_path / "root", mosquitto=DEBIAN)
    before = everything(root)
    options = Options(root, "/etc/tagwharf", answers(tmp_path))
    if lines:
        assert started(options, *lines)[0] is Outcome.DECLINED
    else:
        with pytest.raises(QuestionError, match="the input ended"):
            started(options)
    assert everything(root) == before


def test_a_person_answers(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    add_adapter(root, "usb-1", "../../ttyUSB0", "FTDI", "FT232R")
    add_adapter(root, "usb-2", "../../ttyUSB1")
    lines = ("hamburg", "", "factory", "", "", "", "no", "m100", "unknown", "yes")
    outcome, said = started(Options(root, "/etc/tagwharf", networks=[]), *lines)
    assert outcome is Outcome.DONE
    site = load_site(root.at("/etc/tagwharf/site.toml"))
    assert [(each.name, each.driver) for each in site.reader] == [("m100-1", "m100")]
    assert "  by hand  Mosquitto is not installed: apt-get install mosquitto\n  (do what is by hand first" in said


def test_a_broker_elsewhere(tmp_path: Path) -> None:
    root = machine(tmp_path / "root", mosquitto=DEBIAN)
    password = tmp_path / "password"
    password.write_text("given by the port\n")
    password.chmod(0o600)
    broker = f'[broker]\nwhere = "elsewhere"\nhost = "10.0.0.1"\nuser = "edge-1"\npassword_file = "{password}"\n'
    _, said = started(Options(root, "/etc/tagwharf", answers(tmp_path, broker), agreed=True))
    site = load_site(root.at("/etc/tagwharf/site.toml"))
    assert (site.mqtt.host, site.mqtt.user) == ("10.0.0.1", "edge-1")
    assert root.get_secret(CREDENTIAL) == "given by the port"
    assert "given by the port" not in said
    assert not root.at(PASSWORDS).exists()
    assert "restart mosquitto" not in said


@pytest.mark.parametrize("user", ["", 'user = "edge-1"\n'])
def test_a_broker_elsewhere_without_a_password(tmp_path: Path, user: str) -> None:
    root = machine(tmp_path / "root")
    file = answers(tmp_path, f'[broker]\nwhere = "elsewhere"\nhost = "10.0.0.1"\n{user}')
    _, said = started(Options(root, "/etc/tagwharf", file, agreed=True))
    assert load_site(root.at("/etc/tagwharf/site.toml")).mqtt.user == ("edge-1" if user else None)
    assert ("put it into /etc/credstore/tagwharf.mqtt-password" in said) == bool(user)


@pytest.mark.parametrize(
    ("more", "networks", "why"),
    [
        ('[[line]]\nadapter = "usb-9"\ndriver = "m100"\n', None, "no adapter 'usb-9'"),
        ("", ["10.0.0.0/8"], "search /22 or less"),
        ("", [f"10.0.{number}.0/30" for number in range(17)], "search 16 at a time"),
        ('[broker]\nwhere = "elsewhere"\nhost = "a"\nca_file = "/none/ca.pem"\n', None, "/none/ca.pem"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_done(
    tmp_path: Path, more: str, networks: list[str] | None, why: str
) -> None:
    root = machine(tmp_path / "root", mosquitto=DEBIAN)
    before = everything(root)
    with pytest.raises(ConfigError, match=why):
        started(Options(root, "/etc/tagwharf", answers(tmp_path, more), networks, agreed=True))
    assert everything(root) == before


def test_a_step_that_fails_leaves_no_site_file(tmp_path: Path) -> None:
    root = machine(tmp_path / "root", mosquitto=DEBIAN)
    root.at("/etc/credstore").write_text("a file where a directory belongs\n")
    with pytest.raises(StepError, match="cannot be"):
        started(Options(root, "/etc/tagwharf", answers(tmp_path), agreed=True))
    assert not root.at("/etc/tagwharf").exists()
    assert not root.at("/etc/mosquitto/conf.d/tagwharf.conf").exists()


def test_defaults_where_nobody_says_anything(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    outcome, _ = started(Options(root, "/etc/tagwharf", networks=[], agreed=True))
    assert outcome is Outcome.DONE
    assert load_site(root.at("/etc/tagwharf/site.toml")).reader == []


def test_a_line_on_which_nobody_answers_waits_for_a_person(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    add_adapter(root, "usb-1", "../../ttyUSB-none", "FTDI", "FT232R")
    file = tmp_path / "answers.toml"
    file.write_text('[site]\nname = "hamburg"\n[search]\nmdns = false\ntry_lines = true\n')
    _, said = started(Options(root, "/etc/tagwharf", file, agreed=True))
    assert "Trying drivers on /dev/serial/by-id/usb-1 ...\n  no RFID reader answers" in said
    assert load_site(root.at("/etc/tagwharf/site.toml")).reader == []
