"""A serial line without hardware: a pseudo-terminal, whose one end has a path for the driver; the other end is ours."""

from __future__ import annotations

import os
import tty
from typing import Self

from readers.ports.serial import FdPort


class PtyPort(FdPort):
    """The device's end of a pseudo-terminal. The driver opens `path` as it opens any serial line.

    The kernel ignores speed and parity of a pseudo-terminal: both ends understand each other at any setting.
    """

    def __init__(self, ours: int, theirs: int) -> None:
        self._theirs = theirs
        self.path = os.ttyname(theirs)
        super().__init__(ours, f"pty {self.path} (device)")

    @classmethod
    def open(cls) -> Self:
        """Make a pseudo-terminal; needs a running loop.

        Raises:
            OSError: the system has none left.
        """
        ours, theirs = os.openpty()
        # ours to keep open: else our end would hang up whenever the driver's end is closed
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        return cls(ours, theirs)

    def _release(self) -> None:
        super()._release()
        os.close(self._theirs)
