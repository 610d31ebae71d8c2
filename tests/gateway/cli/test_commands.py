"""The command against a real edge daemon: what it prints, and how it ends."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from gateway.control import audit
from tests.gateway.cli.command import site_file, tagwharf
from tests.support.broker import free_port
from tests.support.control_plant import DEVICE, KEYS, POINTS, Plant, plant

BARRIER = """
[[control.point]]
device = "lane-1-io"
point = "barrier"
actions = ["pulse"]
roles = ["operator"]
two_steps = false

[[control.point]]
device = "lane-1-io"
point = "speed"
actions = ["set"]
roles = ["operator"]
second_person = true
"""
HORN = """
[[control.point]]
device = "lane-1-io"
point = "horn"
actions = ["pulse"]
roles = ["operator"]
locked = "under repair"
"""


class Desk:
    """Runs the command as one of the people."""

    def __init__(self, scene: Plant, directory: Path) -> None:
        self.scene = scene
        self._files = {name: directory / f"{name}.key" for name in KEYS}
        for name, file in self._files.items():
            file.write_text(f"{KEYS[name]}\n")
            file.chmod(0o600)

    async def run(self, *words: str, by: str = "anna", key: str | None = None) -> tuple[int, str, str]:
        who = () if words[0] in ("list", "audit") else ("--as", by, "--key-file", str(self._files[key or by]))
        arguments = ("command", *words, *who, "--config", str(self.scene.edge.config))
        done = await asyncio.to_thread(tagwharf, *arguments)
        return done.returncode, done.stdout, done.stderr


def at_work(tmp_path: Path, story: Callable[[Desk], Coroutine[Any, Any, None]], points: str = POINTS) -> None:
    async def main() -> None:
        async with plant(tmp_path, points) as scene:
            await story(Desk(scene, tmp_path))

    asyncio.run(main())


def nonce_of(printed: str) -> str:
    found = re.search(r"nonce ([0-9a-f]{16})", printed)
    assert found, printed
    return found[1]


def test_a_day_at_the_desk(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        wires = desk.scene.wires
        code, out, _ = await desk.run("list")
        assert code == 0
        assert f"{DEVICE} feeder: on, off; arm and confirm; by operator\n    only while signal {DEVICE} loop" in out
        assert f"{DEVICE} red: on, off; one step" in out

        code, out, err = await desk.run("arm", DEVICE, "feeder", "on", "--reason", "shift begins")
        assert (code, err) == (0, "")
        assert "armed: lane-1-io feeder on; by anna; nothing is sent yet" in out
        assert "it shows is_on false" in out
        (line,) = [each for each in out.splitlines() if each.startswith("to let it go: ")]
        words = line.removeprefix("to let it go: tagwharf command ").removesuffix(" --as anna").split()
        code, out, err = await desk.run(*words)
        assert (code, err) == (0, "")
        assert [each.split()[1] for each in out.splitlines()] == ["sending:", "verified:"]
        assert wires.coils[0] is True

        code, out, _ = await desk.run("direct", DEVICE, "red", "on", "--json")
        assert code == 0
        assert [json.loads(each)["state"] for each in out.splitlines()] == ["sending", "verified"]

        code, out, _ = await desk.run("direct", DEVICE, "feeder", "off")
        assert code == 77
        assert "use arm" in out
        code, out, _ = await desk.run("arm", DEVICE, "feeder", "off")
        code, out, _ = await desk.run("cancel", DEVICE, "feeder", nonce_of(out))
        assert code == 0
        assert "cancelled" in out

        desk.scene.bank.stuck = frozenset({1})
        code, out, _ = await desk.run("direct", DEVICE, "red", "off")
        assert code == 1
        assert "failed" in out
        desk.scene.bank.stuck = frozenset()

        code, out, _ = await desk.run("audit")
        assert code == 0
        assert "armed: lane-1-io feeder on; by anna; because shift begins" in out
        assert await desk.scene.edge.stop() == 0
        code, out, _ = await desk.run("audit", "--json", "--last", "1")
        record = json.loads(out)
        assert record["outcome"]["state"] == "failed"
        code, out, _ = await desk.run("audit", "--verify")
        assert code == 0
        receipt = out.split()[-1]
        code, out, _ = await desk.run("audit", "--verify", "--receipt", receipt)
        assert code == 0
        db = sqlite3.connect(desk.scene.edge.state / audit.FILE)
        db.execute("DROP TRIGGER no_update")
        db.execute("UPDATE record SET body = replace(body, 'failed', 'verified')")
        db.commit()
        db.close()
        code, out, _ = await desk.run("audit", "--verify", "--receipt", receipt)
        assert code == 1
        assert "its hash does not follow" in out

    at_work(tmp_path, story)


def test_two_people_a_pulse_and_a_wrong_key(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        _, out, _ = await desk.run("list")
        assert f"{DEVICE} speed: set; arm and confirm, by two people; by operator" in out
        code, out, _ = await desk.run("direct", DEVICE, "barrier", "pulse")
        assert (code, "pulses 1" in out) == (0, True), out
        assert [is_on for number, is_on in desk.scene.wires.switched if number == 3] == [False, True, False]

        code, out, _ = await desk.run("arm", DEVICE, "speed", "set", "--value", "12.5")
        assert code == 0
        assert out.rstrip().endswith("--value 12.5 --as ...")
        words = ("confirm", DEVICE, "speed", "set", nonce_of(out), "--value", "12.5")
        code, out, _ = await desk.run(*words)
        assert code == 77
        assert "somebody else than anna" in out
        code, out, _ = await desk.run(*words, by="ben")
        assert code == 0
        assert "it shows value 12.5" in out
        assert desk.scene.wires.words[0] == 125

        code, out, err = await desk.run("arm", DEVICE, "speed", "set", "--value", "13", by="anna", key="ben")
        assert code == 69
        assert out == ""
        assert "your key is not its; it says: refused (signature)" in err

    at_work(tmp_path, story, BARRIER)


def test_what_is_wrong_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    key = tmp_path / "anna.key"
    key.write_text(KEYS["anna"])
    reader = (
        '[[reader]]\nname = "lane-1-io"\ndriver = "modbus_io"\nport = "tcp://127.0.0.1:1"\n'
        'settings = { modules = [{ outputs = [{ name = "red", address = 0 }] }] }\n'
    )
    person = '[[control.person]]\nname = "anna"\nkey_credential = "control-anna"\nroles = ["operator"]\n'
    point = '[[control.point]]\ndevice = "lane-1-io"\npoint = "red"\nactions = ["on"]\nroles = ["operator"]\n'
    off = site_file(tmp_path, free_port(), reader)
    done = tagwharf("command", "list", "--config", off)
    assert done.returncode == 78
    assert "set [control] enabled = true" in done.stderr

    config = ("--config", site_file(tmp_path, free_port(), f"{reader}[control]\nenabled = true\n{person}{point}"))
    words = ("command", "arm", "lane-1-io", "red", "on")
    done = tagwharf(*words, "--as", "ana", *config)
    assert done.returncode == 2
    assert 'did you mean "anna"?' in done.stderr
    done = tagwharf(*words, "--as", "anna", "--key-file", key, *config)
    assert done.returncode == 2
    assert "chmod 600" in done.stderr
    key.chmod(0o600)
    done = tagwharf("command", "arm", "lane-1-io", "blue", "on", "--as", "anna", "--key-file", key, *config)
    assert done.returncode == 2
    assert "is not in the allow list; it has lane-1-io red" in done.stderr
    done = tagwharf(*words, "--value", "five", "--as", "anna", "--key-file", key, *config)
    assert done.returncode == 2
    done = tagwharf(*words, "--as", "anna", "--key-file", tmp_path / "none", *config)
    assert done.returncode == 2
    assert "cannot be read" in done.stderr
    done = tagwharf(*words, "--as", "anna", *config)
    assert done.returncode == 78
    assert "LoadCredential=control-anna" in done.stderr
    done = tagwharf(*words, *config, TAGWHARF_PERSON="anna", TAGWHARF_KEY_FILE=str(key))
    assert done.returncode == 69
    assert "the broker does not answer" in done.stderr
    done = tagwharf("command", "direct", *words[2:], "--as", "anna", "--key-file", key, *config)
    assert done.returncode == 75
    assert "whether command" in done.stderr
    key.write_text("secret")
    done = tagwharf(*words, "--as", "anna", "--key-file", key, *config)
    assert done.returncode == 78
    assert "openssl rand -hex 32" in done.stderr
    done = tagwharf("command", "audit", "--verify", *config)
    assert done.returncode == 1
    assert "there is no audit yet" in done.stderr
    done = tagwharf("command", "audit", "--verify", "--receipt", "7", *config)
    assert done.returncode == 2


def test_a_locked_point_says_so(tmp_path: Path) -> None:
    more = (
        '[[reader]]\nname = "lane-1-io"\ndriver = "modbus_io"\nport = "tcp://127.0.0.1:1"\n'
        'settings = { modules = [{ outputs = [{ name = "horn", address = 0, pulse_s = 1, initial = false }] }] }\n'
        '[control]\nenabled = true\n[[control.person]]\nname = "anna"\nkey_credential = "k"\nroles = ["operator"]\n'
        f"{HORN}"
    )
    config = ("--config", site_file(tmp_path, 1, more))
    done = tagwharf("command", "list", *config)
    assert "LOCKED: under repair" in done.stdout
    done = tagwharf("command", "list", "--json", *config)
    assert json.loads(done.stdout)["locked"] == "under repair"


@pytest.mark.parametrize("words", [("list",), ("arm",), ("confirm",), ("direct",), ("cancel",), ("audit",)])
def test_every_command_has_help(words: tuple[str, ...]) -> None:
    assert tagwharf("command", *words, "--help").returncode == 0
