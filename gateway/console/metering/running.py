"""What machines say now: the newest of each of their signals, and since when their state is what it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from gateway.console.metering.known import KnownMachine
from gateway.console.parts.part import Cursor, Heard, Rows
from gateway.contract.batches import SignalBatch

SIGNALS_MOST: Final = 100
"""Signals of one machine."""


class RunningMachines:
    """Rows by device: `{"device", "received_at_us", "state", "state_since_us", "signals": {name: signal}}`.

    A signal is `[value, unit, received_at_us]`. `state_since_us` is 0 while the state was heard of, but not seen to
    begin.
    """

    def __init__(self, machines: Iterable[KnownMachine]) -> None:
        self._state = {machine.device: machine.state for machine in machines}
        self._rows = Rows(max(1, len(self._state)))

    def take(self, heard: Heard) -> None:
        """Take the signals of a machine; those that waited, and are older than what is known, change nothing."""
        if not isinstance(heard, SignalBatch) or heard.device not in self._state:
            return
        before = self._rows.get(heard.device) or {"state": None, "state_since_us": 0, "signals": {}}
        signals = dict(before["signals"])
        for signal in heard.signals:
            known = signals.get(signal.name)
            if (known is None and len(signals) >= SIGNALS_MOST) or (known and known[2] > heard.received_at_us):
                continue
            signals[signal.name] = (signal.value, signal.unit or "", heard.received_at_us)
        state, at_us = before["state"], before["state_since_us"]
        if (told := signals.get(self._state[heard.device])) is not None and told[0] != state:
            at_us = 0 if state is None else told[2]
            state = told[0]
        row = {"device": heard.device, "received_at_us": heard.received_at_us, "state": state}
        self._rows.put(heard.device, row | {"state_since_us": at_us, "signals": signals})

    def follow(self, query: Mapping[str, str]) -> Cursor:
        """All machines."""
        del query
        return self._rows.follow()

    def whole(self) -> dict[str, Any]:
        """All machines, by device."""
        return dict(self._rows.items())
