"""The driver `mtconnect`: machine tools and other machines behind an MTConnect agent, as signals and conditions."""

from __future__ import annotations

from typing import Final

from readers.driver import DriverSpec, Kind
from readers.machines.mtconnect.driver import MtConnectDriver
from readers.machines.mtconnect.settings import MtConnectSettings

__all__ = ["DRIVER", "MtConnectDriver", "MtConnectSettings"]

DRIVER: Final = DriverSpec(
    "mtconnect",
    Kind.MACHINE,
    MtConnectSettings,
    MtConnectDriver,
    "machines behind an MTConnect agent: execution, mode, part counts, program, conditions",
    schemes=("http", "https"),
    models=("Mazak SmartBox", "Okuma", "Haas", "DMG MORI", "any other MTConnect agent from 1.0 to 2.x"),
)
