"""What the tests of the driver share: a load that does not change, simulated meters, and a line in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from readers.driver import Port
from readers.meters.modbus_meter.driver import ModbusMeterDriver
from readers.meters.modbus_meter.settings import ModbusMeterSettings
from readers.meters.modbus_meter.shipped import load
from readers.observations import Condition, InForce, Observation, Reading, Readings, Watching
from readers.ports.memory import MemoryPort, run
from readers.quantities import Phase, Quantity
from simulator.device import MeterState
from simulator.meters.modbus_meter import Meter, serve
from tests.support.talk import linked

D = Decimal
STATE = MeterState(
    active_energy_import_wh=D(1_234_560),
    active_energy_import_by_tariff_wh=(D(34_560), D(200_000), D(400_000), D(600_000)),
    active_energy_export_wh=D(260),
    voltage_v=(D("230.3"), D("229.8"), D("231.4")),
    current_a=(D("12.34"), D("1.5"), D("0.01")),
    active_power_w=(D(2500), D(344), D(2)),
    reactive_power_var=(D(100), D(-50), D(0)),
    power_factor=(D("0.995"), D("0.5"), D("0.999")),
    frequency_hz=D("49.98"),
    active_demand_w=D(3250),
)
Key = tuple[Quantity, Phase | None, int | None]


class Steady:
    """A load that shows what it is told to. Implements `simulator.device.Load`."""

    def __init__(self, state: MeterState = STATE) -> None:
        self.now = state

    def state(self, now_us: int) -> MeterState:
        assert now_us > 0
        return self.now


def meter(name: str = "sdm630", load_: Steady | None = None, **more: Any) -> Meter:
    return Meter(load(name), load_ or Steady(), **more)


class Scene:
    """The driver in front of simulated meters.

    Args:
        meters: by unit address; the one with address n is named `mN`.
        wrap, wrap_device: what lies between the link and either side.
    """

    def __init__(
        self,
        meters: Mapping[int, Meter],
        *,
        map_: str = "sdm630",
        mangle: Callable[[bytes], list[bytes]] | None = None,
        is_tcp: bool = False,
        is_gateway: bool = False,
        baud: int | None = None,
        wrap: Callable[[Port], Port] = lambda port: port,
        wrap_device: Callable[[Port], Port] = lambda port: port,
        of_meter: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.meters = meters
        self.heard: list[Observation] = []
        named = [{"name": f"m{unit}", "address": unit, "map": map_, **(of_meter or {})} for unit in meters]
        framing = "tcp" if is_tcp else "rtu"
        self.settings = ModbusMeterSettings.model_validate({"meters": named, "framing": framing, **settings})
        self.driver = ModbusMeterDriver(self.settings)
        self._mangle = mangle
        self._wrap, self._wrap_device = wrap, wrap_device
        self._how: dict[str, Any] = {"is_tcp": is_tcp, "is_gateway": is_gateway, "baud": baud}

    def play(self, story: Callable[[MemoryPort], Awaitable[None]]) -> list[Observation]:
        """Let them talk until the story is over; errors of either side are raised."""

        async def whole() -> None:
            ours, theirs = linked(self._mangle)
            tasks = [
                asyncio.create_task(serve(self._wrap_device(theirs), self.meters, **self._how)),
                asyncio.create_task(self.driver.run(self._wrap(ours), self.heard.append)),
            ]
            telling = asyncio.ensure_future(story(ours))
            try:
                await asyncio.wait([*tasks, telling], return_when=asyncio.FIRST_COMPLETED)
                if tasks[0].done():  # the driver learns of the end of the link, too
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

    def readings(self, source: str = "m1") -> list[Reading]:
        return readings(self.heard, source)

    def values(self, source: str = "m1") -> dict[Key, Decimal | None]:
        """The latest value of each."""
        return {(each.quantity, each.phase, each.tariff): each.value for each in self.readings(source)}

    def conditions(self) -> list[tuple[str, str, bool]]:
        return [(each.name, each.key, each.active) for each in self.heard if isinstance(each, Condition)]

    def detail(self, name: str) -> str:
        return next(each.detail for each in self.heard if isinstance(each, Condition) and each.name == name)

    def in_force(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for each in self.heard:
            if isinstance(each, InForce):
                found |= each.values
        return found

    def watched(self, source: str = "m1") -> list[bool]:
        return [each.active for each in self.heard if isinstance(each, Watching) and each.source == source]


def readings(heard: Sequence[Observation], source: str = "m1") -> list[Reading]:
    return [
        each for batch in heard if isinstance(batch, Readings) and batch.source == source for each in batch.readings
    ]
