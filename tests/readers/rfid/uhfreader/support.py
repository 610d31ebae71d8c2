"""A field of tags, and a driver listening to simulated readers for a while."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from readers.codecs.uhfreader import Frame, encode
from readers.observations import Condition, Observation, Rejected, TagRead, TagReads, Watching
from readers.ports.memory import START_US, MemoryPort
from readers.rfid.uhfreader import UhfReaderDriver, UhfReaderSettings
from simulator.device import Sighting
from simulator.rfid.uhfreader import Reader, serve
from tests.support.talk import US_PER_S, talk

EPCS = [bytes.fromhex("0501EE2113000103010CFFFF"), bytes.fromhex("3039606303C74380001A0559"), b"\x12\x34", b""]
TID = bytes.fromhex("E2801105200072A5C0CC0A9E")


class Tags:
    """One sighting every `step_s` seconds on each of the ports, in turn, from `from_s` on, until `until_s`."""

    def __init__(
        self,
        epcs: Sequence[bytes] = EPCS,
        step_s: float = 0.1,
        *,
        from_s: float = 0.0,
        until_s: float = 1e9,
        ports: Sequence[int] = range(1, 17),
    ) -> None:
        self._epcs = epcs
        self._step_us = round(step_s * US_PER_S)
        self._from_us = START_US + round(from_s * US_PER_S)
        self._until_us = START_US + round(until_s * US_PER_S)
        self._ports = ports

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> list[Sighting]:
        if antenna_port not in self._ports:
            return []
        first = -(-(max(start_us, self._from_us) - START_US) // self._step_us)
        last = -(-(min(until_us, self._until_us) - START_US) // self._step_us)
        return [
            Sighting(START_US + n * self._step_us, antenna_port, self._epcs[n % len(self._epcs)], -60.0, TID, 90.0, 7)
            for n in range(first, max(first, last))
        ]


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


def reads_in(heard: Sequence[Observation]) -> list[TagRead]:
    return [read for o in heard if isinstance(o, TagReads) for read in o.rows()]


def epcs_in(heard: Sequence[Observation]) -> list[bytes]:
    return [read.epc for read in reads_in(heard)]


def watched_in(heard: Sequence[Observation]) -> list[set[int]]:
    return [set(o.antenna_ports) for o in heard if isinstance(o, Watching)]


def conditions_in(heard: Sequence[Observation]) -> list[tuple[str, str, bool]]:
    return [(o.name, o.key, o.active) for o in heard if isinstance(o, Condition)]


def rejected_in(heard: Sequence[Observation]) -> dict[str, int]:
    found: dict[str, int] = {}
    for o in heard:
        if isinstance(o, Rejected):
            found[o.reason] = found.get(o.reason, 0) + o.count
    return found


def raw(address: int, command: int, body: str = "") -> bytes:
    return encode(Frame(address, command, bytes.fromhex(body)))
