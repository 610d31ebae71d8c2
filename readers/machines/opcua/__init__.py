"""The driver `opcua`: machines whose controller is an OPC UA server, as signals, with set-points and commands."""

from __future__ import annotations

from typing import Final

from readers.driver import DriverSpec, Kind
from readers.machines.opcua.driver import OpcUaDriver
from readers.machines.opcua.settings import OpcUaSettings

__all__ = ["DRIVER", "OpcUaDriver", "OpcUaSettings"]

DRIVER: Final = DriverSpec(
    "opcua",
    Kind.MACHINE,
    OpcUaSettings,
    OpcUaDriver,
    "machines and controllers that are OPC UA servers: state, counts, speed, stop reasons, set-points and commands",
    schemes=("opc.tcp",),
    models=("Siemens S7-1500 and SINUMERIK", "Beckhoff TwinCAT", "B&R", "KEPServerEX", "any other OPC UA server"),
    extra="opcua",
)
