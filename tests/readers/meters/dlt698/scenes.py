"""Meters and what the driver hears of them, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from readers.meters.dlt698.driver import Dlt698Driver
from readers.meters.dlt698.settings import Dlt698Settings
from readers.observations import Condition, Observation, Reading, Readings
from readers.ports.memory import START_US
from readers.quantities import Phase, Quantity
from simulator.meters.dlt698 import Behaviour, serve
from simulator.world.power import ThreePhaseLoad
from tests.simulator.meters.loads import Steady
from tests.support.talk import talk

A1: Final = "000000000161"
A2: Final = "202611230698"
US: Final = 1_000_000
DAY_US: Final = 86_400 * US
CHINA_US: Final = 8 * 3600 * US
D = Decimal


def settings(addresses: Sequence[str] = (A1,), **more: Any) -> Dlt698Settings:
    """One meter m0, m1 .. for each address; no back-fill unless it is asked for."""
    meters = [{"name": f"m{number}", "address": address} for number, address in enumerate(addresses)]
    return Dlt698Settings.model_validate({"meters": meters, "backfill_days": 0, **more})


def growing(seed: int = 1) -> ThreePhaseLoad:
    """A load that uses 100 kW and began ten days before."""
    return ThreePhaseLoad("growing", seed, START_US - 10 * DAY_US, 1_000_000.0, 100_000.0)


def listen(
    seconds: float,
    wanted: Dlt698Settings,
    behaviours: Mapping[str, Behaviour] | None = None,
    *,
    mangle: Callable[[bytes], list[bytes]] | None = None,
    addresses: Sequence[str] = (A1,),
    baud: int | None = None,
    load: Any = None,
) -> list[Observation]:
    """What the driver reports in that time."""
    meters = {address: load or Steady() for address in addresses}
    return talk(seconds, Dlt698Driver(wanted), lambda port: serve(port, meters, behaviours, baud=baud), mangle)


def readings(heard: Sequence[Observation]) -> list[Reading]:
    return [reading for o in heard if isinstance(o, Readings) for reading in o.readings]


def by_name(heard: Sequence[Observation]) -> dict[tuple[Quantity, Phase | None, int | None], Decimal | None]:
    return {(r.quantity, r.phase, r.tariff): r.value for r in readings(heard)}


def conditions(heard: Sequence[Observation]) -> list[tuple[str, str, bool]]:
    return [(o.name, o.key, o.active) for o in heard if isinstance(o, Condition)]
