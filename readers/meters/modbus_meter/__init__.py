from readers.meters.modbus_meter.driver import DRIVER

__all__ = ["DRIVER"]
