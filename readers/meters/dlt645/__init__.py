"""The driver `dlt645`: electricity meters by DL/T 645, many on one RS-485 line."""

from readers.meters.dlt645.driver import DRIVER

__all__ = ["DRIVER"]
