"""Readers of Hopeland (CLOU) with frames that begin with AA."""

from readers.rfid.hopeland.driver import DRIVER, HopelandDriver
from readers.rfid.hopeland.settings import HopelandSettings
from readers.rfid.hopeland.station import HopelandStation

__all__ = ["DRIVER", "HopelandDriver", "HopelandSettings", "HopelandStation"]
