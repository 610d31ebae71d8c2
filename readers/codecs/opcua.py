"""What OPC UA says of values and machines, and the messages that it is said in (`readers.opcua_messages`).

Source: OPC 10000-4 (services, 7.38 status codes), OPC 10000-7 (security policies), ISA-TR88.00.02 (PackML) for the
numbers of states, these from memory.
Seen on: the servers of asyncua and node-opcua (`tests/system/test_opcua_peer.py`), no machine in our hands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from readers.codecs.framing import Scanner
from readers.machine_states import MachineState
from readers.opcua_messages import START, Message, Mode, Policy, parse

RUNNING: Final = 0
SERVER_STATES: Final = (
    "running",
    "failed",
    "no_configuration",
    "suspended",
    "shutdown",
    "test",
    "communication_fault",
    "unknown",
)
"""Words of `ServerState` by their numbers."""


PACKML: Final[Mapping[str, MachineState]] = {
    "1": MachineState.ABORTED,  # Clearing
    "2": MachineState.STOPPED,
    "3": MachineState.IDLE,  # Starting: nothing is made yet
    "4": MachineState.IDLE,
    "5": MachineState.HELD,  # Suspended
    "6": MachineState.EXECUTE,
    "7": MachineState.STOPPED,  # Stopping
    "8": MachineState.ABORTED,  # Aborting
    "9": MachineState.ABORTED,
    "10": MachineState.HELD,  # Holding
    "11": MachineState.HELD,
    "12": MachineState.HELD,  # Unholding
    "13": MachineState.HELD,  # Suspending
    "14": MachineState.HELD,  # Unsuspending
    "15": MachineState.STOPPED,  # Resetting
    "16": MachineState.EXECUTE,  # Completing
    "17": MachineState.IDLE,  # Complete
}
"""PackML's states by their numbers; 0, undefined, is none."""


class Decoder(Scanner[Message]):
    """Finds messages of both directions.

    Reject reasons: noise_bytes, length, truncated, json, fields.
    """

    def __init__(self) -> None:
        super().__init__(START, parse)


def security_of(policy: Policy, mode: Mode) -> str:
    """`Basic256Sha256 SignAndEncrypt`, for people."""
    return policy.value if policy is Policy.NONE else f"{policy} {mode}"


def server_state(number: int) -> str:
    """The word of a server's state."""
    return SERVER_STATES[number] if 0 <= number < len(SERVER_STATES) else f"state {number}"
