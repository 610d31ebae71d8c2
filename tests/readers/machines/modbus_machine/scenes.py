"""What the tests of the driver share: a warping machine, what the site file says of it, and a link in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from readers.control import Action, Order
from readers.driver import Port
from readers.machines.modbus_machine.driver import ModbusMachineDriver
from readers.machines.modbus_machine.settings import ModbusMachineSettings
from readers.observations import Condition, Observation, Signals, Watching
from readers.ports.memory import MemoryPort, run
from simulator.machines.modbus_machine import WarpingMachine, serve
from tests.support.talk import linked

D = Decimal
STATES: Final = {"2": "stopped", "4": "idle", "6": "execute", "9": "aborted", "11": "held"}
REASONS: Final = {"0": "none", "1": "operator", "2": "remote", "7": "yarn broken", "8": "beam full"}
WARPER: Final[dict[str, Any]] = {
    "state": {"address": 0, "states": STATES},
    "mode": {"address": 1, "modes": {"1": "automatic", "2": "manual", "3": "maintenance"}},
    "remote_enabled": {"table": "discrete", "address": 0},
    "signals": [
        {"name": "speed", "address": 2, "scale": "0.1", "unit": "m/min", "step": "0.5"},
        {"name": "good_count", "address": 3, "type": "u32", "unit": "m"},
        {"name": "stop_reason", "address": 5, "texts": REASONS},
        {"name": "broken-yarns", "address": 6},
        {"name": "running", "address": 7, "bit": 0},
    ],
    "setpoints": [
        {
            "name": "set-speed",
            "address": 10,
            "scale": "0.1",
            "unit": "m/min",
            "minimum": 10,
            "maximum": 500,
            "most_change": 100,
        },
        {
            "name": "tension",
            "address": 11,
            "type": "f32",
            "resolution": "0.1",
            "unit": "cN",
            "minimum": 50,
            "maximum": 400,
        },
    ],
    "commands": {
        "start": {"address": 20, "value": 1},
        "stop": {"address": 20, "value": 2},
        "reset": {"table": "coil", "address": 0},
    },
    "watchdog": {"address": 21},
}


class Scene:
    """The driver in front of simulated machines.

    Args:
        machines: by unit address; the only one has no name, of several the one with address n is `mN`.
        wrap, wrap_device: what lies between the link and either side.
    """

    def __init__(
        self,
        machines: Mapping[int, WarpingMachine] | None = None,
        *,
        is_tcp: bool = True,
        wrap: Callable[[Port], Port] = lambda port: port,
        wrap_device: Callable[[Port], Port] = lambda port: port,
        mangle: Callable[[bytes], list[bytes]] | None = None,
        of_machine: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.machines = dict(machines or {1: WarpingMachine()})
        self.heard: list[Observation] = []
        several = len(self.machines) > 1
        given = [
            {"address": unit, **({"name": f"m{unit}"} if several else {}), **WARPER, **(of_machine or {})}
            for unit in self.machines
        ]
        framing = "tcp" if is_tcp else "rtu"
        self.settings = ModbusMachineSettings.model_validate({"machines": given, "framing": framing, **settings})
        self.driver = ModbusMachineDriver(self.settings)
        self._is_tcp = is_tcp
        self._mangle = mangle
        self._wrap, self._wrap_device = wrap, wrap_device

    @property
    def machine(self) -> WarpingMachine:
        return self.machines[1]

    def play(self, story: Callable[[MemoryPort], Awaitable[None]]) -> list[Observation]:
        """Let them talk until the story is over; errors of either side are raised."""

        async def whole() -> None:
            ours, theirs = linked(self._mangle)
            tasks = [
                asyncio.create_task(serve(self._wrap_device(theirs), self.machines, is_tcp=self._is_tcp)),
                asyncio.create_task(self.driver.run(self._wrap(ours), self.heard.append)),
            ]
            telling = asyncio.ensure_future(story(ours))
            try:
                await asyncio.wait([*tasks, telling], return_when=asyncio.FIRST_COMPLETED)
                if tasks[0].done():
                    await asyncio.wait([tasks[1]], timeout=1.0)
                for task in reversed(tasks):
                    if task.done():
                        task.result()
                await telling
            finally:
                for each in (*tasks, telling):
                    each.cancel()
                await asyncio.gather(*tasks, telling, return_exceptions=True)

        run(whole())
        return self.heard

    def play_for(self, seconds: float) -> list[Observation]:
        return self.play(lambda port: port.pause(seconds))

    def told(self, name: str, source: str | None = None) -> list[object]:
        batches = [each for each in self.heard if isinstance(each, Signals) and each.source == source]
        return [signal.value for each in batches for signal in each.signals if signal.name == name]

    def conditions(self) -> list[tuple[str, str, bool]]:
        return [(each.name, each.key, each.active) for each in self.heard if isinstance(each, Condition)]

    def detail(self, name: str) -> str:
        return next(each.detail for each in self.heard if isinstance(each, Condition) and each.name == name)

    def watched(self, source: str | None = None) -> list[bool]:
        return [each.active for each in self.heard if isinstance(each, Watching) and each.source == source]


def order(
    port: Port,
    action: Action,
    point: str = "machine",
    value: str | None = None,
    source: str | None = None,
    in_s: float = 30,
) -> Order:
    """An order that expires so soon."""
    expires_at_us = port.now_us() + round(in_s * 1_000_000)
    return Order(point, source, action, expires_at_us, None if value is None else D(value))
