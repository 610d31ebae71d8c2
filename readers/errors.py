"""The error tree of everything that reads. Each class is a policy, carried out by the gateway's supervisor.

    ReaderError
    ├── LinkError            the connection failed or fell silent    → back off, try again
    │   └── ReaderBusyError  another client holds this reader        → the same, with a named status
    ├── FrameError           bytes that are no frame                 → count, reset the link, try again
    ├── DeviceRefusedError   the device says no to what was asked    → park until the configuration changes
    └── ConfigError          the site file asks for the impossible   → exit 78 at start; later back off

Anything else that leaves a driver is a bug: it is logged with its traceback, and the driver is restarted.
A message says what, where, the value given, what would be allowed, and the next step.
"""

from __future__ import annotations

from typing import Final

SHOWN_FRAME_BYTES: Final = 64


class ReaderError(Exception):
    """Any trouble that a driver, a codec or a port can meet."""


class LinkError(ReaderError):
    """The link to the device failed, was closed, or fell silent beyond its deadline."""


class ReaderBusyError(LinkError):
    """The device serves another client and refuses this one."""


class FrameError(ReaderError):
    """Bytes that do not make a valid frame.

    Args:
        reason: a short, fixed word for the counter: `length`, `checksum`, `delimiter`, `range`, `truncated` ...
        detail: what was found and what would be right.
        frame: the offending bytes; the message shows the first 64 of them.
    """

    def __init__(self, reason: str, detail: str, frame: bytes = b"") -> None:
        self.reason = reason
        self.detail = detail
        self.frame = bytes(frame)
        super().__init__(reason, detail, frame)

    def __str__(self) -> str:
        if not self.frame:
            return f"{self.reason}: {self.detail}"
        more = " ..." if len(self.frame) > SHOWN_FRAME_BYTES else ""
        return f"{self.reason}: {self.detail} in {self.frame[:SHOWN_FRAME_BYTES].hex(' ').upper()}{more}"


class DeviceRefusedError(ReaderError):
    """The device understood a request and refused it; asking again will not help."""


class ConfigError(ReaderError):
    """The configuration asks for something that does not exist or cannot be."""
