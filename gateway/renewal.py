"""Certificates of ours that are renewed while a process runs: the next connection is made with those on the disk now.

Files that are wrong, half written or gone change nothing: what was loaded before stays in force, and it is told once.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

from gateway.config.models import Tls
from gateway.logs import get_log
from readers.errors import ConfigError

LOOK_EVERY_S: Final = 5.0

Context = TypeVar("Context", bound=ssl.SSLContext)
_Signature = tuple[tuple[int, int, int] | None, ...]


class Notice(Protocol):
    """Logs a trouble, and counts it where there is somebody to count."""

    def __call__(self, event: str, /, **fields: object) -> object:
        """`event` is `noun_verbed`."""


def warn(event: str, /, **fields: object) -> None:
    """Log only."""
    get_log().warning(event, **fields)


class Renewal(Generic[Context]):
    """A TLS context, made anew when its files change.

    Args:
        make: makes the context from the files as they are; raises ConfigError.

    Attributes:
        context: the one in force.

    Raises:
        ConfigError: the files cannot be used now, at the beginning.
    """

    def __init__(
        self,
        make: Callable[[], Context],
        tls: Tls | None,
        *,
        notice: Notice = warn,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make = make
        named = () if tls is None else (tls.ca_file, tls.certificate_file, tls.key_file)
        self._files = [file for file in named if file is not None]
        self._notice = notice
        self._clock = clock
        self._considered = self._signature()
        self._looked_s = clock()
        self._told = ""
        self.context = make()

    def refresh(self, every_s: float | None = None) -> bool:
        """Take new files, if `every_s` (5) have passed since the last look; whether `context` is another now."""
        now_s = self._clock()
        if now_s - self._looked_s < (LOOK_EVERY_S if every_s is None else every_s):
            return False
        self._looked_s = now_s
        made = self.candidate()
        if made is None:
            return False
        self.adopt(made)
        return True

    def candidate(self) -> Context | None:
        """A context of the files, if they are others than those considered last and can be used."""
        found = self._signature()
        if found == self._considered:
            return None
        self._considered = found
        if None in found:
            self.refuse("a file is missing")
            return None
        try:
            return self._make()
        except ConfigError as error:
            self.refuse(str(error))
            return None

    def adopt(self, context: Context) -> None:
        """Let a candidate be in force."""
        self.context = context
        self._told = ""
        get_log().info("certificate_loaded", files=self._names)

    def refuse(self, why: str) -> None:
        """Say, once, that new files are not used."""
        if why != self._told:
            self._told = why
            advice = "the certificates that were loaded before stay in use; put the right files there"
            self._notice("certificate_refused", error=why, files=self._names, advice=advice)

    def look_again(self) -> None:
        """Let the files count as not yet considered: what was wrong may not have been theirs."""
        self._considered = ()

    @property
    def _names(self) -> str:
        return ", ".join(map(str, self._files))

    def _signature(self) -> _Signature:
        return tuple(_stamp(file) for file in self._files)


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
