"""The driver and its twin, back to back."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from readers.observations import Condition, Observation, Rejected, TagRead, TagReads
from readers.ports.memory import START_US, MemoryPort
from readers.rfid.a0 import A0Driver, A0Settings
from simulator.device import Sighting
from simulator.rfid.a0 import Module, serve
from tests.support.talk import US_PER_S, talk

EPCS = [
    bytes.fromhex("A0130189A00A018900000022"),
    bytes.fromhex("E200301666130121155074EF"),
    b"\x12\x34",
    b"",
    bytes(30),
]
FOUR = {"units": [{"address": 1, "antennas": [1, 2, 3, 4]}]}


class Tags:
    """One sighting every `step_s` seconds at every antenna, each EPC in turn, until `until_s`."""

    def __init__(self, epcs: Sequence[bytes] = EPCS, step_s: float = 0.1, until_s: float = 1e9) -> None:
        self._epcs = epcs
        self._step_us = round(step_s * US_PER_S)
        self._until_us = START_US + round(until_s * US_PER_S)
        self.asked: set[int] = set()

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> list[Sighting]:
        self.asked.add(antenna_port)
        first = -(-(start_us - START_US) // self._step_us)
        last = -(-(min(until_us, self._until_us) - START_US) // self._step_us)
        return [
            Sighting(
                START_US + n * self._step_us,
                antenna_port,
                self._epcs[n % len(self._epcs)],
                -40.0 - n % 20,
                phase_deg=45.0,
                channel_index=1 + n % 50,
            )
            for n in range(first, max(first, last))
        ]


def listen(
    seconds: float,
    settings: Mapping[str, Any] | None = None,
    modules: Sequence[Module] = (),
    tags: Tags | None = None,
    mangle: Callable[[bytes], list[bytes]] | None = None,
) -> list[Observation]:
    def device(port: MemoryPort) -> Coroutine[Any, Any, None]:
        return serve(port, tags or Tags(), *modules)

    return talk(seconds, A0Driver(A0Settings.model_validate(settings or {})), device, mangle)


def reads_in(heard: Sequence[Observation]) -> list[TagRead]:
    return [row for observation in heard if isinstance(observation, TagReads) for row in observation.rows()]


def conditions_in(heard: Sequence[Observation]) -> list[tuple[str, str, bool]]:
    return [(o.name, o.key, o.active) for o in heard if isinstance(o, Condition)]


def rejected_in(heard: Sequence[Observation]) -> dict[str, int]:
    found: dict[str, int] = {}
    for o in heard:
        if isinstance(o, Rejected):
            found[o.reason] = found.get(o.reason, 0) + o.count
    return found
