from readers.machines.modbus_machine.driver import DRIVER

__all__ = ["DRIVER"]
