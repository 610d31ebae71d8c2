"""What the tests of the driver share: a load that does not change, settings, and a line of meters in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from decimal import Decimal
from typing import Any

from readers.codecs.dlt645 import Decoder, Frame, encode
from readers.meters.dlt645.driver import Dlt645Driver
from readers.meters.dlt645.settings import Dlt645Settings
from readers.observations import Condition, Observation, Reading, Readings
from readers.ports.memory import MemoryPort, run
from readers.quantities import Phase, Quantity
from simulator.device import MeterState
from simulator.meters.dlt645 import Behaviour, Meter, serve
from tests.support.talk import linked, talk

D = Decimal
STATE = MeterState(
    active_energy_import_wh=D(1_234_560),
    active_energy_import_by_tariff_wh=(D(34_560), D(200_000), D(400_000), D(600_000)),
    active_energy_export_wh=D(260),
    voltage_v=(D("230.3"), D("229.8"), None),
    current_a=(D("12.345"), D("-1.500"), None),
    active_power_w=(D("2500.0"), D("-344.7"), None),
    reactive_power_var=(D("100.0"), D("-50.0"), None),
    power_factor=(D("0.995"), D("-0.500"), None),
    frequency_hz=D("49.98"),
    active_demand_w=D("3250.0"),
)


class Steady:
    def state(self, now_us: int) -> MeterState:
        assert now_us > 0
        return STATE


REGISTERS = ("energy", "energy_export", "voltage", "current", "power", "power_factor", "frequency", "demand")


def settings(addresses: Sequence[str | None], **more: Any) -> Dlt645Settings:
    """Settings that read registers once a minute and nothing else, unless `more` says so."""
    named = [{"name": f"m{n}", "address": address} for n, address in enumerate(addresses)]
    return Dlt645Settings.model_validate({"meters": named, "read": REGISTERS, "poll_s": 60, "backfill_days": 0, **more})


def meters(addresses: Sequence[str]) -> dict[str, Steady]:
    return {address: Steady() for address in addresses}


def listen(
    seconds: float,
    given: Dlt645Settings,
    addresses: Sequence[str],
    behaviours: Mapping[str, Behaviour] | None = None,
    mangle: Callable[[bytes], list[bytes]] | None = None,
    baud: int | None = None,
) -> list[Observation]:
    def device(port: MemoryPort) -> Coroutine[Any, Any, None]:
        return serve(port, meters(addresses), behaviours, baud=baud)

    return talk(seconds, Dlt645Driver(given), device, mangle)


def readings(heard: Sequence[Observation], source: str = "m0") -> list[Reading]:
    return [r for o in heard if isinstance(o, Readings) and o.source == source for r in o.readings]


def by_name(heard: Sequence[Observation]) -> dict[tuple[Quantity, Phase | None, int | None], Decimal | None]:
    return {(r.quantity, r.phase, r.tariff): r.value for r in readings(heard)}


A1, A2, A3 = "000000000161", "151230011061", "201709320072"
USUAL_READINGS = 5 + 1 + 3 + 3 + 4 + 4 + 1 + 1


def conditions(heard: Sequence[Observation]) -> list[tuple[str, str, bool]]:
    return [(o.name, o.key, o.active) for o in heard if isinstance(o, Condition)]


async def driven(
    driver: Dlt645Driver,
    line_of: Mapping[str, Meter],
    meanwhile: Callable[[], Coroutine[Any, Any, None]],
    heard: list[Observation],
) -> None:
    """Let the driver talk to these meters until `meanwhile` is over; errors of either are raised."""
    ours, theirs = linked()
    tasks = [asyncio.create_task(serve(theirs, line_of)), asyncio.create_task(driver.run(ours, heard.append))]
    scene = asyncio.create_task(meanwhile())
    try:
        await asyncio.wait([*tasks, scene], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
        await scene
    finally:
        for task in (*tasks, scene):
            task.cancel()
        await asyncio.gather(*tasks, scene, return_exceptions=True)


def driven_for(
    seconds: float, driver: Dlt645Driver, line_of: Mapping[str, Meter], heard: list[Observation] | None = None
) -> list[Observation]:
    """`driven` in virtual time, for that long."""
    found: list[Observation] = [] if heard is None else heard
    run(driven(driver, line_of, lambda: asyncio.sleep(seconds), found))
    return found


def spoilt(raw: bytes, identifier: int, change: Callable[[bytes], bytes]) -> bytes:
    """A reply of the twin with its data changed, when it is the one to that identifier."""
    frames = Decoder().feed(raw)
    if not frames or frames[0].identifier != identifier:
        return raw
    return encode(Frame(frames[0].address, frames[0].control, frames[0].data[:4] + change(frames[0].data[4:])))
