"""Tags that take turns in front of a simulated reader."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from readers.ports.memory import START_US
from simulator.device import Sighting
from tests.support.talk import US_PER_S


class Turns:
    """One sighting every `step_s` seconds on each of the ports, in turn, from `from_s` on, until `until_s`."""

    def __init__(
        self,
        epcs: Sequence[bytes],
        step_s: float = 0.1,
        until_s: float = 1e9,
        *,
        from_s: float = 0.0,
        ports: Collection[int] = range(1, 17),
    ) -> None:
        self._epcs = epcs
        self._step_us = round(step_s * US_PER_S)
        self._from_us = START_US + round(from_s * US_PER_S)
        self._until_us = START_US + round(until_s * US_PER_S)
        self._ports = ports

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> list[Sighting]:
        """See `simulator.device.Radio`."""
        if antenna_port not in self._ports:
            return []
        first = -(-(max(start_us, self._from_us) - START_US) // self._step_us)
        last = -(-(min(until_us, self._until_us) - START_US) // self._step_us)
        return [
            self.sighting(n, START_US + n * self._step_us, antenna_port, self._epcs[n % len(self._epcs)])
            for n in range(first, max(first, last))
        ]

    def sighting(self, number: int, at_us: int, antenna_port: int, epc: bytes, /) -> Sighting:
        """One of them: between -40 and -59 dBm, in turn."""
        return Sighting(at_us, antenna_port, epc, -40.0 - number % 20)
