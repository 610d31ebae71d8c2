"""The driver `dlt698`: electricity meters by DL/T 698.45, many on one RS-485 line."""

from readers.meters.dlt698.driver import DRIVER

__all__ = ["DRIVER"]
