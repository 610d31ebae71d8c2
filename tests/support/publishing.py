"""Readers that publish, and their drivers, in memory: what the tests of both families share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import pytest

from readers import registry
from readers.codecs.iot_json import Decoder, Event, ParseEvent
from readers.codecs.iot_messages import parse_impinj, parse_zebra
from readers.errors import LinkError
from readers.observations import Observation, TagRead, TagReads
from readers.ports.memory import START_US, MemoryPort, pair, run
from simulator.device import Sighting
from simulator.rfid import impinj_iot, zebra_iotc
from simulator.rfid.iot_publisher import Reader
from tests.support.talk import US_PER_S, talk

EPC: Final = bytes.fromhex("300833B2DDD9014000000001")
TID: Final = bytes.fromhex("E2801105200050D1B8FB0A8C")
TWINS: Final[Mapping[str, Callable[..., Awaitable[None]]]] = {
    "impinj_iot": impinj_iot.serve,
    "zebra_iotc": zebra_iotc.serve,
}

_PARSERS: Final[Mapping[str, ParseEvent]] = {"impinj_iot": parse_impinj, "zebra_iotc": parse_zebra}


class Tags:
    """One sighting a second at each antenna until `until_s`."""

    def __init__(self, until_s: float = 1e9) -> None:
        self._until_us = START_US + round(until_s * US_PER_S)

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> list[Sighting]:
        first = -(-start_us // US_PER_S)
        last = -(-min(until_us, self._until_us) // US_PER_S)
        return [
            Sighting(second * US_PER_S, antenna_port, EPC, -50.5, TID, 90.0, pc_bits=0x3000)
            for second in range(first, max(first, last))
        ]


def listen(
    family: str,
    seconds: float,
    reader: Reader | None = None,
    tags: Tags | None = None,
    mangle: Callable[[bytes], list[bytes]] | None = None,
    **settings: Any,
) -> list[Observation]:
    """What the driver of a family reports of its twin in that time, in virtual time."""

    async def device(port: MemoryPort) -> None:
        await TWINS[family](port, tags or Tags(), reader)

    return talk(seconds, driver_of(family, **settings), device, mangle)


def driver_of(family: str, **settings: Any) -> Any:
    spec = registry.driver(family)
    return spec.make(spec.settings.model_validate(settings))


def reads_in(heard: Sequence[Observation]) -> list[TagRead]:
    return [row for observation in heard if isinstance(observation, TagReads) for row in observation.rows()]


class OneTag:
    """A tag that is heard once, half a second after the start."""

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> list[Sighting]:
        at_us = START_US + 500_000
        return [Sighting(at_us, antenna_port, b"\x30\x00", -40.0)] if start_us <= at_us < until_us else []


def told(family: str, seconds: float, reader: Reader) -> list[Event]:
    """The events that the twin of a family says in that many seconds; it must end with the link."""

    async def scene() -> list[Event]:
        ours, device = pair()
        serving = asyncio.ensure_future(TWINS[family](device, OneTag(), reader))
        await ours.pause(seconds)
        data = await ours.receive(0)
        await ours.close()
        with pytest.raises(LinkError):
            await serving
        decoder = Decoder(_PARSERS[family])
        events = [event for record in decoder.feed(data) for event in record.events]
        assert not decoder.take_rejects()
        return events

    return run(scene())
