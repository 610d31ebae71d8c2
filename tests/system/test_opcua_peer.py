"""The driver against somebody else's server: node-opcua of npm, in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from readers.control import Action, Attempt, Controllable, Fate, Order
from readers.errors import ConfigError, LinkError
from readers.observations import Condition, DeviceInfo, InForce, Observation, Signals, Watching
from readers.ports.mqtt_client import Login
from readers.ports.open import open_port
from readers.ports.tcp import TlsSettings
from readers.registry import driver
from tests.support.opcua_certificates import application
from tests.support.servers import UNPACKED

SCRIPT = Path(__file__).parent / "peers" / "node_opcua" / "server.cjs"
FOLDER = UNPACKED / "node_opcua"
NEVER_US = 1 << 60

pytestmark = pytest.mark.skipif(
    not (FOLDER / "node_modules").is_dir() and not os.environ.get("CI"),
    reason="run tests/system/peers/node_opcua/install.sh first",
)


def node(what: str) -> str:
    return f"nsu=urn:peer:warper;s={what}"


SETTINGS: dict[str, Any] = {
    "publish_ms": 100,
    "signals": [
        {"name": "machine_state", "node": node("State"), "sampling_ms": 50},
        {"name": "speed", "node": node("Speed"), "sampling_ms": 50, "unit": "m/min", "deadband": 1},
        {"name": "good_count", "node": node("GoodLength"), "sampling_ms": 50, "unit": "m"},
        {"name": "stop_reason", "node": node("StopReason"), "sampling_ms": 50},
        {"name": "remote_enabled", "node": node("RemoteEnabled"), "sampling_ms": 50},
        {"name": "nothing", "node": node("Nothing")},
    ],
    "setpoints": [{"name": "speed-set", "node": node("SpeedSet"), "minimum": 100, "maximum": 800, "unit": "m/min"}],
    "commands": [{"action": "stop", "owner": node("Warper"), "method": node("Stop")}],
}


@dataclass
class Peer:
    """The server's process."""

    directory: Path
    port: int = 0
    process: asyncio.subprocess.Process | None = field(default=None, init=False)

    async def start(self) -> None:
        if not self.port:
            with socket.socket() as found:
                found.bind(("127.0.0.1", 0))
                self.port = found.getsockname()[1]
        self.process = await asyncio.create_subprocess_exec(
            "node", str(SCRIPT), str(FOLDER), str(self.port), str(self.directory / "pki"),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        while "ready" not in await self._line():
            pass

    async def says(self, **values: object) -> dict[str, Any]:
        """The machine does this now."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(values).encode() + b"\n")
        return await self._line()

    async def stop(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _line(self) -> dict[str, Any]:
        assert self.process is not None
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            while line := await self.process.stdout.readline():
                with contextlib.suppress(ValueError):
                    found: dict[str, Any] = json.loads(line)
                    return found
        raise AssertionError("the server has ended")


class Talk:
    """The driver before the peer."""

    def __init__(self) -> None:
        self.heard: list[Observation] = []
        self.made: Any = driver("opcua").make(driver("opcua").settings.model_validate(SETTINGS))

    async def begin(self, peer: Peer, tls: TlsSettings | None = None, login: Login | None = None) -> None:
        self.port = await open_port(f"opc.tcp://127.0.0.1:{peer.port}/mill", driver("opcua"), tls=tls, login=login)
        self.running = asyncio.create_task(self.made.run(self.port, self.heard.append))

    async def end(self) -> None:
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)
        await self.port.close()

    def values(self, name: str) -> list[object]:
        signals = [each for each in self.heard if isinstance(each, Signals)]
        return [each.value for batch in signals for each in batch.signals if each.name == name]

    async def until(self, is_so: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not is_so():
                if self.running.done():
                    self.running.result()
                await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("peer")


def test_its_machine_is_heard_commanded_lost_and_heard_again(directory: Path) -> None:
    async def play() -> None:
        peer, talk = Peer(directory), Talk()
        await peer.start()
        try:
            await talk.begin(peer)
            await talk.until(lambda: talk.values("machine_state") == ["idle"])
            assert DeviceInfo("node-opcua", "Peer mill", "1.0", "urn:peer:mill") in talk.heard
            assert Watching() in talk.heard
            refused = [each for each in talk.heard if isinstance(each, Condition)]
            assert [(each.name, each.key) for each in refused] == [("no_value", "nothing")]
            assert "BadNodeIdUnknown" in refused[0].detail
            await peer.says(State=6, Speed=600.1, GoodLength=4_000_000_000)
            await talk.until(lambda: talk.values("good_count")[-1:] == [Decimal(4_000_000_000)])
            await talk.until(lambda: talk.values("speed")[-1:] == [Decimal("600.1")])
            await peer.says(Speed=600.5)
            await peer.says(Speed=602)
            await talk.until(lambda: talk.values("speed")[-1:] == [Decimal(602)])
            assert Decimal("600.5") not in talk.values("speed")
            await orders(peer, talk)
            await peer.says(State=None)
            await talk.until(lambda: Watching(active=False) in talk.heard)
            await peer.says(State=11, StopReason="yarn_break")
            await talk.until(lambda: talk.values("machine_state")[-1:] == ["held"])
            assert talk.values("stop_reason")[-1] == "yarn_break"
            await peer.stop()
            with pytest.raises(LinkError):
                async with asyncio.timeout(30):
                    await talk.running
            await talk.end()
            talk.heard.clear()
            await peer.start()
            await talk.begin(peer)
            await talk.until(lambda: talk.values("machine_state") == ["idle"])
        finally:
            await talk.end()
            await peer.stop()

    asyncio.run(play())


async def orders(peer: Peer, talk: Talk) -> None:
    panel = talk.made
    assert isinstance(panel, Controllable)
    wanted = Order("speed-set", None, Action.SET, NEVER_US, Decimal(300))
    before = await panel.observe(None, "speed-set")
    assert before.values == {"value": 600}
    assert await panel.attempt(wanted) == Attempt(Fate.ACCEPTED)
    assert panel.is_done(wanted, before, await panel.observe(None, "speed-set"))
    assert (await peer.says())["SpeedSet"] == 300
    stop = Order("machine", None, Action.STOP, NEVER_US)
    before = await panel.observe(None, "machine")
    assert before.values == {"machine_state": "execute", "is_remote_enabled": False}
    assert await panel.attempt(stop) == Attempt(Fate.ACCEPTED)
    assert panel.is_done(stop, before, await panel.observe(None, "machine"))


def test_a_secured_session_with_its_certificate_pinned_and_a_user(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = application(directory / "ours", "ours", "urn:mill:tagwharf")
    files = TlsSettings(certificate_file=ours.certificate_file, key_file=ours.key_file)
    (directory / "plc-password").write_text("spindle\n")
    (directory / "wrong-password").write_text("shuttle\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(directory))

    async def ends_with(peer: Peer, tls: TlsSettings, login: Login | None, error: type[Exception]) -> str:
        talk = Talk()
        await talk.begin(peer, tls, login)
        with pytest.raises(error) as refused:
            await talk.until(lambda: False)
        await talk.end()
        return str(refused.value)

    async def play() -> None:
        peer, talk = Peer(directory), Talk()
        await peer.start()
        try:
            told = await ends_with(peer, files, None, ConfigError)
            pin = told.partition("SHA-256 ")[2][:64]
            pinned = TlsSettings(certificate_file=ours.certificate_file, key_file=ours.key_file, fingerprint_sha256=pin)
            wrong = TlsSettings(
                certificate_file=ours.certificate_file, key_file=ours.key_file, fingerprint_sha256="00" * 32
            )
            assert "is pinned" in await ends_with(peer, wrong, None, LinkError)
            assert "list of users" in await ends_with(peer, pinned, Login("anna", "wrong-password"), LinkError)
            await talk.begin(peer, pinned, Login("anna", "plc-password"))
            await talk.until(lambda: talk.values("machine_state"))
            in_force = {
                name: value for each in talk.heard if isinstance(each, InForce) for name, value in each.values.items()
            }
            assert in_force["security"] == "Aes256_Sha256_RsaPss SignAndEncrypt"
            assert in_force["server_certificate_sha256"] == pin
            await peer.says(State=6)
            await talk.until(lambda: talk.values("machine_state")[-1:] == ["execute"])
            wanted = Order("speed-set", None, Action.SET, NEVER_US, Decimal(250))
            assert await talk.made.attempt(wanted) == Attempt(Fate.ACCEPTED)
            assert (await peer.says())["SpeedSet"] == 250
        finally:
            await talk.end()
            await peer.stop()

    asyncio.run(play())
