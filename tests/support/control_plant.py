"""A real edge daemon that takes commands, a broker, and a module of outputs on TCP whose wires a test sees."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.config.models import Mqtt
from gateway.contract.commands import FINAL, Command, Outcome, as_outcome, fields_of, is_signed, signed
from gateway.contract.topics import Topics
from gateway.mqtt import Session, session
from simulator.machines.modbus_io import Bank, serve
from simulator.server import DeviceServer
from tests.support.broker import Broker

KEYS: Final = {
    "anna": "9f8e7d6c5b4a39281706f5e4d3c2b1a0" * 2,
    "ben": "0a1b2c3d4e5f60718293a4b5c6d7e8f9" * 2,
}
WITHIN_S: Final = 20.0
SITE: Final = "quay"
DEVICE: Final = "lane-1-io"
POINTS: Final = """
[[control.point]]
device = "lane-1-io"
point = "feeder"
actions = ["on", "off"]
roles = ["operator"]
interlocks = ["signal lane-1-io loop = false"]
least_pause_s = 0

[[control.point]]
device = "lane-1-io"
point = "red"
actions = ["on", "off"]
roles = ["operator"]
two_steps = false
least_pause_s = 0
"""


class Wires:
    """Two inputs, four outputs, two holding registers."""

    def __init__(self) -> None:
        self.now = [False, False]
        self.coils = [False] * 4
        self.words = [100, 0]
        self.switched: list[tuple[int, bool]] = []

    def inputs(self, now_us: int) -> list[bool]:
        assert now_us
        return self.now

    def analogue_inputs(self, now_us: int) -> list[int]:
        assert now_us
        return [0]

    def outputs(self) -> list[bool]:
        return self.coils

    def set_output(self, number: int, *, is_on: bool, now_us: int) -> None:
        assert now_us
        self.coils[number - 1] = is_on
        self.switched.append((number, is_on))

    def registers(self) -> list[int]:
        return self.words

    def set_register(self, number: int, value: int, now_us: int) -> None:
        assert now_us
        self.words[number - 1] = value


def now_us() -> int:
    return time.time_ns() // 1_000


def command(kind: str, point: str = "feeder", **more: Any) -> Command:
    """A command of Anna's, issued now; every field may be given."""
    issued_us = more.pop("issued_at_us", now_us())
    fields = {
        "id": uuid.uuid4().hex,
        "gateway": "edge-1",
        "issued_at_us": issued_us,
        "expires_at_us": issued_us + 30_000_000,
        "by": "anna",
        "kind": kind,
        "device": DEVICE,
        "point": point,
        **({} if kind == "cancel" else {"action": "on"}),
        **more,
    }
    return msgspec.convert(fields, Command)


class Edge:
    """One edge daemon, in a process of its own."""

    def __init__(self, directory: Path, site: str, *, gateway: str = "edge-1") -> None:
        self.directory = directory
        self.state = directory / f"state-{gateway}"
        self._keys = directory / "keys"
        self._keys.mkdir(parents=True, exist_ok=True)
        for name, key in KEYS.items():
            (self._keys / f"control-{name}").write_text(f"{key}\n")
        self.config = directory / f"{gateway}.toml"
        self.config.write_text(site.format(gateway=gateway, state=self.state))
        self.environment = {
            k: v for k, v in os.environ.items() if k not in ("STATE_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_USEC")
        } | {"CREDENTIALS_DIRECTORY": str(self._keys)}
        self._log = directory / f"{gateway}.log"
        self.child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "gateway.edge", "--config", str(self.config)]
            self.child = subprocess.Popen(command, stdout=log, stderr=log, env=self.environment)

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]

    def kill(self) -> None:
        assert self.child is not None
        self.child.kill()
        self.child.wait()
        self.child = None

    async def stop(self) -> int:
        if self.child is None:
            return 0
        self.child.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(self.child.wait, WITHIN_S)
        self.child = None
        return code

    async def connected(self, *, times: int = 1) -> None:
        """Wait until it hears commands and the module has answered."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                events = [(line["event"], line.get("device"), line.get("state")) for line in self.log()]
                online = events.count(("device_status_changed", DEVICE, "online"))
                if sum(event[0] == "control_connected" for event in events) >= times and online >= times:
                    return
                await asyncio.sleep(0.05)


@dataclass
class Plant:
    """The whole scene."""

    broker: Broker
    wires: Wires
    bank: Bank
    edge: Edge
    link: Session
    server: DeviceServer
    heard: list[Outcome] = field(default_factory=list)

    async def send(self, sent: Command, *, key: str | None = None, retain: bool = False, device: str = DEVICE) -> None:
        topic = Topics(SITE).device(device, "command")
        secret = KEYS[sent.by] if key is None else key
        await self.link.publish(topic, signed(sent, secret.encode(), topic), retain=retain)

    async def outcome(self, command_id: str, *states: str, within_s: float = WITHIN_S) -> Outcome:
        """The next outcome of a command that is final, armed, or in one of `states`."""
        wanted = states or (*FINAL, "armed")
        async with asyncio.timeout(within_s):
            while True:
                message = await self.link.receive()
                assert not message.retained
                fields = fields_of(message.payload)
                outcome = as_outcome(fields)
                if outcome.by:
                    assert is_signed(fields, KEYS[outcome.by].encode(), message.topic)
                self.heard.append(outcome)
                if outcome.id == command_id and outcome.state in wanted:
                    return outcome

    async def ask(self, sent: Command, *states: str, **how: Any) -> Outcome:
        await self.send(sent, **how)
        return await self.outcome(sent.id, *states)

    async def nothing(self, seconds: float = 1.0) -> list[Outcome]:
        """What else is told within some time."""
        before = len(self.heard)
        with contextlib.suppress(TimeoutError):
            await self.outcome("", "never", within_s=seconds)
        return self.heard[before:]

    async def armed(self, point: str = "feeder", **more: Any) -> Outcome:
        outcome = await self.ask(command("arm", point, **more))
        assert outcome.state == "armed", outcome
        assert outcome.nonce is not None
        return outcome


def site_text(broker_port: int, module_port: int, points: str = POINTS, control: str = "") -> str:
    """A site file with places for gateway and state."""
    return f"""
[site]
name = "{SITE}"
gateway = "{{gateway}}"
state_dir = "{{state}}"
[mqtt]
port = {broker_port}
acknowledge = "broker"
[health]
edge_port = 0
[[reader]]
name = "{DEVICE}"
driver = "modbus_io"
port = "tcp://127.0.0.1:{module_port}"
[reader.settings]
framing = "tcp"
poll_s = 0.05
[[reader.settings.modules]]
inputs = [{{{{ name = "loop", address = 0 }}}}]
outputs = [
  {{{{ name = "feeder", address = 0 }}}},
  {{{{ name = "red", address = 1 }}}},
  {{{{ name = "barrier", address = 2, initial = false, pulse_s = 0.5 }}}},
]
setpoints = [
  {{{{ name = "speed", address = 0, minimum = 0, maximum = 60, scale = "0.1", unit = "Hz", most_change = 20 }}}},
]
[control]
enabled = true
{control}
[[control.person]]
name = "anna"
key_credential = "control-anna"
roles = ["operator"]
[[control.person]]
name = "ben"
key_credential = "control-ben"
roles = ["operator", "chief"]
{points}
"""


@asynccontextmanager
async def plant(
    directory: Path, points: str = POINTS, control: str = "", *, start: bool = True
) -> AsyncIterator[Plant]:
    """A module, a broker and an edge daemon that is connected to both."""
    wires, bank = Wires(), Bank(is_tcp=True)
    with Broker(directory / "broker") as broker:
        async with DeviceServer(lambda port: serve(port, {1: wires}, bank)) as server:
            edge = Edge(directory, site_text(broker.port, server.port, points, control))
            topics = (f"tagwharf/1/{SITE}/+/outcome",)
            async with session(Mqtt(port=broker.port), client_id="test", topics=topics) as link:
                scene = Plant(broker, wires, bank, edge, link, server)
                if start:
                    edge.start()
                    await edge.connected()
                try:
                    yield scene
                finally:
                    if edge.child is not None:
                        edge.kill()
            assert server.failures == []
