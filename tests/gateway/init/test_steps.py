from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import pytest

from gateway.init.steps import Owner, Root, State, Step, StepError, new_password, secret_in, write_new
from tests.gateway.init.machine import machine


def carried_out(step: Step) -> str:
    assert step.carry_out is not None
    made = step.carry_out()
    return asyncio.run(_awaited(made))


async def _awaited(made: object) -> str:
    return str(await made)  # type: ignore[misc]  # an awaitable of a step


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_written_once(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    step = root.file("/etc/new/a.conf", "text\n", "an example", 0o600, Owner(os.getuid(), os.getgid()))
    assert step.state is State.TO_DO
    assert not root.at("/etc/new").exists()
    assert carried_out(step) == "written: /etc/new/a.conf"
    assert root.at("/etc/new/a.conf").read_text() == "text\n"
    assert mode_of(root.at("/etc/new/a.conf")) == 0o600
    assert root.file("/etc/new/a.conf", "text\n", "an example").state is State.DONE
    changed = root.file("/etc/new/a.conf", "other\n", "an example")
    assert (changed.state, changed.carry_out) == (State.LEFT, None)


def test_a_file_that_came_meanwhile_stays(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    step = root.file("/etc/a.conf", "ours\n", "an example")
    root.at("/etc/a.conf").write_text("theirs\n")
    with pytest.raises(StepError, match="came meanwhile"):
        carried_out(step)
    assert root.at("/etc/a.conf").read_text() == "theirs\n"
    assert sorted(path.name for path in root.at("/etc").iterdir()) == ["a.conf", "passwd"]


def test_a_link_to_nowhere_is_somebody_elses(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    root.at("/etc/a.conf").symlink_to("/nowhere")
    assert root.file("/etc/a.conf", "text\n", "an example").state is State.LEFT


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StepError, match="run as root"):
        write_new(tmp_path / "file" / "below", "text", 0o644, None)
    with pytest.raises(StepError, match="run as root"):
        write_new(Path("/proc/tagwharf/a"), "text", 0o644, None)


def test_a_secret_is_for_root_alone_and_is_made_once(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    made = carried_out(root.secret("tagwharf.card-key", "a key", lambda: "s3cret"))
    assert "s3cret" not in made
    assert mode_of(root.at("/etc/credstore")) == 0o700
    assert mode_of(root.at("/etc/credstore/tagwharf.card-key")) == 0o600
    assert root.get_secret("tagwharf.card-key") == "s3cret"
    assert root.secret("tagwharf.card-key", "a key", lambda: "other").state is State.DONE
    assert root.get_secret("none") is None


def test_users_are_those_of_that_machine(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    assert root.owner("mosquitto") == Owner(os.getuid(), os.getgid())
    assert root.owner("nobody-there") is None
    root.at("/etc/passwd").write_text("mosquitto\nmosquitto:x:a:b\n")
    assert root.owner("mosquitto") is None
    assert Root(tmp_path / "none").owner("mosquitto") is None


def test_passwords_differ() -> None:
    made = {new_password() for _ in range(50)}
    assert len(made) == 50
    assert min(map(len, made)) >= 32


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (b"secret\n", 0o640, "others may read it"),
        (b"\n", 0o600, "holds no secret"),
        (b"two\nlines", 0o600, "holds no secret"),
        (b"x" * 5000, 0o600, "holds no secret"),
        (b"\xff", 0o600, "cannot be read"),
    ],
)
def test_a_file_with_a_secret_is_looked_at(tmp_path: Path, content: bytes, mode: int, why: str) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(StepError, match=why):
        secret_in(path)
    path.write_bytes(b" good \n")
    path.chmod(0o600)
    assert secret_in(path) == "good"
    with pytest.raises(StepError, match="cannot be read"):
        secret_in(tmp_path / "none")


def test_the_umask_does_not_lock_the_daemons_out(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    before = os.umask(0o077)
    try:
        carried_out(root.file("/etc/tagwharf/site.toml", "text\n", "an example"))
    finally:
        os.umask(before)
    assert (mode_of(root.at("/etc/tagwharf")), mode_of(root.at("/etc/tagwharf/site.toml"))) == (0o755, 0o644)
