"""Sets up a Mosquitto on this machine for the daemons beside it: a listener on loopback, one user, its topics alone.

Nothing that is there is edited. A broker that others have configured is left alone: without `per_listener_settings` a
password file of ours would be theirs too.

Source: mosquitto.conf(5), mosquitto_passwd(1), mosquitto 2.0.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.contract.topics import Topics
from gateway.init.steps import (
    PUBLIC,
    SECRET,
    SECRET_DIRECTORY,
    Owner,
    Root,
    State,
    Step,
    StepError,
    done,
    left,
    new_password,
)

CONFIG: Final = "/etc/mosquitto/mosquitto.conf"
DROP_IN: Final = "/etc/mosquitto/conf.d/tagwharf.conf"
PASSWORDS: Final = "/etc/mosquitto/tagwharf.passwd"
ACCESS: Final = "/etc/mosquitto/tagwharf.acl"
PROGRAMS: Final = ("/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto")
CREDENTIAL: Final = "tagwharf.mqtt-password"
USER: Final = "tagwharf"
BROKER_USER: Final = "mosquitto"
SETTINGS: Final = {
    "set_tcp_nodelay": ("true", "Small packets at once: without it a window of batches waits for an acknowledgement."),
    "autosave_interval": ("60", "Retained messages survive a power cut; the journals are the truth of all others."),
    "max_inflight_messages": ("500", "As many as an edge daemon sends ahead."),
    "max_queued_messages": ("32000", "Beyond it somebody no longer reads."),
    "max_queued_bytes": ("268435456", "... likewise, in bytes."),
    "max_packet_size": ("1048576", "A batch is near 64 KiB; nothing larger has any business here."),
}
"""As in systemd/mosquitto.conf, to which a test holds them."""
_THEIRS: Final = frozenset(
    {
        "listener",
        "port",
        "bind_address",
        "allow_anonymous",
        "password_file",
        "acl_file",
        "per_listener_settings",
        "plugin",
        "auth_plugin",
        "allow_zero_length_clientid",
        "psk_file",
    }
)
"""Settings that say who may come in and where: who has set one has a broker of his own."""
_LONGEST_CONFIG: Final = 1 << 20
_PASSWORD_WITHIN_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class BrokerPlan:
    """What is to be done; `user` is who we are to the broker, None where it asks for nobody."""

    steps: list[Step]
    user: str | None


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of a configuration."""

    file: Path
    line: int
    key: str
    value: str


def is_installed(root: Root) -> bool:
    """Whether that machine has a Mosquitto."""
    return root.at(CONFIG).is_file() or any(root.at(program).is_file() for program in PROGRAMS)


def plan(root: Root, site: str, port: int) -> BrokerPlan:
    """What is to be done for a broker on that machine."""
    if not is_installed(root):
        return BrokerPlan([left("Mosquitto is not installed: apt-get install mosquitto")], None)
    reason = conflict(root)
    if reason is not None:
        text = f"Mosquitto stays as it is: {reason}; give it a user for Tagwharf by hand, [mqtt] user in the site file"
        return BrokerPlan([left(text)], None)
    owner = root.owner(BROKER_USER)
    mode = PUBLIC if owner is None else SECRET  # a newer broker refuses what others may read
    steps = [
        root.file(ACCESS, access_text(site), "what the user tagwharf may do there", mode, owner),
        _password_step(root, owner),
        root.file(DROP_IN, drop_in_text(port), f"listener 127.0.0.1:{port} for the user tagwharf, bounds"),
    ]
    return BrokerPlan(steps, USER)


def conflict(root: Root) -> str | None:
    """Why this broker is not ours to set up; None when it is."""
    if not root.at(CONFIG).is_file():
        return f"{CONFIG} is not there"
    try:
        settings = list(_settings(root, root.at(CONFIG)))
    except (OSError, UnicodeDecodeError) as error:
        return f"its configuration cannot be read: {error}"
    ours = root.at(DROP_IN)
    included = [each.value for each in settings if each.key == "include_dir"]
    if str(Path(DROP_IN).parent) not in (each.rstrip("/") for each in included):
        return f"{CONFIG} does not include {Path(DROP_IN).parent}"
    for each in settings:
        if each.file != ours and each.key in _THEIRS:
            file = each.file.relative_to(root.directory)
            return f"/{file}:{each.line} says `{each.key} {each.value}`, so somebody has set it up already"
    return None


def _settings(root: Root, file: Path) -> Iterator[Setting]:
    """The settings of the main file and of the directories that it includes."""
    for setting in _lines(file):
        yield setting
        if setting.key == "include_dir":
            for path in sorted(root.at(setting.value).glob("*.conf")):
                yield from _lines(path)


def _lines(file: Path) -> Iterator[Setting]:
    with file.open() as opened:
        text = opened.read(_LONGEST_CONFIG)
    for number, line in enumerate(text.splitlines(), start=1):
        key, _, value = line.strip().partition(" ")
        if key and not key.startswith("#"):
            yield Setting(file, number, key, value.strip())


def drop_in_text(port: int) -> str:
    """Our part of the configuration."""
    lines = ["# Written by `tagwharf init`: the broker for the daemons on this machine."]
    for key, (value, why) in SETTINGS.items():
        lines += ["", f"# {why}", f"{key} {value}"]
    lines += [
        "",
        "# Nobody comes in from the network; how to let others in: docs/how-to/secure-connections.md.",
        f"listener {port} 127.0.0.1",
        "allow_anonymous false",
        f"password_file {PASSWORDS}",
        f"acl_file {ACCESS}",
    ]
    return "\n".join(lines) + "\n"


def access_text(site: str) -> str:
    """Who may do what. The daemons of one machine share a user at first.

    A list that names each device would refuse, without a word, what is added to the site file the next day.
    """
    return (
        "# Written by `tagwharf init`. What is not allowed here is refused. A user for each daemon, with its own\n"
        "# rights: `tagwharf broker acl` and [mqtt.users], once all devices stand in the site file.\n\n"
        f"# Edge, rules and console of this machine.\nuser {USER}\ntopic readwrite {Topics(site).root}/#\n"
    )


def _password_step(root: Root, owner: Owner | None) -> Step:
    """The password, in the broker's file as a hash and in the credential store as it is."""
    has_hash, has_password = root.at(PASSWORDS).exists(), root.at(f"/etc/credstore/{CREDENTIAL}").exists()
    what = "a new password for the user tagwharf"
    if has_hash and has_password:
        return done(f"{PASSWORDS} and /etc/credstore/{CREDENTIAL} are there")
    if has_hash:
        return left(
            f"{PASSWORDS} is there, and its password is not in /etc/credstore/{CREDENTIAL}; put it there, or "
            f"remove {PASSWORDS}"
        )
    program = shutil.which("mosquitto_passwd")
    if program is None:
        return left("mosquitto_passwd is not installed: apt-get install mosquitto")

    async def carry_out() -> str:
        password = await asyncio.to_thread(root.get_secret, CREDENTIAL)
        if password is None:
            password = new_password()
            await asyncio.to_thread(root.put_secret, CREDENTIAL, password)
        await asyncio.to_thread(_hash, program, root.at(PASSWORDS), password, owner)
        return f"written: {PASSWORDS} and /etc/credstore/{CREDENTIAL} (the password is shown nowhere)"

    return Step(f"write {PASSWORDS} and /etc/credstore/{CREDENTIAL}: {what}", State.TO_DO, carry_out)


def _hash(program: str, place: Path, password: str, owner: Owner | None) -> None:
    """Let mosquitto_passwd hash it in a directory that nobody else can enter; no command line ever shows it."""
    workshop = place.parent / f".tagwharf.{secrets.token_hex(4)}"
    unfinished = workshop / "passwords"
    try:
        workshop.mkdir(SECRET_DIRECTORY)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SECRET)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{USER}:{password}\n")
        done_so = subprocess.run(  # noqa: S603  # a program of the broker, with a path of our own
            [program, "-U", str(unfinished)], check=False, capture_output=True, text=True, timeout=_PASSWORD_WITHIN_S
        )
        made = unfinished.read_text()
        if done_so.returncode != 0 or password in made or not made.startswith(f"{USER}:$"):
            said = (done_so.stderr or done_so.stdout).strip().replace(password, "***")
            raise StepError(f"mosquitto_passwd made no hash: {said or f'exit code {done_so.returncode}'}")
        if owner is not None:
            os.chown(unfinished, owner.uid, owner.gid)
        unfinished.chmod(SECRET)
        os.link(unfinished, place)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StepError(f"{place}: cannot be written: {error}; run as root") from error
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
