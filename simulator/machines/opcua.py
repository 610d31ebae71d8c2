"""Plays a controller with an OPC UA server, on asyncua: the twin of the driver `opcua`. It runs in real time only.

Each machine is an object with State (a number of PackML), Mode, Speed, SpeedSet, TotalLength, GoodLength, BadLength,
StopReason, RemoteEnabled, and the methods Stop, Reset and Start.
"""

from __future__ import annotations

import asyncio
import importlib
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from readers.errors import ConfigError
from readers.machine_states import MachineState
from readers.tasks import end
from simulator.world.warping import WarpingMachine

DEVICE: Final = "opcua"
NAMESPACE: Final = "urn:twin:warping"
URI: Final = "urn:twin:server"
LOOPBACK: Final = "127.0.0.1"
TICK_S: Final = 0.02
STATES: Final[Mapping[MachineState, int]] = {
    MachineState.STOPPED: 2,
    MachineState.IDLE: 4,
    MachineState.EXECUTE: 6,
    MachineState.ABORTED: 9,
    MachineState.HELD: 11,
}
_NS_PER_US: Final = 1_000


@dataclass(frozen=True, slots=True)
class Secured:
    """The certificate of the server, and what of policies it has.

    Attributes:
        policies: names of asyncua's `SecurityPolicyType`.
        users: names with their passwords; with them nobody is let in without.
    """

    certificate_file: Path | None = None
    key_file: Path | None = None
    policies: tuple[str, ...] = ("NoSecurity",)
    users: Mapping[str, str] | None = None


class Controller:
    """The server in front of some machines: `async with Controller({"w1": machine}) as twin: ... twin.url`.

    Attributes:
        lost: machines that the controller has no connection to: the status of their nodes is bad.
        stuck: set-points are taken, and do nothing.
    """

    def __init__(
        self, machines: Mapping[str, WarpingMachine], secured: Secured | None = None, *, port: int = 0
    ) -> None:
        self.machines = machines
        self.port = port or _free_port()
        self.lost: set[str] = set()
        self.stuck = False
        self._secured = secured or Secured()
        self._library: Any = None
        self._server: Any = None
        self._nodes: dict[tuple[str, str], Any] = {}
        self._kinds: dict[tuple[str, str], Any] = {}
        self._shown: dict[tuple[str, str], tuple[object, int]] = {}
        self._ticking: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"opc.tcp://{LOOPBACK}:{self.port}/warping"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, with a new server: numbers of sessions and subscriptions of the one before mean nothing to it.

        Raises:
            ConfigError: asyncua is not installed.
        """
        try:
            self._library = importlib.import_module("asyncua")
        except ImportError as error:
            raise ConfigError(
                "the OPC UA twin needs asyncua; install it with: pip install 'tagwharf[opcua]'"
            ) from error
        ua, secured = self._library.ua, self._secured
        manager = None
        if secured.users is not None:
            manager = _Users(secured.users)
        self._shown.clear()
        server = self._server = self._library.Server(user_manager=manager)
        await server.init()
        server.set_endpoint(self.url)
        server.set_server_name("Warping controller")
        await server.set_application_uri(URI)
        await server.set_build_info(
            "urn:twin:product", "Tagwharf twins", "Warping controller", "1.0", "1", datetime.now(UTC)
        )
        server.set_security_policy([getattr(ua.SecurityPolicyType, name) for name in secured.policies])
        if secured.users is not None:
            server.set_identity_tokens([ua.UserNameIdentityToken])
        if secured.certificate_file is not None and secured.key_file is not None:
            await server.load_certificate(secured.certificate_file)
            await server.load_private_key(secured.key_file)
        index = await server.register_namespace(NAMESPACE)
        for name, machine in self.machines.items():
            await self._add(index, name, machine)
        await server.start()
        self._ticking = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """Stop listening and close every session, as a controller that is switched off."""
        ticking, self._ticking = self._ticking, None
        if ticking is not None:
            await end(ticking)
        server, self._server = self._server, None
        if server is not None:
            await server.stop()

    async def _add(self, index: int, name: str, machine: WarpingMachine) -> None:
        ua = self._library.ua
        kinds = ua.VariantType
        owner = await self._server.nodes.objects.add_object(ua.NodeId(name, index), f"{index}:{name}")
        for what, kind, first in (
            ("State", kinds.Int32, STATES[machine.state]),
            ("Mode", kinds.Int32, 1),
            ("Speed", kinds.Float, 0.0),
            ("SpeedSet", kinds.Double, float(machine.speed_set_m_per_min)),
            ("TotalLength", kinds.UInt32, 0),
            ("GoodLength", kinds.UInt32, 0),
            ("BadLength", kinds.UInt32, 0),
            ("StopReason", kinds.String, ""),
            ("RemoteEnabled", kinds.Boolean, machine.remote_enabled),
        ):
            node = await owner.add_variable(ua.NodeId(f"{name}.{what}", index), f"{index}:{what}", first, kind)
            self._nodes[name, what], self._kinds[name, what] = node, kind
        await self._nodes[name, "SpeedSet"].set_writable()
        for what, act in (
            ("Stop", lambda: machine.stop(_now_us())),
            ("Reset", lambda: machine.reset(_now_us())),
            ("Start", lambda: machine.start(_now_us())),
        ):
            await owner.add_method(ua.NodeId(f"{name}.{what}", index), f"{index}:{what}", _method(ua, act), [], [])

    async def _tick(self) -> None:
        while True:
            for name, machine in self.machines.items():
                await self._show(name, machine)
            await asyncio.sleep(TICK_S)

    async def _show(self, name: str, machine: WarpingMachine) -> None:
        now_us = _now_us()
        wanted = round(await self._nodes[name, "SpeedSet"].read_value())
        if wanted != machine.speed_set_m_per_min and not self.stuck:
            machine.set_speed(now_us, wanted)
        machine.advance(now_us)
        for what, value in (
            ("State", STATES[machine.state]),
            ("Speed", float(machine.speed_m_per_min)),
            ("TotalLength", machine.total_m),
            ("GoodLength", machine.good_m),
            ("BadLength", machine.bad_m),
            ("StopReason", machine.reason.value),
            ("RemoteEnabled", machine.remote_enabled),
        ):
            await self._write(name, what, value)

    async def _write(self, name: str, what: str, value: object) -> None:
        ua, key = self._library.ua, (name, what)
        status = ua.StatusCodes.BadNoCommunication if name in self.lost else ua.StatusCodes.Good
        if self._shown.get(key) != (value, status):
            self._shown[key] = (value, status)
            variant = ua.Variant(value, self._kinds[key])
            await self._nodes[key].write_value(
                ua.DataValue(variant, ua.StatusCode(status), SourceTimestamp=datetime.now(UTC))
            )


def _method(ua: Any, act: Callable[[], object]) -> Callable[..., Any]:
    async def called(_parent: Any, *_arguments: Any) -> Any:
        if act() is False:
            return ua.StatusCode(ua.StatusCodes.BadInvalidState)
        return []

    return called


class _Users:
    """Lets in who knows a password; the library asks it."""

    def __init__(self, users: Mapping[str, str]) -> None:
        self._users = users
        self._rules = importlib.import_module("asyncua.crypto.permission_rules")

    def get_user(
        self,
        iserver: object,
        username: str | None = None,
        password: str | None = None,
        certificate: object = None,
    ) -> object:
        """The user with this password; None for nobody."""
        del iserver, certificate
        if username is None or self._users.get(username) != password:
            return None
        return self._rules.User(role=self._rules.UserRole.User)


def _now_us() -> int:
    return time.time_ns() // _NS_PER_US


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((LOOPBACK, 0))
        return int(found.getsockname()[1])
