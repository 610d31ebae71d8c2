"""libosdp's control panel without its threads: bytes go in, bytes and events come out, whenever it is stepped.

libosdp counts its time-outs on a clock of its own, in real milliseconds: an answer within 200 ms, a poll every 50 ms.
It is given whole packets of at most 128 bytes that our own codec found good, because it copies what a reader says into
fixed buffers. A device that it gave up is left alone for 300 s, which `again` cuts short.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from readers.errors import ConfigError

MOST_HELD: Final = 256  # events and bytes between two steps are few; this only bounds a fault
_QUIET: Final = 0  # libosdp writes logs of its own to the terminal; what matters is told by conditions
_BYTE_MASK: Final = 0xFF
_WORD_MASK: Final = 0xFFFFFFFF


class EventKind(IntEnum):
    """The kinds of event that libosdp tells of and the driver uses."""

    CARD = 1
    KEYS = 2
    STATUS = 4


@dataclass(frozen=True, slots=True)
class PanelEvent:
    """What a device told.

    Attributes:
        unit: index of the device among those that the panel was made with.
        told: libosdp's own table.
    """

    unit: int
    told: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a device says it is."""

    vendor: str
    model: str
    serial: str
    firmware: str


class _Channel:
    """The file-like thing that libosdp reads from and writes to; one for all devices, so that they share the line."""

    def __init__(self) -> None:
        self.id = 1
        self.incoming = bytearray()
        self.outgoing = bytearray()

    def read(self, most_bytes: int) -> bytes:
        data = bytes(self.incoming[:most_bytes])
        del self.incoming[:most_bytes]
        return data

    def write(self, data: bytes) -> int:
        self.outgoing += data
        return len(data)

    def flush(self) -> None:
        """Called before a command is sent again: what came so far is no answer to it."""
        self.incoming.clear()


class Panel:
    """A control panel for the devices of one line.

    Args:
        units: address and secure channel base key of each; without a key it is spoken to in the clear.

    Raises:
        ConfigError: libosdp is not installed, or refuses the devices.
    """

    def __init__(self, units: Sequence[tuple[int, bytes | None]]) -> None:
        osdp, system = _library()
        self._channel = _Channel()
        self._events: list[PanelEvent] = []
        self._status_command = {"command": osdp.Command.Status, "type": osdp.StatusReportType.Local}
        system.set_loglevel(_QUIET)
        devices = []
        for address, key in units:
            flags = [osdp.LibFlag.IgnoreUnsolicited] + ([osdp.LibFlag.EnforceSecure] if key else [])
            devices.append(osdp.PDInfo(address, self._channel, scbk=key, flags=flags).get())
        try:
            self._context = system.ControlPanel(devices)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ConfigError(f"libosdp refuses the devices of this line: {error}") from error
        self._context.set_event_callback(self._take_event)

    def offer(self, packet: bytes) -> None:
        """A whole packet came from a device."""
        if len(self._channel.incoming) < MOST_HELD:
            self._channel.incoming += packet

    def step(self) -> bytes:
        """Let libosdp think; what it wants to be sent now. It never waits."""
        self._context.refresh()
        out = bytes(self._channel.outgoing)
        self._channel.outgoing.clear()
        return out

    def take_events(self) -> list[PanelEvent]:
        """What was told since the last call."""
        events, self._events = self._events, []
        return events

    def is_online(self, unit: int) -> bool:
        """The device answers, inside its secure channel where it has a key."""
        return bool(int(self._context.status()) >> unit & 1)

    def is_secure(self, unit: int) -> bool:
        """The secure channel to the device stands."""
        return bool(int(self._context.sc_status()) >> unit & 1)

    def identity(self, unit: int) -> Identity:
        """Who an online device is."""
        told: Mapping[str, int] = self._context.get_pd_id(unit)
        firmware = told["firmware_version"]
        return Identity(
            vendor=(told["vendor_code"] & 0xFFFFFF).to_bytes(3, "little").hex().upper(),
            model=f"{told['model'] & _BYTE_MASK} v{told['version'] & _BYTE_MASK}",
            serial=f"{told['serial_number'] & _WORD_MASK:08X}",
            firmware=".".join(str(firmware >> shift & _BYTE_MASK) for shift in (16, 8, 0)),
        )

    def ask_status(self, unit: int) -> None:
        """Ask an online device for its tamper and power inputs; the answer is an event."""
        self._context.submit_command(unit, self._status_command)

    def again(self, unit: int) -> None:
        """Try a device anew that libosdp gave up. The line is not used by it in this and the next step."""
        if self._context.is_pd_enabled(unit):
            self._context.disable_pd(unit)
        else:
            self._context.enable_pd(unit)

    def is_enabled(self, unit: int) -> bool:
        """The device is being tried; False between the two calls of `again`."""
        return bool(self._context.is_pd_enabled(unit))

    def _take_event(self, unit: int, told: Mapping[str, Any]) -> int:
        """Called by libosdp from inside `step`; must not raise."""
        if len(self._events) < MOST_HELD:
            self._events.append(PanelEvent(unit, told))
        return 0


def _library() -> tuple[Any, Any]:
    """The package of libosdp and its C module."""
    try:
        return importlib.import_module("osdp"), importlib.import_module("osdp_sys")
    except ImportError as error:
        raise ConfigError(
            f"driver osdp needs libosdp, which is not installed ({error}): pip install tagwharf[osdp]"
        ) from error
