from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import re
import shutil
import stat
from pathlib import Path

import pytest

from gateway.init import mosquitto
from gateway.init.mosquitto import ACCESS, CREDENTIAL, DROP_IN, PASSWORDS, SETTINGS, USER, BrokerPlan
from gateway.init.steps import Root, State, StepError
from tests.gateway.init.machine import DEBIAN, machine

TEMPLATE = Path(__file__).parents[3] / "systemd" / "mosquitto.conf"
NO_TOOL = shutil.which("mosquitto_passwd") is None and "CI" not in os.environ


def carry_out(plan: BrokerPlan) -> list[str]:
    async def every() -> list[str]:
        return [await step.carry_out() for step in plan.steps if step.carry_out is not None]

    return asyncio.run(every())


def password_hash(root: Root) -> tuple[str, bytes, bytes]:
    """User, salt and hash as mosquitto_passwd writes them: $7$iterations$salt$hash, PBKDF2 of SHA-512."""
    user, _, rest = root.at(PASSWORDS).read_text().strip().partition(":")
    _, kind, iterations, salt, made = rest.split("$")
    assert (kind, iterations) == ("7", "101")
    return user, base64.b64decode(salt), base64.b64decode(made)


@pytest.mark.skipif(NO_TOOL, reason="mosquitto_passwd is not installed")
def test_a_fresh_broker_is_set_up_once(tmp_path: Path) -> None:
    root = machine(tmp_path / "root", mosquitto=DEBIAN)
    plan = mosquitto.plan(root, "hamburg", 1883)
    assert plan.user == USER
    assert [step.state for step in plan.steps] == [State.TO_DO] * 3
    assert list(root.at("/etc/mosquitto/conf.d").iterdir()) == []
    said = "\n".join(carry_out(plan))
    password = root.get_secret(CREDENTIAL)
    assert password is not None
    assert password not in said
    user, salt, made = password_hash(root)
    assert (user, made) == (USER, hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101))
    assert stat.S_IMODE(root.at(PASSWORDS).stat().st_mode) == 0o600
    assert "topic readwrite tagwharf/1/hamburg/#" in root.at(ACCESS).read_text()
    assert sorted(path.name for path in root.at("/etc/mosquitto").iterdir()) == [
        "conf.d",
        "mosquitto.conf",
        "tagwharf.acl",
        "tagwharf.passwd",
    ]
    again = mosquitto.plan(root, "hamburg", 1883)
    assert (again.user, {step.state for step in again.steps}) == (USER, {State.DONE})


@pytest.mark.skipif(NO_TOOL, reason="mosquitto_passwd is not installed")
def test_a_run_that_was_interrupted_goes_on_with_its_password(tmp_path: Path) -> None:
    root = machine(tmp_path / "root", mosquitto=DEBIAN)
    root.put_secret(CREDENTIAL, "kept from before")
    carry_out(mosquitto.plan(root, "hamburg", 1883))
    _, salt, made = password_hash(root)
    assert made == hashlib.pbkdf2_hmac("sha512", b"kept from before", salt, 101)


def test_a_hash_without_its_password_is_left(tmp_path: Path) -> None:
    root = machine(tmp_path / "root", mosquitto=DEBIAN)
    root.at(PASSWORDS).write_text("tagwharf:$7$101$x$y\n")
    plan = mosquitto.plan(root, "hamburg", 1883)
    assert [step.state for step in plan.steps] == [State.TO_DO, State.LEFT, State.TO_DO]
    assert f"remove {PASSWORDS}" in plan.steps[1].what


def test_a_tool_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "bin" / "mosquitto_passwd"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\ncat "$2" >&2\nexit 3\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    root = machine(tmp_path / "root", mosquitto=DEBIAN)
    with pytest.raises(StepError, match="made no hash") as refused:
        carry_out(mosquitto.plan(root, "hamburg", 1883))
    password = root.get_secret(CREDENTIAL)
    assert password is not None
    assert password not in str(refused.value)
    assert not root.at(PASSWORDS).exists()
    assert [path.name for path in root.at("/etc/mosquitto").iterdir() if path.name.startswith(".")] == []


def test_without_a_broker_nothing_is_written(tmp_path: Path) -> None:
    plan = mosquitto.plan(machine(tmp_path / "root"), "hamburg", 1883)
    assert (plan.user, [step.state for step in plan.steps]) == (None, [State.LEFT])
    assert "apt-get install mosquitto" in plan.steps[0].what


@pytest.mark.parametrize(
    ("main", "other", "why"),
    [
        (DEBIAN + "listener 1883\n", "", r"/etc/mosquitto/mosquitto.conf:3 says `listener 1883`"),
        (DEBIAN, "# theirs\nlistener 8883 0.0.0.0\n", r"/etc/mosquitto/conf.d/theirs.conf:2 says `listener 8883"),
        (DEBIAN, "  password_file /etc/mosquitto/p\n", "says `password_file"),
        (DEBIAN, "per_listener_settings true\n", "says `per_listener_settings true`"),
        ("persistence true\n", "", "does not include /etc/mosquitto/conf.d"),
        ("\udcff", "", "cannot be read"),
    ],
)
def test_a_broker_that_others_have_set_up_is_theirs(tmp_path: Path, main: str, other: str, why: str) -> None:
    root = machine(tmp_path / "root", mosquitto="")
    root.at("/etc/mosquitto/mosquitto.conf").write_bytes(main.encode(errors="surrogateescape"))
    root.at("/etc/mosquitto/conf.d/theirs.conf").write_text(other)
    plan = mosquitto.plan(root, "hamburg", 1883)
    assert (plan.user, [step.state for step in plan.steps]) == (None, [State.LEFT])
    assert re.search(why, plan.steps[0].what)


def test_a_broker_without_a_configuration_is_not_guessed_at(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    root.at("/usr/sbin").mkdir(parents=True)
    root.at("/usr/sbin/mosquitto").write_text("")
    (step,) = mosquitto.plan(root, "hamburg", 1883).steps
    assert "/etc/mosquitto/mosquitto.conf is not there" in step.what


def test_an_own_part_that_was_changed_stays(tmp_path: Path) -> None:
    root = machine(tmp_path / "root", mosquitto=DEBIAN)
    root.at(DROP_IN).write_text("listener 1884 127.0.0.1\n")
    assert mosquitto.conflict(root) is None
    assert mosquitto.plan(root, "hamburg", 1883).steps[2].state is State.LEFT


def test_the_bounds_are_those_of_the_template() -> None:
    lines = [line.split(maxsplit=1) for line in TEMPLATE.read_text().splitlines() if line and not line.startswith("#")]
    template = {key: value for key, value in lines if key not in ("listener", "allow_anonymous")}
    assert {key: value for key, (value, _) in SETTINGS.items()} == template
