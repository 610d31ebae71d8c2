from readers.machines.modbus_io.driver import DRIVER

__all__ = ["DRIVER"]
