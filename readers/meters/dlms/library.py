"""The library dlms-cosem, loaded when the driver runs.

Used are its association (AARQ, AARE, HLS, the order of events), its APDUs and its ciphers. Not used are its blocking
connections; its HDLC layer, which finds no frame after a garbled one, repeats none, and drops address bytes that are 0;
and its parser of data, which never ends on a truncated array.
"""

from __future__ import annotations

import importlib
import logging
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from readers.errors import ConfigError


@dataclass(frozen=True)
class Library:
    """Its modules."""

    acse: Any
    xdlms: Any
    cosem: Any
    connection: Any
    conformance: Any
    enumerations: Any
    security: Any
    selection: Any
    state: Any
    exceptions: Any

    def failures(self) -> tuple[type[Exception], ...]:
        """What it raises on bytes that it does not understand, or that come at the wrong moment."""
        told = self.exceptions
        return (
            ValueError,
            LookupError,
            AssertionError,
            AttributeError,
            TypeError,
            NotImplementedError,
            told.LocalDlmsProtocolError,
            told.CryptographyError,
            told.CipheringError,
            self.connection.ProtectionError,
        )


_PRINTS: Final = "dlms_cosem.protocol.xdlms.initiate_response"
_NAMES: Final = {
    "acse": "dlms_cosem.protocol.acse",
    "xdlms": "dlms_cosem.protocol.xdlms",
    "cosem": "dlms_cosem.cosem",
    "connection": "dlms_cosem.connection",
    "conformance": "dlms_cosem.protocol.xdlms.conformance",
    "enumerations": "dlms_cosem.enumerations",
    "security": "dlms_cosem.security",
    "selection": "dlms_cosem.cosem.selective_access",
    "state": "dlms_cosem.state",
    "exceptions": "dlms_cosem.exceptions",
}


def _say_nothing(*_: object) -> None:
    """In place of a `print` that was forgotten there: standard output is for the log of this process."""


@cache
def library() -> Library:
    """The library.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        modules = {name: importlib.import_module(path) for name, path in _NAMES.items()}
    except ImportError as error:
        raise ConfigError(
            f"driver dlms needs dlms-cosem, which is not installed ({error}): pip install tagwharf[dlms]"
        ) from error
    quiet = logging.Logger("dlms_cosem")  # noqa: LOG001 - has no parent, so that no setting can make it speak
    quiet.disabled = True
    for name in ("connection", "state"):  # it logs every APDU, passwords and all
        vars(modules[name])["LOG"] = quiet
    vars(importlib.import_module(_PRINTS))["print"] = _say_nothing
    return Library(**modules)
