"""The quantities of readings and their units, by the names that travel; see `readers.quantities`."""

from __future__ import annotations

from typing import Final

from readers.quantities import UNITS as _UNITS
from readers.quantities import Phase

UNITS: Final[dict[str, str]] = {quantity.value: unit for quantity, unit in _UNITS.items()}
"""Every quantity with its one unit."""
PHASES: Final = tuple(phase.value for phase in Phase)
