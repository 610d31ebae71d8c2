"""The driver and its twin, back to back."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from readers.observations import Observation
from readers.ports.memory import MemoryPort
from readers.rfid.a0 import A0Driver, A0Settings
from simulator.device import Sighting
from simulator.rfid.a0 import Module, serve
from tests.support.talk import talk
from tests.support.turns import Turns

EPCS = [
    bytes.fromhex("A0130189A00A018900000022"),
    bytes.fromhex("E200301666130121155074EF"),
    b"\x12\x34",
    b"",
    bytes(30),
]
FOUR = {"units": [{"address": 1, "antennas": [1, 2, 3, 4]}]}


class Tags(Turns):
    """At every antenna; `asked` are those that were listened at."""

    def __init__(self, epcs: Sequence[bytes] = EPCS, step_s: float = 0.1, until_s: float = 1e9) -> None:
        super().__init__(epcs, step_s, until_s)
        self.asked: set[int] = set()

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> list[Sighting]:
        self.asked.add(antenna_port)
        return super().heard(antenna_port, start_us, until_us)

    def sighting(self, number: int, at_us: int, antenna_port: int, epc: bytes, /) -> Sighting:
        strength_dbm, channel = -40.0 - number % 20, 1 + number % 50
        return Sighting(at_us, antenna_port, epc, strength_dbm, phase_deg=45.0, channel_index=channel)


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
