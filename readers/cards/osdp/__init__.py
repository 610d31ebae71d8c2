"""The driver `osdp`: card readers of access control on an RS-485 line, secure channel included, through libosdp."""

from __future__ import annotations

from typing import Final

from readers.cards.osdp.driver import OsdpDriver
from readers.cards.osdp.settings import OsdpSettings
from readers.driver import DriverSpec, Kind, LineDefaults

__all__ = ["DRIVER", "OsdpDriver", "OsdpSettings"]

DRIVER: Final = DriverSpec(
    "osdp",
    Kind.CARD,
    OsdpSettings,
    OsdpDriver,
    "Card readers and keypads that speak OSDP v2 on an RS-485 line, secure channel included",
    line=LineDefaults(baud=9600),
    models=("HID Signo", "HID multiCLASS SE", "other OSDP v2 readers"),
    extra="osdp",
)
