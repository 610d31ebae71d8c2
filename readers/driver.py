"""The contract between a driver and the rest: one method, one port, one place to report to.

A driver talks until it is cancelled and never returns by itself; trouble is raised (see `readers.errors`). It never
reconnects, never backs off, never logs reads and never opens files: the gateway's supervisor does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel, ConfigDict

from readers.access import Station
from readers.control import ControlPoint
from readers.observations import Observation

Report = Callable[[Observation], None]
"""Takes one observation; never blocks, never raises."""


class Port(Protocol):
    """A byte stream to one device, and the clock that goes with it. Tests use one in memory with virtual time."""

    @property
    def description(self) -> str:
        """Where this leads, for messages: `tcp://10.0.0.7:5084`."""

    async def send(self, data: bytes) -> None:
        """Write all of `data`.

        Raises:
            LinkError: the link is closed, or did not take the bytes within the port's send deadline.
        """

    async def receive(self, within_s: float) -> bytes:
        """Wait at most `within_s` seconds for bytes and return all that have come; b"" when none came in time.

        Raises:
            LinkError: the other side closed the link or it broke; bytes that came before are returned first.
        """

    async def pause(self, seconds: float) -> None:
        """Let time pass on this port's clock; bytes that come meanwhile are kept."""

    def monotonic_s(self) -> float:
        """A clock that never jumps, for deadlines."""

    def now_us(self) -> int:
        """The host's UTC time in microseconds since 1970, for `received_at_us`."""

    @property
    def baud(self) -> int | None:
        """Bits per second of the line, for deadlines; None where there is no line, or a device server sets it."""

    async def close(self) -> None:
        """Close the link; harmless when it is closed."""


@runtime_checkable
class SerialPort(Port, Protocol):
    """A port whose line speed can be changed; over a serial device server too."""

    def set_baud(self, baud: int) -> None:
        """Change the speed of the line from the next byte on."""


class Parity(StrEnum):
    """Parity of a serial character."""

    NONE = "none"
    EVEN = "even"
    ODD = "odd"


@dataclass(frozen=True, slots=True)
class LineDefaults:
    """How a serial line of this driver is set when the site file does not say."""

    baud: int
    parity: Parity = Parity.NONE
    stop_bits: int = 1


class Kind(StrEnum):
    """What sort of device a driver speaks to: it decides which of its names the site file must give."""

    RFID = "rfid"
    METER = "meter"
    CARD = "card"
    MACHINE = "machine"
    """Says signals under its own name: a weighbridge, inputs and outputs."""


class DriverSettings(BaseModel):
    """What a user may set for one reader. Unknown keys are faults; defaults make the shortest file work."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def sources(self) -> tuple[str, ...]:
        """Names of the devices behind this reader's line; empty when the reader itself is the device."""
        return ()

    def antenna_ports(self) -> tuple[int, ...] | None:
        """The antenna ports that will be read, 1-based; None when the device decides."""
        return None

    def control_points(self) -> tuple[ControlPoint, ...]:
        """What of it can be controlled; its driver is `Controllable` then, and says the same."""
        return ()


SettingsT = TypeVar("SettingsT", bound=DriverSettings)


class Driver(Protocol):
    """Speaks one protocol over one port at a time.

    It is made once for a reader and run again for each new link, so it may remember what a link's end does not change:
    when a meter was heard last, when its clock was set. After a bug a new one is made.
    """

    async def run(self, port: Port, report: Report) -> None:
        """Talk until cancelled; report what is heard.

        Raises:
            LinkError: try again later. ReaderBusyError: another client holds the device.
            FrameError: the stream cannot be followed any more; reset the link.
            DeviceRefusedError: the device will not do what the settings ask.
        """


@dataclass(frozen=True, slots=True)
class DriverSpec(Generic[SettingsT]):
    """One driver as the registry knows it: the constant `DRIVER` of its module.

    Attributes:
        name: the name in the site file and on MQTT; protocol or family, never a position. It is API.
        line: serial defaults, for drivers that may speak over a serial line.
        tcp_port: the protocol's port number, for drivers that may speak over TCP; tls_port likewise.
        schemes: further forms of `port` that only this driver speaks: `pcsc`, `mqtt`.
        models: devices that it is for, as people call them.
        extra: the optional dependency that it needs: `pip install tagwharf[EXTRA]`.
        station: makes a station over an open port, for readers that can work on single tags.
    """

    name: str
    kind: Kind
    settings: type[SettingsT]
    make: Callable[[SettingsT], Driver]
    summary: str
    line: LineDefaults | None = None
    tcp_port: int | None = None
    tls_port: int | None = None
    schemes: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    extra: str | None = None
    station: Callable[[SettingsT, Port], Station] | None = None
