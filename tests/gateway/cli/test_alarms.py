"""The command against a real rules daemon, which is killed on the way: what it prints, and how it ends."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.contract.batches import Signal, SignalBatch, encode
from gateway.contract.topics import Topics
from gateway.mqtt import session
from tests.gateway.cli.command import site_file, tagwharf
from tests.rules.rules_daemon import START_US, Daemon
from tests.support.broker import Broker, free_port, running_broker

KEYS = {"anna": "0123456789abcdef" * 2, "ben": "fedcba9876543210" * 2}
MORE = """
[rules]
alarm_roles = ["operator"]
[[control.person]]
name = "anna"
key_credential = "control-anna"
roles = ["operator"]
[[control.person]]
name = "ben"
key_credential = "control-ben"
roles = ["guest"]
[[rule]]
shape = "match"
name = "door"
on = "signal"
when = "e.value"
alarm = { severity = "warning", message = "The door is open", latch = true }
"""
TOPICS = Topics("port")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path / "broker") as running:
        yield running


class Desk:
    """Runs the command as one of the people, beside a daemon."""

    def __init__(self, directory: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
        credentials = directory / "credentials"
        credentials.mkdir()
        for name, key in KEYS.items():
            (credentials / f"control-{name}").write_text(key)
            (credentials / f"control-{name}").chmod(0o600)
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
        self.daemon = Daemon(directory, broker.port, MORE)
        self._credentials = credentials
        self._broker = broker
        self._sequence = 0

    def run(self, *words: str, by: str = "anna", key: str | None = None) -> tuple[int, str, str]:
        who = () if words[0] == "list" else ("--by", by, "--key-file", self._credentials / f"control-{key or by}")
        done = tagwharf("alarms", *words, *who, "--config", self.daemon.config)
        return done.returncode, done.stdout, done.stderr

    def door(self, *, is_open: bool) -> None:
        self._sequence += 1
        batch = SignalBatch(
            gateway="edge-1", epoch=1, sequence=self._sequence, ordinal=self._sequence - 1, device="plc",
            received_at_us=START_US + self._sequence, signals=[Signal("door", is_open)],
        )  # fmt: skip

        async def say() -> None:
            async with session(self._broker.settings, client_id="test-edge") as link:
                await link.publish(TOPICS.of(batch), encode(batch))

        asyncio.run(say())

    def ready(self) -> None:
        self.daemon.start()
        deadline_s = time.monotonic() + 30
        while self.daemon.get("/readyz")[0] != 200:
            assert time.monotonic() < deadline_s, self.daemon.log
            time.sleep(0.1)

    def listed(self, count: int) -> list[dict[str, object]]:
        """The alarms, as soon as there are so many."""
        deadline_s = time.monotonic() + 20
        while True:
            code, out, err = self.run("list", "--json")
            assert (code, err) == (0, "")
            found = [json.loads(line) for line in out.splitlines()]
            if len(found) == count:
                return found
            assert time.monotonic() < deadline_s, out


def test_a_day_with_an_alarm(tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path, broker, monkeypatch)
    with desk.daemon:
        desk.ready()
        assert desk.run("list")[:2] == (0, "no alarm stands\n")
        desk.door(is_open=True)
        [alarm] = desk.listed(1)
        number = str(alarm["id"])
        code, out, _ = desk.run("clear", number)
        assert code == 77
        assert out.startswith(f"refused (standing): clear {number} by anna: its condition still holds")
        code, out, _ = desk.run("acknowledge", number, "--comment", "on my way")
        assert (code, out) == (0, f"done: acknowledge {number} by anna\n")
        code, out, _ = desk.run("acknowledge", number, "--json")
        assert (code, json.loads(out)["detail"]) == (0, "anna has acknowledged it already")
        assert desk.run("comment", number, "--comment", "x", by="ben")[0] == 77

        desk.daemon.end(signal.SIGKILL)
        code, out, err = desk.run("list")
        assert code == 0
        assert "warning" in out
        assert "The door is open; acknowledged by anna; anna: on my way" in out
        assert "the rules daemon is not there" in err
        code, out, err = desk.run("acknowledge", number)
        assert (code, out) == (75, "")
        assert "no outcome came in time" in err

        desk.ready()
        assert desk.listed(1)[0]["acknowledged_by"] == "anna"
        code, out, _ = desk.run("escalate", number, "--comment", "nobody came")
        assert (code, out) == (0, f"done: escalate {number} by anna\n")
        out = desk.run("list")[1]
        assert f"{number}  critical, escalated by anna  since " in out
        assert "; not acknowledged; anna: nobody came" in out
        code, out, _ = desk.run("escalate", number)
        assert (code, out.startswith(f"refused (loudest): escalate {number} by anna: it is critical already")) == (
            77,
            True,
        )
        desk.door(is_open=False)
        deadline_s = time.monotonic() + 20
        while not desk.listed(1)[0].get("ended"):
            assert time.monotonic() < deadline_s
        assert ", ended" in desk.run("list")[1]
        code, out, err = desk.run("clear", number, key="ben")
        assert (code, out) == (75, "")
        assert "it says: refused (signature)" in err
        assert desk.run("clear", number, "--comment", "new hinge")[0] == 0
        assert desk.listed(0) == []
        code, out, _ = desk.run("clear", number)
        assert code == 77
        assert "unknown" in out


def test_what_is_wrong_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    person = '[[control.person]]\nname = "anna"\nkey_credential = "control-anna"\nroles = ["operator"]\n'
    config = ("--config", site_file(tmp_path, free_port(), person))
    key = tmp_path / "anna.key"
    key.write_text(KEYS["anna"])
    key.chmod(0o600)
    number = "0123456789abcdef0123"
    who = ("--by", "anna", "--key-file", key)
    done = tagwharf("alarms", "acknowledge", number, "--by", "ana", "--key-file", key, *config)
    assert done.returncode == 2
    assert 'did you mean "anna"?' in done.stderr
    assert tagwharf("alarms", "acknowledge", "door", *who, *config).returncode == 2
    assert tagwharf("alarms", "comment", number, "--comment", "x" * 501, *who, *config).returncode == 2
    assert tagwharf("alarms", "acknowledge", number, *who, *config).returncode == 69
    done = tagwharf("alarms", "list", *config)
    assert done.returncode == 69
    assert "the broker does not answer" in done.stderr
