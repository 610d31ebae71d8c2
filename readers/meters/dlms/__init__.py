"""The driver `dlms`: meters by DLMS/COSEM, many on one HDLC line, or over TCP with the wrapper."""

from readers.meters.dlms.driver import DRIVER

__all__ = ["DRIVER"]
