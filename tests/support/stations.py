"""Stations before their twins: a driver's station works on tags with memory, in memory and in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from readers.access import AccessError, AccessFault, Bank, Station
from readers.driver import DriverSpec
from readers.ports.memory import MemoryPort, run
from readers.rfid.cf import DRIVER as CF
from readers.rfid.hopeland import DRIVER as HOPELAND
from readers.rfid.thingmagic import DRIVER as THINGMAGIC
from readers.rfid.uhfreader import DRIVER as UHFREADER
from simulator.device import Radio, TagMemory
from simulator.rfid import cf, hopeland, thingmagic, uhfreader
from tests.support.shelf import memory

EPC = bytes.fromhex("30751FEB705C5904E3D50D70")
OTHER_EPC = bytes.fromhex("BB7EAADD02220011BB0122FF")
NEW_EPC = bytes.fromhex("3034257BF7194E4000001A85")
TID = bytes.fromhex("E2801160600002054A3B1C2D")
PASSWORD = 0x12345678
MUCH_POWER_DBM = 99.0
Served = Callable[[MemoryPort, Radio], Coroutine[Any, Any, None]]
Work = Callable[[Station], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Bench:
    """A driver whose station works before its own twin."""

    spec: DriverSpec[Any]
    serve: Served
    settings: Mapping[str, Any] = field(default_factory=dict)

    def of(self, serve: Served | None = None, **settings: object) -> Bench:
        """The same with another device, or with other settings."""
        return replace(self, serve=serve or self.serve, settings={**self.settings, **settings})


def _m6e(port: MemoryPort, radio: Radio) -> Coroutine[Any, Any, None]:
    """A module with two antennas."""
    return thingmagic.serve(port, radio, thingmagic.Module(ports={1: True, 2: True}))


BENCHES = [
    Bench(UHFREADER, uhfreader.serve),
    Bench(CF, cf.serve),
    Bench(HOPELAND, hopeland.serve),
    Bench(THINGMAGIC, _m6e, {"region": "na2"}),
]


def bench_of(driver: str) -> Bench:
    """The one of a driver."""
    return next(bench for bench in BENCHES if bench.spec.name == driver)


class Recording(MemoryPort):
    """The device's end of a link that keeps all it hears in `all_heard`."""

    all_heard: bytes = b""

    async def receive(self, within_s: float) -> bytes:
        """See `readers.driver.Port`."""
        data = await super().receive(within_s)
        self.all_heard += data
        return data


async def nothing(_: Station) -> None:
    """Opening and closing is all."""


def tag(
    epc: bytes = EPC, user: bytes = bytes(16), *, access: int = 0, locked: tuple[Bank, ...] = (), least_dbm: float = 0.0
) -> TagMemory:
    """A tag with room for an EPC of 16 bytes."""
    return memory(epc, TID, user, access=access, locked=locked, room_bytes=16, least_write_dbm=least_dbm)


def at_station(bench: Bench, radio: Radio, work: Work) -> bytes:
    """Do some work at an opened station; all that was sent to the device."""
    ours, device = MemoryPort("memory"), Recording("memory (device)")
    ours.connect(device)

    async def scene() -> None:
        twin = asyncio.create_task(bench.serve(device, radio))
        assert bench.spec.station is not None
        station = bench.spec.station(bench.spec.settings.model_validate(bench.settings), ours)
        try:
            await station.open()
            await work(station)
        finally:
            await station.close()
            twin.cancel()
            await asyncio.gather(twin, return_exceptions=True)

    run(scene())
    return device.all_heard


def reading_fails(
    bench: Bench, radio: Radio, epc: bytes, bank: Bank, word: int, words: int, password: int = 0
) -> AccessError:
    """What a read says when it fails."""
    return _fails(bench, radio, lambda station: station.read(epc, bank, word, words, password))


def writing_fails(
    bench: Bench, radio: Radio, epc: bytes, bank: Bank, word: int, data: bytes, password: int = 0
) -> AccessError:
    """What a write says when it fails."""
    return _fails(bench, radio, lambda station: station.write(epc, bank, word, data, password))


def _fails(bench: Bench, radio: Radio, act: Callable[[Station], Awaitable[object]]) -> AccessError:
    raised: list[AccessError] = []

    async def work(station: Station) -> None:
        await station.inventory(0.5)
        with pytest.raises(AccessError) as caught:
            await act(station)
        raised.append(caught.value)

    at_station(bench, radio, work)
    assert raised[0].is_unknown is (raised[0].fault is AccessFault.LOST)
    return raised[0]
