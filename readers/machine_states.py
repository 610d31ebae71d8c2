"""States of machines, in the words of PackML, and the names of the signals that every machine driver uses.

A machine that does not answer has no state: the gateway says that it is offline, and nothing here stands for that.

Source: OPC UA for PackML (OPC 30050) state names; OPC 40001-1 for the mapping of machinery items; MTConnect Part 2,
`Execution`. The five states are those of OPC 40083 (TMC) with Held added.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class MachineState(StrEnum):
    """What a machine does; the value of the signal `machine_state`."""

    STOPPED = "stopped"
    IDLE = "idle"
    """Ready, and waiting for work."""
    EXECUTE = "execute"
    """Producing."""
    HELD = "held"
    """Interrupted by an operator or for want of material; it can go on."""
    ABORTED = "aborted"
    """Stopped by a fault or an emergency stop."""


class MachineMode(StrEnum):
    """Who drives it; the value of the signal `machine_mode`."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"
    MAINTENANCE = "maintenance"


STATE: Final = "machine_state"
MODE: Final = "machine_mode"
SPEED: Final = "speed"
GOOD_COUNT: Final = "good_count"
"""Pieces, or metres of cloth, that were made and are good; a counter that only rises, with its unit."""
BAD_COUNT: Final = "bad_count"
TOTAL_COUNT: Final = "total_count"
STOP_REASON: Final = "stop_reason"
ALARM: Final = "machine_alarm"
REMOTE_ENABLED: Final = "remote_enabled"
"""The machine's own switch that permits remote operation; true or false."""
PROGRAM: Final = "program"
