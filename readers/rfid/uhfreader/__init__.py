"""Readers of the UHFReader family."""

from readers.rfid.uhfreader.driver import DRIVER, UhfReaderDriver
from readers.rfid.uhfreader.settings import Mode, Model, UhfReaderSettings
from readers.rfid.uhfreader.station import UhfReaderStation

__all__ = ["DRIVER", "Mode", "Model", "UhfReaderDriver", "UhfReaderSettings", "UhfReaderStation"]
