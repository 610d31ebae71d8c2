"""A field of tags, and a driver listening to simulated readers for a while."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any

from readers.codecs.uhfreader import Frame, encode
from readers.observations import Observation
from readers.ports.memory import MemoryPort
from readers.rfid.uhfreader import UhfReaderDriver, UhfReaderSettings
from simulator.device import Sighting
from simulator.rfid.uhfreader import Reader, serve
from tests.support.talk import talk
from tests.support.turns import Turns

EPCS = [bytes.fromhex("0501EE2113000103010CFFFF"), bytes.fromhex("3039606303C74380001A0559"), b"\x12\x34", b""]
TID = bytes.fromhex("E2801105200072A5C0CC0A9E")


class Tags(Turns):
    def __init__(
        self,
        epcs: Sequence[bytes] = EPCS,
        step_s: float = 0.1,
        *,
        from_s: float = 0.0,
        until_s: float = 1e9,
        ports: Collection[int] = range(1, 17),
    ) -> None:
        super().__init__(epcs, step_s, until_s, from_s=from_s, ports=ports)

    def sighting(self, _number: int, at_us: int, antenna_port: int, epc: bytes, /) -> Sighting:
        return Sighting(at_us, antenna_port, epc, -60.0, TID, 90.0, 7)


def listen(
    seconds: float,
    settings: dict[str, Any] | None = None,
    *readers: Reader,
    tags: Tags | None = None,
    mangle: Callable[[bytes], list[bytes]] | None = None,
) -> list[Observation]:
    def device(port: MemoryPort) -> Coroutine[Any, Any, None]:
        return serve(port, tags or Tags(), *readers)

    return talk(seconds, UhfReaderDriver(UhfReaderSettings.model_validate(settings or {})), device, mangle)


def raw(address: int, command: int, body: str = "") -> bytes:
    return encode(Frame(address, command, bytes.fromhex(body)))
