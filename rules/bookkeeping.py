"""All books together, as the engine keeps them: of the energy of meters, and of the time of machines."""

from __future__ import annotations

from typing import Final

from gateway.config.models import SiteFile
from gateway.contract.batches import Batch
from rules.energy.books import KINDS as ENERGY_KINDS
from rules.energy.books import Books
from rules.energy.points import Made
from rules.machines.books import KINDS as MACHINE_KINDS
from rules.machines.books import MachineBooks
from rules.presence.watched import Watched
from rules.state import State

KINDS: Final = ENERGY_KINDS | MACHINE_KINDS
"""Kinds of state entries that belong to books."""


class Bookkeeping:
    """The books of a site."""

    def __init__(self, site: SiteFile, state: State) -> None:
        self._site = site.site.name
        self._energy = Books(site, state)
        self._machines = MachineBooks(site, state)

    def load(self, kind: str, gateway: str, key: str, value: bytes) -> None:
        """Put back one entry of a snapshot, of one of the `KINDS`.

        Raises:
            msgspec.ValidationError, msgspec.DecodeError: it cannot be read.
        """
        if kind in MACHINE_KINDS:
            self._machines.load(gateway, key, value)
        else:
            self._energy.load(kind, gateway, key, value)

    def step(self, batch: Batch, set_back_us: int, watched: Watched, *, historical: bool) -> Made | None:
        """Book what a batch says, after the clock of its gateway moved to it; `set_back_us` is 0 mostly."""
        made = self._energy.step(batch, set_back_us, historical=historical)
        output = self._machines.step(batch, set_back_us, watched, historical=historical)
        if output is not None and (output.points or output.events):
            made = made or Made(batch, self._site, historical=historical)
            made.points += output.points
            made.events += output.events
        return made

    def unbalanced(self) -> list[str]:
        """Registers whose entries do not add up to what they counted: none, or the books have a defect."""
        return self._energy.unbalanced()

    def counters(self) -> dict[str, int]:
        """Sizes now, and counts since the start, over all gateways."""
        return {**self._energy.counters(), **self._machines.counters()}
