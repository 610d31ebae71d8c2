"""MagicRF M100 and QM100 modules and the readers built on them, on a serial line."""

from readers.rfid.m100.driver import DRIVER, M100Driver
from readers.rfid.m100.settings import M100Settings, Region, SelectBank, SelectSettings
from readers.rfid.m100.station import M100Station

__all__ = ["DRIVER", "M100Driver", "M100Settings", "M100Station", "Region", "SelectBank", "SelectSettings"]
