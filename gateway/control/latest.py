"""The latest signals and readings that interlocks ask for, and nothing else: what drivers report passes by here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final

from gateway.control.interlocks import Interlock, Source
from readers.control import Value
from readers.observations import Observation, Readings, Signals
from readers.quantities import Quality

_BELIEVED: Final = frozenset({Quality.GOOD, Quality.COMPUTED})


class Latest:
    """Remembers one value for each signal and reading that some interlock names.

    Args:
        is_online: whether a device, by its name, has proven itself on the link that it has now.
    """

    def __init__(self, interlocks: Iterable[Interlock], is_online: Callable[[str], bool]) -> None:
        self._wanted = {_key(each) for each in interlocks if each.source is not Source.POINT}
        self._devices = {device for _, device, _ in self._wanted}
        self._is_online = is_online
        self._values: dict[tuple[Source, str, str], tuple[Value, int]] = {}

    def take(self, reader: str, observed: Observation) -> None:
        """Look at what a driver reported."""
        if not isinstance(observed, Signals | Readings):
            return
        device = observed.source or reader
        if device not in self._devices:
            return
        if isinstance(observed, Signals):
            for signal in observed.signals:
                self._keep((Source.SIGNAL, device, signal.name), signal.value, observed.received_at_us)
            return
        for reading in observed.readings:
            name = reading.quantity.value if reading.phase is None else f"{reading.quantity.value}:{reading.phase}"
            if reading.tariff is None and reading.quality is not Quality.BACKFILLED:
                value = reading.value if reading.quality in _BELIEVED else None
                self._keep((Source.READING, device, name), value, observed.received_at_us)

    def value(self, interlock: Interlock, fresh_us: int, now_us: int) -> Value | None:
        """The value that an interlock asks for; None when it is not known, or older than `fresh_us`."""
        found = self._values.get(_key(interlock))
        if found is None or not self._is_online(interlock.device):
            return None
        value, at_us = found
        return value if -fresh_us <= now_us - at_us <= fresh_us else None

    def _keep(self, key: tuple[Source, str, str], value: bool | Decimal | str | None, at_us: int) -> None:  # noqa: FBT001  # a value, no switch
        if key not in self._wanted:
            return
        if value is None:  # what was known before is not so any more
            self._values.pop(key, None)
        else:
            self._values[key] = (value, at_us)


def _key(interlock: Interlock) -> tuple[Source, str, str]:
    return (interlock.source, interlock.device, interlock.name)
