"""Readers of the UHFReader family."""

from readers.rfid.uhfreader.driver import DRIVER, UhfReaderDriver
from readers.rfid.uhfreader.settings import Mode, Model, UhfReaderSettings

__all__ = ["DRIVER", "Mode", "Model", "UhfReaderDriver", "UhfReaderSettings"]
