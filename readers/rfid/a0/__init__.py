"""The driver `a0`: R2000 reader modules and their successors on a serial line, one or several."""

from __future__ import annotations

from typing import Final

from readers.driver import DriverSpec, Kind, LineDefaults
from readers.rfid.a0.driver import A0Driver
from readers.rfid.a0.settings import A0Settings
from readers.rfid.a0.station import A0Station

__all__ = ["DRIVER", "A0Driver", "A0Settings", "A0Station"]

DRIVER: Final = DriverSpec(
    "a0",
    Kind.RFID,
    A0Settings,
    A0Driver,
    "UHF readers and modules with the R2000 or E710 chip that speak frames of A0 (Invelion, RodinBell, IND903)",
    line=LineDefaults(baud=115_200),
    station=A0Station,
    models=(
        "Invelion YR901, YR905, YR9010, YR9051",
        "RodinBell M-2600, M-2800, M-2900, S-8600, S-8800",
        "IND903, IND9011",
    ),
)
