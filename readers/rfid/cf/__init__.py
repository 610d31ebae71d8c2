"""Readers of the CF family."""

from readers.rfid.cf.driver import DRIVER, CfDriver
from readers.rfid.cf.settings import CfSettings, Mode

__all__ = ["DRIVER", "CfDriver", "CfSettings", "Mode"]
