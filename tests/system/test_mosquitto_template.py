"""The broker's template and access list with a real Mosquitto: a daemon may do what it needs, and nothing else."""

import asyncio
import getpass
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import aiomqtt
import pytest

from tests.support.broker import free_port

SYSTEMD = Path(__file__).parents[2] / "systemd"
MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
ROOT = "tagwharf/1/hamburg"
QUIET_S = 0.5

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")


@pytest.fixture(name="port", scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The template with its network listener taken, but for TLS, which the transport tests cover."""
    directory = tmp_path_factory.mktemp("mosquitto")
    directory.chmod(0o755)
    passwords = directory / "passwords"
    for user in ("edge-1", "rules", "console", "operators"):
        create = [] if passwords.exists() else ["-c"]
        subprocess.run(["mosquitto_passwd", "-b", *create, passwords, user, "secret"], check=True, capture_output=True)
    passwords.chmod(0o644)
    access = directory / "acl"
    shutil.copy(SYSTEMD / "mosquitto.acl", access)
    port = free_port()
    text = (SYSTEMD / "mosquitto.conf").read_text()
    text = text.split("# On this machine:")[0] + f"listener {port} 127.0.0.1\n"
    text += f"allow_anonymous false\npassword_file {passwords}\nacl_file {access}\n"
    text += f"persistence false\nuser {getpass.getuser()}\n"
    config = directory / "mosquitto.conf"
    config.write_text(text)
    with subprocess.Popen(
        [str(MOSQUITTO), "-c", str(config)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as child:
        deadline_s = time.monotonic() + 10
        while time.monotonic() < deadline_s and asyncio.run(answers(port)) is False:
            assert child.poll() is None, child.stdout.read().decode() if child.stdout else ""
        yield port
        child.terminate()


async def answers(port: int) -> bool:
    try:
        async with client(port, "console"):
            return True
    except aiomqtt.MqttError:
        await asyncio.sleep(0.1)
        return False


def client(port: int, user: str) -> aiomqtt.Client:
    return aiomqtt.Client("127.0.0.1", port, username=user, password="secret")


def arrives(port: int, sender: str, receiver: str, topic: str) -> bool:
    """Whether what one user publishes on a topic reaches another who subscribes to everything he may."""

    async def go() -> bool:
        async with client(port, receiver) as receiving, client(port, sender) as sending:
            await receiving.subscribe(f"{ROOT}/#", qos=1)
            if receiver != "console":
                await receiving.subscribe(topic, qos=1)
            await sending.publish(topic, b"{}", qos=1)
            try:
                async with asyncio.timeout(QUIET_S):
                    async for message in receiving.messages:
                        if str(message.topic) == topic:
                            return True
            except TimeoutError:
                return False
        return False

    return asyncio.run(go())


@pytest.mark.parametrize(
    ("sender", "receiver", "topic"),
    [
        *(("edge-1", "rules", f"gate-3/{kind}") for kind in ("reads", "cards", "readings", "signals", "status")),
        ("edge-1", "rules", "edge-1/tick"),
        ("edge-1", "rules", "resume/edge-1"),
        ("edge-1", "rules", "ledger/edge-1"),
        ("edge-1", "console", "ledger/edge-1"),
        ("edge-1", "console", "edge-1/status"),
        ("rules", "edge-1", "ack/edge-1"),
        ("rules", "edge-1", "rules/status"),
        ("rules", "console", "events/arrived"),
        ("rules", "console", "alarms/0123"),
        ("rules", "console", "ledger/rules"),
        ("operators", "rules", "order/0123"),
        ("rules", "operators", "order-outcome/0123"),
        ("rules", "operators", "alarms/0123"),
    ],
)
def test_allowed(port: int, sender: str, receiver: str, topic: str) -> None:
    assert arrives(port, sender, receiver, f"{ROOT}/{topic}")


@pytest.mark.parametrize(
    ("sender", "topic"),
    [
        ("edge-1", "ack/edge-1"),
        ("edge-1", "ack/edge-2"),
        ("edge-1", "resume/edge-2"),
        ("edge-1", "ledger/rules"),
        ("edge-1", "ledger/edge-2"),
        ("edge-1", "rules/status"),
        ("edge-1", "events/arrived"),
        ("edge-1", "alarms/0123"),
        ("edge-1", "edge-2/status"),
        ("edge-1", "gate-4/reads"),
        ("rules", "gate-3/reads"),
        ("rules", "resume/edge-1"),
        ("rules", "gate-3/status"),
        ("console", "alarms/0123"),
        ("console", "gate-3/command"),
        ("console", "order/0123"),
        ("operators", "order-outcome/0123"),
        ("operators", "alarms/0123"),
    ],
)
def test_forbidden(port: int, sender: str, topic: str) -> None:
    assert not arrives(port, sender, "console", f"{ROOT}/{topic}")


def test_nobody_comes_in_without_a_password(port: int) -> None:
    async def go() -> None:
        async with aiomqtt.Client("127.0.0.1", port):
            pass

    with pytest.raises(aiomqtt.MqttError):
        asyncio.run(go())


def test_the_template_as_it_is_installed_is_accepted(tmp_path: Path) -> None:
    text = (SYSTEMD / "mosquitto.conf").read_text()
    assert re.search(r"^set_tcp_nodelay true$", text, re.MULTILINE)
    config = tmp_path / "mosquitto.conf"
    config.write_text(text.replace("listener 1883 ", f"listener {free_port()} "))
    with subprocess.Popen(
        [str(MOSQUITTO), "-v", "-c", str(config)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as child:
        try:
            output, _ = child.communicate(timeout=1.5)
        except subprocess.TimeoutExpired:
            child.terminate()
            output, _ = child.communicate(timeout=10)
    assert b" running" in output, output.decode()
    assert b"Error" not in output
