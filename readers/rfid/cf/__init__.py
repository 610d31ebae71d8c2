"""Readers of the CF family."""

from readers.rfid.cf.driver import DRIVER, CfDriver
from readers.rfid.cf.settings import CfSettings, Mode
from readers.rfid.cf.station import CfStation

__all__ = ["DRIVER", "CfDriver", "CfSettings", "CfStation", "Mode"]
